/* ---- the grid: many chips at once, to reject look-alikes with one reason ----
 *
 * Nothing is confirmed here: a confirmed mine goes into exports and to the authorities, so each is looked
 * at by itself. What is rejected together has one batch, and one undo takes all of it back.
 */

const GRID_STORED = "minedisc.grid";
const REFRESH_MS = 1000; // others may decide too, and the server may refuse
const GRID_SHAPES = { 24: [8, 3], 36: [9, 4], 48: [12, 4] }; // columns and rows that fit 1,280 x 800 px

class Grid {
  constructor(panel) {
    Object.assign(this, { panel, start: 0, at: 0, anchor: 0, chosen: new Set(), armed: false });
    const { size, kind } = kept.get(GRID_STORED, {});
    this.size = GRID_SHAPES[size] ? size : 24;
    this.kind = kind ?? "true_colour";
    this.onKey = (e) => this.key(e);
  }

  get isOpen() { return Boolean(this.dialog?.open); }
  get texts() { return this.panel.data.texts; }
  get shown() { return this.cells?.map((cell) => cell.item).filter(Boolean) ?? []; }

  /* -- open and close -- */

  open() {
    if (this.isOpen || !this.panel.data.total) return;
    this.build();
    this.panel.root.append(this.dialog);
    this.dialog.showModal(); // the page behind is inert, and the focus goes back where it was
    window.addEventListener("keydown", this.onKey, true);
    this.timer = setInterval(() => this.refreshAll(), REFRESH_MS);
    this.chosen.clear();
    this.go(Math.max(0, this.panel.index ?? 0));
  }

  close() {
    if (!this.isOpen) return;
    clearInterval(this.timer);
    window.removeEventListener("keydown", this.onKey, true);
    this.asked = null;
    this.dialog.close();
    this.dialog.remove();
  }

  /** Back to the panel, at the candidate that has the focus. */
  leave() {
    const { item } = this.cells[this.at] ?? {};
    this.close();
    if (item) this.panel.take(() => this.panel.goTo(item.index));
  }

  /* -- pages -- */

  async go(start) {
    const { panel } = this;
    const { total } = panel.data;
    if (start >= total) return;
    Object.assign(this, { start: Math.max(0, start), at: 0, anchor: 0 });
    this.arm(false);
    this.layOut(Math.min(this.size, total - this.start));
    this.sayRange();
    const asked = (this.asked = Symbol("page"));
    for (let k = 0; k < this.cells.length; k += 1) {
      const item = await panel.item(this.start + k);
      if (this.asked !== asked) return;
      if (item) this.fill(this.cells[k], item);
    }
    this.ahead();
  }

  turn(by) {
    const start = this.start + by * this.size;
    if (by < 0 && this.start > 0) this.go(Math.max(0, start));
    if (by > 0) this.go(start);
  }

  /** The next page's chips into the browser's cache. */
  async ahead() {
    const { asked } = this;
    const next = this.start + this.size;
    const last = Math.min(next + this.size, this.panel.data.total);
    this.images = [];
    for (let index = next; index < last; index += 1) {
      const item = await this.panel.item(index);
      if (this.asked !== asked || !this.isOpen) return;
      const image = new Image();
      image.fetchPriority = "low";
      image.src = this.chip(item)?.url ?? "";
      this.images.push(image);
    }
  }

  /* -- choosing -- */

  isFree(item) { return !this.heldBy(item); }

  heldBy(item) { return this.panel.looking.heldBy(item); }

  toggle(k, on = !this.chosen.has(this.cells[k].item?.id)) {
    const { item } = this.cells[k];
    if (!item) return;
    if (on) this.chosen.add(item.id); else this.chosen.delete(item.id);
    this.refresh(this.cells[k]);
    this.sayChosen();
  }

  /** From the anchor to `k`: what is decided already has to be chosen by itself. */
  extend(k) {
    const [from, to] = [Math.min(this.anchor, k), Math.max(this.anchor, k)];
    for (let i = from; i <= to; i += 1) if (this.cells[i].item?.status === "undecided") this.toggle(i, true);
  }

  chooseAll() { this.cells.forEach((cell, k) => { if (cell.item?.status === "undecided") this.toggle(k, true); }); }

  chooseNone() { this.chosen.clear(); this.refreshAll(); this.sayChosen(); }

  focus(k, extending = false) {
    if (k < 0 || k >= this.cells.length) return;
    if (extending) this.extend(k); else this.anchor = k;
    this.cells[this.at]?.node.setAttribute("tabindex", "-1");
    this.at = k;
    this.cells[k].node.setAttribute("tabindex", "0");
    this.cells[k].node.focus();
  }

  click(event, k) {
    this.focus(k, event.shiftKey);
    if (!event.shiftKey) this.toggle(k);
  }

  /* -- deciding -- */

  arm(on) {
    this.armed = on && this.chosen.size > 0;
    this.dialog.classList.toggle("md-grid-armed", this.armed);
    this.why.textContent = this.armed ? this.put("grid_armed", { n: this.chosen.size }) : this.put("grid_why", { key: this.keyOf("reject") });
    if (on && !this.armed) this.say(this.texts.grid_nothing);
  }

  decide(verdict, reason = null) {
    const chosen = this.shown.filter((item) => this.chosen.has(item.id));
    const held = chosen.filter((item) => !this.isFree(item));
    const free = chosen.filter((item) => this.isFree(item));
    const left = held.length ? this.put("grid_held", { names: held.map((item) => `${item.title} (${this.heldBy(item)})`).join(", ") }) : "";
    if (free.length) this.panel.decideMany(free, verdict, reason);
    const told = verdict === "rejected" ? "grid_rejected" : "grid_unsure";
    const done = free.length ? this.put(told, { n: free.length, reason: this.label(reason).toLowerCase(), key: this.keyOf("undo") }) : "";
    this.chosen.clear();
    this.arm(false);
    this.refreshAll();
    this.sayChosen();
    this.say([done, left].filter(Boolean).join(" ") || this.texts.grid_nothing);
  }

  async undo() {
    await this.panel.undo();
    this.refreshAll();
    this.say(this.texts.grid_undone);
  }

  label(code) { return this.panel.data.reasons.find((r) => r.code === code)?.label ?? ""; }

  /* -- keys -- */

  key(event) {
    if (!this.isOpen) return false;
    const inList = event.target?.tagName === "SELECT";
    if (event.key === "Tab" || (inList && event.key !== "Escape")) return false;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const onButton = event.target?.tagName === "BUTTON" && ["Enter", " "].includes(event.key);
    if (onButton) { event.stopImmediatePropagation(); return true; }
    if ((event.ctrlKey || event.metaKey) && key !== "a") return false;
    const run = this.action(key, event);
    event.stopImmediatePropagation(); // the panel behind must not decide
    if (run || key.length === 1) event.preventDefault();
    if (run && !(event.repeat && !key.startsWith("Arrow"))) run();
    return true;
  }

  action(key, { shiftKey, ctrlKey, metaKey, altKey }) {
    if (altKey) return null;
    if (ctrlKey || metaKey) return () => this.chooseAll();
    const [columns] = GRID_SHAPES[this.size];
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key];
    if (step) return () => this.focus(this.at + step, shiftKey);
    const reason = this.armed ? this.panel.data.reasons.find((r) => r.key === key) : null;
    if (reason) return () => this.decide("rejected", reason.code);
    return this.fixed()[key] ?? this.named()[this.panel.keys.nameOf(key)] ?? null;
  }

  fixed() {
    return {
      " ": () => this.toggle(this.at),
      PageDown: () => this.turn(1),
      PageUp: () => this.turn(-1),
      Home: () => this.focus(0),
      End: () => this.focus(this.cells.length - 1),
      Enter: () => this.leave(),
      Escape: () => (this.armed ? this.arm(false) : this.leave()),
    };
  }

  /** The panel's actions that mean something here, by the keys that the analyst gave them. */
  named() {
    const again = () => { if (this.panel.lastReason) this.decide("rejected", this.panel.lastReason); };
    return {
      confirm: () => this.say(this.texts.grid_no_confirm),
      reject: () => (this.armed ? again() : this.arm(true)),
      unsure: () => this.decide("unsure"),
      undo: () => this.undo(),
      index: () => this.nextKind(),
      next: () => this.turn(1),
      previous: () => this.turn(-1),
      grid: () => this.leave(),
    };
  }

  keyOf(name) { return this.panel.keys.keyOf(name).toUpperCase(); }

  /* -- drawing -- */

  put(name, values) { return fill(this.texts[name], values); }

  build() {
    const { texts } = this;
    this.range = el("strong", {});
    this.count = el("span", { class: "md-grid-count", "aria-live": "polite" });
    this.notice = el("p", { class: "md-grid-notice", role: "status" });
    this.why = el("p", { class: "md-grid-why" });
    this.list = el("div", { class: "md-grid-cells", role: "listbox", "aria-multiselectable": "true", "aria-label": texts.grid_title });
    this.dialog = el("dialog", { class: "md-grid", "aria-label": texts.grid_title }, this.buildBar(), this.list, this.buildReasons());
    this.dialog.addEventListener("cancel", (e) => { e.preventDefault(); this.leave(); });
  }

  button(label, key, run, name = "") {
    const hint = key ? el("kbd", {}, key) : null;
    const button = el("button", { type: "button", class: "md-button", "data-grid": name, onclick: run }, el("span", { class: "md-label" }, label), hint);
    button.addEventListener("mouseup", () => this.cells[this.at]?.node.focus()); // the space bar chooses again
    return button;
  }

  choice(label, options, value, take) {
    const select = el("select", {}, ...options.map(([code, text]) => el("option", { value: code, selected: String(code) === String(value) }, text)));
    select.addEventListener("change", () => { take(select.value); this.cells[this.at]?.node.focus(); });
    return [select, el("label", {}, el("span", {}, label), select)];
  }

  buildBar() {
    const { texts } = this;
    const [kinds, kindLabel] = this.choice(texts.grid_picture, this.kinds(), this.kind, (kind) => this.showKind(kind));
    const [, sizeLabel] = this.choice(texts.grid_size, Object.keys(GRID_SHAPES).map((n) => [n, n]), this.size, (n) => this.resize(Number(n)));
    this.kindList = kinds;
    return el("div", { class: "md-grid-bar" }, this.range, this.count, kindLabel, sizeLabel,
      this.button(texts.grid_all, "", () => this.chooseAll(), "all"), this.button(texts.grid_none, "", () => this.chooseNone(), "none"),
      this.button(texts.grid_previous, this.keyOf("previous"), () => this.turn(-1), "previous"), this.button(texts.grid_next, this.keyOf("next"), () => this.turn(1), "next"),
      this.button(texts.undo, this.keyOf("undo"), () => this.undo(), "undo"), this.button(texts.grid_close, this.keyOf("grid"), () => this.leave(), "close"));
  }

  buildReasons() {
    const { texts, panel } = this;
    const pick = (r) => this.button(r.label, r.key, () => this.decide("rejected", r.code), r.code);
    const unsure = this.button(texts.unsure, this.keyOf("unsure"), () => this.decide("unsure"), "unsure");
    return el("div", { class: "md-grid-foot" }, el("div", { class: "md-grid-told" }, this.why, this.notice),
      el("div", { class: "md-grid-reasons" }, ...panel.data.reasons.map(pick), unsure));
  }

  /** Kinds of chips that the candidates have, with their names. */
  kinds() {
    const known = [...this.panel.items.values()].flatMap((item) => item.chips).map((chip) => [chip.kind, chip.label]);
    return [...new Map(known)];
  }

  layOut(count) {
    const [columns, rows] = GRID_SHAPES[this.size];
    this.list.style.setProperty("--columns", columns);
    this.list.style.setProperty("--rows", rows);
    this.list.style.setProperty("--caption", columns > 8 ? "62px" : "46px"); // narrow cells need a line more
    this.cells = Array.from({ length: count }, (_, k) => this.cell(k));
    this.list.replaceChildren(...this.cells.map((cell) => cell.node));
    this.cells[0]?.node.setAttribute("tabindex", "0");
    this.cells[0]?.node.focus();
  }

  cell(k) {
    const parts = { image: el("img", { alt: "", draggable: "false" }), score: el("b", {}), impact: el("span", {}), status: el("span", { class: "md-grid-status" }) };
    const node = el("div", { role: "option", class: "md-grid-cell", tabindex: "-1", "aria-selected": "false" },
      parts.image, el("div", { class: "md-grid-line" }, parts.score, parts.impact), parts.status);
    node.addEventListener("click", (e) => this.click(e, k));
    node.addEventListener("dblclick", () => { this.at = k; this.leave(); });
    return { ...parts, node };
  }

  fill(cell, item) {
    cell.item = item;
    cell.node.dataset.candidate = item.id;
    cell.score.textContent = item.score_text ?? item.facts[0]?.value ?? "";
    cell.impact.textContent = item.impact_label;
    cell.impact.className = `md-grid-impact md-grid-is-${item.impact}`;
    this.picture(cell);
    this.refresh(cell);
  }

  picture(cell) {
    const chip = this.chip(cell.item);
    if (chip) cell.image.src = chip.url; else cell.image.removeAttribute("src");
  }

  chip(item) { return item?.chips.find((chip) => chip.kind === this.kind) ?? item?.chips[0]; }

  refreshAll() { this.cells.forEach((cell) => this.refresh(cell)); }

  refresh(cell) {
    if (!cell.item) return;
    const { node, status } = cell;
    const fresh = this.panel.items.get(cell.item.index);
    const item = fresh?.id === cell.item.id ? fresh : cell.item;
    cell.item = item;
    const held = this.heldBy(item);
    const reason = item.reason ? `: ${this.label(item.reason).toLowerCase()}` : "";
    const words = `${this.panel.data.statuses[item.status] ?? item.status}${reason}`;
    status.textContent = held ? fill(this.texts.held, { name: held }) : words;
    status.className = `md-grid-status md-is-${held ? "held" : item.status}`;
    status.title = status.textContent;
    node.classList.toggle("md-grid-decided", item.status !== "undecided");
    node.setAttribute("aria-selected", String(this.chosen.has(item.id)));
    node.setAttribute("aria-label", [item.title, item.score_text ?? item.facts[0]?.value, item.impact_label, words, held].filter(Boolean).join(", "));
  }

  showKind(kind) {
    this.kind = kind;
    this.kindList.value = kind;
    this.cells.filter((cell) => cell.item).forEach((cell) => this.picture(cell));
    this.store();
    this.ahead();
  }

  nextKind() {
    const kinds = this.kinds().map(([kind]) => kind);
    this.showKind(kinds[(kinds.indexOf(this.kind) + 1) % kinds.length]);
  }

  resize(size) {
    this.size = size;
    this.store();
    this.go(this.start);
  }

  store() { kept.set(GRID_STORED, { size: this.size, kind: this.kind }); }

  sayRange() {
    const { total, lang } = this.panel.data;
    const to = Math.min(this.start + this.size, total);
    this.range.textContent = this.put("grid_range", { from: (this.start + 1).toLocaleString(lang), to: to.toLocaleString(lang), total: total.toLocaleString(lang) });
    this.sayChosen();
  }

  sayChosen() {
    this.count.textContent = this.put("grid_chosen", { n: this.shown.filter((item) => this.chosen.has(item.id)).length });
    if (this.armed) this.arm(true);
  }

  say(text) { this.notice.textContent = text; }
}
