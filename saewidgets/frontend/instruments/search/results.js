// What was found: how many, by which question, and one row per feature.

import { sparkline } from "../../shared/charts.js";
import { h } from "../../shared/elements.js";
import { num, percent, whole } from "../../shared/numbers.js";
import { scroller } from "../../shared/scroller.js";
import { glyphs } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";
import { clicked, inOrder } from "./order.js";
import { quoted, stale } from "./question.js";

/** @import { Sort } from "./order.js" */
/** @import { Found, Mode, Results, Words } from "./question.js" */
/** @typedef {keyof Words["extra"]} Extra */

const SHARES = ["precision", "recall"];

/**
 * How many were found, by what; and the status of the search.
 *
 * @param {Words} words
 * @param {boolean} still
 * @param {() => void} stop ends the search that runs
 */
export function saidPart(words, still, stop) {
  const count = h("span", { class: "saew-faint", role: "status" });
  const state = h("span", { class: "saew-status", role: "status" });
  const bar = h("progress", { class: "saew-search-bar", max: 1, "aria-label": words.progress });
  const cancel = h("button", { type: "button", class: "saew-pill", onclick: stop }, words.cancel);
  const running = h("span", { class: "saew-search-running", hidden: true }, bar, cancel);
  const el = h("div", { class: "saew-probe-line saew-search-said" }, count, ...(still ? [] : [running, state]));
  /** @param {Results} results @param {string} mode that is asked by now */
  const update = (results, mode) => {
    count.textContent = countWords(results, mode, words);
  };
  /**
   * @param {keyof Words["status"]} status
   * @param {string} waiting what it waits for, "" for nothing
   * @param {number | null} share of the work that is done; null where there is nothing to wait for
   */
  const told = (status, waiting, share) => {
    running.hidden = status !== "searching" || share === null;
    bar.value = share ?? 0;
    state.textContent = waiting ? words.waiting : words.status[status];
    state.title = waiting;
    state.setAttribute("data-status", status === "searching" ? "writing" : status);
  };
  return { el, update, told };
}

/**
 * @param {Results} results
 * @param {string} mode that is asked by now
 * @param {Words} words
 */
export function countWords(results, mode, words) {
  const { rows, most } = results;
  if (!results.mode) return "";
  const many = rows.length === 1 ? words.one : words.count;
  const found = say(rows.length >= most ? words.first : many, { n: whole(rows.length) });
  const heldOut = results.held_out ?? null;
  const count = heldOut === null ? found : say(words.heldOut, { count: found, share: percent(heldOut) });
  if (!stale(results, mode)) return count;
  const told = say(words.of, { count, mode: words.modes[results.mode].name, question: quoted(results, words) });
  return say(words.stale, { told });
}

/**
 * The list; faint where it answers another kind of question than the one that is asked by now.
 *
 * @param {Words} words
 * @param {string} sideways says that the table is wider than the page
 * @param {(feature: number) => void} open
 */
export function resultsPart(words, sideways, open) {
  const none = h("p", { class: "saew-note", hidden: true }, words.none);
  const table = scroller(sideways, "saew-search-scroll");
  const hint = h("p", { class: "saew-note" }, words.hint);
  const el = h("div", { class: "saew-search-results" }, none, table.el, hint);
  const buttons = () => /** @type {HTMLElement[]} */ ([...el.querySelectorAll(".saew-feature")]);
  /** @param {number | null} feature */
  const mark = (feature) => {
    for (const button of buttons()) {
      const own = Number(button.getAttribute("data-feature")) === feature;
      button.closest("tr")?.setAttribute("aria-selected", String(own));
    }
  };
  /** @type {Sort | null} */
  let sort = null;
  /** @param {Results} results @param {number | null} feature the one that is open */
  const update = (results, feature) => {
    const { mode, rows } = results;
    const by = (/** @type {string} */ column) => {
      sort = clicked(sort, column);
      update(results, feature);
      /** @type {HTMLElement | null} */ (el.querySelector(`[data-sort="${column}"]`))?.focus({ preventScroll: true });
    };
    none.hidden = !mode || rows.length > 0;
    table.el.hidden = hint.hidden = !mode || !rows.length;
    const focused = el.contains(document.activeElement) ? document.activeElement?.getAttribute("data-feature") : null;
    table.update(
      words.results,
      ...(mode && rows.length
        ? [tableOf({ ...results, rows: inOrder(rows, sort) }, mode, words, { open, sort, by })]
        : []),
    );
    mark(feature);
    if (focused) {
      const again = buttons().find((button) => button.getAttribute("data-feature") === focused);
      again?.focus({ preventScroll: true });
    }
  };
  /** @param {Results} results @param {string} mode that is asked by now */
  const fade = (results, mode) => {
    el.classList.toggle("saew-search-old", stale(results, mode));
  };
  return { el, update, fade, mark, buttons, stop: table.stop };
}

/**
 * @param {Results} results
 * @param {Mode} mode
 * @param {Words} words
 * @param {{ open: (feature: number) => void, sort: Sort | null, by: (column: string) => void }} act
 */
function tableOf({ rows, relative }, mode, words, { open, sort, by }) {
  const most = Math.max(...rows.map((row) => Math.abs(row.score)), 1e-12);
  const extra = /** @type {Extra[]} */ (Object.keys(words.extra)).filter((name) => rows[0].extra[name] !== undefined);
  const score = relative ? words.share : words.modes[mode].score;
  const { feature, histogram, density, maximum, tokens } = words;
  const left = [feature, histogram, tokens];
  /** @param {string} name @param {string} column "" for one that orders nothing */
  const headOf = (name, column = "") => {
    const on = sort?.column === column && column !== "";
    const arrow = h("span", { "aria-hidden": "true" }, on ? (sort.up ? " ↑" : " ↓") : "");
    const button = { type: "button", class: "saew-sort", "data-sort": column, onclick: () => by(column) };
    const look = { scope: "col", class: left.includes(name) ? "saew-words" : "" };
    if (!column) return h("th", look, name);
    const order = on ? (sort.up ? "ascending" : "descending") : "none";
    return h("th", { ...look, "aria-sort": order }, h("button", button, name, arrow));
  };
  const head = [
    headOf(feature, "feature"),
    headOf(score, "score"),
    ...extra.map((name) => headOf(words.extra[name], name)),
    headOf(histogram),
    headOf(density, "density"),
    headOf(maximum, "maximum"),
    headOf(tokens),
  ];
  const body = rows.map((row) =>
    h(
      "tr",
      { onclick: () => open(row.feature) },
      h("th", { scope: "row", class: "saew-words" }, nameOf(row, words)),
      h("td", {}, meter(Math.abs(row.score) / most, relative ? percent(row.score) : num(row.score))),
      ...extra.map((name) => h("td", {}, extraOf(row, name))),
      h("td", { class: "saew-words" }, row.counts.length ? sparkline(row.counts, say(words.histogramLabel, row)) : "–"),
      h("td", {}, row.density === null ? "–" : percent(row.density)),
      h("td", {}, num(row.maximum)),
      h("td", { class: "saew-words saew-search-tokens" }, ...row.tokens.map(tokenOf)),
    ),
  );
  const look = { class: "saew-table saew-probe-table", "aria-label": words.results };
  return h("table", look, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...body));
}

/** @param {Found} row @param {Words} words */
function nameOf(row, words) {
  return h(
    "button",
    { type: "button", class: "saew-feature", "data-feature": row.feature },
    h("span", { class: "saew-id" }, `#${row.feature}`),
    h("span", { class: row.label ? "saew-list-label" : "saew-list-label saew-faint" }, row.label || words.unlabeled),
  );
}

/** @param {number} share @param {string} text */
function meter(share, text) {
  const fill = h("span", { class: "saew-fill", style: { width: `${(100 * share).toFixed(1)}%` } });
  return h("span", { class: "saew-meter" }, h("span", { class: "saew-track" }, fill), h("span", {}, text));
}

/** @param {Found} row @param {Extra} name */
function extraOf(row, name) {
  const value = row.extra[name];
  return value !== null && SHARES.includes(name) ? percent(value) : num(value);
}

/** @param {string} token */
function tokenOf(token) {
  return h("code", { class: "saew-code" }, glyphs(token, 16));
}
