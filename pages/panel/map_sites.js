/* ---- sites of the map's view, where a queue has too many for one layer: outlines, or clusters to click ---- */

const VIEW_WAIT_MS = 200; // a map that jumps from candidate to candidate asks when it stands still

class ViewSites {
  constructor(view) { Object.assign(this, { view, group: null, ids: [] }); }

  /** On with the queue that the page names, off without one. */
  configure(data) {
    this.queue = data.many_sites ? data.queue : "";
    Object.assign(this, { base: data.base, token: data.token, lang: data.lang ?? "en" });
    if (this.view.ready) this.later();
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load().catch(() => {}), VIEW_WAIT_MS); // the next move asks again
  }

  async load() {
    const { view, queue } = this;
    if (!view.ready) return;
    const asked = (this.asked = Symbol("view"));
    if (!queue) { this.clear(); return; }
    const bounds = view.map.getBounds();
    const edge = (value, most) => Math.max(-most, Math.min(most, value)).toFixed(6);
    const box = [edge(bounds.getWest(), 180), edge(bounds.getSouth(), 90), edge(bounds.getEast(), 180), edge(bounds.getNorth(), 90)];
    const query = new URLSearchParams({ queue, view: box.join(","), lang: this.lang });
    const answer = await fetch(`${this.base}/review/sites?${query}`, { headers: { "X-Minedisc-Token": this.token } });
    if (!answer.ok || this.asked !== asked) return;
    const said = await answer.json();
    if (this.asked === asked && view.ready) this.draw(said);
  }

  clear() {
    this.group?.remove();
    this.group = null;
    for (const id of this.ids) this.view.layers.delete(id);
    this.ids = [];
  }

  draw({ sites, clusters }) {
    const { L, map } = this.view;
    this.clear();
    const style = (feature) => feature.properties.style;
    const outlines = L.geoJSON({ type: "FeatureCollection", features: sites }, { style, onEachFeature: (feature, layer) => layer.bindTooltip(feature.properties.label, { sticky: true }) });
    this.ids = sites.map((site) => site.properties.candidate_id);
    this.group = L.layerGroup([outlines, ...clusters.map((cluster) => this.cluster(cluster))]).addTo(map);
    map.getContainer().dataset.sites = sites.length;
    map.getContainer().dataset.clusters = clusters.length;
    this.view.stale = true; // its collecting makes the new outlines clickable
  }

  cluster({ lat, lon, count, box: [west, south, east, north], label }) {
    const { L, map } = this.view;
    const size = Math.round(26 + 6 * Math.log10(count));
    const icon = L.divIcon({ className: "md-cluster", iconSize: [size, size], html: `<span>${new Intl.NumberFormat(this.lang, { notation: "compact" }).format(count)}</span>` });
    const marker = L.marker([lat, lon], { icon, title: label, alt: label, keyboard: false });
    return marker.on("click", () => map.fitBounds([[south, west], [north, east]], { maxZoom: Math.max(map.getZoom() + 2, FIRST_ZOOM) }));
  }
}
