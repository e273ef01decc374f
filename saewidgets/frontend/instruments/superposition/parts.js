// What one model's loss is made of: bars over the number of active features, that of a single one in two parts.

import { tick } from "../../shared/axes.js";
import { s } from "../../shared/elements.js";
import { num } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { telling } from "./drawing.js";

/** @typedef {[own: number, others: number]} Part */

const [LEFT, RIGHT, TOP, BOTTOM, HEIGHT] = [40, 8, 10, 38, 196];
const BASE = HEIGHT - BOTTOM;

/**
 * @param {Part[]} parts by the number of active features
 * @param {number} width
 * @param {{ label: string, tip: string, one: string, active: string }} words
 * @param {(words: string) => void} tell
 */
export function partsPicture(parts, width, words, tell) {
  const total = parts.flat().reduce((a, b) => a + b, 0) || 1;
  let last = parts.length - 1; // leave out the tail that cannot be seen
  while (last > 2 && parts[last][0] + parts[last][1] < 0.002 * total) last -= 1;
  const sums = parts.slice(0, last + 1).map(([own, others]) => own + others);
  const most = Math.max(...sums) || 1;
  const y = (/** @type {number} */ value) => TOP + (BASE - TOP) * (1 - value / most);
  const band = (width - LEFT - RIGHT) / sums.length;
  const column = (/** @type {number} */ k) => {
    const [own, others] = parts[k];
    const bar = { x: LEFT + band * (k + 0.15), width: band * 0.7 };
    const g = s(
      "g",
      {},
      s("rect", { x: LEFT + band * k, width: band, y: TOP, height: BASE - TOP, fill: "transparent" }),
      s("rect", { ...bar, y: y(own), height: BASE - y(own), style: { fill: "var(--down)" } }),
      s("rect", { ...bar, y: y(own + others), height: BASE - y(others), style: { fill: "var(--up)" } }),
    );
    if (k % Math.ceil(17 / band) === 0) g.append(tick(LEFT + band * (k + 0.5), BASE + 14, String(k)));
    const share = num((100 * sums[k]) / total, 2);
    const says =
      k === 1
        ? say(words.one, { own: num(own), others: num(others) })
        : say(words.tip, { k, value: num(sums[k]), share });
    return telling(g, tell, () => says);
  };
  return s(
    "svg",
    {
      width,
      height: HEIGHT,
      role: "img",
      "aria-label": say(words.label, { list: sums.map((value) => num(value, 2)).join(", ") }),
    },
    ...[0, most / 2, most].flatMap((value) => [
      s("line", { x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value), class: "saew-grid" }),
      tick(LEFT - 5, y(value) + 4, num(value, 2), "end"),
    ]),
    ...sums.map((_, k) => column(k)),
    tick(LEFT + (width - LEFT - RIGHT) / 2, HEIGHT - 4, words.active),
  );
}
