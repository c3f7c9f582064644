/* ---- drafts: what the analyst changed and no verdict carries yet ---- */

const DRAFT = "minedisc.draft.";
const PARTS = ["notes", "impact", "moved", "footprint"];
const AREA_WAIT_MS = 200;
const KEEP_WAIT_MS = 250;

/** Parts of a verdict before it is given, by candidate; kept in the browser until a verdict carries them. */
class Drafts {
  constructor() { this.made = new Map(kept.names(DRAFT).map((name) => [name.slice(DRAFT.length), kept.get(name, {})])); }

  of(item) { return this.made.get(item.id) ?? {}; }

  has(item) { return Object.keys(this.of(item)).length > 0; }

  /** What a verdict given now would say: the draft, else what is in force. A class comes from a person or not at all. */
  parts(item) {
    const corrected = item.impact_machine && item.impact !== item.impact_machine ? item.impact : null;
    return { notes: item.notes ?? "", impact: corrected, moved: item.moved ?? null, footprint: item.footprint ?? null, ...this.of(item) };
  }

  set(item, part, value) {
    const draft = { ...this.of(item), [part]: value };
    const { [part]: before } = this.inForce(item);
    if (JSON.stringify(before) === JSON.stringify(value)) delete draft[part];
    this.put(item.id, draft);
  }

  inForce(item) { return Object.fromEntries(Object.entries(this.parts({ ...item, id: null }))); }

  put(id, draft) {
    if (Object.keys(draft).length) this.made.set(id, draft); else this.made.delete(id);
    clearTimeout(this.timer);
    (this.unkept ??= new Set()).add(id);
    this.timer = setTimeout(() => this.keep(), KEEP_WAIT_MS); // typing is not slowed down by the disk
  }

  keep() {
    clearTimeout(this.timer);
    for (const id of this.unkept ?? []) {
      const draft = this.made.get(id);
      if (draft) kept.set(DRAFT + id, draft); else kept.remove(DRAFT + id);
    }
    this.unkept?.clear();
  }

  drop(item) { if (this.has(item)) { this.put(item.id, {}); this.keep(); } }
}

/** Class, notes and drawn parts of the candidate shown; what it changes goes to the drafts. */
class DraftEditor {
  constructor(panel) {
    this.panel = panel;
    const { texts, impacts } = panel.data;
    this.choices = impacts.map(({ code, label }) => this.choice(code, label));
    this.group = el("div", { class: "md-classes", role: "group", "aria-label": texts.class_label }, el("span", { class: "md-tag" }, texts.class_label, el("kbd", {})), ...this.choices);
    this.notes = el("textarea", { rows: 1, maxlength: 2000, placeholder: texts.notes_hint, "aria-label": texts.notes_label });
    this.notes.addEventListener("input", () => this.set("notes", this.notes.value));
    this.notes.addEventListener("keydown", (e) => this.key(e));
    this.drawn = el("div", { class: "md-drawn", hidden: "" });
    this.save = pressable(el("button", { type: "button", class: "md-button md-do-save", hidden: "", onclick: () => panel.take(() => panel.saveChanges()) }, texts.save_changes));
    this.node = el("div", { class: "md-draft" }, this.group, el("label", { class: "md-notes" }, el("span", { class: "md-tag" }, texts.notes_label, el("kbd", {})), this.notes), this.save, this.drawn);
  }

  get item() { return this.panel.current; }

  choice(code, label) {
    const button = el("button", { type: "button", "data-class": code, "aria-pressed": "false", onclick: () => this.pick(code) }, el("span", {}, label));
    return pressable(button);
  }

  show(item) {
    const said = this.panel.drafts.parts(item);
    if (document.activeElement !== this.notes || this.shown !== item.id) this.notes.value = said.notes;
    if (this.shown !== item.id) this.area = this.measuring = null;
    this.shown = item.id;
    this.showClass(item, said.impact);
    this.showDrawn(item, said);
    this.save.hidden = item.status === "undecided" || !this.panel.drafts.has(item);
  }

  showClass(item, chosen) {
    const { texts } = this.panel.data;
    for (const button of this.choices) {
      const { class: code } = button.dataset;
      const machines = code === item.impact_machine;
      button.setAttribute("aria-pressed", String(code === (chosen ?? item.impact_machine)));
      button.classList.toggle("md-by-person", code === chosen);
      button.title = machines ? texts.class_machine : texts.class_person;
      button.classList.toggle("md-by-machine", machines);
    }
  }

  /** The machine's own class again is no correction. */
  pick(code) {
    if (!this.item) return;
    this.set("impact", code === this.item.impact_machine ? null : code);
  }

  cycle() {
    if (!this.item) return;
    const codes = this.choices.map((button) => button.dataset.class);
    const now = this.panel.drafts.parts(this.item).impact ?? this.item.impact_machine;
    this.pick(codes[(codes.indexOf(now) + 1) % codes.length]);
  }

  set(part, value) {
    const { item, panel } = this;
    if (!item) return;
    panel.drafts.set(item, part, value);
    this.show(item);
    panel.showBadge(item);
  }

  focus() { this.notes.focus(); this.notes.setSelectionRange(this.notes.value.length, this.notes.value.length); }

  key(event) {
    const leaves = event.key === "Escape" || (event.key === "Enter" && (event.ctrlKey || event.metaKey));
    if (!leaves) return;
    event.preventDefault();
    event.stopPropagation();
    this.panel.drafts.keep();
    this.notes.blur();
    if (event.key === "Enter" && !this.save.hidden) this.panel.take(() => this.panel.saveChanges());
  }

  /* -- what was drawn on the map -- */

  /** `onEdit` of the map. A shape that is not finished is measured and not kept. */
  edited(kind, value) {
    if (!this.item) return;
    if (kind === "drawing") { this.measure(value); return; }
    this.set(kind, value);
    if (kind === "footprint") this.measure(value);
  }

  measure(geometry) {
    clearTimeout(this.timer);
    this.area = null;
    if (geometry) this.timer = setTimeout(() => this.ask(this.item?.id, geometry), AREA_WAIT_MS);
  }

  async ask(id, geometry) {
    const answer = await this.panel.post("review/area", { geometry, lang: this.panel.data.lang }).catch(() => null);
    if (!answer || this.item?.id !== id) return;
    this.area = answer.text;
    this.panel.map.showArea?.(answer.text);
    this.show(this.item);
  }

  showDrawn(item, said) {
    const { texts } = this.panel.data;
    const draft = this.panel.drafts.of(item);
    const parts = [];
    if (said.footprint) parts.push(this.part("footprint", fill(texts.area_drawn, { drawn: this.areaOf(item, draft), machine: item.area_cells_text ?? "" }), texts.remove_footprint));
    if (said.moved) parts.push(this.part("moved", texts.point_moved, texts.remove_moved));
    this.drawn.replaceChildren(...parts);
    this.drawn.hidden = !parts.length;
  }

  areaOf(item, draft) {
    if (!("footprint" in draft)) return item.area_drawn_text ?? "…";
    if (!this.area) this.measureOnce(item, draft.footprint);
    return this.area ?? "…";
  }

  measureOnce(item, geometry) {
    if (this.measuring === geometry) return;
    this.measuring = geometry;
    this.measure(geometry);
  }

  part(name, text, label) {
    const drop = () => { this.set(name, null); this.panel.showDraftOnMap(); };
    return el("span", {}, text, pressable(el("button", { type: "button", title: label, "aria-label": label, onclick: drop }, "×")));
  }
}
