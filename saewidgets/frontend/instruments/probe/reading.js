// A reading: the features of a text, and what the parts of the probe draw of it.

import { aligned, num } from "../../shared/numbers.js";
import { glyphs } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";

/** @import { TipLine } from "../../types/host.js" */
/** @import { FeatureProbeTraits } from "../../types/model.js" */
/**
 * What `payloads.prompt` makes of a text. In a feature, p are the positions and a the activations there; what stands
 * beside them is as long, null where it was not measured.
 *
 * @typedef {FeatureProbeTraits["sort"]} Column
 * @typedef {"attribution" | "ablation" | "loss_effect"} Signed a column whose numbers have a sign
 * @typedef {(number | null)[] | null} Values
 * @typedef {{ feature: number, label: string, promoted: string[], maximum: number | null, density: number | null,
 *   p: number[], a: number[], quantile: Values, attribution: Values, ablation: Values }} Feature
 * @typedef {{ target: string, baseline: string, difference: number, attribution: number | null,
 *   activation: number | null, n: number }} Measured
 * @typedef {{ text: string, tokens: [id: number, text: string][], counted: boolean[], features: Feature[],
 *   turn: number[] | null, roles: string[], losses: Record<string, (number | null)[]>, measured: Measured | null }}
 *  Prompt the trait `_prompt`; `turn`: whose words a token holds, -1 for the template's own
 * @typedef {{ feature: number, label: string, promoted: string[], activation: number, share: number | null,
 *   quantile: number | null, attribution: number | null, ablation: number | null, loss_effect: number | null,
 *   peak: number, n: number }} Row of the table: one feature, at one token or over the whole text
 * @typedef {{ prompt: Prompt, known: Map<number, Feature>, names: Record<string, string>, feature: number | null,
 *   looked: number | null, pinned: number[], position: number | null, sort: Column, open: boolean }} View
 *   `looked`: a feature that is pointed at, for as long as it is; `open`: all rows of the table
 * @typedef {typeof import("./words.js").words.en} Words
 */

export const PIN_LETTERS = "ABCDE";
const SIGNED = ["attribution", "ablation", "loss_effect"];
const TIP = 5; // features in a token's tooltip

/** Whether the numbers of a column have a sign. @param {Column} column @returns {column is Signed} */
export const hasSign = (column) => SIGNED.includes(column);

/** The feature whose heat is shown: the one pointed at, or else the one picked. @param {View} view */
export const shownOf = ({ looked, feature }) => looked ?? feature;

/** What leaving the shown feature out adds to each token's loss, nats; null: not measured. @param {View} view */
export const costOf = (view) => view.prompt.losses[String(shownOf(view))] ?? null;

/** Whether any feature was ablated. @param {View} view */
export const ablated = ({ prompt }) => Object.keys(prompt.losses).length > 0;

/** The activation of a feature at a token, 0 where it is off. @param {Feature | undefined} f @param {number} at */
export function valueAt(f, at) {
  const i = f ? f.p.indexOf(at) : -1;
  return f && i >= 0 ? f.a[i] : 0;
}

/** What full heat stands for: the maximum over the corpus, or else over this text. @param {Feature | undefined} f */
export const scaleOf = (f) => (f ? f.maximum || Math.max(...f.a) : 0);

/** What orders the rows: what was not measured orders nothing. @param {Prompt} prompt @param {Column} asked */
export function sortOf(prompt, asked) {
  if (asked === "loss_effect") return Object.keys(prompt.losses).length ? asked : "activation";
  const there = (/** @type {Feature} */ f) =>
    asked === "activation" || Boolean(asked === "share" ? f.maximum : f[/** @type {"quantile"} */ (asked)]);
  return prompt.features.some(there) ? asked : "activation";
}

/**
 * A label, or else the tokens that it promotes.
 *
 * @param {{ label: string, promoted: string[] }} row
 * @param {Words} words
 */
export function nameOf({ label, promoted }, words) {
  const first = promoted.slice(0, 3).map((token) => glyphs(token, 14));
  return label || first.join("  ") || words.table.unlabeled;
}

/** "#31 Golden Gate Bridge"; the number alone where it has no name. @param {number} feature */
export const spoken = (feature, name = "") => (name ? `#${feature} ${name}` : `#${feature}`);

/**
 * The rows of a table: one per feature, at one token or, where `position` is null, over the whole text. Activation and
 * share are then the largest, attribution and ablation the sums over its tokens; the loss effect is that of all tokens,
 * at one token that of the next.
 *
 * @param {Prompt} prompt
 * @param {number | null} position
 * @returns {Row[]}
 */
export function rowsOf(prompt, position) {
  const rows = [];
  for (const f of prompt.features) {
    const here = f.p.flatMap((p, i) => (position === null || p === position ? [i] : []));
    if (!here.length) continue;
    const peak = here.reduce((best, i) => (f.a[i] > f.a[best] ? i : best), here[0]);
    rows.push({
      feature: f.feature,
      label: f.label,
      promoted: f.promoted,
      loss_effect: lossOf(prompt.losses[String(f.feature)], position),
      activation: f.a[peak],
      share: f.maximum ? f.a[peak] / f.maximum : null,
      quantile: f.quantile?.[peak] ?? null,
      attribution: sum(f.attribution, here),
      ablation: sum(f.ablation, here),
      peak: f.p[peak],
      n: here.length,
    });
  }
  return rows;
}

/** A sum of which a part was not measured is not known. @param {Values} values @param {number[]} here */
function sum(values, here) {
  let total = 0;
  for (const i of here) {
    const value = values?.[i] ?? null;
    if (value === null) return null;
    total += value;
  }
  return total;
}

/** @param {(number | null)[] | undefined} losses @param {number | null} position */
function lossOf(losses, position) {
  if (!losses) return null;
  if (position !== null) return losses[position + 1] ?? null;
  return losses.reduce((/** @type {number} */ total, value) => total + (value ?? 0), 0);
}

/**
 * Largest first; what has a sign by its size. Ties in the order of the features.
 *
 * @param {Row[]} rows
 * @param {Column} sort
 */
export function sorted(rows, sort) {
  const key = (/** @type {Row} */ row) => {
    const value = row[sort];
    if (value === null) return -1;
    return hasSign(sort) ? Math.abs(value) : value;
  };
  return [...rows].sort((a, b) => key(b) - key(a) || a.feature - b.feature);
}

/**
 * The tooltip of a token: its strongest features, then those that are pinned.
 *
 * @param {View} view
 * @param {number} at
 * @param {Words} words
 * @returns {TipLine[]}
 */
export function tipOf(view, at, words) {
  const { prompt, known, pinned, sort } = view;
  const [id, text] = prompt.tokens[at];
  const here = sorted(rowsOf(prompt, at), sort);
  /** @param {Row} row @returns {TipLine} */
  const line = (row, mark = "") => [
    `${mark}#${row.feature} ${nameOf(row, words).slice(0, 34)}`,
    hasSign(sort) ? num(row[sort], 2) : aligned(row.activation),
    row.share ?? row.activation / (scaleOf(known.get(row.feature)) || 1),
  ];
  const later = here.slice(TIP).filter(({ feature }) => pinned.includes(feature));
  const loss = costOf(view)?.[at] ?? null;
  return [
    [words.token, glyphs(text, 200)],
    [words.position, String(at)],
    [words.id, String(id)],
    ...here.slice(0, TIP).map((row) => line(row)),
    ...later.map((row) => line(row, `${PIN_LETTERS[pinned.indexOf(row.feature)]} `)),
    .../** @type {TipLine[]} */ (here.length ? [] : [["", words.silent]]),
    .../** @type {TipLine[]} */ (
      loss === null ? [] : [[say(words.loss, { feature: shownOf(view) }), `${loss > 0 ? "+" : ""}${num(loss, 2)}`]]
    ),
  ];
}
