// The runs as a table: which is in front, and where each has come to.

import { h } from "../../shared/elements.js";
import { aligned, percent } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { COLUMNS } from "./runs.js";

/** @import { Run, Words } from "./runs.js" */
/** @typedef {{ radio: HTMLInputElement, note: HTMLElement, cells: HTMLElement[], el: HTMLElement }} Row */

let tables = 0; // radio buttons of one group have a name of their own on the page

/**
 * @param {Words} words
 * @param {(name: string) => void} pick is called with the name of the run that is brought to the front
 */
export function runsTable(words, pick) {
  tables += 1;
  const group = `saew-run-${tables}-${Math.random().toString(36).slice(2, 9)}`;
  const body = h("tbody");
  const head = words.runs.columns.map((name, i) => h("th", { scope: "col", class: i ? null : "saew-words" }, name));
  const table = h("table", { class: "saew-table" }, h("thead", {}, h("tr", {}, ...head)), body);
  const el = h("div", { class: "saew-runs-list" }, table);
  /** @type {Map<string, Row>} kept between updates, so that the keyboard's place is not lost */
  const rows = new Map();
  /** @param {Run[]} runs */
  const update = (runs) => {
    if (runs.length !== rows.size || runs.some((run) => !rows.has(run.name))) {
      rows.clear();
      for (const run of runs) rows.set(run.name, row(run, group, words, pick));
      body.replaceChildren(...[...rows.values()].map((one) => one.el));
    }
    for (const run of runs) fill(/** @type {Row} */ (rows.get(run.name)), run, words);
  };
  return { el, update };
}

/**
 * @param {Run} run
 * @param {string} group
 * @param {Words} words
 * @param {(name: string) => void} pick
 * @returns {Row}
 */
function row(run, group, words, pick) {
  const named = say(words.runs.show, { name: run.name });
  const radio = h("input", { type: "radio", name: group, "aria-label": named, onchange: () => pick(run.name) });
  const note = h("div", { class: "saew-faint" });
  const cells = [0, 1, 2].map(() => h("td"));
  const badge = h("span", { class: "saew-badge", style: { "--own": run.color } }, String(run.number));
  const name = h("label", {}, radio, badge, h("span", { class: "saew-run-name" }, run.name));
  return { radio, note, cells, el: h("tr", {}, h("th", { scope: "row", class: "saew-words" }, name, note), ...cells) };
}

/** @param {Row} row @param {Run} run @param {Words} words */
function fill({ radio, note, cells, el }, run, words) {
  radio.checked = run.chosen;
  el.toggleAttribute("data-chosen", run.chosen);
  note.textContent = run.failed
    ? say(words.runs.failed, { why: run.failed })
    : [run.front ? words.runs.front : "", run.facts === run.name ? "" : run.facts].filter(Boolean).join(" · ");
  const dead = run.points.at(-1)?.[COLUMNS.dead] ?? null;
  const texts = [
    run.l0 === null ? words.none : aligned(run.l0),
    run.fvu === null ? words.none : aligned(run.fvu),
    dead === null ? words.none : percent(dead),
  ];
  for (const [i, text] of texts.entries()) cells[i].textContent = text;
}
