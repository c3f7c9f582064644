/* ---- map tiles of the next candidates, into the browser's cache before the key is pressed ---- */

const TILES_AT_ONCE = 2; // of the six connections that a browser opens to one host: chips and verdicts come first
const TILES_KEPT = 400;
const REST_MS = 90; // whoever holds a key down needs the chips, not the tiles of what flies past

class TilesAhead {
  constructor(view) {
    Object.assign(this, { view, items: [], queue: [], held: new Map(), flying: 0 });
  }

  plan() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.want(), REST_MS);
  }

  want() {
    const { view } = this;
    if (!view.ready) return;
    const layers = view.mosaics.filter((layer) => view.map.hasLayer(layer));
    const wanted = this.items.flatMap((item) => layers.flatMap((layer) => this.addresses(layer, item)));
    this.queue = [...new Set(wanted)].filter((address) => !this.held.has(address));
    this.pump();
  }

  /** Addresses of the tiles that a layer will ask for when the map is centred on a candidate, as Leaflet counts them. */
  addresses(layer, item) {
    const { map, L } = this.view;
    const shown = this.view.zoomFor(item);
    const zoom = Math.min(shown, layer.options.maxNativeZoom ?? shown);
    const size = layer.getTileSize().x;
    const half = map.getSize().divideBy(2 * map.getZoomScale(shown, zoom));
    const centre = map.project([item.lat, item.lon], zoom).floor();
    const least = centre.subtract(half).divideBy(size).floor();
    const most = centre.add(half).divideBy(size).ceil().subtract([1, 1]);
    const made = [];
    for (let y = least.y; y <= most.y; y += 1) {
      for (let x = least.x; x <= most.x; x += 1) {
        if (this.isInside(layer, x, y, zoom, size)) made.push(L.Util.template(layer._url, { ...layer.options, x, y, z: zoom, s: "", r: "" }));
      }
    }
    return made;
  }

  isInside(layer, x, y, zoom, size) {
    if (!layer.options.bounds) return true;
    const { map, L } = this.view;
    const corner = (dx, dy) => map.unproject([(x + dx) * size, (y + dy) * size], zoom);
    return L.latLngBounds(layer.options.bounds).overlaps(L.latLngBounds(corner(0, 0), corner(1, 1)));
  }

  pump() {
    while (this.flying < TILES_AT_ONCE && this.queue.length && this.view.ready) this.fetch(this.queue.shift());
  }

  fetch(address) {
    const image = new this.view.window.Image(); // the frame's own: a document paints what it holds without waiting
    const landed = () => { this.flying -= 1; this.pump(); };
    image.fetchPriority = "low";
    image.onload = landed;
    image.onerror = () => { this.held.delete(address); landed(); };
    this.flying += 1;
    this.held.set(address, image);
    if (this.held.size > TILES_KEPT) this.held.delete(this.held.keys().next().value);
    image.src = address;
  }

  drop() {
    clearTimeout(this.timer);
    this.queue = [];
    this.held.clear();
  }
}
