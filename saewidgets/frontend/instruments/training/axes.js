// Round levels on an axis, and the lines that the small charts of a training have there.

import { tick } from "../../shared/axes.js";
import { s } from "../../shared/elements.js";

/**
 * Round levels between `low` and `high`, about `n` of them.
 *
 * @param {number} low
 * @param {number} high
 * @returns {number[]}
 */
export function levels(low, high, n = 3) {
  const rough = (high - low) / n || 1;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5].find((m) => m * size >= rough) ?? 10) * size;
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.max(0, Math.floor(high / step + 1e-9) - first + 1);
  return Array.from({ length: count }, (_, i) => (first + i) * step);
}

/**
 * The values 1, 2 and 5 times a power of ten whose logarithm lies between `low` and `high`, at most about four of them.
 *
 * @param {number} low log10
 * @param {number} high log10
 * @returns {number[]}
 */
export function logLevels(low, high) {
  const decades = Array.from({ length: 25 }, (_, i) => i - 12);
  const every = decades.flatMap((d) => [1, 2, 5].map((m) => m * 10 ** d));
  const inside = every.filter((value) => value >= 10 ** low * 0.999 && value <= 10 ** high * 1.001);
  return inside.filter((_, i) => i % Math.ceil(inside.length / 4) === 0);
}

/**
 * A horizontal line at `y`, and what it stands for at its left.
 *
 * @param {number} y px
 * @param {[left: number, right: number]} ends px
 * @param {string} name
 */
export function rule(y, [left, right], name) {
  return [s("line", { x1: left, x2: right, y1: y, y2: y, class: "saew-grid" }), tick(left - 6, y + 4, name, "end")];
}
