/* ---- why is it rejected: a list that one key answers ---- */

const LAST_REASON = "minedisc.reason";

class ReasonList {
  constructor(panel) {
    this.panel = panel;
    const { texts } = panel.data;
    const pick = (r) => this.entry(r.key, r.label, () => panel.reject(r.code));
    this.same = this.entry("", "", () => panel.reject(panel.lastReason));
    this.node = el("div", { class: "md-reasons", role: "dialog", "aria-label": texts.why, tabindex: "-1", hidden: "" }, el("div", { class: "md-why" }, el("p", {}, texts.why), this.same), ...panel.reasons.map(pick));
    this.node.addEventListener("keydown", (e) => this.trap(e));
  }

  get isOpen() { return !this.node.hidden; }

  entry(key, label, run) {
    return pressable(el("button", { type: "button", class: "md-button", onclick: () => this.panel.take(run) }, el("span", { class: "md-label" }, label), el("kbd", {}, key)));
  }

  open() {
    const { panel } = this;
    this.before = document.activeElement;
    this.same.hidden = !panel.lastReason;
    if (panel.lastReason) {
      this.same.querySelector(".md-label").textContent = fill(panel.data.texts.same, { reason: panel.reasonLabel(panel.lastReason).toLowerCase() });
      this.same.querySelector("kbd").textContent = panel.keys.keyOf("reject").toUpperCase();
    }
    this.node.hidden = false;
    this.node.focus({ preventScroll: true });
    panel.root.classList.add("md-choosing");
  }

  close() {
    if (!this.isOpen) return;
    const inside = this.node.contains(document.activeElement);
    this.node.hidden = true;
    this.panel.root.classList.remove("md-choosing");
    if (inside && this.before?.isConnected && this.before !== document.body) this.before.focus({ preventScroll: true });
  }

  trap(event) {
    if (event.key !== "Tab") return;
    const stops = [...this.node.querySelectorAll("button:not([hidden])")];
    const at = stops.indexOf(document.activeElement);
    event.preventDefault();
    stops[(at + (event.shiftKey ? -1 : 1) + stops.length) % stops.length]?.focus();
  }
}
