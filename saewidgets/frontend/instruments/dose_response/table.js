// All figures of a sweep as a table; a row chooses its point.

import { h } from "../../shared/elements.js";
import { num, whole } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { doseWords } from "./chart.js";

/** @import { Point, Sweep } from "./sweep.js" */

/**
 * @param {Sweep} sweep
 * @param {typeof import("./words.js").words.en} words
 * @param {(key: string) => void} pick is called with the key of a row that was chosen
 */
export function figuresTable(sweep, words, pick) {
  const { kinds, measures, points } = sweep;
  const titles = [...words.columns, ...measures.map(({ name }) => name), words.passesColumn];
  const head = h("tr", {}, ...titles.map((title, i) => h("th", { scope: "col", class: i ? "" : "saew-words" }, title)));
  const rows = points.map((point) =>
    h(
      "tr",
      {},
      h(
        "th",
        { scope: "row" },
        h("button", { type: "button", class: "saew-link", onclick: () => pick(point.key) }, kinds[point.kind].name),
      ),
      h("td", {}, `${num(point.multiple)}×`),
      h("td", {}, whole(point.n)),
      ...measures.map((measure) => h("td", {}, doseWords(measure, point[measure.column], words.chart))),
      h("td", { class: point.stopped ? "saew-dose-broke" : "saew-dose-passes" }, verdict(point, words)),
    ),
  );
  const el = h(
    "details",
    { class: "saew-details" },
    h("summary", {}, words.table),
    h(
      "div",
      { class: "saew-scroll", tabindex: 0, role: "region", "aria-label": words.table },
      h("table", { class: "saew-table saew-dose-table" }, h("thead", {}, head), h("tbody", {}, ...rows)),
    ),
  );
  /** @param {Point} chosen */
  const update = (chosen) => {
    for (const [i, row] of rows.entries()) row.setAttribute("aria-selected", String(points[i].key === chosen.key));
  };
  return { el, update };
}

/**
 * Whether every bound holds, or how many texts broke off, since then none of them counts.
 *
 * @param {Point} point
 * @param {typeof import("./words.js").words.en} words
 */
function verdict({ stopped, passes }, words) {
  if (stopped) return say(words.brokeMark, { n: stopped });
  return passes ? words.pass : "";
}
