/* ---- what the panel looks like: made once, filled anew for each candidate ---- */

const DECIDE = ["confirm", "reject", "unsure"];
const MOVE = ["undo", "previous", "next", "next_undecided"];

class PanelView {
  build() {
    this.lang = this.data.lang;
    this.help?.close();
    window.removeEventListener("resize", this.onResize);
    this.keys = new KeyMap(this.data.keys, this.reasons.map((r) => r.key));
    this.actions = this.buildActions();
    this.buttons = {};
    this.help = new Help(this);
    this.grid = typeof Grid === "function" ? new Grid(this) : null;
    this.chips = new Chips(this);
    this.facts = new Facts(this);
    this.reasonList = new ReasonList(this);
    this.editor = new DraftEditor(this);
    this.buildHead();
    this.told = el("div", { class: "md-told", role: "status" });
    const about = [this.grid ? this.button("grid", this.data.texts.grid, this.actions.grid) : null, this.button("help", this.data.texts.help, this.actions.help)];
    this.chips.tools.bar.append(el("span", { class: "md-apart" }), ...about.filter(Boolean));
    this.body = el("div", { class: "md-body" }, this.chips.node, this.facts.node);
    const under = el("div", { class: "md-under" }, this.chips.under, this.counts);
    this.root.replaceChildren(this.head, this.chips.tools.bar, this.notice, this.refused, this.body, under, this.editor.node, this.buildButtons());
    this.labelKeys();
    this.fit();
    window.addEventListener("resize", (this.onResize = () => this.fit()));
  }

  /** As high as the window leaves, so that the decision buttons stand at its foot without scrolling. */
  fit() {
    const top = this.root.getBoundingClientRect().top + (document.querySelector('[data-testid="stMain"]')?.scrollTop ?? 0);
    this.root.style.setProperty("--md-height", `${Math.round(window.innerHeight - top - 12)}px`);
  }

  buildHead() {
    const { texts } = this.data;
    this.title = el("span", { class: "md-title", "aria-live": "polite" });
    this.badge = el("span", { class: "md-badge" });
    this.status = el("span", { class: "md-status" });
    this.seen = el("span", { class: "md-seen", hidden: "" }, texts.seen);
    this.held = el("span", { class: "md-held", role: "status" });
    this.counts = el("span", { class: "md-counts" });
    this.unsaved = el("span", { class: "md-unsaved", role: "status" });
    this.head = el("div", { class: "md-head" }, this.title, this.badge, this.status, this.seen, this.held, this.unsaved);
    this.notice = el("div", { class: "md-notice", role: "alert", hidden: "" });
    this.refused = el("details", { class: "md-notice md-refused", hidden: "" });
  }

  button(name, label, run) {
    const button = el("button", { type: "button", class: `md-button md-do-${name}`, "data-action": name, onclick: () => this.take(run) }, el("span", { class: "md-label" }, label), el("kbd", { "aria-hidden": "true" }));
    this.buttons[name] = button;
    return pressable(button);
  }

  buildButtons() {
    const made = (names) => names.map((name) => this.button(name, this.data.texts[name], this.actions[name]));
    this.buttons.reject = null;
    const decide = el("div", { class: "md-decide" }, ...made(DECIDE));
    this.buttons.reject.setAttribute("aria-haspopup", "dialog");
    return el("div", { class: "md-buttons" }, this.reasonList.node, decide, el("div", { class: "md-move" }, ...made(MOVE), this.told));
  }

  /** Every key as it is now, on its button. */
  labelKeys() {
    for (const [name, button] of Object.entries(this.buttons)) this.labelKey(button, name);
    this.labelKey(this.editor.group, "class");
    this.labelKey(this.editor.node.querySelector(".md-notes"), "notes");
  }

  labelKey(holder, name) {
    const key = this.keys.keyOf(name).toUpperCase();
    holder.querySelector("kbd").textContent = key;
    if (holder.tagName === "BUTTON") holder.setAttribute("aria-keyshortcuts", key);
  }

  /* -- one candidate -- */

  show(item) {
    this.root.classList.remove("md-empty");
    this.chips.show(item);
    this.showHead(item);
    this.facts.show(item);
    this.editor.show(item);
    this.root.dataset.candidate = item.id;
    this.showCounts();
  }

  showHead(item) {
    const { texts } = this.data;
    const title = fill(texts.position, { n: this.number(item.index + 1), total: this.number(this.data.total) });
    if (this.title.textContent !== title) this.title.textContent = title;
    this.title.title = [item.title, item.run].filter(Boolean).join(" · ");
    this.showBadge(item);
    this.status.textContent = this.statusWords(item);
    this.status.className = `md-status md-is-${item.status}`;
    this.seen.hidden = !this.seenBefore || item.status !== "undecided";
    const name = this.looking.heldBy(item);
    const held = name ? fill(texts.held, { name }) : "";
    if (this.held.textContent !== held) this.held.textContent = held;
  }

  /** The class that a confirmation would store; the machine's beside it where a person says otherwise. */
  showBadge(item) {
    const chosen = this.drafts.parts(item).impact;
    const label = chosen ? this.impactLabel(chosen) : this.impactLabel(item.impact_machine) ?? item.impact_label;
    const told = chosen ? fill(this.data.texts.corrected, { label, machine: this.impactLabel(item.impact_machine) ?? "" }) : label;
    this.badge.textContent = told;
    this.badge.className = `md-badge md-impact-${chosen ?? item.impact_machine ?? item.impact}`;
  }

  statusWords(item) {
    const reason = item.reason ? `: ${this.reasonLabel(item.reason).toLowerCase()}` : "";
    return (this.data.statuses[item.status] ?? item.status) + reason;
  }

  showCounts() {
    if (!this.counters || !this.head) return;
    const { texts } = this.data;
    const { decided, left, per_hour: rate } = this.counters;
    const number = (n) => this.number(n);
    const speed = rate ? ` · ${fill(texts.per_hour, { n: number(rate) })}` : "";
    const counts = `${fill(texts.decided, { n: number(decided) })} · ${fill(texts.left, { n: number(left) })}${speed}`;
    if (this.counts.textContent !== counts) this.counts.textContent = counts;
    const waiting = outbox.events.length;
    const unsaved = waiting ? fill(texts.unsaved, { n: waiting }) : "";
    if (this.unsaved.textContent !== unsaved) this.unsaved.textContent = unsaved;
    this.root.dataset.unsaved = waiting;
    this.showNotice();
    this.showRefused();
  }

  showNotice() {
    const { texts } = this.data;
    const told = [outbox.unkept.size ? texts.storage_full : "", outbox.events.length && outbox.said ? fill(texts.server_says, { problem: outbox.said }) : ""].filter(Boolean).join(" ");
    if (this.notice.textContent !== told) this.notice.textContent = told;
    this.notice.hidden = !told;
  }

  /** Verdicts that the server will never take: what they said, and why not, until somebody puts them away. */
  showRefused() {
    const found = outbox.refused();
    const shown = found.map((r) => r.event.event_id).join(" ");
    if (this.refusedShown === shown) return;
    this.refusedShown = shown;
    this.refused.hidden = !found.length;
    if (!found.length) { this.refused.replaceChildren(); return; }
    const { texts } = this.data;
    const line = ({ event, problem }) => el("li", {}, el("strong", {}, [event.candidate_id, this.data.statuses[event.verdict], this.reasonLabel(event.reason)].filter(Boolean).join(" · ")),
      el("span", {}, problem), event.notes ? el("q", {}, event.notes) : null);
    const away = el("button", { type: "button", class: "md-button", onclick: () => outbox.putAway(found.map((r) => r.event.event_id)) }, texts.put_away);
    this.refused.replaceChildren(el("summary", {}, fill(texts.refused, { n: found.length })), el("ul", {}, ...found.map(line)), away);
  }

  /* -- words -- */

  /** As the language writes it; to make a format costs more than to use it. */
  number(value, digits = 0) {
    const { lang } = this.data;
    if (this.formatsOf !== lang) Object.assign(this, { formatsOf: lang, formats: {} });
    this.formats[digits] ??= new Intl.NumberFormat(lang, { maximumFractionDigits: digits });
    return this.formats[digits].format(value);
  }

  say(text) {
    clearTimeout(this.silence);
    this.told.textContent = text;
    this.silence = setTimeout(() => { this.told.textContent = ""; }, SAID_MS);
  }

  sayDecided(items, verdict, reason) {
    const { texts } = this.data;
    const what = this.statusWords({ status: verdict, reason });
    const title = items.length > 1 ? fill(texts.sites, { n: items.length }) : items[0].title;
    this.say(fill(texts.decided_now, { title, what, key: this.keys.keyOf("undo").toUpperCase() }));
  }

  sayUndone(count) { this.say(count > 1 ? fill(this.data.texts.undone_many, { n: count }) : this.data.texts.undone_one); }

  finish() { this.showMessage(this.data.texts.finished); }

  showMessage(text) {
    this.reasonList.close();
    this.root.classList.add("md-empty");
    this.current = null;
    this.title.textContent = text;
    for (const node of [this.badge, this.status, this.held]) node.textContent = "";
    this.badge.className = this.status.className = "";
    this.seen.hidden = true;
    this.chips.clear();
    this.facts.clear();
    delete this.root.dataset.candidate;
    this.showCounts();
  }
}
