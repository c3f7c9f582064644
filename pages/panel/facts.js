/* ---- facts: everything that is known of a candidate, beside its chips ---- */

class Facts {
  constructor(panel) {
    this.panel = panel;
    this.list = el("dl", { class: "md-facts-list" });
    this.rest = el("div", { class: "md-facts-rest" });
    this.node = el("div", { class: "md-facts", tabindex: "0", role: "region", "aria-label": panel.data.texts.facts_label }, this.list, this.rest);
    this.node.addEventListener("scroll", () => { this.scrolled = true; }, { passive: true });
    this.node.addEventListener("mouseup", () => { if (document.activeElement === this.node) this.node.blur(); });
  }

  get texts() { return this.panel.data.texts; }

  show(item) {
    this.list.replaceChildren(...item.facts.flatMap((fact) => this.fact(fact)));
    this.rest.replaceChildren();
    if (this.scrolled) { this.node.scrollTop = 0; this.scrolled = false; } // to ask where it stands would cost a layout
    this.item = item;
    this.later();
  }

  /** What lies below the fold, after the paint; whoever holds a key down needs none of it. */
  later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => setTimeout(() => { this.waiting = false; if (this.item) this.fillRest(this.item); }));
  }

  fillRest(item) {
    this.rest.replaceChildren(...[this.coordinates(item), this.links(item), this.priority(item), this.history(item), this.earlier(item)].filter(Boolean));
  }

  clear() {
    this.item = null;
    this.list.replaceChildren();
    this.rest.replaceChildren();
  }

  /** Only what a verdict changes; where the analyst has scrolled to stays. */
  refresh(item) {
    if (this.waiting) return; // it comes anyway
    const made = this.history(item);
    const old = this.rest.querySelector(".md-history");
    if (old) old.replaceWith(made ?? ""); else if (made) this.rest.append(made);
  }

  fact({ label, value, note, copy }) {
    const said = copy ? this.copyable(value, value) : el("span", {}, value);
    return [el("dt", {}, label), el("dd", {}, said, note ? el("small", {}, note) : null)];
  }

  section(name, title, ...content) { return el("section", { class: `md-${name}` }, el("h4", {}, title), ...content); }

  coordinates({ coordinates }) {
    if (!coordinates?.length) return null;
    const rows = coordinates.map(({ label, value }) => el("div", { class: "md-coordinate" }, el("span", { class: "md-tag" }, label), this.copyable(value, `${label}: ${value}`)));
    return this.section("coordinates", this.texts.coordinates, ...rows);
  }

  copyable(value, name) {
    const button = el("button", { type: "button", class: "md-copy", title: this.texts.copy, "aria-label": `${this.texts.copy}: ${name}` }, value);
    button.onclick = async () => {
      const done = await copyText(value);
      this.panel.say(done ? fill(this.texts.copied, { value }) : this.texts.not_copied);
      button.classList.toggle("md-copied", done);
      setTimeout(() => button.classList.remove("md-copied"), 1200);
    };
    return pressable(button);
  }

  links({ links }) {
    if (!links?.length) return null;
    const made = links.map(({ label, url, host }) => el("a", { href: url, target: "_blank", rel: "noopener noreferrer", title: fill(this.texts.opens, { host }) }, el("span", {}, label), el("small", {}, host)));
    return this.section("links", this.texts.links, ...made);
  }

  priority({ priority }) {
    if (!priority?.terms?.length) return null;
    const number = (value) => this.panel.number(value, 2);
    const rows = priority.terms.map(({ label, value, weight }) => el("li", { style: `--share:${Math.round(100 * value)}%` }, el("span", {}, label), el("span", {}, `${number(value)} × ${number(weight)}`)));
    return this.section("priority", fill(this.texts.priority, { total: number(priority.total) }), el("ul", {}, ...rows));
  }

  history(item) {
    if (!item.history?.length) return null;
    const line = ({ who, when, what, undone }) => el("li", undone ? { class: "md-undone", title: this.texts.undone } : {}, el(undone ? "s" : "span", {}, what), el("small", {}, [who, when].filter(Boolean).join(", ")));
    return this.section("history", this.texts.history, el("ol", {}, ...item.history.map(line)));
  }

  earlier({ earlier }) {
    if (!earlier?.length) return null;
    return this.section("earlier", this.texts.earlier, ...earlier.map((sentence) => el("p", {}, sentence)));
  }
}
