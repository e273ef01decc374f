// Judges, the field's scores, and all shares, as tables.

import { h } from "../../shared/elements.js";
import { num, percent, whole } from "../../shared/numbers.js";
import { ranged } from "../../shared/shares.js";
import { table } from "../../shared/tables.js";
import { say } from "../../shared/words.js";

/** @import { Judge, Lab, Score } from "./data.js" */
/** @typedef {typeof import("./words.js").words.en} Words */

const LOOK = "saew-table saew-spec-table";

/**
 * The judges; the name chooses one.
 *
 * @param {Lab} lab
 * @param {Words} words
 * @param {(name: string) => void} pick
 */
export function judgesTable(lab, words, pick) {
  const rows = lab.judges.map((judge) =>
    h(
      "tr",
      {},
      h(
        "th",
        { scope: "row" },
        h("button", { type: "button", class: "saew-link", onclick: () => pick(judge.name) }, judge.name),
      ),
      h("td", {}, judge.kind),
      h("td", {}, whole(judge.rows.reduce((sum, [n]) => sum + n, 0))),
      h("td", {}, whole(judge.refused)),
      h("td", {}, judge.kappa ? ranged(judge.kappa, words, num) : "–"),
      h("td", {}, judge.same === null ? "–" : percent(judge.same)),
      h("td", {}, say(words.seconds, { n: num(judge.seconds, 2) })),
      h("td", {}, judge.spent.map(([name, n]) => `${num(n)} ${name}`).join(", ") || "–"),
    ),
  );
  const el = h(
    "section",
    { class: "saew-spec-judges" },
    h("h3", {}, words.judges),
    table(words.judgeColumns, rows, words.judges, LOOK),
  );
  /** @param {Judge} now */
  const update = (now) => {
    for (const [i, row] of rows.entries()) row.setAttribute("aria-selected", String(lab.judges[i] === now));
  };
  return { el, update };
}

/**
 * The field's scores, each with a bar and a mark at chance; null where none was measured.
 *
 * @param {Lab} lab
 * @param {Words} words
 */
export function scoresTable({ scores }, words) {
  if (!scores.length) return null;
  const cells = (/** @type {Score} */ one) =>
    h(
      "tr",
      { title: one.what },
      h("th", { scope: "row" }, one.name),
      h("td", {}, h("span", { class: "saew-spec-meter" }, meter(one), h("span", {}, num(one.value, 2)))),
      h("td", {}, one.low === null || one.high === null ? "–" : `${num(one.low, 2)} – ${num(one.high, 2)}`),
      h("td", {}, num(one.chance, 2)),
      h("td", {}, whole(one.n)),
      h("td", {}, whole(one.refused)),
      h("td", {}, one.judge),
    );
  return h(
    "section",
    { class: "saew-spec-scores" },
    h("h3", {}, words.scores),
    h("p", { class: "saew-note" }, words.scoresNote),
    table(words.scoreColumns, scores.map(cells), words.scores, LOOK),
  );
}

/** @param {Score} score */
function meter({ value, chance }) {
  const at = (/** @type {number} */ x) => `${(100 * Math.min(1, Math.max(0, x))).toFixed(1)}%`;
  return h(
    "span",
    { class: "saew-track", "aria-hidden": "true" },
    h("span", { class: "saew-fill", style: { width: at(value) } }),
    h("span", { class: "saew-spec-chance", style: { left: at(chance) } }),
  );
}

/**
 * All shares of the chosen judge.
 *
 * @param {Lab} lab
 * @param {Words} words
 */
export function sharesTable(lab, words) {
  const place = h("div");
  const el = h("details", { class: "saew-details" }, h("summary", {}, words.table), place);
  /** @param {Judge} judge */
  const update = (judge) => {
    const rows = judge.rows.map(([n, , ...shares], i) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, `${num(lab.edges[i])} – ${num(lab.edges[i + 1])}`),
        h("td", {}, whole(lab.active[i])),
        h("td", {}, whole(n)),
        ...shares.map((share) => h("td", {}, ranged(share, words))),
      ),
    );
    place.replaceChildren(table(words.tableColumns, rows, words.table, LOOK));
  };
  return { el, update };
}
