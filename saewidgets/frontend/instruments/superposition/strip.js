// Feature dimensionality of several models side by side; the dashed lines are the shares of a dimension in known
// polytopes.

import { tick } from "../../shared/axes.js";
import { s } from "../../shared/elements.js";
import { num } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { featureColor } from "./colors.js";
import { telling } from "./drawing.js";
import { measures } from "./math.js";

/** @import { Scene } from "./math.js" */
/** @typedef {{ label: string, tip: string }} Words */
/** @typedef {{ tell: (words: string) => void, choose: (model: number) => void }} Heard */

const [LEFT, RIGHT, TOP, BOTTOM, HEIGHT] = [28, 30, 10, 24, 214];
export const HIGHEST = 1.08;
/** @type {[share: number, label: string, down: number, kind: string][]} */
export const FRACTIONS = [
  [1, "1", 4, "single"],
  [3 / 4, "3/4", 3, "tetrahedron"],
  [2 / 3, "2/3", 8, "triangle"],
  [1 / 2, "1/2", 4, "digon"],
  [2 / 5, "2/5", 3, "pentagon"],
  [3 / 8, "3/8", 11, "square antiprism"],
];
const y = (/** @type {number} */ value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - Math.min(HIGHEST, value) / HIGHEST);

/**
 * @param {Scene} scene
 * @param {number} width
 * @param {Words} words
 * @param {Heard} heard
 */
export function stripPicture(scene, width, words, heard) {
  const band = (width - LEFT - RIGHT) / scene.all.length;
  const middle = (/** @type {number[]} */ list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
  const medians = scene.all.map((one) => num(middle(measures(one).dimensionality), 2));
  const line = { x1: LEFT, x2: width - RIGHT };
  return s(
    "svg",
    { width, height: HEIGHT, role: "img", "aria-label": say(words.label, { list: medians.join(", ") }) },
    ...FRACTIONS.flatMap(([value, label, down]) => [
      s("line", { ...line, y1: y(value), y2: y(value), class: "saew-fraction" }),
      s("text", { x: width - RIGHT + 5, y: y(value) + down, class: "saew-tick" }, label),
    ]),
    ...[0, 0.5, 1].map((value) => tick(LEFT - 6, y(value) + 4, String(value), "end")),
    s("line", { ...line, y1: y(0), y2: y(0), class: "saew-axis" }),
    ...scene.all.map((_, j) => column(scene, j, LEFT + band * (j + 0.5), band, words, heard)),
  );
}

/**
 * One model.
 *
 * @param {Scene} scene
 * @param {number} j
 * @param {number} middle
 * @param {number} band
 * @param {Words} words
 * @param {Heard} heard
 */
function column({ all, data, chosen, marked }, j, middle, band, words, { tell, choose }) {
  const { dimensionality, perFeature } = measures(all[j]);
  const n = dimensionality.length;
  const g = s("g", { class: j === chosen ? "saew-strip-column saew-chosen" : "saew-strip-column" });
  const back = { x: middle - band / 2 + 1, width: band - 2, y: TOP - 4, height: HEIGHT - TOP - BOTTOM + 8 };
  g.append(s("rect", { ...back, class: "saew-strip-back" }));
  if (perFeature <= HIGHEST) {
    const ends = { x1: middle - band * 0.42, x2: middle + band * 0.42 };
    g.append(s("line", { ...ends, y1: y(perFeature), y2: y(perFeature), class: "saew-star" }));
  }
  for (const [i, value] of dimensionality.entries()) {
    const dot = s("circle", {
      cx: middle + (n > 1 ? (i / (n - 1) - 0.5) * band * 0.6 : 0),
      cy: y(value),
      r: (n > 24 || band < 24 ? 2.2 : 3.4) + (i === marked ? 1.4 : 0),
      class: i === marked ? "saew-strip-dot saew-halo" : "saew-strip-dot",
      style: { "--c": featureColor(i, all[j]) },
    });
    g.append(telling(dot, tell, () => say(words.tip, { i, model: data.labels[j], value: num(value) })));
  }
  const label = all.length > 4 ? data.labels[j].replace(/^0\./, ".") : data.labels[j];
  const every = Math.ceil((6.5 * Math.max(...data.labels.map((text) => text.length))) / band); // none over its neighbor
  if (j % every === 0) g.append(tick(middle, HEIGHT - 8, label));
  g.addEventListener("click", () => choose(j));
  return g;
}
