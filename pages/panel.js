/* The review panel: chips, facts and verdicts of one candidate at a time.
 *
 * It advances at once and keeps every verdict in an outbox (also in localStorage) until the server
 * has acknowledged it. Python gives the queue's first window, the texts and a signed token; later
 * windows and verdicts travel over the app's own routes, so a key press waits for no page run.
 * The leafmap map beside it is a frame of the same origin: the panel moves it, marks the current
 * candidate in it and listens to its keys and clicks.
 */

const STORED = "minedisc.event.";
const BATCH = 40;
const WINDOW = 40;
const AHEAD = 20; // at 25 keys a second this leaves the server most of a second
const PREFETCHED = 5;
const SVG = "http://www.w3.org/2000/svg";

/* ---- outbox: one for the browser tab, outlives the panel ---- */

class Outbox {
  constructor() {
    this.events = Outbox.stored();
    this.sending = false;
    this.wait = 500;
    this.onChange = this.onAnswer = this.onStale = () => {};
    window.addEventListener("beforeunload", (e) => { if (this.events.length) e.preventDefault(); });
    window.addEventListener("online", () => this.send());
  }

  static stored() {
    const keys = Object.keys(localStorage).filter((k) => k.startsWith(STORED));
    const parse = (k) => { try { return JSON.parse(localStorage.getItem(k)); } catch { return null; } };
    return keys.map(parse).filter((e) => e && e.event_id).sort((a, b) => a.order - b.order);
  }

  add(event) {
    const kept = { ...event, order: Date.now() + this.events.length / 1000 };
    this.events.push(kept);
    try { localStorage.setItem(STORED + kept.event_id, JSON.stringify(kept)); } catch { /* full: memory still has it */ }
    this.onChange();
    this.send();
  }

  settle(ids) {
    const done = new Set(ids);
    done.forEach((id) => localStorage.removeItem(STORED + id));
    this.events = this.events.filter((e) => !done.has(e.event_id));
    this.onChange();
  }

  async send() {
    if (this.sending || !this.events.length || !this.token) return;
    this.sending = true;
    clearTimeout(this.timer);
    const failed = await this.post(this.events.slice(0, BATCH)).then(() => false, () => true);
    this.sending = false;
    this.wait = failed ? Math.min(this.wait * 2, 8000) : 500;
    if (this.events.length) this.timer = setTimeout(() => this.send(), failed ? this.wait : 0);
  }

  async post(events) {
    const answer = await fetch(`${this.base}/review/verdicts`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Minedisc-Token": this.token },
      body: JSON.stringify({ queue: this.queue, analyst: this.analyst, run: this.run, events }),
    });
    if (answer.status === 403) this.onStale();
    if (!answer.ok) throw new Error(String(answer.status));
    const said = await answer.json();
    this.settle([...said.acknowledged, ...said.refused.map((r) => r.event_id)]);
    this.onAnswer(said);
  }
}

const outbox = (window.__minediscOutbox ??= new Outbox());

/* ---- small helpers ---- */

const el = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") node.onclick = value;
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((c) => c != null));
  return node;
};

const uuid = () => {
  if (crypto.randomUUID) return crypto.randomUUID(); // only in secure contexts: localhost is one
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
};

const isTyping = (event) => {
  const target = event.composedPath ? event.composedPath()[0] : event.target;
  const kind = target?.getAttribute?.("type") ?? "text";
  // After a choice the focus stays on the closed list of a filter: letters are for the panel then.
  const closed = target?.getAttribute?.("role") === "combobox" && target.getAttribute("aria-expanded") !== "true";
  if (closed && event.key.length === 1) return false;
  if (target?.tagName === "INPUT") return !["checkbox", "radio", "button", "range"].includes(kind);
  return ["TEXTAREA", "SELECT"].includes(target?.tagName) || target?.isContentEditable;
};

/* ---- the leafmap map beside the panel ---- */

class MapView {
  constructor(onKey, onPick) {
    Object.assign(this, { onKey, onPick, frame: null, layers: new Map(), decided: new Map() });
    this.timer = setInterval(() => this.attach(), 250);
  }

  get window() {
    try { return this.frame?.isConnected ? this.frame.contentWindow : null; } catch { return null; }
  }

  attach() {
    const frame = document.querySelector('iframe[title^="streamlit_folium"]');
    const inside = frame?.contentWindow;
    if (!inside?.map || !inside.L) return;
    if (inside.map !== this.map) {
      Object.assign(this, { frame, map: inside.map, L: inside.L, mark: null });
      this.layers.clear();
      inside.document.addEventListener("keydown", this.onKey, true);
      this.map.on("layeradd", () => { this.stale = true; });
      this.stale = true;
      if (this.item) this.show(this.item, true);
    }
    if (this.stale) this.collect();
  }

  collect() {
    this.stale = false;
    this.map.eachLayer((layer) => {
      const id = layer.feature?.properties?.candidate_id;
      if (!id || this.layers.get(id) === layer) return;
      this.layers.set(id, layer);
      layer.on("click", () => this.onPick(id));
      if (this.decided.has(id)) this.restyle(id, this.decided.get(id));
    });
  }

  show(item, first = false) {
    this.item = item;
    if (!this.window || !this.map) return;
    const zoom = first ? Math.max(this.map.getZoom(), 13) : this.map.getZoom();
    this.map.setView([item.lat, item.lon], zoom, { animate: false });
    this.mark?.remove();
    const style = { color: "#ffffff", weight: 4, fill: false, interactive: false, className: "md-current" };
    this.mark = this.L.geoJSON(item.polygon, { style, interactive: false }).addTo(this.map);
  }

  restyle(id, status) {
    this.decided.set(id, status);
    const look = { confirmed: { fillOpacity: 0.28, dashArray: null }, rejected: { fillOpacity: 0, dashArray: "3 5" },
      unsure: { fillOpacity: 0.12, dashArray: "8 5" }, undecided: { fillOpacity: 0.12, dashArray: null } };
    this.layers.get(id)?.setStyle?.(look[status] ?? look.undecided);
  }

  close() {
    clearInterval(this.timer);
    this.mark?.remove();
    this.window?.document.removeEventListener("keydown", this.onKey, true);
  }
}

/* ---- the panel ---- */

class Panel {
  constructor(root) {
    this.root = root;
    this.items = new Map();
    this.loading = new Map();
    this.keys = []; // actions that wait for their turn
    this.done = []; // verdicts made here, for undo
    this.images = [];
    this.outlined = localStorage.getItem("minedisc.outline") !== "off";
    this.onKey = (e) => this.key(e);
    document.addEventListener("keydown", this.onKey, true);
    // A press outside the panel may lead to another page: a rerun of this panel that arrives after it would blank it.
    this.onPress = (e) => { if (!this.root.contains(e.target)) clearTimeout(this.saying); };
    document.addEventListener("pointerdown", this.onPress, true);
    this.map = new MapView(this.onKey, (id) => this.take(() => this.goToId(id)));
  }

  update(component) {
    const { data } = component;
    this.component = component;
    this.data = data;
    if (!this.head) this.build();
    Object.assign(outbox, { base: data.base, token: data.token, analyst: data.analyst, queue: data.queue, run: data.run });
    outbox.onChange = () => this.showCounts();
    outbox.onAnswer = (said) => this.answered(said);
    outbox.onStale = () => component.setTriggerValue("stale", Date.now());
    if (this.queue !== data.queue) this.begin();
    this.rememberAnalyst();
    outbox.send();
  }

  begin() {
    const { data } = this;
    this.queue = data.queue;
    this.items.clear();
    data.items.forEach((item) => this.items.set(item.index, item));
    this.counters = data.counters;
    this.keys = [];
    this.index = null;
    outbox.events.forEach((e) => { const item = this.find(e.candidate_id); if (item) item.status = e.verdict; });
    this.goTo(data.index, true);
  }

  rememberAnalyst() {
    const known = localStorage.getItem("minedisc.analyst");
    if (this.data.analyst) localStorage.setItem("minedisc.analyst", this.data.analyst);
    else if (known && !this.offered) { this.offered = true; this.component.setStateValue("analyst", known); }
  }

  /* -- queue -- */

  find(id) { return [...this.items.values()].find((item) => item.id === id); }

  /** The item at a position, fetched if it must be; null past the ends or once the queue has changed. */
  async item(index) {
    const { queue } = this;
    if (index < 0 || index >= this.data.total) return null;
    while (!this.items.has(index)) {
      const said = await this.load(Math.max(0, index - 2)).catch(() => null);
      if (this.queue !== queue) return null;
      if (!said) await new Promise((resume) => { setTimeout(resume, 1000); });
    }
    return this.items.get(index);
  }

  load(start, around = "") {
    const asked = `${this.queue}:${start}:${around}`;
    if (!this.loading.has(asked)) {
      const query = new URLSearchParams({ queue: this.queue, start, count: WINDOW, around });
      const headers = { "X-Minedisc-Token": this.data.token };
      const answer = fetch(`${this.data.base}/review/items?${query}`, { headers }).then((r) => this.loaded(r));
      this.loading.set(asked, answer.finally(() => this.loading.delete(asked)));
    }
    return this.loading.get(asked);
  }

  async loaded(answer) {
    if (!answer.ok) { this.component.setTriggerValue("stale", Date.now()); return null; }
    const said = await answer.json();
    if (said.queue !== this.queue) return null;
    said.items.filter((i) => !this.items.has(i.index)).forEach((i) => this.items.set(i.index, i));
    return said;
  }

  async goTo(index, first = false) {
    const item = await this.item(index);
    if (!item) { if (first) this.showNothing(); return; }
    this.index = index;
    this.finished = false;
    this.choosing = false;
    this.show(item);
    this.map.show(item, first);
    this.prefetch(index);
    this.remember(item);
  }

  async goToId(id) {
    const known = this.find(id) ?? (await this.load(0, id).catch(() => null))?.items.find((i) => i.id === id);
    if (known) await this.goTo(known.index);
  }

  prefetch(index) {
    const wanted = [];
    for (let k = 1; k <= PREFETCHED; k += 1) wanted.push(this.items.get(index + k));
    this.images = wanted.filter(Boolean).flatMap((item) => item.chips.map((c) => {
      const image = new Image();
      image.src = c.url;
      return image;
    }));
    if (index + AHEAD < this.data.total && !this.items.has(index + AHEAD)) this.load(index + 1).catch(() => {});
  }

  remember(item) {
    clearTimeout(this.saying);
    this.saying = setTimeout(() => this.component.setStateValue("current", item.id), 1200);
  }

  /* -- deciding -- */

  verdict(verdict, reason = null) {
    const item = this.items.get(this.index);
    if (!item || this.finished) return null;
    const event = { event_id: uuid(), candidate_id: item.id, verdict, reason, analyst: this.data.analyst };
    this.done.push({ ...event, index: item.index, before: item.status, beforeReason: item.reason });
    if (reason) this.lastReason = reason;
    this.count(item.status, verdict);
    this.setStatus(item, verdict, reason);
    outbox.add(event);
    return this.advance(item.index);
  }

  setStatus(item, status, reason) {
    item.status = status;
    item.reason = reason;
    this.map.restyle(item.id, status);
  }

  count(before, after) {
    const change = (after !== "undecided") - (before !== "undecided");
    this.counters = { ...this.counters, decided: this.counters.decided + change, left: this.counters.left - change };
  }

  /** The next undecided candidate after `from`, else the first before it. */
  async advance(from) {
    const { queue } = this;
    for (let step = 1; step < this.data.total; step += 1) {
      const index = (from + step) % this.data.total;
      const item = this.items.get(index) ?? (await this.item(index));
      if (this.queue !== queue) return;
      if (item?.status === "undecided") { await this.goTo(index); return; }
    }
    this.finish();
  }

  undo() {
    const last = this.done.pop();
    const event = { event_id: uuid(), candidate_id: last?.candidate_id ?? null, verdict: "undecided", undoes: last?.event_id ?? null, analyst: this.data.analyst };
    if (last) {
      const item = this.items.get(last.index);
      if (item?.id === last.candidate_id) {
        this.count(item.status, last.before);
        this.setStatus(item, last.before, last.beforeReason);
      }
    }
    outbox.add(event);
    return last ? this.goTo(last.index) : null;
  }

  answered(said) {
    this.counters = outbox.events.length ? this.counters : said.counters;
    said.undone.map((id) => this.find(id)).filter(Boolean).forEach((item) => this.setStatus(item, "undecided", null));
    if (said.undone.length) this.take(() => this.goToId(said.undone.at(-1)));
    this.problem = said.refused.map((r) => r.problem).join(" ");
    this.showCounts();
  }

  /* -- keys -- */

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
    const inMap = event.view !== window;
    const action = this.action(event.key, inMap);
    if (!action || (event.repeat && !["next", "previous"].includes(action.name))) return;
    event.preventDefault();
    event.stopPropagation();
    this.take(action.run);
  }

  /** Actions run one after the other: a key never hits a candidate that is not shown yet. */
  async take(run) {
    this.keys.push(run);
    if (this.taking) return;
    this.taking = true;
    while (this.keys.length) await this.keys.shift()();
    this.taking = false;
  }

  action(pressed, inMap) {
    const key = pressed.length === 1 ? pressed.toLowerCase() : pressed;
    const reason = this.data.reasons.find((r) => r.key === key);
    if (reason) return { name: "reason", run: () => this.verdict("rejected", reason.code) };
    if (this.choosing && key === "x" && this.lastReason) return { name: "same", run: () => this.verdict("rejected", this.lastReason) };
    if (key === "Escape" && this.choosing) return { name: "close", run: () => this.choose(false) };
    if (inMap && key.startsWith("Arrow")) return null;
    const found = this.actions().find((a) => a.keys.includes(key));
    return found ? { name: found.name, run: found.run } : null;
  }

  actions() {
    return [
      { name: "confirm", keys: ["a"], run: () => this.verdict("confirmed") },
      { name: "reject", keys: ["x"], run: () => this.choose(!this.choosing) },
      { name: "unsure", keys: ["u"], run: () => this.verdict("unsure") },
      { name: "undo", keys: ["z"], run: () => this.undo() },
      { name: "previous", keys: ["p", "ArrowLeft"], run: () => this.goTo((this.index ?? this.data.total) - 1) },
      { name: "next", keys: ["n", "ArrowRight"], run: () => this.goTo(this.index + 1) },
      { name: "outline", keys: ["o"], run: () => this.toggleOutline() },
    ];
  }

  choose(open) {
    this.choosing = open;
    this.root.classList.toggle("md-choosing", open);
    this.reasons.hidden = !open;
    this.same.hidden = !this.lastReason;
    if (this.lastReason) this.same.querySelector(".md-label").textContent = `${this.data.texts.same} (${this.reasonLabel(this.lastReason)})`;
  }

  toggleOutline() {
    this.outlined = !this.outlined;
    localStorage.setItem("minedisc.outline", this.outlined ? "on" : "off");
    this.root.classList.toggle("md-plain", !this.outlined);
    this.buttons.outline.setAttribute("aria-pressed", String(this.outlined));
  }

  reasonLabel(code) { return this.data.reasons.find((r) => r.code === code)?.label ?? ""; }

  /* -- drawing -- */

  build() {
    const { texts } = this.data;
    this.title = el("span", { class: "md-title" });
    this.badge = el("span", { class: "md-badge" });
    this.status = el("span", { class: "md-status", "aria-live": "polite" });
    this.counts = el("span", { class: "md-counts" });
    this.unsaved = el("span", { class: "md-unsaved", role: "status" });
    this.head = el("div", { class: "md-head" }, el("div", {}, this.title, this.badge, this.status), el("div", {}, this.counts, this.unsaved));
    this.chips = el("div", { class: "md-chips" });
    this.facts = el("dl", { class: "md-facts" });
    this.notice = el("div", { class: "md-notice", role: "alert", hidden: "" });
    this.reasons = this.buildReasons();
    this.root.replaceChildren(this.head, this.notice, el("div", { class: "md-body" }, this.chips, this.facts), this.buildButtons(texts));
    this.root.classList.toggle("md-plain", !this.outlined);
  }

  button(name, key, label, run) {
    const hint = key ? el("kbd", {}, key.toUpperCase()) : null;
    const button = el("button", { type: "button", class: `md-button md-do-${name}`, "data-action": name, onclick: () => this.take(run) },
      el("span", { class: "md-label" }, label), hint);
    button.addEventListener("mouseup", () => button.blur()); // a later space bar must not press it again
    return button;
  }

  buildReasons() {
    const pick = (r) => this.button("reason", r.key, r.label, () => this.verdict("rejected", r.code));
    this.same = this.button("same", "x", "", () => this.verdict("rejected", this.lastReason));
    this.same.hidden = true;
    const ask = el("p", {}, this.data.texts.why);
    return el("div", { class: "md-reasons", hidden: "" }, ask, ...this.data.reasons.map(pick), this.same);
  }

  buildButtons(texts) {
    const made = this.actions().map((a) => this.button(a.name, a.keys[0], texts[a.name], a.run));
    this.buttons = Object.fromEntries(made.map((b) => [b.dataset.action, b]));
    const { confirm, reject, unsure, undo, previous, next, outline } = this.buttons;
    outline.setAttribute("aria-pressed", String(this.outlined));
    return el("div", { class: "md-buttons" }, this.reasons, el("div", { class: "md-decide" }, confirm, reject, unsure), el("div", { class: "md-move" }, undo, previous, next, outline));
  }

  show(item) {
    const { texts } = this.data;
    this.choose(false);
    this.root.classList.remove("md-empty");
    this.title.textContent = texts.position.replace("{n}", (item.index + 1).toLocaleString()).replace("{total}", this.data.total.toLocaleString());
    this.badge.textContent = item.impact_label;
    this.badge.className = `md-badge md-impact-${item.impact}`;
    this.showStatus(item);
    this.showChips(item);
    this.facts.replaceChildren(...item.facts.flatMap((f) => this.fact(f)));
    this.root.dataset.candidate = item.id;
    this.showCounts();
  }

  showStatus(item) {
    const words = this.data.statuses[item.status] ?? item.status;
    const reason = item.reason ? `: ${this.reasonLabel(item.reason).toLowerCase()}` : "";
    this.status.textContent = words + reason;
    this.status.className = `md-status md-is-${item.status}`;
  }

  fact({ label, value, note }) {
    return [el("dt", {}, label), el("dd", {}, el("span", {}, value), note ? el("small", {}, note) : null)];
  }

  showChips(item) {
    if (this.chips.childElementCount !== item.chips.length) {
      this.chips.replaceChildren(...item.chips.map(() => this.figure()));
    }
    [...this.chips.children].forEach((figure, k) => this.fillFigure(figure, item.chips[k], item));
  }

  figure() {
    const bar = el("span", { class: "md-scale" });
    const picture = el("div", { class: "md-picture" }, el("img", { alt: "", draggable: "false" }), el("div", { class: "md-outline" }), bar);
    const figure = el("figure", {}, picture, el("figcaption", {}));
    const image = picture.querySelector("img");
    image.onerror = () => figure.classList.add("md-missing");
    image.onload = () => figure.classList.remove("md-missing");
    return figure;
  }

  fillFigure(figure, chip, item) {
    const image = figure.querySelector("img");
    image.src = chip.url;
    image.alt = `${chip.label}, ${item.title}`;
    image.dataset.candidate = item.id;
    figure.querySelector("figcaption").textContent = chip.label;
    this.drawOutline(figure.querySelector(".md-outline"), item.outline);
    const bar = figure.querySelector(".md-scale");
    bar.style.width = `${(100 * item.scale_m) / item.chip_width_m}%`;
    bar.textContent = `${item.scale_m} m`;
  }

  drawOutline(holder, outline) {
    if (!outline?.size_px) { holder.replaceChildren(); return; }
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${outline.size_px} ${outline.size_px}`);
    const shape = (name, d) => {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("class", name);
      path.setAttribute("d", d);
      svg.append(path);
    };
    const box = ([left, top, right, bottom]) => `M${left},${top}H${right}V${bottom}H${left}Z`;
    const ring = (points) => `M${points.map(([x, y]) => `${x},${y}`).join("L")}Z`;
    shape("md-cells", outline.cells?.length ? outline.cells.map(box).join("") : outline.rings.map(ring).join(""));
    shape("md-patch", box(outline.patch));
    holder.replaceChildren(svg);
  }

  showCounts() {
    if (!this.counters) return;
    const { texts } = this.data;
    const { decided, left, per_hour: rate } = this.counters;
    const speed = rate ? ` · ${Math.round(rate).toLocaleString()} ${texts.per_hour}` : "";
    this.counts.textContent = `${decided.toLocaleString()} ${texts.decided} · ${left.toLocaleString()} ${texts.left}${speed}`;
    const waiting = outbox.events.length;
    this.unsaved.textContent = waiting ? texts.unsaved.replace("{n}", waiting) : "";
    this.root.dataset.unsaved = waiting;
    this.notice.hidden = !this.problem;
    this.notice.textContent = this.problem ?? "";
  }

  finish() {
    this.finished = true;
    this.showMessage(this.data.texts.finished);
  }

  showNothing() { this.showMessage(this.data.texts.nothing); }

  showMessage(text) {
    this.choose(false);
    this.root.classList.add("md-empty");
    this.title.textContent = text;
    this.badge.textContent = this.status.textContent = "";
    this.badge.className = this.status.className = "";
    this.chips.replaceChildren();
    this.facts.replaceChildren();
    delete this.root.dataset.candidate;
    this.showCounts();
  }

  close() {
    document.removeEventListener("keydown", this.onKey, true);
    document.removeEventListener("pointerdown", this.onPress, true);
    outbox.onAnswer = outbox.onChange = () => {};
    clearTimeout(this.saying);
    this.map.close();
  }
}

const panels = new WeakMap();

export default function panel(component) {
  const root = component.parentElement.querySelector(".md-panel");
  if (!panels.has(root)) panels.set(root, new Panel(root));
  panels.get(root).update(component);
  return () => { panels.get(root)?.close(); panels.delete(root); root.replaceChildren(); };
}
