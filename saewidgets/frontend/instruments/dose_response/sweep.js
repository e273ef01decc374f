// The measured points of a sweep, and how one finds one's way among them.

/**
 * What `payloads.dose_points` makes of one point: each measure as [mean, low, high], null where it was not measured.
 *
 * @typedef {[mean: number | null, low: number | null, high: number | null]} Interval
 * @typedef {"concept_rate" | "perplexity_ratio" | "kl" | "distinct_2" | "repeats"} Column
 * @typedef {{ key: string, kind: string, multiple: number, n: number, stopped: number, passes: boolean }} Place
 * @typedef {Place & Record<Column, Interval>} Point
 * @typedef {{ name: string, color: string, symbol: string }} Kind what is done, and how its line and marks look
 * @typedef {{ column: Column, name: string, log: boolean, share: boolean, bound: number | null }} Measure
 * @typedef {{ concept_rate: number, repeats: number, perplexity_ratio: number }} Bounds
 * @typedef {[low: number, high: number] | null} Window the strengths at which every bound holds
 * @typedef {{ title: string, note: string, prompt: import("../../shared/turns.js").Prompt, window: Window,
 *   bounds: Bounds, points: Point[], kinds: Record<string, Kind>, measures: Measure[] }} Sweep the trait `_sweep`
 * @typedef {[seed: number, text: string, concept: boolean | null, stopped: string]} Text `stopped`: why it broke off
 * @typedef {{ key: string, texts: Text[] }} Shown the trait `_shown`
 * @typedef {[id: number, text: string, logprob: number | null, kl: number | null]} Token
 * @typedef {{ kind: string, multiple: number, seed: number, held: boolean, default: Token[], changed: Token[],
 *   done: boolean, stopped: string }} Written what a live page wrote; `held`: the sweep has a text of the same
 * @typedef {{ _writes: string[], _turn: string, _written: Written | null, strength: number, seed: number,
 *   waiting: string, status: "idle" | "writing" | "stopped" | "error" }} Live traits of a live page alone: the kinds
 *   that it can write, the regular expression in which a next turn begins, what it wrote last, and what it is asked for
 *   next
 */

/**
 * The points of one kind, in the order of their strengths.
 *
 * @param {Sweep} sweep
 * @param {string} kind
 */
export function ofKind(sweep, kind) {
  return sweep.points.filter((point) => point.kind === kind);
}

/**
 * The point of a key; the first one where there is none.
 *
 * @param {Sweep} sweep
 * @param {string} key
 */
export function pointAt(sweep, key) {
  return sweep.points.find((point) => point.key === key) ?? sweep.points[0];
}

/**
 * The point of a kind whose strength is nearest; of two as near the first.
 *
 * @param {Sweep} sweep
 * @param {string} kind
 * @param {number} multiple
 */
export function nearest(sweep, kind, multiple) {
  /** @param {Point} point */
  const far = (point) => Math.abs(point.multiple - multiple);
  return ofKind(sweep, kind).reduce((best, point) => (far(point) < far(best) ? point : best));
}
