/* ---- editing on the map: the point, the footprint, the box of a place ---- */

const LEAST_CORNERS = 3;
const POINTER = ["pointerdown", "pointerup", "pointercancel"];

/** One thing is edited at a time. Each change is told at once (`onEdit`), so that leaving loses nothing;
 * Escape gives back what was there before. While a shape is being drawn, letters and arrows are held back:
 * a verdict in the middle of a drawing would be a slip. */
class MapEditor {
  constructor(view) {
    this.view = view;
    this.onKey = (e) => this.key(e);
    this.onPointer = (e) => { this.pressed = e.type === "pointerdown"; };
  }

  get texts() { return this.view.texts; }

  holds(what) { return what === "footprint" ? ["draw", "edit"].includes(this.mode) : this.mode === what; }

  start(what) {
    const again = this.holds(what);
    this.stop();
    if (again || !this.view.ready || (what !== "box" && !this.view.item)) return;
    this.before = { ...this.view.draft };
    this.windows = [window, this.view.window];
    this.windows.forEach((w) => w.addEventListener("keydown", this.onKey, true));
    POINTER.forEach((name) => this.view.window.addEventListener(name, this.onPointer, true));
    this.pressed = false;
    if (what === "move") this.move();
    else if (what === "box") this.box();
    else if (this.view.draft.footprint) this.edit(this.view.draft.footprint);
    else this.draw();
    this.view.tools.refresh();
  }

  /** End, keeping what was told. */
  stop() {
    if (!this.mode) return;
    this.mode = null;
    this.windows.forEach((w) => w?.removeEventListener("keydown", this.onKey, true));
    POINTER.forEach((name) => this.windows[1]?.removeEventListener(name, this.onPointer, true));
    const end = this.end;
    this.end = null;
    if (this.view.ready) { end?.(); this.view.mark(); }
    this.view.tools.tell(null);
  }

  change(kind, value) {
    this.view.draft = { ...this.view.draft, [kind]: value };
    this.view.onEdit(kind, value);
  }

  /** The panel's word on the shape: its area. */
  say(text) { if (this.mode && this.view.tools.said) this.view.tools.said.textContent = text ?? ""; }

  finish() {
    if (this.mode !== "draw") { this.stop(); return; }
    if (this.corners().length >= LEAST_CORNERS) this.handler.completeShape();
  }

  cancel() {
    const { mode, before } = this;
    const kind = mode === "move" ? "moved" : "footprint";
    if (["move", "edit"].includes(mode) && this.view.draft[kind] !== before[kind]) this.change(kind, before[kind] ?? null);
    this.stop();
    if (mode === "draw") this.view.onEdit("drawing", null);
  }

  /** Take away what is edited: the last corner of a drawing, the footprint, the moved point. */
  remove() {
    if (this.mode === "draw") { this.handler.deleteLastVertex(); this.tellDrawing(); return; }
    if (this.mode === "box") return;
    this.change(this.mode === "move" ? "moved" : "footprint", null);
    this.stop();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
    const onButton = event.key === "Enter" && (event.composedPath?.()[0] ?? event.target)?.tagName === "BUTTON";
    const runs = { Escape: () => this.cancel(), Enter: () => this.finish(), Delete: () => this.remove(), Backspace: () => this.remove() };
    const held = this.pressed || (["draw", "box"].includes(this.mode) && (event.key.length === 1 || event.key.startsWith("Arrow")));
    if (onButton || !(runs[event.key] || held)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!this.pressed) runs[event.key]?.(); // in the middle of a drag nothing may be taken away from under it
  }

  tell(text, ...buttons) { this.view.tools.tell(text, buttons); }

  /* -- the point -- */

  move() {
    const { map, L, item, draft } = this.view;
    this.mode = "move";
    this.view.mark();
    const [lon, lat] = draft.moved ?? [item.lon, item.lat];
    const marker = L.marker([lat, lon], { draggable: true, keyboard: false, icon: this.view.pointIcon(), pane: "md-draft" }).addTo(map);
    const put = ({ lat: y, lng: x }) => { this.change("moved", [roundDegrees(x), roundDegrees(y)]); this.stop(); };
    const onClick = (e) => put(e.latlng);
    marker.on("dragend", () => put(marker.getLatLng()));
    map.on("click", onClick);
    map.getContainer().classList.add("md-aiming");
    this.end = () => { map.off("click", onClick); marker.remove(); map.getContainer().classList.remove("md-aiming"); };
    const back = draft.moved ? [[this.texts.map_back, () => this.remove(), "Del"]] : [];
    this.tell(this.texts.map_hint_move, ...back, [this.texts.map_cancel, () => this.cancel(), "Esc"]);
  }

  /* -- the footprint -- */

  corners() { return this.handler?._markers?.map((marker) => marker.getLatLng()) ?? []; }

  draw() {
    const { map, L } = this.view;
    this.mode = "draw";
    this.handler = new L.Draw.Polygon(map, { allowIntersection: false, showArea: false, shapeOptions: { ...FOOTPRINT_STYLE, clickable: false } });
    const made = (e) => { this.change("footprint", geometryOf(e.layer)); this.stop(); this.start("footprint"); };
    const vertex = () => this.tellDrawing();
    map.once("draw:created", made);
    map.on("draw:drawvertex", vertex);
    this.handler.enable();
    this.end = () => { map.off("draw:created", made); map.off("draw:drawvertex", vertex); this.handler.disable(); };
    this.tell(this.texts.map_hint_draw, [this.texts.map_finish, () => this.finish(), "Enter"], [this.texts.map_cancel, () => this.cancel(), "Esc"]);
  }

  tellDrawing() {
    const ring = this.corners().map(({ lat, lng }) => [roundDegrees(lng), roundDegrees(lat)]);
    const closed = ring.length >= LEAST_CORNERS;
    if (!closed) this.say("");
    this.view.onEdit("drawing", closed ? { type: "Polygon", coordinates: [[...ring, ring[0]]] } : null);
  }

  edit(geometry) {
    const { map, L } = this.view;
    this.mode = "edit";
    this.view.mark();
    const group = L.geoJSON(geometry, { style: FOOTPRINT_STYLE, pane: "md-current", interactive: false }).addTo(map); // or it hides its corners' lower halves
    const shapes = group.getLayers();
    shapes.forEach((shape) => { shape.editing.enable(); shape.on("edit", () => this.edited(shape)); });
    this.end = () => { shapes.forEach((shape) => shape.editing.disable()); group.remove(); };
    this.tell(this.texts.map_hint_edit, [this.texts.map_delete_shape, () => this.remove(), "Del"],
      [this.texts.map_finish, () => this.finish(), "Enter"], [this.texts.map_cancel, () => this.cancel(), "Esc"]);
    this.view.onEdit("drawing", geometry);
  }

  /** An edge over another edge encloses no area: such a change is taken back. */
  edited(shape) {
    const now = geometryOf(shape);
    if (!crosses(now)) { this.change("footprint", now); return; }
    setTimeout(() => this.again(this.texts.map_crossing)); // leaflet-draw is not done with this shape yet
  }

  again(said) {
    if (this.mode !== "edit") return;
    const { before } = this;
    this.stop();
    this.start("footprint");
    this.before = before;
    this.say(said);
  }

  /* -- the place -- */

  box() {
    const { map, L } = this.view;
    this.mode = "box";
    this.handler = new L.Draw.Rectangle(map, { showArea: false, shapeOptions: { color: "#ffffff", weight: 2, fillOpacity: 0.05 } });
    const made = (e) => {
      const bounds = e.layer.getBounds();
      this.view.box = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()].map(roundDegrees);
      this.stop();
      this.view.drawBox();
      this.view.tools.refresh();
      this.view.onEdit("box", this.view.box);
    };
    map.once("draw:created", made);
    this.handler.enable();
    this.end = () => { map.off("draw:created", made); this.handler.disable(); };
    this.tell(this.texts.map_hint_box, [this.texts.map_cancel, () => this.cancel(), "Esc"]);
  }
}

/** Degrees to about a centimetre. */
function roundDegrees(degrees) { return Math.round(degrees * 1e7) / 1e7; }

function geometryOf(layer) {
  const { geometry } = layer.toGeoJSON();
  const point = (value) => (typeof value[0] === "number" ? value.map(roundDegrees) : value.map(point));
  return { type: geometry.type, coordinates: point(geometry.coordinates) };
}

/** Whether an edge of a ring crosses another edge of the same ring. */
function crosses({ type, coordinates }) {
  const rings = type === "MultiPolygon" ? coordinates.flat() : coordinates;
  const side = ([ax, ay], [bx, by], [cx, cy]) => Math.sign((bx - ax) * (cy - ay) - (by - ay) * (cx - ax));
  const cross = (a, b, c, d) => side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0;
  const edges = (ring) => ring.slice(1).map((point, k) => [ring[k], point]);
  return rings.some((ring) => edges(ring).some(([a, b], k) => edges(ring).slice(k + 1).some(([c, d]) => cross(a, b, c, d))));
}
