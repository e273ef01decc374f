// Elements, themes, keys and numbers: what every instrument needs. Text enters the page as text nodes only.

const SVG = "http://www.w3.org/2000/svg";

function fill(el, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, v] of Object.entries(value)) el.style.setProperty(key, v);
    else el.setAttribute(name, value === true ? "" : value);
  }
  el.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return el;
}

/** An HTML element; strings among the children become text nodes. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Follow the theme of the page around `el`: data-theme is "light" or "dark". Returns the function that stops it. */
export function followTheme(el) {
  const media = window.matchMedia("(prefers-color-scheme: dark)");
  const body = document.body;
  const root = document.documentElement;
  const isDark = () => {
    if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight === "false"; // JupyterLab, Notebook
    if (body.className.includes("vscode-")) return !body.className.includes("vscode-light") && !body.className.includes("high-contrast-light");
    const named = root.getAttribute("theme") || root.dataset.theme; // Colab, others
    if (named) return named === "dark";
    return media.matches;
  };
  const apply = () => el.setAttribute("data-theme", isDark() ? "dark" : "light");
  const observer = new MutationObserver(apply);
  observer.observe(body, { attributes: true, attributeFilter: ["class", "data-jp-theme-light"] });
  observer.observe(root, { attributes: true, attributeFilter: ["theme", "data-theme"] });
  media.addEventListener("change", apply);
  apply();
  return () => {
    observer.disconnect();
    media.removeEventListener("change", apply);
  };
}

/**
 * Keep the keys that are pressed inside `el` from the notebook around it, and hand them to `handler` first.
 * Jupyter listens in the capture phase and takes arrows from native sliders, so this must stand on the window. The browser's
 * own action (a slider that moves) does not need the event to travel on.
 */
export function ownKeys(el, handler = () => {}) {
  const own = (event) => {
    if (!event.composedPath().includes(el)) return;
    const shortcut = event.ctrlKey || event.metaKey || event.altKey; // saving, copying, ... belong to the page
    if (event.key === "Tab" || (shortcut && event.key !== "Enter")) return;
    const used = handler(event);
    if (used || !shortcut) event.stopImmediatePropagation();
  };
  window.addEventListener("keydown", own, true);
  return () => window.removeEventListener("keydown", own, true);
}

/** Give a text box as many rows as its text has lines, within reason: in a chat prompt the question stands last. */
export function fitRows(box, least = 2, most = 8) {
  box.rows = Math.min(Math.max(box.value.split("\n").length, least), most);
}

/** Call `fn` at most once every `ms`, always with the last arguments. */
export function throttle(fn, ms) {
  let timer = 0;
  let waiting = null;
  const fire = () => {
    if (waiting === null) {
      timer = 0;
      return;
    }
    const args = waiting;
    waiting = null;
    timer = setTimeout(fire, ms);
    fn(...args);
  };
  return (...args) => {
    waiting = args;
    if (!timer) fire();
  };
}

/** Redraw whenever the width of `host` changes: draw(width in px). Returns the function that stops it. */
export function responsive(host, draw) {
  let last = 0;
  const look = () => {
    const width = Math.floor(host.clientWidth);
    if (width > 0 && width !== last) {
      last = width;
      draw(width);
    }
  };
  const observer = new ResizeObserver(look);
  observer.observe(host);
  look();
  return () => observer.disconnect();
}

/** Three significant digits, no exponent where it can be avoided, a true minus sign. */
export function num(x, digits = 3) {
  if (x === null || x === undefined || Number.isNaN(x)) return "–";
  if (x === 0) return "0";
  const size = Math.abs(x);
  const text =
    size >= 1e6 || size < 1e-4
      ? String(Number(x.toPrecision(digits)).toExponential()).replace("e+", "e")
      : size >= 10 ** digits
        ? Math.round(x).toLocaleString("en-US")
        : String(Number(x.toPrecision(digits)));
  return text.replace("-", "\u2212");
}

/** A number for a column: as few decimals as say something. */
export function fixed(x) {
  const size = Math.abs(x);
  return size >= 0.001 ? x.toFixed(size >= 0.1 ? 2 : 3).replace("-", "\u2212") : num(x, 2);
}

/** Three significant digits, zeros kept: numbers of about the same size line up. */
export function aligned(x) {
  return Math.abs(x) >= 0.01 && Math.abs(x) < 1000 ? x.toPrecision(3).replace("-", "\u2212") : num(x);
}

/** A whole number with its thousands apart. */
export function whole(x) {
  return Math.round(x).toLocaleString("en-US");
}

/** A share as a percentage. */
export function percent(x) {
  return `${num(100 * x, 3)} %`;
}

/** Replace {name} in a sentence of a text table. */
export function say(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/** Listen to several traits of a model; returns the function that stops it. */
export function listen(model, names, fn) {
  for (const name of names) model.on(`change:${name}`, fn);
  return () => {
    for (const name of names) model.off(`change:${name}`, fn);
  };
}

/** The error line of an instrument: the trait `error`, shown and dismissed here. */
export function banner(model, dismiss) {
  const message = h("span", { class: "saew-banner-text" });
  const close = h("button", { type: "button", class: "saew-icon", "aria-label": dismiss, onclick: clear }, "×");
  const el = h("div", { class: "saew-banner", role: "alert", hidden: true }, message, close);
  function clear() {
    model.set("error", "");
    model.save_changes();
  }
  const update = () => {
    message.textContent = model.get("error");
    el.hidden = !model.get("error");
  };
  update();
  return { el, stop: listen(model, ["error"], update) };
}
