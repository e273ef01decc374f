// What a specificity lab draws, as payloads/specificity.py makes it.

import { SCORES } from "../../shared/scores.js";

/** @import { Example, Pooled } from "./examples.js" */
/** @import { Interval } from "../../shared/shares.js" */
/**
 * @typedef {[n: number, refused: number, s3: Interval, s2: Interval, s1: Interval, s0: Interval]} Row of an interval
 */
/**
 * @typedef {{ name: string, kind: string, seconds: number, refused: number, spent: [string, number][],
 *   kappa: Interval | null, same: number | null, rows: Row[], above: Interval[] }} Judge
 * @typedef {{ name: string, what: string, n: number, above: Interval[] }} Recall
 * @typedef {{ name: string, value: number, low: number | null, high: number | null, chance: number, n: number,
 *   refused: number, judge: string, what: string }} Score
 * @typedef {{ title: string, note: string, maximum: number, edges: number[], active: number[],
 *   histogram: import("../../shared/histograms.js").Counted, rubric: [score: number, words: string][],
 *   judges: Judge[], sensitivity: Recall[], scores: Score[] }} Lab the trait `_lab`
 * @typedef {{ level: number, items: Example[], pool: Pooled[] }} Shown the trait `_shown`
 */

/**
 * The judge of a name; the first one where there is none.
 *
 * @param {Lab} lab
 * @param {string} name
 */
export function judgeOf(lab, name) {
  return lab.judges.find((judge) => judge.name === name) ?? lab.judges[0];
}

/**
 * Where the parts of a stacked bar begin and end, from 0 to 1, in the order of `SCORES`.
 *
 * @param {Row} row
 * @returns {[from: number, to: number][]}
 */
export function stacked([, , ...shares]) {
  let at = 0;
  return shares.map(([value]) => {
    const from = at;
    at += value ?? 0;
    return [from, at];
  });
}

/**
 * How many of the examples have each score, in the order of `SCORES`, and how many have none.
 *
 * @param {Example[]} items
 * @param {number} judge
 */
export function tally(items, judge) {
  const count = (/** @type {number | null} */ score) => items.filter((item) => item.s[judge] === score).length;
  return { scores: SCORES.map(count), refused: count(null) };
}
