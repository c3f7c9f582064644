/* The review panel: chips, facts and verdicts of one candidate at a time.
 *
 * It advances at once and keeps every verdict in an outbox (also in localStorage) until the server
 * has acknowledged it. Python gives the queue's first window, the texts and a signed token; later
 * windows, verdicts and looks travel over the app's own routes, so a key press waits for no page run.
 * The leafmap map beside it is a frame of the same origin: the panel moves it, marks the current
 * candidate in it and listens to its keys and clicks.
 */

const PREFETCHED = 5;
const ADDRESS_WAIT_MS = 400; // browsers refuse addresses that change too often
const SAID_MS = 6000;
const STALE_MS = 1500;
const RELOAD_MS = 4000;
const DIGITS = "minedisc.digits";

class Panel extends PanelView {
  constructor(root) {
    super();
    Object.assign(this, { root, waiting: [], index: null, current: null, others: {} });
    this.lastReason = kept.get(LAST_REASON);
    this.digitsDecide = kept.get(DIGITS, true);
    this.onKey = (e) => this.key(e);
    document.addEventListener("keydown", this.onKey, true);
    this.queueOf = new ReviewQueue(this);
    this.looking = new Looking(this);
    this.drafts = new Drafts();
    this.decisions = new Decisions(this);
    this.map = new MapView(this.onKey, (id) => this.take(() => this.goToId(id)), (kind, value) => this.edited(kind, value));
  }

  get items() { return this.queueOf.items; }
  get reasons() { return this.data.reasons; }

  update(component) {
    clearTimeout(this.reloading);
    this.component = component;
    const data = this.rememberAnalyst(component.data);
    this.data = data;
    const spoken = this.lang !== data.lang; // another language: all words are new
    if (spoken) this.build(); else this.fit(); // the bar above may have become higher
    this.map.configure?.(data);
    Object.assign(outbox, { base: data.base, token: data.token, analyst: data.analyst, queue: data.queue, run: data.run, lang: data.lang, client: this.looking.client });
    outbox.onChange = () => this.showCounts();
    outbox.onAnswer = (said, refused) => this.answered(said, refused);
    outbox.onStale = () => this.stale();
    if (spoken || this.queue !== data.queue) this.begin();
    else if (this.countedFor !== component.data.analyst && !outbox.events.length) this.counters = data.counters; // an own pace needs a name
    this.countedFor = component.data.analyst;
    this.showCounts();
    outbox.send();
  }

  begin() {
    const { data } = this;
    this.queue = data.queue;
    this.queueOf.begin(data.queue, data.items);
    this.counters = data.counters;
    this.waiting = [];
    this.index = null;
    this.linked = new URLSearchParams(window.location.search).has("candidate");
    this.take(() => this.goTo(data.index, true));
    const { wanted } = this;
    this.wanted = "";
    if (wanted) this.take(() => this.goToId(wanted));
  }

  /** The name that this browser used last is told to the page, and holds at once: the first key may come before its answer. */
  rememberAnalyst(data) {
    const known = kept.get("minedisc.analyst") ?? Panel.formerName();
    if (data.analyst) { kept.set("minedisc.analyst", data.analyst); this.offered = ""; return data; }
    if (this.offered === undefined) {
      this.offered = known || "";
      if (known) this.component.setStateValue("analyst", known);
    }
    return this.offered ? { ...data, analyst: this.offered } : data;
  }

  /** The name as it was kept before it was JSON. */
  static formerName() { try { return localStorage.getItem("minedisc.analyst"); } catch { return null; } }

  /** A new token and a new queue from the page. A server that was started again knows this page no more and
   * answers nothing: then the page is loaded anew; what waits, the drafts and the address outlive that. */
  stale() {
    if (Date.now() - (this.staleAt ?? 0) < STALE_MS) return;
    this.staleAt = Date.now();
    this.component.setTriggerValue("stale", Date.now());
    clearTimeout(this.reloading);
    this.reloading = setTimeout(() => { this.drafts.keep(); outbox.reload(); }, RELOAD_MS);
  }

  async post(path, body, options = {}) {
    const headers = { "Content-Type": "application/json", "X-Minedisc-Token": this.data.token };
    const answer = await fetch(`${this.data.base}/${path}`, { method: "POST", headers, body: JSON.stringify(body), ...options });
    return answer.ok ? answer.json() : null;
  }

  /* -- moving -- */

  find(id) { return this.queueOf.find(id); }
  item(index) { return this.queueOf.item(index); }

  async goTo(index, first = false) {
    const item = this.items.get(index) ?? (await this.item(index));
    if (!item) { if (first && !this.data.total) this.showMessage(this.data.texts.nothing); return; }
    this.index = index;
    this.current = item;
    this.seenBefore = item.seen; // before now
    this.reasonList.close();
    this.show(item);
    this.map.show(item, first);
    this.showDraftOnMap();
    this.looking.look(item);
    this.prefetch();
    this.writeAddress();
  }

  async goToId(id) {
    this.linked = true; // somebody asked for this one
    const known = await this.queueOf.byId(id);
    if (known) await this.goTo(known.index);
    return Boolean(known);
  }

  isFree(item) { return item.status === "undecided" && !this.looking.heldBy(item); }

  /** The next free undecided candidate after `from`, else the first before it; those that others look at come last. */
  async advance(from) { // where the filter leaves the undecided out, the next one is the one after
    if (!this.data.holds_undecided) return from + 1 < this.data.total ? this.goTo(from + 1) : this.finish();
    const { queue } = this;
    let held = null;
    for (let step = 1; step < this.data.total; step += 1) {
      const index = (from + step) % this.data.total;
      const item = this.items.get(index) ?? (await this.item(index));
      if (this.queue !== queue) return;
      if (item && this.isFree(item)) { await this.goTo(index); return; }
      if (item?.status === "undecided") held ??= index;
    }
    if (held !== null) await this.goTo(held); else if (this.current?.status !== "undecided") this.finish();
  }

  /** Chips after the paint: the candidate shown comes first. */
  prefetch() {
    const coming = this.queueOf.coming(this.index ?? 0, PREFETCHED);
    const near = [this.items.get(this.index + 1), this.items.get(this.index - 1)].filter(Boolean);
    this.chips.prefetch([...new Set([...coming, ...near])]);
    this.map.prefetch?.(coming);
    this.queueOf.ahead(this.index);
  }

  /** `?candidate=` so that a link opens this view; all else in the address stays. */
  writeAddress() {
    clearTimeout(this.addressing);
    const { pathname } = window.location;
    this.addressing = setTimeout(() => {
      const address = new URL(window.location.href);
      if (!this.current || address.pathname !== pathname || !this.root.isConnected) return;
      if (address.searchParams.get("candidate") === this.current.id) return;
      address.searchParams.set("candidate", this.current.id);
      window.history.replaceState(window.history.state, "", address);
    }, ADDRESS_WAIT_MS);
  }

  /* -- who else is here -- */

  looked(item, said, first) {
    this.others = this.looking.others;
    item.seen = true;
    const before = item.status;
    const news = this.decisions.learn(item, said);
    if (item.status !== before) this.say(fill(this.data.texts.decided_meanwhile, { title: item.title, status: this.statusWords(item) }));
    if (news) this.renew(item); // a point or an outline may be new too, and the next verdict has to say all
    if (said.held_by && first && !this.linked && this.isHeld(item)) { this.leaveHeld(item, said.held_by); return; }
    if (this.current === item) { this.showHead(item); this.facts.refresh(item); }
  }

  async renew(item) {
    const fresh = await this.queueOf.renew(item.id);
    if (!fresh || this.current !== item || fresh === item) return;
    this.current = fresh;
    this.show(fresh);
    this.showDraftOnMap();
  }

  isHeld(item) { return Boolean(this.looking.heldBy(item)); }

  leaveHeld(item, name) {
    this.take(async () => {
      if (this.current !== item) return;
      await this.advance(item.index);
      if (this.current !== item) this.say(fill(this.data.texts.next_free, { name, title: item.title }));
    });
  }

  showHeld() { this.others = this.looking.others; if (this.current) this.showHead(this.current); }

  /* -- deciding -- */

  verdict(verdict, reason = null) {
    if (!this.current) return null;
    const { index } = this.current;
    this.decisions.give([this.current], verdict, reason);
    return this.advance(index);
  }

  reject(reason) {
    this.lastReason = reason;
    kept.set(LAST_REASON, reason);
    return this.verdict("rejected", reason);
  }

  /** For the grid: one gesture, one step of undo. */
  decideMany(items, verdict, reason = null) {
    if (reason) { this.lastReason = reason; kept.set(LAST_REASON, reason); }
    this.decisions.give(items, verdict, reason);
  }

  saveChanges() {
    const item = this.current;
    if (!item || item.status === "undecided" || !this.drafts.has(item)) return;
    this.decisions.save(item);
    this.show(item);
    this.say(this.data.texts.changes_saved);
  }

  async undo() {
    const id = this.decisions.undo();
    if (id) await this.goToId(id);
  }

  answered(said, refused) {
    (said.updates ?? []).forEach((update) => this.decisions.learn(this.find(update.id), update));
    if (!outbox.events.length && said.counters) this.counters = said.counters; // the server has counted the updates too
    const renewed = [...said.undone, ...refused.map((event) => event.candidate_id).filter(Boolean)];
    if (renewed.length) this.take(() => this.comeBack(renewed, said.undone.at(-1)));
    if (said.undone.length) this.sayUndone(said.undone.length);
    if (this.current) { this.showHead(this.current); this.facts.refresh(this.current); this.editor.show(this.current); }
    this.showCounts();
  }

  /** Candidates that the server has changed in a way the panel did not foresee. */
  async comeBack(ids, last) {
    for (const id of ids.slice(-PREFETCHED)) await this.queueOf.renew(id).then((item) => { if (item) this.map.restyle(id, item.status); });
    if (last) await this.goToId(last).then((found) => found || this.requeue(last));
    else if (this.current && ids.includes(this.current.id)) await this.goTo(this.current.index);
  }

  /** An undo after a reload may open a candidate that was decided when this queue was made: a new queue holds it. */
  requeue(id) {
    this.wanted = id;
    this.component.setTriggerValue("stale", Date.now());
  }

  count(before, after) {
    const change = (after !== "undecided") - (before !== "undecided");
    this.counters = { ...this.counters, decided: this.counters.decided + change, left: this.counters.left - change };
  }

  setStatus(item, status) {
    item.status = status;
    this.map.restyle(item.id, status);
  }

  /* -- the map -- */

  edited(kind, value) {
    if (kind === "box") { this.component.setTriggerValue("box", value ?? []); return; } // nothing would be no trigger
    this.editor.edited(kind, value);
  }

  showDraftOnMap() {
    const { moved, footprint } = this.drafts.parts(this.current);
    this.map.showDraft?.({ moved, footprint });
  }

  /* -- keys -- */

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
    if (event.key.startsWith("Arrow") && event.target?.getAttribute?.("role") === "slider") return; // they move the divider
    if (this.help.isOpen || this.grid?.isOpen || document.querySelector("dialog[open]")) return;
    const action = this.action(event.key, event.view !== window);
    if (!action || (event.repeat && !["next", "previous"].includes(action.name))) return;
    event.preventDefault();
    event.stopPropagation();
    if (action.now) action.run(); else this.take(action.run);
  }

  /** Actions run one after the other: a key never hits a candidate that is not shown yet. */
  async take(run) {
    this.waiting.push(run);
    if (this.taking) return;
    this.taking = true;
    while (this.waiting.length) {
      try { await this.waiting.shift()(); } catch (error) { reportError(error); } // one that fails holds up no other
    }
    this.taking = false;
  }

  action(pressed, inMap) {
    const key = pressed.length === 1 ? pressed.toLowerCase() : pressed;
    const reason = this.reasons.find((r) => r.key === key);
    if (reason) return { name: "reason", run: () => (this.digitsDecide || this.reasonList.isOpen ? this.reject(reason.code) : this.ask()) };
    if (key === "Escape" && this.reasonList.isOpen) return { name: "close", run: () => this.reasonList.close() };
    if (inMap && key.startsWith("Arrow")) return null; // they move the map
    const name = this.keys.nameOf(pressed);
    return name ? { name, run: this.actions[name], now: name === "notes" } : null;
  }

  buildActions() {
    const at = (step) => () => this.goTo((this.index ?? this.data.total) + step);
    return {
      confirm: () => this.verdict("confirmed"), reject: () => this.askOrRepeat(), unsure: () => this.verdict("unsure"), undo: () => this.undo(),
      next: at(1), previous: at(-1), next_undecided: () => this.advance(this.index ?? -1),
      outlines: () => this.chips.toggleOutlines(), stretch: () => this.chips.toggleStretch(), index: () => this.chips.cycleIndex(),
      zoom: () => this.chips.cycleZoom(), before_after: () => this.chips.cyclePair(),
      notes: () => this.editor.focus(), class: () => this.editor.cycle(),
      layers: () => this.map.toggleLayers?.(), lock_zoom: () => this.map.lockZoom?.(), move: () => this.map.startMove?.(), footprint: () => this.map.startFootprint?.(),
      grid: () => this.grid?.open(), help: () => this.help.open(),
    };
  }

  ask() { if (this.current) this.reasonList.open(); }

  /** Once it asks; again it takes the reason of last time. */
  askOrRepeat() {
    if (!this.reasonList.isOpen) return this.ask();
    return this.lastReason ? this.reject(this.lastReason) : this.reasonList.close();
  }

  setDigitsDecide(on) {
    this.digitsDecide = on;
    kept.set(DIGITS, on);
  }

  reasonLabel(code) { return this.reasons.find((r) => r.code === code)?.label ?? ""; }
  impactLabel(code) { return this.data.impacts.find((i) => i.code === code)?.label; }

  close() {
    document.removeEventListener("keydown", this.onKey, true);
    outbox.onAnswer = outbox.onChange = outbox.onStale = () => {};
    window.removeEventListener("resize", this.onResize);
    clearTimeout(this.addressing);
    clearTimeout(this.reloading);
    this.drafts.keep();
    this.help?.close();
    this.grid?.close();
    this.looking.close();
    this.map.close();
  }
}

const panels = new WeakMap();

export default function panel(component) {
  const root = component.parentElement.querySelector(".md-panel");
  if (!panels.has(root)) panels.set(root, new Panel(root));
  panels.get(root).update(component);
  return () => {
    panels.get(root)?.close();
    panels.delete(root);
    root.replaceChildren();
  };
}
