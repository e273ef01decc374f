// Lengths of a model's directions as bars, colored by how far others share them.

import { tick } from "../../shared/axes.js";
import { s } from "../../shared/elements.js";
import { num } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { sharedColor } from "./colors.js";
import { telling } from "./drawing.js";
import { measures } from "./math.js";

/** @import { Scene } from "./math.js" */
/** @import { Room } from "./views.js" */

const [LEFT, RIGHT, HEIGHT] = [26, 44, 190];

/**
 * Height of each of n bars, px: at most 24, and all of them about `most`, or twice that where they would be thin lines.
 *
 * @param {number} n
 * @param {number} most
 */
export const barHeight = (n, most) => Math.min(24, Math.max(Math.floor(most / n), Math.min(4, (2 * most) / n)));

/**
 * @param {Scene} scene
 * @param {number} width
 * @param {{ label: string, tip: string }} words
 * @param {Pick<Room, "tell" | "put">} heard
 */
export function barPicture({ one: model, data: { reach }, marked }, width, words, { tell, put }) {
  const { n } = model;
  const { norms, superposition, dimensionality } = measures(model);
  const tall = barHeight(n, HEIGHT);
  const x = (/** @type {number} */ value) => LEFT + ((width - LEFT - RIGHT) * value) / reach;
  return s(
    "svg",
    {
      width,
      height: n * tall + 16,
      role: "img",
      "aria-label": say(words.label, { list: Array.from(norms, (v) => num(v, 2)).join(", ") }),
    },
    s("line", { x1: x(1), x2: x(1), y1: 0, y2: n * tall, class: "saew-grid" }),
    ...[1, 0].map((value) => tick(x(value), n * tall + 13, String(value))),
    ...Array.from(norms, (norm, i) => {
      const long = Math.max(1, x(norm) - x(0));
      const row = { tall, width, left: x(0), long, color: sharedColor(superposition[i]), marked };
      const says = say(words.tip, {
        ...{ i, norm: num(norm), shared: num(superposition[i]), dimension: num(dimensionality[i]) },
        bias: num(model.b[i]),
      });
      return featureRow(i, { ...row, text: norm.toFixed(2), end: width - RIGHT + 40, says }, { tell, put });
    }),
  );
}

/**
 * A row of feature `i` that marks it when it is pressed: its number, a bar, and at the end the value in words.
 *
 * @param {number} i
 * @param {{ tall: number, width: number, left: number, long: number, color: string, marked: number | null,
 *   text: string, end: number, says: string }} row `left` and `long`: of the bar
 * @param {Pick<Room, "tell" | "put">} heard
 */
export function featureRow(i, { tall, width, left, long, color, marked, text, end, says }, { tell, put }) {
  const y = i * tall;
  const on = i === marked;
  const bar = { x: left, width: long, y: y + tall * 0.14, height: tall * 0.72, rx: 2, style: { fill: color } };
  const g = s(
    "g",
    { class: "saew-press", onclick: () => put("marked", on ? null : i) },
    s("rect", { x: 0, width, y, height: tall, class: on ? "saew-strip-on" : "saew-strip-back" }),
    s("rect", bar),
  );
  const below = y + tall / 2 + 4;
  if (tall >= 11) g.append(tick(left - 6, below, String(i), "end"), tick(end, below, text, "end"));
  return telling(g, tell, () => says);
}
