// The relatives of a feature: other features, and neurons of the same layer.

import { h } from "../../shared/elements.js";
import { fixed, whole } from "../../shared/numbers.js";
import { glyphs } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";
import { section } from "./section.js";

/** @import { Named } from "../../shared/labels.js" */
/** @import { Neuron, Shown, Words } from "./data.js" */
/** @typedef {number | null | undefined} Value */

/**
 * A small table: one row per feature or neuron, a button where it leads somewhere, and numbers.
 *
 * @param {string} first
 * @param {string[]} columns
 * @param {{ name: Element, values: Value[] }[]} rows
 */
function links(first, columns, rows) {
  const head = h("tr", {}, h("th", { scope: "col" }, first), ...columns.map((name) => h("th", { scope: "col" }, name)));
  const cell = (/** @type {Value} */ x) =>
    h("td", {}, x === null || x === undefined ? "–" : Math.abs(x) < 0.0005 ? "0" : fixed(x));
  const line = (/** @type {(typeof rows)[number]} */ { name, values }) =>
    h("tr", {}, h("th", { scope: "row" }, name), ...values.map(cell));
  return h("table", { class: "saew-links" }, h("thead", {}, head), h("tbody", {}, ...rows.map(line)));
}

/**
 * Tables of other features: nearest by what they write, by what they read, and active at the same tokens.
 *
 * @param {Shown} shown
 * @param {Words["related"]} words
 * @param {(feature: number) => void} go
 */
export function relatedPart(shown, words, go) {
  const el = h("div", { class: "saew-related" });
  /** @param {Named[]} index the features of this page, as their reader calls them */
  const update = (index) => {
    const known = new Map(index.map((row) => [row.feature, row]));
    const table = (/** @type {string[]} */ columns, /** @type {[number, ...Value[]][]} */ list) =>
      links(
        words.feature,
        columns,
        list.map(([feature, ...values]) => ({ name: neighbor(feature, known.get(feature), words, go), values })),
      );
    const parts = [];
    if (shown.neighbors.length)
      parts.push(
        section(
          words.neighbors,
          words.neighborsNote,
          table(
            [words.decoder, words.encoder],
            shown.neighbors.map((n) => [n.feature, n.cosine, n.encoder]),
          ),
        ),
      );
    if (shown.encoder.length)
      parts.push(
        section(
          words.encoders,
          words.encodersNote,
          table(
            [words.encoder, words.decoder],
            shown.encoder.map((n) => [n.feature, n.encoder, n.cosine]),
          ),
        ),
      );
    if (shown.correlated.length) {
      const columns = [words.pearson, words.cosine, words.decoder];
      parts.push(section(words.correlated, words.correlatedNote, table(columns, shown.correlated)));
    }
    el.replaceChildren(...parts);
  };
  return { el, update };
}

/**
 * The button that leads to another feature.
 *
 * @param {number} feature
 * @param {Named | undefined} row
 * @param {Words["related"]} words
 * @param {(feature: number) => void} go
 */
function neighbor(feature, row, words, go) {
  const tokens = row?.promoted
    .slice(0, 3)
    .map((token) => glyphs(token, 12))
    .join("  ");
  const name = row ? row.label || tokens : words.absent;
  return h(
    "button",
    { type: "button", class: "saew-neighbor", disabled: !row, title: name, onclick: () => go(feature) },
    h("span", { class: "saew-id" }, `#${feature}`),
    h("span", { class: "saew-list-label" }, name),
  );
}

/**
 * The neurons of the same layer.
 *
 * @param {Words["neurons"]} words
 * @param {Words["related"]} columns
 */
export function neuronsPart(words, columns) {
  const el = h("div", { class: "saew-neurons" });
  const table = (/** @type {Neuron[]} */ list) =>
    links(
      words.neuron,
      [columns.decoder, columns.encoder, columns.pearson],
      list.map(([layer, neuron, ...values]) => ({
        name: h("span", { class: "saew-id" }, `${layer} · ${neuron}`),
        values,
      })),
    );
  /** @param {Shown} shown */
  const update = (shown) => {
    el.hidden = !shown.aligned.length;
    if (el.hidden) return;
    const group = (/** @type {string} */ title, /** @type {string} */ note, /** @type {Neuron[]} */ list) =>
      h("div", {}, h("h4", {}, title), h("p", { class: "saew-note" }, note), list.length ? table(list) : null);
    const groups = [group(words.aligned, words.alignedNote, shown.aligned)];
    if (shown.sample) {
      const note = say(shown.neurons.length ? words.togetherNote : words.silent, { n: whole(shown.sample) });
      groups.push(group(words.together, note, shown.neurons));
    }
    el.replaceChildren(section(words.title, "", h("div", { class: "saew-neuron-tables" }, ...groups)));
  };
  return { el, update };
}
