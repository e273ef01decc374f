// The features of a text, or of one token of it, as a table that sorts, pins and picks.

import { h } from "../../shared/elements.js";
import { aligned, num, percent, whole } from "../../shared/numbers.js";
import { glyphs } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";
import { hasSign, nameOf, PIN_LETTERS } from "./reading.js";

/** @import { Column, Row, Signed, View, Words } from "./reading.js" */
/**
 * What a person can do there.
 *
 * @typedef {{ pick: (feature: number) => void, pin: (feature: number) => void, sort: (column: Column) => void,
 *   look: (feature: number | null) => void }} Acts
 */

/** @type {Column[]} */
const BESIDE = ["share", "quantile", "attribution", "ablation", "loss_effect"]; // left out where nothing was measured

/**
 * @param {Row[]} shown
 * @param {Row[]} rows all, of which `shown` are the first: bars are as long as their shares of the largest
 * @param {View} view
 * @param {Words} words
 * @param {Acts} act
 */
export function featureTable(shown, rows, view, words, act) {
  /** @type {Column[]} */
  const columns = ["activation", ...BESIDE.filter((name) => rows.some((row) => row[name] !== null))];
  const largest = (/** @type {Column} */ name) => Math.max(...rows.map((row) => Math.abs(row[name] ?? 0)), 1e-12);
  const most = new Map(columns.map((name) => [name, largest(name)]));
  const body = shown.map((row) =>
    h(
      "tr",
      {
        "aria-selected": String(row.feature === view.feature),
        onmouseenter: () => act.look(row.feature),
        onmouseleave: () => act.look(null),
      },
      h("td", { class: "saew-words" }, pinButton(row, view.pinned.indexOf(row.feature), words, act)),
      h("th", { scope: "row", class: "saew-words" }, pickButton(row, row.feature === view.feature, words, act)),
      ...columns.map((name) => h("td", {}, cell(row, name, most.get(name) ?? 1))),
      view.position === null ? where(row, view, words) : null,
    ),
  );
  const look = `saew-table saew-probe-table${columns.length > 4 ? " saew-many" : ""}`;
  return h("table", { class: look }, h("thead", {}, head(columns, view, words, act)), h("tbody", {}, ...body));
}

/** @param {Column[]} columns @param {View} view @param {Words} words @param {Acts} act */
function head(columns, { sort, position }, { table }, act) {
  const button = (/** @type {Column} */ name) =>
    h(
      "button",
      {
        type: "button",
        class: "saew-sort",
        "aria-label": say(table.sort, { name: table.columns[name].toLowerCase() }),
        "data-key": `sort ${name}`,
        onclick: () => act.sort(name),
      },
      table.columns[name],
      h("span", { "aria-hidden": "true" }, sort === name ? " ↓" : ""),
    );
  return h(
    "tr",
    {},
    h("th", { scope: "col", class: "saew-words" }, table.pinned),
    h("th", { scope: "col", class: "saew-words" }, table.feature),
    ...columns.map((name) => {
      const order = sort === name ? "descending" : "none";
      return h("th", { scope: "col", title: table.titles[name], "aria-sort": order }, button(name));
    }),
    position === null ? h("th", { scope: "col", class: "saew-words saew-where" }, table.where) : null,
  );
}

/**
 * @param {Row} row
 * @param {number} at its place among the pinned, -1 where it is none
 * @param {Words} words
 * @param {Acts} act
 */
function pinButton(row, at, { table }, act) {
  const label = say(at >= 0 ? table.unpin : table.pin, { feature: row.feature });
  return h(
    "button",
    {
      type: "button",
      class: at >= 0 ? `saew-pin saew-pin-${at + 1}` : "saew-pin",
      "aria-pressed": String(at >= 0),
      "aria-label": label,
      title: label,
      "data-key": `pin ${row.feature}`,
      onclick: () => act.pin(row.feature),
    },
    at >= 0 ? PIN_LETTERS[at] : "+",
  );
}

/** @param {Row} row @param {boolean} picked @param {Words} words @param {Acts} act */
function pickButton(row, picked, words, act) {
  return h(
    "button",
    {
      type: "button",
      class: "saew-feature",
      "aria-pressed": String(picked),
      "data-key": `pick ${row.feature}`,
      onclick: () => act.pick(row.feature),
      onfocus: () => act.look(row.feature),
      onblur: () => act.look(null),
    },
    h("span", { class: "saew-id" }, `#${row.feature}`),
    h("span", { class: row.label ? "saew-list-label" : "saew-list-label saew-faint" }, nameOf(row, words)),
  );
}

/** @param {Row} row @param {Column} name @param {number} most the largest in the column */
function cell(row, name, most) {
  const value = row[name];
  if (hasSign(name)) return meter((value ?? 0) / most, (value ?? 0) < 0 ? "saew-minus" : "saew-plus", signed(value));
  if (name === "activation") return meter(row.share ?? row.activation / most, "", aligned(row.activation));
  return value === null ? "–" : percent(value);
}

/** @param {number} share of a full bar @param {string} kind @param {string} text */
function meter(share, kind, text) {
  const width = `${(100 * Math.min(1, Math.abs(share))).toFixed(1)}%`;
  const bar = h("span", { class: "saew-track" }, h("span", { class: `saew-fill ${kind}`.trim(), style: { width } }));
  return h("span", { class: "saew-meter" }, bar, h("span", {}, text));
}

/** A number for a column of numbers with their signs. @param {number | null} x */
function signed(x) {
  return x !== null && x > 0 ? `+${num(x, 2)}` : num(x, 2);
}

/** @param {Row} row @param {View} view @param {Words} words */
function where(row, { prompt }, { table }) {
  const count = row.n === 1 ? table.one : say(table.tokens, { n: whole(row.n) });
  return h(
    "td",
    { class: "saew-words saew-where" },
    h("code", { class: "saew-code" }, glyphs(prompt.tokens[row.peak][1], 16)),
    h("span", { class: "saew-faint" }, count),
  );
}
