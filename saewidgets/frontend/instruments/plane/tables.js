// What each feature reads, and how much the features interfere, as tables.

import { h } from "../../shared/elements.js";
import { dot, REACH, readouts } from "./geometry.js";
import { colorOf } from "./picture.js";

/** @import { Place } from "./geometry.js" */
/** @typedef {typeof import("./words.js").words.en} Words */

const FEW = 4; // directions whose names fit a column; of more, the dots have them as titles

/** @param {number} value */
const signed = (value, digits = 3) => (Math.abs(value) < 5e-7 ? 0 : value).toFixed(digits).replace("-", "\u2212");
/** @param {number} value */
const cell = (value, digits = 3) => h("td", { class: value < 0 ? "saew-below" : "" }, signed(value, digits));

/** @param {Words} words */
export function readoutTable(words) {
  const el = h("table", { class: "saew-table" });
  const head = [words.feature, words.readout, words.relu].map((name) => h("th", { scope: "col" }, name));

  /**
   * @param {Place} point in units of the picture
   * @param {Place[]} units
   * @param {string[]} names
   * @param {number} scale
   */
  const update = (point, units, names, scale) => {
    const rows = readouts(point, units).map((read, i) => {
      const width = `${Math.min(100, (100 * Math.max(0, read)) / REACH)}%`;
      return h(
        "tr",
        { style: { "--c": colorOf(i) } },
        h("th", { scope: "row", title: names[i] }, h("span", { class: "saew-dot" }), names[i]),
        cell(read * scale),
        cell(Math.max(0, read) * scale),
        h("td", { class: "saew-gauge" }, h("span", { style: { width } })),
        h("td", { class: "saew-faint" }, read > 0 ? words.on : words.offState),
      );
    });
    el.replaceChildren(h("tr", { class: "saew-head" }, ...head, h("td"), h("td")), ...rows);
  };
  return { el, update };
}

/** @param {Words} words */
export function interferenceTable(words) {
  const table = h("table", { class: "saew-table" });
  const el = h(
    "section",
    { class: "saew-section" },
    h("h3", {}, words.interference),
    h("p", { class: "saew-note" }, words.interferenceNote),
    table,
  );

  /** @param {Place[]} units @param {string[]} names */
  const update = (units, names) => {
    const many = units.length > FEW;
    const title = (/** @type {number} */ i, /** @type {"row" | "col"} */ scope) =>
      h(
        "th",
        { scope, title: names[i], style: { "--c": colorOf(i) } },
        h("span", { class: "saew-dot" }),
        h("span", { class: "saew-named" }, names[i]),
      );
    el.hidden = units.length < 2;
    table.classList.toggle("saew-dense", many);
    table.replaceChildren(
      h("tr", {}, h("td", {}), ...units.map((_, i) => title(i, "col"))),
      ...units.map((a, i) =>
        h("tr", {}, title(i, "row"), ...units.map((b, j) => cell(i === j ? 1 : dot(a, b), many ? 2 : 3))),
      ),
    );
  };
  return { el, update };
}
