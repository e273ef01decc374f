// The attack on one input: the step of given length that raises the loss of a ReLU model most, of those with a closed
// form.

import { measures } from "./math.js";

/** @import { Toy } from "./math.js" */
/**
 * @typedef {{
 *   output: number, step: number[], clean: number, hit: number,
 *   h: number[], moved: number[], y: number[], fooled: number[]
 * }} Attack
 */

const SAMPLES = 200; // inputs whose mean length an attack is measured by

/**
 * Output i moves fastest along row i of G = W'W; the steps tried are + and - `radius` G_i / |G_i| for every i, which
 * the target does not follow. `output` is the i of the worst one, -1 where none raises the loss.
 *
 * @param {Toy} model
 * @param {ArrayLike<number>} x
 * @param {number} radius
 * @param {ArrayLike<number>} importance
 * @returns {Attack}
 */
export function attackOn(model, x, radius, importance) {
  const { n, b, W, m } = model;
  const { inner: G } = measures(model);
  const times = (/** @type {ArrayLike<number>} */ v) =>
    Array.from({ length: m }, (_, k) => sum(n, (j) => W[k * n + j] * v[j]));
  const back = (/** @type {number[]} */ hidden) =>
    Array.from({ length: n }, (_, j) => sum(m, (k) => W[k * n + j] * hidden[k]));
  const h = times(x);
  const outputs = (/** @type {number[]} */ hidden) => back(hidden).map((value, j) => value + b[j]); // before the ReLU
  const relu = (/** @type {number[]} */ pre) => pre.map((value) => Math.max(0, value));
  const before = outputs(h);
  const loss = (/** @type {(j: number) => number} */ pre) =>
    sum(n, (j) => importance[j] * (x[j] - Math.max(0, pre(j))) ** 2);
  const clean = loss((j) => before[j]);
  let best = { output: -1, hit: clean, step: Array(n).fill(0) };
  for (let i = 0; i < n; i += 1) {
    const row = G.subarray(i * n, (i + 1) * n);
    const length = Math.sqrt(sum(n, (j) => row[j] ** 2));
    if (length < 1e-9) continue;
    const move = back(times(row));
    for (const sign of [radius / length, -radius / length]) {
      const hit = loss((j) => before[j] + sign * move[j]);
      if (hit > best.hit) best = { output: i, hit, step: Array.from(row, (value) => sign * value) };
    }
  }
  const moved = times(best.step).map((value, k) => h[k] + value);
  return { ...best, clean, h, moved, y: relu(before), fooled: relu(outputs(moved)) };
}

/** @param {number} n @param {(k: number) => number} term */
function sum(n, term) {
  let total = 0;
  for (let k = 0; k < n; k += 1) total += term(k);
  return total;
}

/**
 * Input number `k` of a sample: each feature on with its density, uniform on [0, 1] then; at least one is on.
 *
 * @param {number[]} density
 * @param {number} k
 */
export function inputOf(density, k) {
  const next = dice(k);
  for (let tries = 0; tries < 1000; tries += 1) {
    const x = draw(density, next);
    if (x.some((value) => value > 0)) return x;
  }
  return density.map((_, i) => Number(i === 0));
}

/**
 * Mean length of an input.
 *
 * @param {number[]} density
 */
export function meanLength(density) {
  const next = dice(0);
  return sum(SAMPLES, () => Math.hypot(...draw(density, next))) / SAMPLES;
}

/** @param {number[]} density @param {() => number} next */
const draw = (density, next) => density.map((p) => (next() < p ? next() : 0));

/**
 * Random numbers in [0, 1) that are the same for the same seed (mulberry32).
 *
 * @param {number} seed
 */
function dice(seed) {
  let state = (seed * 0x9e3779b9) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
