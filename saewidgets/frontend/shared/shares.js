// Shares with their intervals: in words, and on the axis of a picture.

import { tick } from "./axes.js";
import { s } from "./elements.js";
import { percent } from "./numbers.js";
import { say } from "./words.js";

/** @typedef {[value: number | null, low: number | null, high: number | null]} Interval */

/**
 * A figure with its interval; a dash where there is none.
 *
 * @param {Interval} interval
 * @param {{ of: string }} words
 * @param {(x: number) => string} told a figure as text
 */
export function ranged([value, low, high], words, told = percent) {
  if (value === null) return "–";
  if (low === null || high === null) return told(value);
  return say(words.of, { share: told(value), low: told(low), high: told(high) });
}

/**
 * Lines at the quarters of a share, from `left` to `right`, with their numbers.
 *
 * @param {number} left px
 * @param {number} right px
 * @param {(share: number) => number} y px
 */
export function shareGrid(left, right, y) {
  return [0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
    s("line", { class: "saew-grid", x1: left, x2: right, y1: y(share), y2: y(share) }),
    tick(left - 6, y(share) + 4, percent(share), "end"),
  ]);
}
