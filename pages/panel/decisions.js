/* ---- decisions: verdicts as events, and the way back ---- */

const STATE = ["status", "reason", "notes", "impact", "impact_label", "moved", "footprint", "area_drawn_text", "history"];

class Decisions {
  constructor(panel) {
    Object.assign(this, { panel, done: [] });
  }

  get drafts() { return this.panel.drafts; }

  /** Verdicts on some candidates at once; several are one gesture, which one undo takes back. */
  give(items, verdict, reason = null) {
    const { panel } = this;
    const batch = items.length > 1 ? uuid() : null;
    const made = items.map((item) => this.event(item, verdict, reason, batch));
    const before = items.map((item) => ({ ...Object.fromEntries(STATE.map((name) => [name, item[name]])), draft: this.drafts.of(item) }));
    this.done.push({ events: made, indices: items.map((item) => item.index), before });
    items.forEach((item, k) => this.apply(item, made[k]));
    outbox.addAll(made);
    panel.sayDecided(items, verdict, reason);
  }

  /** A verdict says all; the class only where it is confirmed. */
  event(item, verdict, reason, batch) {
    const said = this.drafts.parts(item);
    const impact = verdict === "confirmed" ? said.impact : null;
    return { event_id: uuid(), candidate_id: item.id, verdict, reason, analyst: this.panel.data.analyst, ...said, impact, batch, undoes: null };
  }

  apply(item, event) {
    const { panel } = this;
    panel.count(item.status, event.verdict);
    const impact = event.impact ?? item.impact_machine ?? item.impact;
    const drawn = event.footprint ? ("footprint" in this.drafts.of(item) ? null : item.area_drawn_text) : null;
    Object.assign(item, { reason: event.reason, notes: event.notes, impact, impact_label: panel.impactLabel(impact) ?? item.impact_label,
      moved: event.moved, footprint: event.footprint, area_drawn_text: drawn, seen: true });
    panel.setStatus(item, event.verdict);
    this.drafts.drop(item);
  }

  /** Changed parts of a decided candidate: its verdict again, as a new event. */
  save(item) {
    this.give([item], item.status, item.reason);
  }

  /** One step back: the last gesture made here, else, after a reload, the last that the server knows of this analyst. */
  undo() {
    const { panel } = this;
    const last = this.done.pop();
    if (!last) {
      outbox.add({ event_id: uuid(), candidate_id: null, verdict: "undecided", undoes: null, analyst: panel.data.analyst });
      return null;
    }
    const batch = last.events.length > 1 ? uuid() : null;
    const undos = last.events.map((e) => ({ event_id: uuid(), candidate_id: e.candidate_id, verdict: "undecided", undoes: e.event_id, analyst: e.analyst, batch }));
    last.events.forEach((event, k) => this.revert(event, last.before[k]));
    outbox.addAll(undos);
    panel.sayUndone(last.events.length);
    return last.events[0].candidate_id;
  }

  revert(event, before) {
    const { panel } = this;
    const item = panel.find(event.candidate_id);
    panel.count(event.verdict, before.status);
    if (!item) return;
    const { draft, status, ...state } = before;
    Object.assign(item, state);
    panel.setStatus(item, status);
    if (Object.keys(draft).length) { this.drafts.put(item.id, { ...draft, ...this.drafts.of(item) }); this.drafts.keep(); }
  }

  /** What the server has stored, or somebody else has decided; what still waits here is newer. Whether it was news. */
  learn(item, said) {
    if (!item || outbox.waits(item.id)) return false;
    const { panel } = this;
    const changed = said.status !== item.status;
    const news = changed || (said.history && said.history.length !== (item.history ?? []).length);
    if (changed) panel.count(item.status, said.status);
    const known = { status: said.status, reason: said.reason, notes: said.notes, impact: said.impact, moved: said.moved, footprint: said.footprint, history: said.history, area_drawn_text: said.area_drawn };
    for (const [name, value] of Object.entries(known)) if (value !== undefined) item[name] = value;
    item.impact_label = panel.impactLabel(item.impact) ?? item.impact_label;
    if (changed) panel.setStatus(item, said.status);
    return Boolean(news);
  }
}
