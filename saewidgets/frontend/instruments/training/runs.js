// The runs of a monitor as they are drawn: numbered, colored, one of them in front.

import { say } from "../../shared/words.js";

/**
 * One step of a curve, as `payloads.curve` sends it; null where a number is not finite.
 *
 * @typedef {[step: number, tokens: number, loss: Value, fvu: Value, l0: Value, dead: Value, rate: Value,
 *   sparsity: Value]} Point
 * @typedef {number | null} Value
 * @typedef {{ edges: number[], counts: number[], silent: number }} Density bins of log10 of the share of tokens
 * @typedef {{ name: string, facts: string, failed: string, total: number, dead_window: number, d_in: number,
 *   d_sae: number, points: Point[], l0: Value, fvu: Value, front: boolean,
 *   density: Density | null }} Sent one run of the trait `_runs`
 * @typedef {Sent & { number: number, color: string, chosen: boolean }} Run
 * @typedef {{ step: number, tokens: number }} Done
 * @typedef {typeof import("./words.js").words.en} Words
 */

export const COLUMNS = Object.freeze({ step: 0, tokens: 1, loss: 2, fvu: 3, l0: 4, dead: 5, rate: 6, sparsity: 7 });
const COLORS = 8; // --saew-d1 to --saew-d8

/**
 * Every run with its number and color, and whether it is the one in front: `selected`, or the first where none is.
 *
 * @param {Sent[]} sent
 * @param {string} selected
 * @returns {Run[]}
 */
export function numbered(sent, selected) {
  const front = Math.max(
    0,
    sent.findIndex(({ name }) => name === selected),
  );
  return sent.map((run, i) => ({
    ...run,
    number: i + 1,
    color: `var(--saew-d${(i % COLORS) + 1})`,
    chosen: i === front,
  }));
}

/**
 * How far the furthest run is.
 *
 * @param {Sent[]} runs
 * @returns {Done}
 */
export function done(runs) {
  const most = (/** @type {0 | 1} */ column) => Math.max(0, ...runs.map(({ points }) => points.at(-1)?.[column] ?? 0));
  return { step: most(COLUMNS.step), tokens: most(COLUMNS.tokens) };
}

/**
 * Seconds in words: "12 s", "3 min 20 s", "2 h 5 min".
 *
 * @param {number | null | undefined} seconds
 * @param {Words} words
 */
export function duration(seconds, words) {
  if (seconds === null || seconds === undefined) return words.none;
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return say(words.seconds, { s });
  const m = s < 3600 ? Math.floor(s / 60) : Math.round(s / 60);
  return m < 60 ? say(words.minutes, { m, s: s % 60 }) : say(words.hours, { h: Math.floor(m / 60), m: m % 60 });
}
