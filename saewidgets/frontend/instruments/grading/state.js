// The answers on a sheet, and what a key does to them. No page in here.

import { SCORES } from "../../shared/scores.js";

/** @typedef {[id: number, text: string]} Pooled what passages name by place */
/** @typedef {[tokens: number[], marked: number[]]} Passage tokens by place; which of them are asked about */
/**
 * @typedef {{ claim: string, name: string, rubric: [score: number, words: string][], kept: string,
 *   passages: Passage[], pool: Pooled[] }} Sheet the trait `_sheet`
 * @typedef {[score: number | null, seconds: number]} Grade
 * @typedef {[judge: string, n: number, kappa: [number | null, number | null, number | null],
 *   same: number | null]} Compared a row of the trait `_compared`
 */

export const LONGEST = 120; // seconds that an answer counts for at most: whoever takes longer has left the sheet

/**
 * The answers with one more; the same where every passage has one.
 *
 * @param {Grade[]} grades
 * @param {number} of passages
 * @param {number | null} score
 * @param {number} seconds
 * @returns {Grade[]}
 */
export function answered(grades, of, score, seconds) {
  if (grades.length >= of) return grades;
  const took = Math.round(100 * Math.min(LONGEST, Math.max(0, seconds))) / 100;
  return [...grades, [score, took]];
}

/**
 * What a key asks for: a score, null for "cannot say", "undo", or undefined for nothing.
 *
 * @param {string} key
 * @returns {number | null | "undo" | undefined}
 */
export function asked(key) {
  if (SCORES.some((score) => key === String(score))) return Number(key);
  if (key === "s" || key === "S") return null;
  return key === "u" || key === "U" || key === "Backspace" ? "undo" : undefined;
}

/**
 * How many answers have each score, in the order of `SCORES`, how many have none, and what one took on average.
 *
 * @param {Grade[]} grades
 */
export function tally(grades) {
  const count = (/** @type {number | null} */ score) => grades.filter(([given]) => given === score).length;
  const seconds = grades.reduce((sum, [, took]) => sum + took, 0);
  return { scores: SCORES.map(count), refused: count(null), each: grades.length ? seconds / grades.length : 0 };
}
