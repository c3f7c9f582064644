/* Times of key presses on a review page, taken in the page itself; runs before the page's own scripts.
 *
 * painted: a frame begins with all chips on the screen other ones than before the press; they are decoded, and the next
 *          frame has begun, so that this one was shown. Both pages are watched alike.
 * tiles:   the map has moved to another candidate since the press and none of its layers waits for a tile.
 * durable: the server has answered that the verdict on the candidate that was shown is stored.
 * ready:   as painted and tiles, from the start of the navigation.
 */
(() => {
  if (window !== window.top) return;
  const CHIPS = ".md-panel img[data-candidate], [data-testid=stImage] img";
  const clock = { presses: [], stored: {}, moves: 0, movedTo: "", tilesFetched: 0, map: null, ready: null, counting: false };
  window.minediscClock = clock;

  const frame = () => new Promise(requestAnimationFrame);
  const until = async (holds) => { while (!holds()) await frame(); };
  const chips = () => [...document.querySelectorAll(CHIPS)].filter((image) => image.getClientRects().length);
  const current = () => document.querySelector(".md-panel")?.dataset.candidate ?? "";
  const decoded = async () => {
    const wanted = chips();
    const sources = wanted.map((image) => image.src);
    try {
      await Promise.all(wanted.map((image) => image.decode()));
    } catch (error) { // also where a further key gave the image another picture meanwhile: then that one counts
      if (wanted.every((image, k) => image.src === sources[k])) throw error;
      await decoded();
    }
  };
  const presented = () => Promise.all([decoded(), frame()]); // called at the begin of the frame that shows them

  /* -- the map's frame -- */

  const tilesWait = () => {
    let waits = false;
    clock.map.eachLayer((layer) => { waits ||= Boolean(layer.isLoading?.()); });
    return waits;
  };
  const attach = () => {
    const inside = document.querySelector('iframe[title^="streamlit_folium"]')?.contentWindow;
    if (!inside?.map || inside.map === clock.map) return;
    clock.map = inside.map;
    clock.mapDocument = inside.document;
    inside.map.on("moveend", () => { clock.moves += 1; clock.movedTo = current(); });
    const count = (list) => list.getEntries().forEach((entry) => {
      if (clock.counting && entry.name.includes("/minedisc/tiles/") && entry.transferSize) clock.tilesFetched += 1;
    });
    new inside.PerformanceObserver(count).observe({ type: "resource" });
  };
  const mapIsReady = () => clock.map && clock.mapDocument.querySelector(".leaflet-tile-loaded") && !tilesWait();
  setInterval(() => { try { attach(); } catch { /* the frame is being replaced */ } }, 50);

  /* -- the server's answers -- */

  const plainFetch = window.fetch;
  window.fetch = async (address, options) => {
    const answer = await plainFetch(address, options);
    if (answer.ok && String(address).includes("/review/verdicts")) {
      const said = await answer.clone().json();
      const now = performance.now();
      const stored = new Set(said.acknowledged);
      JSON.parse(options.body).events.filter((e) => stored.has(e.event_id)).forEach((e) => { clock.stored[e.candidate_id] = now; });
    }
    return answer;
  };

  /* -- key presses -- */

  const watchPainted = async (press, before) => {
    await until(() => { const now = chips(); return now.length >= before.size && now.every((image) => !before.has(image.src)); });
    await presented();
    press.painted = performance.now() - press.at;
  };
  const watchTiles = async (press, moves) => {
    await until(() => clock.moves > moves && clock.movedTo !== press.candidate && !tilesWait());
    press.tiles = performance.now() - press.at;
  };
  const watchDurable = async (press) => {
    await until(() => press.candidate in clock.stored);
    press.durable = clock.stored[press.candidate] - press.at;
  };
  window.addEventListener("keydown", (event) => {
    const press = { at: event.timeStamp, candidate: current() };
    clock.presses.push(press);
    watchPainted(press, new Set(chips().map((image) => image.src))).catch((error) => { press.problem = String(error); });
    if (!press.candidate) return; // the plain page: only its chips are timed
    watchTiles(press, clock.moves);
    watchDurable(press);
  }, true);

  (async () => {
    await until(() => chips().length && chips().every((image) => image.complete && image.naturalWidth) && mapIsReady());
    await presented();
    clock.ready = performance.now();
  })();
})();
