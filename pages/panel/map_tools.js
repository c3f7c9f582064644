/* ---- buttons on the map: picture, opacity, zoom lock, layers, point, footprint, place ---- */

const MAP_ICONS = {
  lock: "M5 9V6.5a3 3 0 0 1 6 0V9M3.5 9h9v5.5h-9z",
  layers: "M8 2.5l6 3.2-6 3.2-6-3.2zM2.5 9L8 12l5.5-3",
  move: "M8 1.5v4M8 10.5v4M1.5 8h4M10.5 8h4M8 7.9v.2",
  footprint: "M3 5l6-2.5 4.5 5L9 13.5 3.5 11z",
  box: "M2.5 3.5h11v9h-11zM6 8h4",
};

class MapTools {
  constructor(view) { this.view = view; }

  get texts() { return this.view.texts; }

  build() {
    this.remove();
    const { view } = this;
    const container = view.map.getContainer();
    container.classList.add("md-review");
    container.setAttribute("aria-label", this.texts.map_label);
    this.buttons = {};
    this.parts = [this.buildPicture(), this.buildColumn(), this.buildHint()];
    for (const part of this.parts) {
      view.L.DomEvent.disableClickPropagation(part);
      view.L.DomEvent.disableScrollPropagation(part);
      container.append(part);
    }
    this.refresh();
  }

  remove() {
    this.parts?.forEach((part) => part.remove());
    this.parts = null;
  }

  button(name, label, run, ...content) {
    const button = el("button", { type: "button", title: label, "aria-label": label, "data-tool": name, onclick: run }, ...content);
    button.addEventListener("mouseup", () => button.blur()); // a later space bar must not press it again
    this.buttons[name] = button;
    return button;
  }

  buildPicture() {
    const { view, texts } = this;
    const labels = { true_colour: texts.map_true_colour, swir: texts.map_swir };
    const kinds = MOSAIC_KINDS.map((kind) => this.button(kind, labels[kind], () => view.setKind(kind), labels[kind]));
    const range = el("input", { type: "range", min: 0, max: 100, step: 5, value: Math.round(100 * view.look.opacity) });
    const share = el("output", {}, `${range.value} %`);
    range.addEventListener("input", () => { share.textContent = `${range.value} %`; view.setOpacity(range.value / 100); });
    const group = el("div", { class: "md-map-kinds", role: "group", "aria-label": texts.map_picture }, ...kinds);
    return el("div", { class: "md-map-picture" }, group, el("label", {}, el("span", {}, texts.map_opacity), range, share));
  }

  buildColumn() {
    const { view, texts } = this;
    const icon = (name, label, run) => this.button(name, label, run, this.icon(name));
    return el("div", { class: "md-map-column", role: "toolbar", "aria-label": texts.map_tools, "aria-orientation": "vertical" },
      icon("lock", texts.map_lock, () => view.lockZoom()), icon("layers", texts.map_layers, () => view.toggleLayers()),
      icon("move", texts.map_move, () => view.startMove()), icon("footprint", texts.map_footprint, () => view.startFootprint()),
      icon("box", texts.map_box, () => this.pressBox()));
  }

  icon(name) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 16 16");
    svg.setAttribute("aria-hidden", "true");
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", MAP_ICONS[name]);
    svg.append(path);
    return svg;
  }

  /** One button for both: where a place filter is in force it takes it away. */
  pressBox() {
    const { view } = this;
    if (!view.box) { view.startBox(); return; }
    view.box = null;
    view.drawBox();
    view.onEdit("box", null);
    this.refresh();
  }

  buildHint() {
    this.hint = el("div", { class: "md-map-hint", role: "status", hidden: "" });
    return this.hint;
  }

  /** What to do now, with buttons for those without a keyboard; no text closes it. */
  tell(text, buttons = []) {
    if (!this.parts) return;
    this.said = el("span", { class: "md-map-said" });
    const made = buttons.map(([label, run, key]) => el("button", { type: "button", onclick: run }, label, key ? el("kbd", {}, key) : null));
    this.hint.replaceChildren(el("span", {}, text ?? ""), el("div", {}, this.said, ...made));
    this.hint.hidden = !text;
    this.refresh();
  }

  refresh() {
    if (!this.parts || !this.view.ready) return;
    const { view, texts, buttons } = this;
    const shown = new Set(view.mosaics.filter((layer) => view.map.hasLayer(layer)).map((layer) => layer.options.kind));
    const pressed = { lock: view.look.locked, layers: !view.bare, move: view.editor.mode === "move", box: Boolean(view.box) || view.editor.mode === "box",
      footprint: view.editor.holds("footprint"), ...Object.fromEntries(MOSAIC_KINDS.map((kind) => [kind, shown.has(kind) && view.look.kind === kind])) };
    for (const [name, on] of Object.entries(pressed)) buttons[name].setAttribute("aria-pressed", String(on));
    MOSAIC_KINDS.forEach((kind) => { buttons[kind].disabled = !view.mosaics.some((layer) => layer.options.kind === kind); });
    buttons.box.title = view.box ? texts.map_box_clear : texts.map_box;
    buttons.box.setAttribute("aria-label", buttons.box.title);
  }
}
