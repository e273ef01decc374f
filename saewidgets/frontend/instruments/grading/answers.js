// What was said so far: how far one is, how often each score was given, agreement with other judges, and every answer.

import { h } from "../../shared/elements.js";
import { num, percent, whole } from "../../shared/numbers.js";
import { SCORES, scoreChip } from "../../shared/scores.js";
import { table } from "../../shared/tables.js";
import { say } from "../../shared/words.js";
import { passageText } from "./passage.js";
import { tally } from "./state.js";

/** @import { Compared, Grade, Sheet } from "./state.js" */
/** @typedef {typeof import("./words.js").words.en} Words */

/**
 * How many passages are answered, in words and as a bar.
 *
 * @param {Sheet} sheet
 * @param {Words} words
 */
export function progressPart(sheet, words) {
  const fill = h("span", { class: "saew-fill" });
  const says = h("p", { class: "saew-note" });
  const el = h("div", { class: "saew-grading-progress" }, h("span", { class: "saew-track" }, fill), says);
  /** @param {Grade[]} grades */
  const update = (grades) => {
    const [n, of] = [grades.length, sheet.passages.length];
    fill.style.setProperty("width", `${(100 * n) / of}%`);
    const each = num(tally(grades).each, 2);
    says.textContent = say(n ? words.progress : words.begin, { n: whole(n), of: whole(of), each });
  };
  return { el, update };
}

/**
 * What a finished sheet says, and a page that nobody can grade: counts, agreement, every answer.
 *
 * @param {Sheet} sheet
 * @param {Words} words
 * @param {boolean} still
 */
export function donePart(sheet, words, still) {
  const title = h("h3", { tabindex: -1 });
  const counts = h("ul", { class: "saew-grading-counts" });
  const others = h("div", {});
  const list = h("ol", { class: "saew-grading-list", tabindex: 0, "aria-label": words.said });
  const all = h("div", {}, h("h3", {}, words.said), list);
  const el = h("section", { class: "saew-grading-done" }, title, counts, others, all);
  /** @param {Grade[]} grades @param {Compared[]} compared */
  const update = (grades, compared) => {
    const done = grades.length >= sheet.passages.length;
    el.hidden = !done && !still;
    if (el.hidden) return;
    title.textContent = done ? words.done : words.read;
    const { scores, refused } = tally(grades);
    counts.replaceChildren(
      ...SCORES.map((score, i) => countRow(score, scores[i], grades.length, say(words.score, { score }))),
      countRow(null, refused, grades.length, words.refused),
    );
    others.replaceChildren(...(compared.length ? agreement(compared, words) : []));
    list.replaceChildren(...grades.map((grade, i) => answerRow(grade, i, sheet, words)));
    all.hidden = !grades.length;
  };
  return { el, update, focus: () => title.focus({ preventScroll: true }) };
}

/** @param {number | null} score @param {number} n @param {number} of @param {string} said */
function countRow(score, n, of, said) {
  const fill = h("span", { class: "saew-fill", style: { width: `${of ? (100 * n) / of : 0}%` } });
  return h(
    "li",
    {},
    scoreChip(score, said),
    h("span", { class: "saew-track", "aria-hidden": "true" }, fill),
    h("span", { class: "saew-number" }, whole(n)),
  );
}

/** @param {Compared[]} compared @param {Words} words */
function agreement(compared, words) {
  const rows = compared.map(([judge, n, [kappa, low, high], same]) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, judge),
      h("td", {}, whole(n)),
      h("td", {}, kappa === null ? "–" : num(kappa, 2)),
      h("td", {}, low === null || high === null ? "–" : say(words.range, { low: num(low, 2), high: num(high, 2) })),
      h("td", {}, same === null ? "–" : percent(same)),
    ),
  );
  return [
    h("h3", {}, words.agreement),
    h("p", { class: "saew-note" }, words.agreementNote),
    table(words.columns, rows, words.agreement),
  ];
}

/** @param {Grade} grade @param {number} i @param {Sheet} sheet @param {Words} words */
function answerRow([score, seconds], i, sheet, words) {
  const said = score === null ? words.refused : say(words.score, { score });
  return h(
    "li",
    {},
    scoreChip(score, said),
    h("div", { class: "saew-strip", dir: "auto" }, ...passageText(sheet.passages[i], sheet.pool)),
    h("span", { class: "saew-number" }, say(words.seconds, { n: num(seconds, 2) })),
  );
}
