// Lengths of a model's directions as bars, colored by how far others share them.

import { s } from "../../shared/elements.js";
import { num } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { sharedColor } from "./colors.js";
import { measures } from "./math.js";

/** @import { Scene, Toy } from "./math.js" */
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
  const { norms } = measures(model);
  const tall = barHeight(n, HEIGHT);
  const x = (/** @type {number} */ value) => LEFT + ((width - LEFT - RIGHT) * value) / reach;
  const tick = (/** @type {number} */ value) =>
    s("text", { x: x(value), y: n * tall + 13, class: "saew-tick", "text-anchor": "middle" }, String(value));
  return s(
    "svg",
    {
      width,
      height: n * tall + 16,
      role: "img",
      "aria-label": say(words.label, { list: Array.from(norms, (v) => num(v, 2)).join(", ") }),
    },
    s("line", { x1: x(1), x2: x(1), y1: 0, y2: n * tall, class: "saew-grid" }),
    tick(1),
    tick(0),
    ...Array.from(norms, (_, i) => {
      const g = bar(model, i, { tall, width, from: x(0), to: x(norms[i]), on: i === marked }, words, tell);
      g.addEventListener("click", () => put("marked", i === marked ? null : i));
      return g;
    }),
  );
}

/**
 * @param {Toy} model
 * @param {number} i
 * @param {{ tall: number, width: number, from: number, to: number, on: boolean }} place
 * @param {{ tip: string }} words
 * @param {(words: string) => void} tell
 */
function bar(model, i, { tall, width, from, to, on }, words, tell) {
  const { norms, superposition, dimensionality } = measures(model);
  const y = i * tall;
  const text = { y: y + tall / 2 + 4, class: "saew-tick", "text-anchor": "end" };
  const g = s(
    "g",
    { class: "saew-press" },
    s("rect", { x: 0, width, y, height: tall, class: on ? "saew-strip-on" : "saew-strip-back" }),
    s("rect", {
      x: from,
      width: Math.max(1, to - from),
      y: y + tall * 0.14,
      height: tall * 0.72,
      rx: 2,
      style: { fill: sharedColor(superposition[i]) },
    }),
  );
  if (tall >= 11)
    g.append(
      s("text", { x: from - 6, ...text }, String(i)),
      s("text", { x: width - RIGHT + 40, ...text }, norms[i].toFixed(2)),
    );
  const says = say(words.tip, {
    i,
    norm: num(norms[i]),
    shared: num(superposition[i]),
    dimension: num(dimensionality[i]),
    bias: num(model.b[i]),
  });
  g.addEventListener("pointerenter", () => tell(says));
  g.addEventListener("pointerleave", () => tell(""));
  return g;
}
