/* ---- small things that every part of the panel uses ---- */

const SVG = "http://www.w3.org/2000/svg";

const el = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") node.onclick = value;
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((c) => c != null));
  return node;
};

const svgShape = (name, d) => {
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("class", name);
  path.setAttribute("d", d);
  return path;
};

const svgPicture = (viewBox, ...shapes) => {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", viewBox);
  svg.setAttribute("aria-hidden", "true");
  svg.append(...shapes);
  return svg;
};

/** A sentence with its {names} filled in; what it does not know stays as it is. */
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

const uuid = () => {
  if (crypto.randomUUID) return crypto.randomUUID(); // only in secure contexts: localhost is one
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
};

const isTyping = (event) => {
  const target = event.composedPath ? event.composedPath()[0] : event.target;
  const kind = target?.getAttribute?.("type") ?? "text";
  // After a choice the focus stays on the closed list of a filter: letters are for the panel then.
  const closed = target?.getAttribute?.("role") === "combobox" && target.getAttribute("aria-expanded") !== "true";
  if (closed && event.key.length === 1) return false;
  if (target?.tagName === "INPUT") return !["checkbox", "radio", "button", "range"].includes(kind);
  return ["TEXTAREA", "SELECT"].includes(target?.tagName) || target?.isContentEditable;
};

/** localStorage, which may be full, switched off, or hold what somebody else wrote. */
const kept = {
  failed: false,
  get(name, otherwise = null) {
    try { return JSON.parse(localStorage.getItem(name)) ?? otherwise; } catch { return otherwise; }
  },
  set(name, value) {
    try { localStorage.setItem(name, JSON.stringify(value)); kept.failed = false; return true; } catch { kept.failed = true; return false; }
  },
  remove(name) { try { localStorage.removeItem(name); } catch { /* nothing was kept */ } },
  names(prefix) { try { return Object.keys(localStorage).filter((name) => name.startsWith(prefix)); } catch { return []; } },
};

/** A tool may hold a key down or press buttons by mouse: a later space bar must not press the button again. */
const pressable = (button) => {
  button.addEventListener("mouseup", () => button.blur());
  return button;
};

/** The clipboard, or the way of before where the page has no right to it. */
const copyText = async (text) => {
  try { await navigator.clipboard.writeText(text); return true; } catch { /* no secure context, or not allowed */ }
  const area = el("textarea", { "aria-hidden": "true", style: "position:fixed;opacity:0" });
  area.value = text;
  const before = document.activeElement;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  before?.focus?.();
  return done;
};
