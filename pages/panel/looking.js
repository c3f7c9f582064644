/* ---- who looks at what: a look is told to the server, which keeps the candidate for the one who looks ---- */

const CLIENT = "minedisc.client";
const LOOK_WAIT_MS = 150; // what flies past was not looked at
const LOOK_AGAIN_MS = 45000; // a lease lasts some minutes

/** Milliseconds that go on within a page and from one page to the next. */
const now = () => performance.timeOrigin + performance.now();

class Looking {
  constructor(panel) {
    Object.assign(this, { panel, others: {}, known: false });
    this.client = Looking.tab();
    this.again = setInterval(() => this.say(), LOOK_AGAIN_MS);
    this.onVisible = () => { if (!document.hidden) this.say(); };
    this.onLeave = () => this.leave();
    document.addEventListener("visibilitychange", this.onVisible);
    window.addEventListener("pagehide", this.onLeave);
  }

  /** One id for this browser tab; a tab that was duplicated brings the other's along and gets its own. */
  static tab() {
    if (window.__minediscClient) return window.__minediscClient;
    let client = null;
    try {
      const reloaded = ["reload", "back_forward"].includes(performance.getEntriesByType("navigation")[0]?.type);
      client = reloaded ? sessionStorage.getItem(CLIENT) : null;
      client ??= uuid();
      sessionStorage.setItem(CLIENT, client);
    } catch { client = uuid(); }
    window.__minediscClient = client;
    return client;
  }

  look(item) {
    this.item = item;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.say(), LOOK_WAIT_MS);
  }

  async say() {
    const { item, panel } = this;
    if (!item || document.hidden) return;
    const body = { queue: panel.queue, candidate_id: item.id, analyst: panel.data.analyst, client: this.client, said_at: now(), lang: panel.data.lang };
    const said = await panel.post("review/looking", body).catch(() => null);
    if (!said) return; // a server that cannot say it: nobody is kept from working
    const { others, known } = this;
    this.others = said.others ?? {};
    this.known = true;
    if (this.item === item) panel.looked(item, said, !known);
    else if (Object.keys(others).length) panel.showHeld();
  }

  /** Who else looks at it; another tab under one's own name is nobody else. */
  heldBy(item) {
    const name = this.others[item.id] ?? (this.known ? "" : item.held_by ?? "");
    return name && name === this.panel.data.analyst ? "" : name;
  }

  leave() {
    const { panel } = this;
    if (!panel.data) return;
    const body = { queue: panel.queue, candidate_id: "", analyst: panel.data.analyst, client: this.client, said_at: now(), lang: panel.data.lang };
    panel.post("review/looking", body, { keepalive: true }).catch(() => {});
  }

  close() {
    clearInterval(this.again);
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.onVisible);
    window.removeEventListener("pagehide", this.onLeave);
    this.leave();
  }
}
