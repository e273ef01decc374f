// Tables that scroll sideways where they are wider than the instrument.

import { h } from "./elements.js";

/**
 * A table with a head, in a box that scrolls.
 *
 * @param {string[]} titles of the columns; the first is one of words
 * @param {Element[]} rows
 * @param {string} label of the box
 * @param {string} look classes of the table
 */
export function table(titles, rows, label, look = "saew-table") {
  const head = titles.map((title, i) => h("th", { scope: "col", class: i ? "" : "saew-words" }, title));
  return h(
    "div",
    { class: "saew-scroll", tabindex: 0, role: "region", "aria-label": label },
    h("table", { class: look }, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows)),
  );
}
