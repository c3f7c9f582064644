/* ---- the queue: its candidates, fetched ahead of the keys ---- */

const WINDOW = 40;
const AHEAD = 20; // at 25 keys a second this leaves the server most of a second
const KEPT_ITEMS = 2000; // of a long queue only what is near stays in memory

class ReviewQueue {
  constructor(panel) {
    Object.assign(this, { panel, items: new Map(), ids: new Map(), loading: new Map() });
  }

  get data() { return this.panel.data; }

  begin(name, items) {
    this.name = name;
    this.items.clear();
    this.ids.clear();
    items.forEach((item) => this.put(item));
  }

  /** What waits in the outbox is newer than what the server says. */
  put(item) {
    this.items.set(item.index, item);
    this.ids.set(item.id, item);
    for (const event of outbox.events) if (event.candidate_id === item.id) Object.assign(item, ReviewQueue.said(item, event));
  }

  /** All that a verdict says, so that the next one drops nothing; of an undo, that nothing is decided. */
  static said(item, event) {
    const { verdict: status, reason = null, notes = "", impact, moved = null, footprint = null } = event;
    if (status === "undecided") return { status, reason };
    return { status, reason, notes, impact: impact ?? item.impact_machine, moved, footprint, area_drawn_text: null };
  }

  find(id) { return this.ids.get(id); }

  /** The item at a position, fetched if it must be; null past the ends or once the queue has changed. */
  async item(index) {
    const { name } = this;
    if (index < 0 || index >= this.data.total) return null;
    while (!this.items.has(index)) {
      const said = await this.load(Math.max(0, index - 2)).catch(() => null);
      if (this.name !== name) return null;
      if (said) continue;
      this.panel.say(this.data.texts.waiting);
      await new Promise((resume) => { setTimeout(resume, 1000); });
    }
    return this.items.get(index);
  }

  async byId(id) { return this.find(id) ?? (await this.load(0, id).catch(() => null))?.items.find((i) => i.id === id); }

  load(start, around = "") {
    const asked = `${this.name}:${start}:${around}`;
    if (!this.loading.has(asked)) this.loading.set(asked, this.fetch(start, around).finally(() => this.loading.delete(asked)));
    return this.loading.get(asked);
  }

  async fetch(start, around) {
    const said = await this.ask(start, WINDOW, around);
    if (said?.queue !== this.name) return null;
    said.items.filter((item) => !this.items.has(item.index)).forEach((item) => this.put(item));
    this.panel.map.know?.(said.items);
    this.forget();
    return said;
  }

  async ask(start, count, around) {
    const { data } = this;
    const query = new URLSearchParams({ queue: this.name, start, count, around, lang: data.lang ?? "en" });
    const answer = await fetch(`${data.base}/review/items?${query}`, { headers: { "X-Minedisc-Token": data.token } });
    if (answer.ok) return answer.json();
    this.panel.stale();
    return null;
  }

  /** One candidate as the server has it now, where something changed that the panel cannot know. */
  async renew(id) {
    const said = await this.ask(0, 5, id).catch(() => null);
    const fresh = said?.queue === this.name ? said.items.find((item) => item.id === id) : null;
    if (fresh && !outbox.waits(id)) this.put(fresh);
    return this.find(id);
  }

  ahead(index) {
    if (index + AHEAD < this.data.total && !this.items.has(index + AHEAD)) this.load(index + 1).catch(() => {});
  }

  forget() {
    if (this.items.size <= KEPT_ITEMS) return;
    const here = this.panel.index ?? 0;
    const far = [...this.items.values()].sort((a, b) => Math.abs(b.index - here) - Math.abs(a.index - here));
    for (const item of far.slice(0, this.items.size - KEPT_ITEMS / 2)) { this.items.delete(item.index); this.ids.delete(item.id); }
  }

  /** The next candidates that a verdict would lead to, as far as they are known. */
  coming(index, count) {
    const found = [];
    for (let k = index + 1; found.length < count && this.items.has(k); k += 1) {
      const item = this.items.get(k);
      if (item.status === "undecided" && !this.panel.looking.heldBy(item)) found.push(item);
    }
    return found;
  }
}
