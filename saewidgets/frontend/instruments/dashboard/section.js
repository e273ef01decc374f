// A part of the page under a heading.

import { h } from "../../shared/elements.js";

/** @import { Child } from "../../shared/elements.js" */

/**
 * @param {string} title
 * @param {Child} note
 * @param {Child[]} children
 */
export function section(title, note, ...children) {
  return h(
    "section",
    { class: "saew-section" },
    h("h3", {}, title),
    note ? h("p", { class: "saew-note" }, note) : null,
    ...children,
  );
}

/**
 * A box over a part: its title, and a button that closes it.
 *
 * @param {string} title
 * @param {string} label of the button
 * @param {() => void} close
 */
export function boxHead(title, label, close) {
  const attributes = { type: "button", class: "saew-icon saew-quiet", "aria-label": label, title: label };
  return h("div", { class: "saew-bin-head" }, h("h3", {}, title), h("button", { ...attributes, onclick: close }, "×"));
}
