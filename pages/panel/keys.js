/* ---- keys: which key does what, changed by the analyst, kept in the browser ---- */

const KEYS_STORED = "minedisc.keys";
const FIXED = { ArrowRight: "next", ArrowLeft: "previous", "?": "help" }; // besides the letters
const NOT_OURS = ["c", "r"]; // Streamlit takes them: clear the cache, run again

class KeyMap {
  /** `defaults`: name of an action -> its key; `reserved`: keys that mean something else (the reasons'). */
  constructor(defaults, reserved) {
    Object.assign(this, { defaults, reserved, changed: {} });
    for (const [name, key] of Object.entries(kept.get(KEYS_STORED, {}))) {
      if (name in defaults && typeof key === "string" && !this.problem(name, key)) this.changed[name] = key;
    }
  }

  keyOf(name) { return this.changed[name] ?? this.defaults[name] ?? ""; }

  nameOf(key) {
    const pressed = key.length === 1 ? key.toLowerCase() : key;
    return FIXED[pressed] ?? Object.keys(this.defaults).find((name) => this.keyOf(name) === pressed) ?? null;
  }

  /** Why an action cannot have a key: [name of the text, what stands in it]; null if it can. */
  problem(name, key) {
    const wanted = key.toLowerCase();
    if (["control", "shift", "alt", "altgraph", "meta", "capslock"].includes(wanted)) return ["key_modifier", {}];
    if (key.length !== 1 || key === " " || key in FIXED) return ["key_fixed", { key: key === " " ? "Space" : key }];
    if (NOT_OURS.includes(wanted)) return ["key_streamlit", { key: wanted.toUpperCase() }];
    if (this.reserved.includes(wanted)) return ["key_reason", { key: wanted }];
    const other = Object.keys(this.defaults).find((n) => n !== name && this.keyOf(n) === wanted);
    return other ? ["key_taken", { key: wanted.toUpperCase(), other }] : null;
  }

  change(name, key) {
    const problem = this.problem(name, key);
    if (problem) return problem;
    this.changed[name] = key.toLowerCase();
    kept.set(KEYS_STORED, this.changed);
    return null;
  }

  restore() {
    this.changed = {};
    kept.remove(KEYS_STORED);
  }
}

/** The overlay with every key; a click on one and a press of another changes it. */
class Help {
  constructor(panel) {
    Object.assign(this, { panel, waiting: null });
    this.onKey = (e) => this.key(e);
  }

  get isOpen() { return Boolean(this.dialog?.open); }
  get texts() { return this.panel.data.texts; }

  open() {
    if (this.isOpen) return;
    this.build();
    this.panel.root.append(this.dialog);
    this.dialog.showModal(); // the page behind is inert; on closing the focus goes back where it was
    window.addEventListener("keydown", this.onKey, true);
  }

  close() {
    window.removeEventListener("keydown", this.onKey, true);
    this.dialog?.close();
    this.dialog?.remove();
    this.waiting = null;
  }

  build() {
    const { texts, panel } = this;
    this.told = el("p", { class: "md-help-told", role: "status" }, texts.help_how);
    this.rows = new Map(Object.keys(panel.data.keys).map((name) => [name, this.row(name)]));
    const reasons = panel.reasons.map((r) => el("li", {}, el("span", {}, r.label), el("kbd", {}, r.key)));
    this.dialog = el("dialog", { class: "md-help", "aria-labelledby": "md-help-title" },
      el("div", { class: "md-help-head" }, el("h2", { id: "md-help-title" }, texts.help_title), this.control(texts.close, () => this.close(), "Esc")),
      this.told, el("ul", { class: "md-help-keys" }, ...this.rows.values()),
      el("h3", {}, texts.help_reasons), el("ul", { class: "md-help-keys md-help-reasons" }, ...reasons),
      el("div", { class: "md-help-foot" }, this.digits(), this.control(texts.help_restore, () => this.restore())));
    this.dialog.addEventListener("cancel", (e) => { e.preventDefault(); this.close(); });
    this.dialog.addEventListener("click", (e) => { if (e.target === this.dialog) this.close(); });
  }

  control(label, run, key) {
    return el("button", { type: "button", class: "md-button", onclick: run }, el("span", { class: "md-label" }, label), key ? el("kbd", {}, key) : null);
  }

  row(name) {
    const label = this.texts[name];
    const button = el("button", { type: "button", "data-key-of": name, onclick: () => this.ask(name) }, el("span", {}, label), el("kbd", {}, this.shown(name)));
    return el("li", {}, button);
  }

  shown(name) {
    const more = Object.keys(FIXED).filter((key) => FIXED[key] === name).map((key) => ({ ArrowLeft: "←", ArrowRight: "→" })[key] ?? key);
    return [this.panel.keys.keyOf(name).toUpperCase(), ...more].join(" ");
  }

  digits() {
    const box = el("input", { type: "checkbox" });
    box.checked = this.panel.digitsDecide;
    box.addEventListener("change", () => this.panel.setDigitsDecide(box.checked));
    return el("label", {}, box, el("span", {}, this.texts.help_digits));
  }

  ask(name) {
    this.mark(name);
    this.told.textContent = fill(this.texts.help_press, { action: this.texts[name] });
  }

  mark(name) {
    this.waiting = name;
    this.rows.forEach((row, each) => row.classList.toggle("md-help-waiting", each === name));
  }

  key(event) {
    event.stopImmediatePropagation(); // nothing is decided behind an open overlay
    if (event.key === "Escape") { event.preventDefault(); if (this.waiting) this.stopAsking(); else this.close(); return; }
    if (this.waiting && event.key !== "Tab") { event.preventDefault(); this.take(event); return; }
    if (this.waiting === null && !event.ctrlKey && this.panel.keys.nameOf(event.key) === "help") { event.preventDefault(); this.close(); }
  }

  stopAsking() {
    this.mark(null);
    this.told.textContent = this.texts.help_how;
  }

  take(event) {
    const combined = event.ctrlKey || event.altKey || event.metaKey;
    const problem = combined ? ["key_modifier", {}] : this.panel.keys.change(this.waiting, event.key);
    if (problem) { this.told.textContent = this.word(problem); return; }
    const name = this.waiting;
    this.mark(null);
    this.told.textContent = fill(this.texts.help_done, { action: this.texts[name], key: this.shown(name) });
    this.refresh();
  }

  word([text, values]) { return fill(this.texts[text], { ...values, other: this.texts[values.other] ?? "" }); }

  restore() {
    this.panel.keys.restore();
    this.stopAsking();
    this.refresh();
  }

  refresh() {
    this.rows.forEach((row, name) => { row.querySelector("kbd").textContent = this.shown(name); });
    this.panel.labelKeys();
  }
}
