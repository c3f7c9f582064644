/* ---- the leafmap map beside the panel: it follows the candidate ---- */

const MAP_STORED = "minedisc.map";
const FIRST_ZOOM = 14; // a site of a few cells fills a quarter of the map
const MOSAIC_KINDS = ["true_colour", "swir"];
const NEAR_MAX = 120;
const IMPACT_COLOURS = { high: "#ff3b30", low: "#ffb000", unknown: "#35d0e6", no_ore: "#c4c7cc" }; // as in the legend
const DRAFT_COLOUR = "#00e5ff";
const FOOTPRINT_STYLE = { color: DRAFT_COLOUR, weight: 3, fillColor: DRAFT_COLOUR, fillOpacity: 0.12 };

/** The map's frame as the panel uses it.
 *
 * Zoom: the map keeps the zoom that the analyst chose (by wheel, buttons or a double click); only the
 * first candidate of a page sets one. A site larger than the map is shown whole, and the next candidate
 * is at the chosen zoom again. With the zoom locked nothing but the analyst changes it, and it
 * outlives a reload of the page.
 */
class MapView {
  constructor(onKey, onPick, onEdit = () => {}) {
    Object.assign(this, { onKey, onPick, onEdit, frame: null, layers: new Map(), decided: new Map(), near: new Map() });
    this.look = { kind: MOSAIC_KINDS[0], opacity: 1, locked: false, zoom: null, ...kept.get(MAP_STORED, {}) };
    this.zoom = this.look.locked ? this.look.zoom : null;
    this.draft = {};
    this.tools = new MapTools(this);
    this.editor = new MapEditor(this);
    this.ahead = new TilesAhead(this);
    this.sites = new ViewSites(this);
    this.timer = setInterval(() => this.attach(), 250);
  }

  store() {
    const { kind, opacity, locked } = this.look;
    kept.set(MAP_STORED, { kind, opacity, locked, zoom: this.zoom });
  }

  /** Texts and the place filter in force; Python gives them with each run. */
  configure(data) {
    const spoken = this.lang === data.lang;
    Object.assign(this, { texts: data.texts, lang: data.lang, box: data.box ?? null });
    this.sites.configure(data);
    if (!this.ready) return;
    if (spoken) this.tools.refresh(); else this.tools.build();
    this.drawBox();
  }

  get window() {
    try { return this.frame?.isConnected ? this.frame.contentWindow : null; } catch { return null; }
  }

  get ready() { return Boolean(this.window && this.map); }

  /* -- the frame comes, goes, and comes again with another mosaic -- */

  attach() {
    const frame = document.querySelector('iframe[title^="streamlit_folium"]');
    const inside = frame?.contentWindow;
    if (!inside?.map || !inside.L) return;
    if (inside.map !== this.map) this.enter(frame, inside);
    if (this.stale) this.collect();
  }

  enter(frame, inside) {
    Object.assign(this, { frame, map: inside.map, L: inside.L, marks: null, boxed: null, extra: null, extras: null, stale: true });
    this.layers.clear();
    Object.assign(this.sites, { group: null, ids: [] }); // they went with the frame
    this.ahead.drop();
    const named = Object.keys(inside).filter((name) => name.startsWith("tile_layer"));
    this.mosaics = named.map((name) => inside[name]).filter((layer) => layer?.options?.mosaic);
    inside.document.addEventListener("keydown", this.onKey, true);
    for (const [name, order] of [["md-current", 620], ["md-draft", 630]]) this.map.createPane(name).style.zIndex = order;
    this.map.on("layeradd", (e) => { if (e.layer.feature?.properties?.candidate_id) this.stale = true; });
    this.map.on("moveend", () => this.sites.later());
    this.map.on("overlayadd overlayremove", () => this.tools.refresh());
    this.moving = Boolean(this.map._animatingZoom); // the frame's own zoom to the queue's start is nobody's choice
    this.map.on("zoomend", () => { if (this.moving) this.moving = false; else this.choseZoom(); });
    this.mosaics.forEach((layer) => layer.on("load", () => this.tellLoaded()));
    this.applyLook();
    if (this.texts) this.tools.build();
    this.drawBox();
    this.apply();
  }

  collect() {
    this.stale = false;
    this.map.eachLayer((layer) => {
      const id = layer.feature?.properties?.candidate_id;
      if (!id || this.layers.get(id) === layer) return;
      this.layers.set(id, layer);
      layer.on("click", () => { if (!this.editor.mode) this.onPick(id); });
      if (this.decided.has(id)) this.restyle(id, this.decided.get(id));
    });
    this.drawNear();
  }

  /* -- following the candidate -- */

  show(item, first = false) {
    if (first) this.decided.clear(); // the page has drawn the sites anew
    if (this.item?.id !== item.id) this.editor.stop();
    this.item = item;
    if (!this.editor.mode) this.draft = { moved: item.moved ?? null, footprint: item.footprint ?? null };
    this.later();
  }

  /** What the analyst changed and has not decided yet: the moved point, the footprint. */
  showDraft({ moved = null, footprint = null } = {}) {
    this.draft = { moved, footprint };
    if (!this.waiting) this.mark();
  }

  /** After the panel's next picture is painted: the chips come first, and of several keys only the last moves the map. */
  later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => setTimeout(() => { this.waiting = false; this.apply(); }));
  }

  apply() {
    if (!this.ready || !this.item) return;
    const { item, map } = this;
    if (map._animatingZoom) { map.once("zoomend", () => this.apply()); return; } // Leaflet would drop the move
    this.moving = true;
    map.setView([item.lat, item.lon], this.zoomFor(item), { animate: false });
    this.moving = false;
    this.mark();
    map.getContainer().dataset.candidate = item.id;
    this.tellLoaded();
    this.ahead.plan();
  }

  zoomFor(item) {
    const chosen = this.zoom ?? Math.max(this.map.getZoom(), FIRST_ZOOM);
    if (this.look.locked) return chosen;
    this.zoom ??= chosen;
    return Math.min(chosen, this.map.getBoundsZoom(this.L.geoJSON(item.polygon).getBounds()));
  }

  choseZoom() {
    this.zoom = this.map.getZoom();
    if (this.look.locked) this.store();
    this.ahead.plan();
  }

  lockZoom(on = !this.look.locked) {
    this.look.locked = on;
    if (this.ready) this.zoom = this.map.getZoom();
    this.store();
    this.tools.refresh();
  }

  /** `data-loaded` beside `data-candidate` on the map: its tiles are there. */
  tellLoaded() {
    const container = this.map.getContainer();
    const loading = this.mosaics.some((layer) => this.map.hasLayer(layer) && layer.isLoading());
    if (!loading && container.dataset.candidate) container.dataset.loaded = container.dataset.candidate;
  }

  /** The candidates that come next, for their map tiles. */
  prefetch(items) { this.ahead.items = items; this.ahead.plan(); }

  /* -- what is drawn: above the layers, so that switching these leaves it -- */

  mark() {
    if (!this.ready || !this.item) return;
    const { L, item, draft, editor } = this; // what is being edited, the editor draws
    const line = (weight, color, opacity) => ({ pane: "md-current", interactive: false, style: { weight, color, opacity, fill: false } });
    const shapes = [L.geoJSON(item.polygon, line(6, "#000000", 0.55)), L.geoJSON(item.polygon, line(3, "#ffffff", 1))];
    if (draft.footprint && !editor.holds("footprint")) shapes.push(L.geoJSON(draft.footprint, { pane: "md-draft", interactive: false, style: FOOTPRINT_STYLE }));
    if (draft.moved && !editor.holds("move")) shapes.push(...this.movedShapes(item, draft.moved));
    this.marks?.remove();
    this.marks = L.layerGroup(shapes).addTo(this.map);
  }

  movedShapes(item, [lon, lat]) {
    const { L } = this;
    const from = [item.lat, item.lon];
    const path = { pane: "md-draft", interactive: false, color: DRAFT_COLOUR };
    return [L.polyline([from, [lat, lon]], { ...path, weight: 2.5, dashArray: "5 5" }),
      L.circleMarker(from, { ...path, radius: 4, weight: 2, fillColor: "#000000", fillOpacity: 0.6 }),
      L.marker([lat, lon], { pane: "md-draft", interactive: false, keyboard: false, icon: this.pointIcon() })];
  }

  pointIcon() { return this.L.divIcon({ className: "md-point", iconSize: [26, 26] }); }

  drawBox() {
    this.boxed?.remove();
    this.boxed = null;
    if (!this.ready || !this.box) return;
    const [west, south, east, north] = this.box;
    const style = { pane: "md-current", interactive: false, color: "#ffffff", weight: 2, dashArray: "2 6", fill: false };
    this.boxed = this.L.rectangle([[south, west], [north, east]], style).addTo(this.map);
  }

  /** Candidates of the queue that the sites' layer, which has a cap, may lack. */
  know(items) {
    const fresh = items.filter((item) => !this.near.has(item.id));
    fresh.forEach((item) => this.near.set(item.id, item));
    for (const id of [...this.near.keys()].slice(0, -NEAR_MAX)) this.near.delete(id);
    if (fresh.length) this.stale = true;
  }

  drawNear() {
    const { L, near, layers } = this;
    this.extra?.remove();
    const lacking = [...near.values()].filter((item) => !layers.has(item.id));
    this.extras = new Map(lacking.map((item) => [item.id, L.geoJSON(item.polygon, { style: { color: IMPACT_COLOURS[item.impact], weight: 2 } })]));
    this.extras.forEach((layer, id) => layer.on("click", () => { if (!this.editor.mode) this.onPick(id); }));
    this.extra = L.layerGroup([...this.extras.values()]).addTo(this.map);
    lacking.forEach((item) => this.restyle(item.id, this.decided.get(item.id) ?? item.status));
  }

  restyle(id, status) {
    this.decided.set(id, status);
    const look = { confirmed: { fillOpacity: 0.28, dashArray: null }, rejected: { fillOpacity: 0, dashArray: "3 5" },
      unsure: { fillOpacity: 0.12, dashArray: "8 5" }, undecided: { fillOpacity: 0.12, dashArray: null } };
    (this.layers.get(id) ?? this.extras?.get(id))?.setStyle?.(look[status] ?? look.undecided);
  }

  /** Sites, registers, lands and scores off or on again; mosaic, current candidate and drafts stay. */
  toggleLayers(hidden = !this.bare) {
    this.bare = hidden;
    if (this.ready) this.map.getContainer().classList.toggle("md-bare", hidden);
    this.tools.refresh();
  }

  /* -- the mosaic's picture -- */

  applyLook() {
    this.mosaics.forEach((layer) => layer.setOpacity(this.look.opacity));
    this.map.getContainer().classList.toggle("md-bare", Boolean(this.bare));
    this.swapKind(this.look.kind);
  }

  setOpacity(share) {
    this.look.opacity = share;
    if (this.ready) this.mosaics.forEach((layer) => layer.setOpacity(share));
    this.store();
  }

  setKind(kind) {
    this.look.kind = kind;
    this.store();
    if (this.ready) this.swapKind(kind);
    this.tools.refresh();
    this.ahead.plan();
  }

  /** The other kind's tiles come in above; the old ones go when all are there, so that nothing blinks. */
  swapKind(kind) {
    for (const old of this.mosaics.filter((layer) => layer.options.kind !== kind && this.map.hasLayer(layer))) {
      const twin = this.mosaics.find((layer) => layer.options.kind === kind && layer.options.mosaic === old.options.mosaic);
      const drop = () => { if (this.look.kind === kind) old.remove(); };
      if (!twin) continue;
      if (this.map.hasLayer(twin)) { drop(); continue; }
      twin.addTo(this.map);
      if (twin.isLoading()) { twin.once("load", drop); setTimeout(drop, 3000); } else drop();
    }
  }

  /* -- editing, for the panel's keys -- */

  startMove() { this.editor.start("move"); }
  startFootprint() { this.editor.start("footprint"); }
  startBox() { this.editor.start("box"); }
  stopEditing() { this.editor.stop(); }
  showArea(text) { this.editor.say(text); }

  close() {
    clearInterval(this.timer);
    clearTimeout(this.sites.timer);
    this.editor.stop();
    this.ahead.drop();
    if (!this.ready) return;
    this.marks?.remove();
    this.tools.remove();
    this.window.document.removeEventListener("keydown", this.onKey, true);
  }
}
