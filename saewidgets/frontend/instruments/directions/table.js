// The relations of a space as a table: how many questions are answered, by the offset and by its baselines.

import { h, s } from "../../shared/elements.js";
import { percent, whole } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";

/** @import { Relation, Space } from "./lab.js" */
/** @typedef {typeof import("./words.js").words.en} Words */

const SHARES = /** @type {const} */ (["offset", "kept", "neighbor", "chance"]);
const [WIDE, TALL] = [48, 14]; // of the picture of a cosine, px

/**
 * @param {Words} words
 * @param {(relation: string) => void} pick is called with the name of a row that was chosen
 */
export function relationsTable(words, pick) {
  const { columns, columnsSay } = words;
  const heads = [columns.relation, ...SHARES.map((name) => columns[name]), columns.parallel, columns.questions];
  const says = [null, ...SHARES.map((name) => columnsSay[name]), columnsSay.parallel, null];
  const head = heads.map((name, i) => h("th", { scope: "col", title: says[i], class: i ? "" : "saew-words" }, name));
  const body = h("tbody", {});
  const table = h("table", { class: "saew-table" }, h("thead", {}, h("tr", {}, ...head)), body);
  const box = h("div", { class: "saew-scroll", tabindex: 0, role: "region", "aria-label": words.relations }, table);
  const el = h("div", { class: "saew-directions-table" }, box, h("p", { class: "saew-note" }, words.tableSays));
  /** @type {HTMLTableRowElement[]} */
  let rows = [];

  /** @param {Space} space */
  const fill = (space) => {
    rows = space.relations.map((relation) => row(relation, words, pick));
    body.replaceChildren(...rows);
  };
  /** @param {Space} space @param {Relation} chosen */
  const update = (space, chosen) => {
    for (const [i, one] of rows.entries()) one.setAttribute("aria-selected", String(space.relations[i] === chosen));
  };
  return { el, fill, update };
}

/**
 * @param {Relation} relation
 * @param {Words} words
 * @param {(relation: string) => void} pick
 */
function row(relation, words, pick) {
  const { name, n, skipped, shares } = relation;
  const button = h("button", { type: "button", class: "saew-link", onclick: () => pick(name) }, name);
  const asked = { n: whole(n), skipped: whole(skipped) };
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, button),
    ...SHARES.map((which) => h("td", {}, bar(shares[which], which, words))),
    h("td", {}, cosine(relation, words)),
    h("td", {}, say(skipped ? words.askedSkipped : words.asked, asked)),
  );
}

/**
 * A share as a bar with its number.
 *
 * @param {number | null} share
 * @param {"offset" | "kept" | "neighbor" | "chance"} which
 * @param {Words} words
 */
function bar(share, which, words) {
  if (share === null) return h("span", { class: "saew-faint" }, words.none);
  const fill = h("span", { class: "saew-fill", style: { width: `${100 * share}%` } });
  const track = h("span", { class: `saew-track saew-directions-${which}` }, fill);
  return h("span", { class: "saew-directions-share" }, track, h("span", {}, percent(share)));
}

/**
 * A mean cosine from -1 to 1, and that of shuffled pairs as a tick.
 *
 * @param {Relation} relation
 * @param {Words} words
 */
function cosine({ parallel, null: shuffled, high }, words) {
  if (parallel === null) return h("span", { class: "saew-faint" }, words.none);
  const x = (/** @type {number} */ value) => 1 + ((WIDE - 2) * (value + 1)) / 2;
  const svg = s("svg", { width: WIDE, height: TALL, "aria-hidden": "true" });
  svg.append(
    s("line", { class: "saew-grid", x1: x(-1), x2: x(1), y1: TALL / 2, y2: TALL / 2 }),
    s("line", { class: "saew-axis", x1: x(0), x2: x(0), y1: 2, y2: TALL - 2 }),
  );
  if (shuffled !== null && high !== null) {
    svg.append(s("line", { class: "saew-directions-null", x1: x(shuffled), x2: x(high), y1: TALL / 2, y2: TALL / 2 }));
    svg.append(s("line", { class: "saew-directions-tick", x1: x(shuffled), x2: x(shuffled), y1: 1, y2: TALL - 1 }));
  }
  svg.append(s("circle", { class: "saew-directions-dot", cx: x(parallel), cy: TALL / 2, r: 4 }));
  return h("span", { class: "saew-directions-share" }, svg, h("span", {}, parallel.toFixed(2)));
}
