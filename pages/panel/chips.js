/* ---- chips: four pictures of the same ground, and the same ground on another date ---- */

const CHIPS_STORED = "minedisc.chips";
const ZOOMS = [1, 2, 4];
const PAIR_MODES = ["off", "side", "swipe"];
const FIXED_KINDS = ["true_colour", "swir", "near_infrared"];
const SIDE_KINDS = ["true_colour", "swir"]; // two rows side by side: ground and water, minerals and moisture
const SCALES_M = [2000, 1000, 500, 200, 100, 50, 20];
const HELD = 160; // decoded pictures that stay in memory: five candidates of eight, and the way back

class Chips {
  constructor(panel) {
    this.panel = panel;
    this.look = { outlined: true, own: false, index: "ndvi", zoom: 1, pair: "off", other: 0, swipe: 50, ...kept.get(CHIPS_STORED, {}) };
    this.pan = [0, 0];
    this.held = new Map();
    this.grid = el("div", { class: "md-chips" });
    this.divider = this.buildDivider();
    this.under = el("span", { class: "md-dated" });
    this.node = el("div", { class: "md-stage" }, this.grid);
    this.buildTools();
    this.figures = Array.from({ length: 4 }, () => this.figure());
    this.grid.append(...this.figures.map((figure) => figure.node), this.divider);
    this.grid.addEventListener("pointerdown", (e) => this.press(e));
    this.applyLook();
  }

  get texts() { return this.panel.data.texts; }

  change(values) {
    Object.assign(this.look, values);
    kept.set(CHIPS_STORED, this.look);
    this.applyLook();
    if (this.item) { this.draw(this.item); this.panel.prefetch(); }
  }

  /* -- what is chosen -- */

  toggleOutlines() { this.change({ outlined: !this.look.outlined }); }
  toggleStretch() { this.change({ own: !this.look.own }); }

  cycleZoom() {
    this.pan = [0, 0];
    this.change({ zoom: ZOOMS[(ZOOMS.indexOf(this.look.zoom) + 1) % ZOOMS.length] });
  }

  cycleIndex() {
    const kinds = this.panel.data.indices.map((index) => index.kind);
    this.change({ index: kinds[(kinds.indexOf(this.look.index) + 1) % kinds.length] });
  }

  cyclePair() {
    if (!this.item?.pairs?.length) { this.panel.say(this.texts.no_pair); return; }
    const pair = PAIR_MODES[(PAIR_MODES.indexOf(this.look.pair) + 1) % PAIR_MODES.length];
    this.change({ pair });
    if (pair === "swipe") this.panel.say(this.texts.swipe_hint);
  }

  pairOf(item) { return item.pairs?.length ? item.pairs[this.look.other % item.pairs.length] : null; }

  modeOf(item) { return this.pairOf(item) ? this.look.pair : "off"; }

  /** Picture, other date's picture and caption of each of the four places. */
  places(item) {
    const mode = this.modeOf(item);
    const pair = this.pairOf(item);
    const kinds = [...FIXED_KINDS, this.look.index];
    if (mode === "off") return kinds.map((kind) => ({ kind, chip: this.chip(item, kind), over: null }));
    const order = this.inOrder(item, pair);
    if (mode === "swipe") return kinds.map((kind) => ({ kind, chip: this.chip(order[0], kind), over: this.chip(order[1], kind) }));
    return SIDE_KINDS.flatMap((kind) => order.map((date) => ({ kind, chip: this.chip(date, kind), dates: date.dates })));
  }

  /** The earlier date is on the left. */
  inOrder(item, pair) { return (pair.dates ?? "") < (item.dates ?? "") ? [pair, item] : [item, pair]; }

  chip(source, kind) { return source?.chips.find((chip) => chip.kind === kind) ?? null; }

  address(chip) { return chip ? (this.look.own && chip.own) || chip.url : ""; }

  addresses(item) { return this.places(item).flatMap(({ chip, over }) => [this.address(chip), this.address(over)]).filter(Boolean); }

  /** Pictures of candidates to come, fetched and decoded; what was asked for before is not asked for again. */
  prefetch(items) {
    const wanted = new Set(items.flatMap((item) => this.addresses(item)));
    this.giveUp(wanted);
    for (const address of wanted) {
      if (this.held.has(address)) continue;
      const image = new Image();
      image.src = address;
      image.decode?.().catch(() => { if (this.held.get(address) === image) this.held.delete(address); });
      this.held.set(address, image);
    }
    for (const address of this.held.keys()) {
      if (this.held.size <= HELD) break;
      this.held.delete(address);
    }
  }

  /** What is still on its way and no longer comes next leaves the line to what does. */
  giveUp(wanted) {
    const shown = new Set(this.item ? this.addresses(this.item) : []);
    for (const [address, image] of this.held) {
      if (image.complete || wanted.has(address) || shown.has(address)) continue;
      this.held.delete(address);
      image.src = "";
    }
  }

  /* -- drawing: nodes are made once and filled anew -- */

  show(item) {
    if (this.item?.id !== item.id) this.pan = [0, 0];
    this.item = item;
    this.draw(item);
  }

  clear() {
    this.item = null;
    this.grid.hidden = true;
  }

  draw(item) {
    this.grid.hidden = false;
    const mode = this.modeOf(item);
    this.grid.dataset.mode = mode;
    this.divider.hidden = mode !== "swipe";
    this.places(item).forEach((place, k) => this.fill(this.figures[k], place, item));
    this.showUnder(item, mode);
    this.applyPan();
    if (this.pairShown !== mode) { this.pairShown = mode; this.labelTools(); }
  }

  figure() {
    const image = el("img", { alt: "", draggable: "false", decoding: "sync" }); // shown with the words that belong to it, never after
    const over = el("img", { alt: "", draggable: "false", decoding: "sync", class: "md-over", hidden: "" });
    const outline = el("div", { class: "md-outline" });
    const parts = { image, over, outline, scale: el("span", { class: "md-scale" }), caption: el("figcaption", {}), legend: el("div", { class: "md-index-legend", hidden: "" }) };
    const north = el("span", { class: "md-north" }, svgPicture("0 0 20 26", svgShape("md-needle", "M10 1L16 18L10 14L4 18Z")), el("b", {}, "N"));
    parts.north = north;
    const ground = el("div", { class: "md-ground" }, image, over, outline);
    const picture = el("div", { class: "md-picture" }, ground, parts.scale, north, parts.legend);
    parts.node = el("figure", {}, picture, parts.caption);
    image.onerror = () => parts.node.classList.add("md-missing");
    image.onload = () => parts.node.classList.remove("md-missing");
    return parts;
  }

  fill(figure, place, item) {
    const { image, node } = figure;
    const label = place.chip?.label ?? this.labelOf(place.kind);
    const address = this.address(place.chip);
    if (image.getAttribute("src") !== address) image.src = address;
    node.classList.toggle("md-missing", !address);
    image.alt = [label, place.dates, item.title].filter(Boolean).join(", ");
    image.dataset.candidate = item.id;
    this.setOver(figure.over, place.over);
    const caption = place.dates ? `${place.dates} · ${label}` : label;
    if (figure.caption.textContent !== caption) figure.caption.textContent = caption;
    this.drawOutline(figure, item.outline);
    this.drawScale(figure, item);
    this.drawLegend(figure, place.kind, place.chip?.legend);
  }

  setOver(over, chip) {
    over.hidden = !chip;
    if (chip && over.getAttribute("src") !== this.address(chip)) over.src = this.address(chip);
  }

  labelOf(kind) { return this.panel.data.indices.find((index) => index.kind === kind)?.label ?? this.texts[`chip_${kind}`] ?? kind; }

  drawOutline(figure, outline) {
    if (!outline?.size_px) { figure.outline.replaceChildren(); return; }
    const box = ([left, top, right, bottom]) => `M${left},${top}H${right}V${bottom}H${left}Z`;
    const ring = (points) => `M${points.map(([x, y]) => `${x},${y}`).join("L")}Z`;
    figure.cells ??= svgShape("md-cells", "");
    figure.patch ??= svgShape("md-patch", "");
    figure.svg ??= svgPicture("0 0 1 1", figure.cells, figure.patch);
    figure.svg.setAttribute("viewBox", `0 0 ${outline.size_px} ${outline.size_px}`);
    figure.cells.setAttribute("d", outline.cells?.length ? outline.cells.map(box).join("") : outline.rings.map(ring).join(""));
    figure.patch.setAttribute("d", box(outline.patch));
    if (!figure.outline.firstChild) figure.outline.append(figure.svg);
  }

  /** A round number of metres, at most a third of what is seen; it follows the zoom. */
  drawScale({ scale, north }, item) {
    const seen = item.chip_width_m / this.look.zoom;
    const metres = SCALES_M.find((m) => m <= seen * 0.33) ?? SCALES_M.at(-1);
    scale.style.width = `${(100 * metres) / seen}%`;
    const text = metres >= 1000 ? `${metres / 1000} km` : `${metres} m`;
    if (scale.textContent !== text) scale.textContent = text;
    const turned = item.north_deg ?? item.outline?.north_deg ?? 0;
    north.firstChild.style.transform = turned ? `rotate(${turned}deg)` : "";
  }

  drawLegend({ legend }, kind, told) {
    if (legend.dataset.kind === kind) return;
    const index = told ?? this.panel.data.indices.find((each) => each.kind === kind);
    legend.dataset.kind = kind;
    legend.hidden = !index?.colours?.length;
    if (legend.hidden) return;
    const bar = el("i", { style: `background:linear-gradient(90deg,${index.colours.join(",")})` });
    legend.replaceChildren(el("span", {}, index.low), bar, el("span", {}, index.high));
    if (index.low_label) legend.title = `${index.low}: ${index.low_label} · ${index.high}: ${index.high_label}`;
  }

  showUnder(item, mode) {
    const pair = this.pairOf(item);
    const dated = [item.dates, item.source].filter(Boolean).join(" · ");
    const [left, right] = mode === "swipe" ? this.inOrder(item, pair) : [];
    const swiped = left ? fill(this.texts.swiped, { left: left.dates, right: right.dates }) : dated;
    if (this.underText !== swiped) { this.underText = swiped; this.under.textContent = swiped; this.under.title = [dated, pair?.source].filter(Boolean).join(" / "); }
  }

  /* -- tools above the pictures -- */

  buildTools() {
    const run = { outlines: () => this.toggleOutlines(), stretch: () => this.toggleStretch(), index: () => this.cycleIndex(), zoom: () => this.cycleZoom(), before_after: () => this.cyclePair() };
    this.tools = Object.fromEntries(Object.entries(run).map(([name, act]) => [name, this.panel.button(name, this.texts[name], act)]));
    this.other = el("select", { class: "md-other", "aria-label": this.texts.other_date, hidden: "" });
    this.other.addEventListener("change", () => { this.change({ other: Number(this.other.value) }); this.other.blur(); });
    this.tools.bar = el("div", { class: "md-tools", role: "toolbar", "aria-label": this.texts.tools_label }, ...Object.values(this.tools), this.other);
  }

  labelTools() {
    const { texts, tools, look } = this;
    const pair = this.item ? this.modeOf(this.item) : "off";
    const says = { outlines: texts.outlines, stretch: look.own ? texts.stretch_own : texts.stretch_run, index: this.labelOf(look.index), zoom: `${look.zoom}×`,
      before_after: { off: texts.before_after, side: texts.pair_side, swipe: texts.pair_swipe }[pair] };
    for (const [name, text] of Object.entries(says)) tools[name].querySelector(".md-label").textContent = text;
    tools.outlines.setAttribute("aria-pressed", String(look.outlined));
    tools.before_after.setAttribute("aria-pressed", String(pair !== "off"));
    tools.zoom.setAttribute("aria-label", fill(texts.zoom_label, { n: look.zoom }));
    this.listDates();
  }

  listDates() {
    const pairs = this.item?.pairs ?? [];
    this.other.hidden = pairs.length < 2 || this.look.pair === "off";
    if (this.other.hidden) return;
    this.other.replaceChildren(...pairs.map((pair, k) => el("option", { value: k }, pair.label ?? pair.dates)));
    this.other.value = String(this.look.other % pairs.length);
  }

  applyLook() {
    this.grid.classList.toggle("md-plain", !this.look.outlined);
    this.grid.style.setProperty("--zoom", this.look.zoom);
    this.grid.dataset.zoom = this.look.zoom;
    this.setSwipe(this.look.swipe);
    this.labelTools();
  }

  /* -- hand: drag the ground, drag the divider -- */

  press(event) {
    if (this.look.zoom === 1 || event.target.closest(".md-divider") || event.button) return;
    event.preventDefault();
    const from = [event.clientX - this.pan[0], event.clientY - this.pan[1]];
    this.follow(event, this.grid, (e) => { this.pan = [e.clientX - from[0], e.clientY - from[1]]; this.applyPan(); });
  }

  follow(event, node, move) {
    node.setPointerCapture(event.pointerId);
    const end = () => { node.removeEventListener("pointermove", move); node.removeEventListener("pointerup", end); node.removeEventListener("pointercancel", end); };
    node.addEventListener("pointermove", move);
    node.addEventListener("pointerup", end);
    node.addEventListener("pointercancel", end);
  }

  /** The ground stays under the frame; all four move together. */
  applyPan() {
    if (!this.pan[0] && !this.pan[1] && !this.panned) return;
    const most = ((this.look.zoom - 1) * this.figures[0].image.parentNode.parentNode.clientWidth) / 2;
    this.pan = this.pan.map((part) => Math.max(-most, Math.min(most, part)));
    this.grid.style.setProperty("--pan-x", `${this.pan[0]}px`);
    this.grid.style.setProperty("--pan-y", `${this.pan[1]}px`);
    this.panned = Boolean(this.pan[0] || this.pan[1]);
  }

  buildDivider() {
    const divider = el("div", { class: "md-divider", role: "slider", tabindex: "0", "aria-label": this.texts.swipe_label, "aria-valuemin": 0, "aria-valuemax": 100, hidden: "" });
    divider.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      divider.focus();
      this.follow(event, divider, (e) => this.swipeTo(e.clientX));
    });
    divider.addEventListener("keydown", (e) => this.swipeKey(e));
    return divider;
  }

  /** Where the pointer is over the left column, as all four dividers stand alike. */
  swipeTo(x) {
    const box = this.figures[0].node.querySelector(".md-picture").getBoundingClientRect();
    this.keepSwipe((100 * (x - box.left)) / box.width);
  }

  swipeKey(event) {
    const step = { ArrowLeft: -5, ArrowRight: 5, PageDown: -20, PageUp: 20, Home: -100, End: 100 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    this.keepSwipe(this.look.swipe + step);
  }

  keepSwipe(share) {
    this.setSwipe(share);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => kept.set(CHIPS_STORED, this.look), 300);
  }

  setSwipe(share) {
    this.look.swipe = Math.round(Math.max(0, Math.min(100, share)));
    this.grid.style.setProperty("--swipe", `${this.look.swipe}%`);
    this.grid.style.setProperty("--part", this.look.swipe / 100);
    this.divider.setAttribute("aria-valuenow", this.look.swipe);
    this.divider.setAttribute("aria-valuetext", fill(this.texts.swipe_value, { n: this.look.swipe }));
  }
}
