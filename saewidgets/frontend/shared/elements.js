// Elements. Text enters the page as text nodes only, and nothing in it turns the text around it round.

import { safe } from "./marks.js";

const SVG = "http://www.w3.org/2000/svg";
const READ = new Set(["aria-label", "aria-description", "aria-valuetext", "placeholder", "title"]); // by a person

/** @typedef {Record<string, any>} Attributes `on...` listen, `style` sets properties, false and null leave out */
/** @typedef {Node | string | number | boolean | null | undefined} One numbers and booleans are written out */
/** @typedef {One | One[]} Child */

/**
 * @template {Element & ElementCSSInlineStyle} E
 * @param {E} el
 * @param {Attributes} attributes
 * @param {Child[]} children
 */
function fill(el, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, v] of Object.entries(value)) el.style.setProperty(key, String(v));
    else el.setAttribute(name, value === true ? "" : READ.has(name) ? safe(String(value)) : value);
  }
  for (const child of children.flat())
    if (child !== null && child !== undefined) el.append(typeof child === "object" ? child : safe(String(child)));
  return el;
}

/**
 * An HTML element; strings among the children become text nodes.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} attributes
 * @param {Child[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/**
 * An SVG element.
 *
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} attributes
 * @param {Child[]} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/**
 * Give a text box as many rows as its text has lines, within reason: in a chat prompt the question stands last.
 *
 * @param {HTMLTextAreaElement} box
 */
export function fitRows(box, least = 2, most = 8) {
  box.rows = Math.min(Math.max(box.value.split("\n").length, least), most);
}

/**
 * Redraw whenever the width of `host` changes: draw(width in px). Returns the function that stops it.
 *
 * @param {Element} host
 * @param {(width: number) => void} draw
 */
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

/**
 * A place for a picture that needs to know its width: `draw(width)` makes it anew.
 *
 * @param {(width: number) => Element} draw
 */
export function placed(draw) {
  const el = h("div", { class: "saew-chart" });
  let width = 0;
  const redraw = () => {
    if (width) el.replaceChildren(draw(width));
  };
  const stop = responsive(el, (now) => {
    width = now;
    redraw();
  });
  return { el, redraw, stop };
}
