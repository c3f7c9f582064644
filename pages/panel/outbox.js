/* ---- outbox: verdicts that the server has not acknowledged ----
 *
 * Each is kept in localStorage under a name of its own, so that tabs of one browser share what waits: any of
 * them sends it, one at a time (a lock), and each sees through `storage` events what another has brought home.
 * Sending twice is harmless: the server knows the ids. What could not be kept (storage full or off) waits in
 * this tab's memory only, and the page says so.
 */

const STORED = "minedisc.event.";
const REFUSED = "minedisc.refused.";
const BATCH = 40;
const LONGEST_WAIT_MS = 8000;
const ANSWER_MS = 20000;

class Outbox {
  constructor() {
    this.unkept = new Map();
    this.order = 0;
    this.wait = 500;
    this.onChange = this.onAnswer = this.onStale = () => {};
    this.read();
    window.addEventListener("beforeunload", (e) => { if (!this.reloading && this.read().length) e.preventDefault(); });
    window.addEventListener("online", () => this.send());
    window.addEventListener("storage", (e) => { if (e.key === null || e.key.startsWith(STORED) || e.key.startsWith(REFUSED)) { this.read(); this.onChange(); } });
  }

  /** All that waits: of this tab and of others, in the order it was decided. */
  read() {
    const found = kept.names(STORED).map((name) => kept.get(name)).filter((e) => e?.event_id);
    this.events = [...found, ...this.unkept.values()].sort((a, b) => a.order - b.order);
    return this.events;
  }

  refused() { return kept.names(REFUSED).map((name) => kept.get(name)).filter((e) => e?.event?.event_id); }

  putAway(ids) { ids.forEach((id) => kept.remove(REFUSED + id)); this.onChange(); }

  add(event) { this.addAll([event]); }

  addAll(events) {
    for (const event of events) {
      this.order = Math.max(Date.now(), this.order + 0.001, (this.events.at(-1)?.order ?? 0) + 0.001);
      const dated = { ...event, order: this.order };
      if (!kept.set(STORED + dated.event_id, dated)) this.unkept.set(dated.event_id, dated);
      this.events.push(dated);
    }
    this.onChange();
    this.send();
  }

  /** Nothing is lost by it, unless something waits in this tab's memory only: then the page stays. */
  reload() {
    if (this.unkept.size) return;
    this.reloading = true;
    window.location.reload();
  }

  waits(candidateId) { return this.events.some((e) => e.candidate_id === candidateId); }

  settle(ids) {
    for (const id of ids) { kept.remove(STORED + id); this.unkept.delete(id); }
    const done = new Set(ids);
    this.events = this.events.filter((e) => !done.has(e.event_id));
  }

  /** One round after the other until nothing waits; after a failure, later, and less and less often. */
  async send() {
    if (this.sending || !this.token || !this.events.length) return;
    this.sending = true;
    clearTimeout(this.timer);
    const failed = await this.alone(() => this.round()).then(() => false, () => true);
    this.sending = false;
    this.wait = failed ? Math.min(this.wait * 2, LONGEST_WAIT_MS) : 500;
    if (failed) this.onChange();
    if (this.events.length) this.timer = setTimeout(() => this.send(), failed ? this.wait : 0);
  }

  /** While another tab sends, this one waits; without locks (no secure context) a double is harmless. */
  alone(run) { return navigator.locks ? navigator.locks.request("minedisc.outbox", run) : run(); }

  async round() {
    const events = this.read().slice(0, BATCH);
    if (!events.length) { this.onChange(); return; }
    const answer = await fetch(`${this.base}/review/verdicts`, {
      method: "POST",
      signal: AbortSignal.timeout(ANSWER_MS),
      headers: { "Content-Type": "application/json", "X-Minedisc-Token": this.token },
      body: JSON.stringify({ queue: this.queue, analyst: this.analyst, run: this.run, lang: this.lang, client: this.client, events }),
    });
    await this.accept(answer, events);
  }

  async accept(answer, events) {
    if (answer.status === 403) this.onStale(); // the server was started again: the page brings a new token
    const said = await answer.json().catch(() => null);
    this.said = answer.ok ? "" : said?.problem ?? "";
    if (!answer.ok || !said) throw new Error(String(answer.status));
    const problems = new Map(said.refused.map((r) => [r.event_id, r.problem]));
    for (const event of events.filter((e) => problems.has(e.event_id))) {
      kept.set(REFUSED + event.event_id, { event, problem: problems.get(event.event_id) });
    }
    this.settle([...said.acknowledged, ...problems.keys()]);
    this.onAnswer(said, events.filter((e) => problems.has(e.event_id)));
  }
}

const outbox = (window.__minediscOutbox ??= new Outbox());
