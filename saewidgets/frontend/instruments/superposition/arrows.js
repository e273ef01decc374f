// The directions of a model's features as arrows, in one, two or three hidden dimensions.

import { s } from "../../shared/elements.js";
import { say } from "../../shared/words.js";
import { featureColor } from "./colors.js";
import { halo } from "./drawing.js";
import { direction, measures, rotation } from "./math.js";

/** @import { Toy } from "./math.js" */
/** @typedef {number[]} Place x and y on the picture, and how near it is */
/** @typedef {{ reach: number, turn: { yaw: number, pitch: number }, big: boolean, marked?: number | null }} Look */

const BOX = 200; // viewBox of the arrows, px
const CENTER = BOX / 2;
export const LABELED = 12; // with more features the arrows carry no numbers
const UNITS = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];

/**
 * `turn` is how a space is looked at, `reach` the length that fills the picture.
 *
 * @param {Toy} model
 * @param {Look} look
 * @param {{ arrows: string, none: string }} words
 */
export function arrowPicture(model, look, words) {
  const { m, n } = model;
  const { norms } = measures(model);
  const place = placing(model, look);
  const seen = Array.from({ length: n }, (_, i) => i).filter((i) => norms[i] > 0.5);
  const svg = s(
    "svg",
    {
      viewBox: `0 0 ${BOX} ${BOX}`,
      class: "saew-arrows",
      role: "img",
      "aria-label": say(words.arrows, { n, m, list: seen.join(", ") || words.none }),
    },
    ...ground(m, (CENTER - 14) / look.reach, place),
  );
  const tips = Array.from({ length: n }, (_, i) => place(direction(model, i), i));
  // A space is easier to see with the edges of its polytope: lines between the nearest tips.
  if (m === 3) for (const [i, j] of edges(model, seen)) svg.append(line(tips[i], tips[j], { class: "saew-edge" }));
  const order = tips.map((_, i) => i).sort((a, b) => tips[a][2] - tips[b][2]);
  for (const i of order) {
    const far = m === 3 ? 0.55 + 0.45 * Math.max(0, Math.min(1, (tips[i][2] / look.reach + 1) / 2)) : 1;
    const style = { "--c": featureColor(i, model), opacity: far.toFixed(2) };
    const from = [CENTER, m === 1 ? tips[i][1] : CENTER];
    const g = s("g", { class: "saew-feature", "data-feature": i, style });
    if (i === look.marked) g.append(halo(tips[i], 7));
    g.append(...arrow(from, tips[i], i, look.big, n <= (look.big ? LABELED : 8)));
    svg.append(g);
  }
  return svg;
}

/**
 * Where a vector of the hidden space lies on the picture. In one dimension features stand below each other.
 *
 * @param {Pick<Toy, "m" | "n">} model
 * @param {Look} look
 * @returns {(v: number[], i: number) => Place}
 */
export function placing({ m, n }, { reach, turn }) {
  const scale = (CENTER - 14) / reach;
  const around = rotation(turn.yaw, turn.pitch);
  const below = (/** @type {number} */ i) => (n > 1 ? (i / (n - 1) - 0.5) * Math.min(0.5 * BOX, 22 * (n - 1)) : 0);
  return (v, i) => {
    if (m === 1) return [CENTER + scale * v[0], CENTER + below(i), 0];
    if (m === 2) return [CENTER + scale * v[0], CENTER - scale * v[1], 0];
    const [x, y, z] = around.map((row) => row[0] * v[0] + row[1] * v[1] + row[2] * v[2]);
    return [CENTER + scale * x, CENTER - scale * y, z];
  };
}

/**
 * The unit circle and the axes.
 *
 * @param {number} m
 * @param {number} scale px per unit of length
 * @param {(v: number[], i: number) => Place} place
 */
export function ground(m, scale, place) {
  const grid = { class: "saew-grid" };
  if (m === 1) return [-1, 0, 1].map((at) => line([CENTER + scale * at, 26], [CENTER + scale * at, BOX - 26], grid));
  const circle = s("circle", { cx: CENTER, cy: CENTER, r: scale, class: "saew-unit" });
  if (m === 2) return [circle, line([0, CENTER], [BOX, CENTER], grid), line([CENTER, 0], [CENTER, BOX], grid)];
  return [
    circle,
    ...UNITS.map((axis) =>
      line(
        place(
          axis.map((x) => -x),
          0,
        ),
        place(axis, 0),
        grid,
      ),
    ),
  ];
}

/**
 * @param {Place} from
 * @param {Place} tip
 * @param {number} i
 * @param {boolean} big
 * @param {boolean} labeled
 */
function arrow(from, tip, i, big, labeled) {
  const [dx, dy] = [tip[0] - from[0], tip[1] - from[1]];
  const length = Math.hypot(dx, dy);
  const parts = [line(from, tip, { "stroke-width": big ? 2.2 : 3, class: "saew-shaft" }), head(tip, dx, dy, big)];
  if (!labeled || length <= 16) return parts;
  const push = (big ? 9 : 11) / length;
  const at = { x: (tip[0] + dx * push).toFixed(1), y: (tip[1] + dy * push + (big ? 3.5 : 4.5)).toFixed(1) };
  const look = big ? "saew-arrow-number" : "saew-arrow-number saew-small-number";
  return [...parts, s("text", { ...at, class: look, "text-anchor": "middle" }, String(i))];
}

/**
 * The head of an arrow; a dot where the arrow is too short for one.
 *
 * @param {Place} tip
 * @param {number} dx
 * @param {number} dy
 * @param {boolean} big
 */
function head(tip, dx, dy, big) {
  const length = Math.hypot(dx, dy);
  if (length <= 8) return s("circle", { cx: tip[0], cy: tip[1], r: big ? 2.4 : 3, class: "saew-head-of" });
  const [ux, uy] = [dx / length, dy / length];
  const k = big ? 8 : 10;
  const at = (/** @type {number} */ a, /** @type {number} */ b) =>
    `${(tip[0] - a * ux - b * uy).toFixed(2)},${(tip[1] - a * uy + b * ux).toFixed(2)}`;
  return s("path", { d: `M${at(-2, 0)}L${at(k, k / 2)}L${at(k, -k / 2)}Z`, class: "saew-head-of" });
}

/**
 * @param {Place} a
 * @param {Place} b
 * @param {Record<string, unknown>} attributes
 */
function line(a, b, attributes) {
  const ends = { x1: a[0].toFixed(2), y1: a[1].toFixed(2), x2: b[0].toFixed(2), y2: b[1].toFixed(2) };
  return s("line", { ...ends, ...attributes });
}

/**
 * Pairs of features whose tips are nearest neighbors, or nearly so.
 *
 * @param {Toy} model
 * @param {number[]} seen
 */
export function edges(model, seen) {
  const at = seen.map((i) => direction(model, i));
  const gap = at.map((a) => at.map((b) => Math.hypot(...a.map((x, k) => x - b[k]))));
  const pairs = new Set();
  for (let i = 0; i < seen.length; i += 1) {
    const nearest = Math.min(...gap[i].filter((_, j) => j !== i));
    for (let j = 0; j < seen.length; j += 1)
      if (j !== i && gap[i][j] < 1.25 * nearest) pairs.add([Math.min(i, j), Math.max(i, j)].join());
  }
  return [...pairs].map((pair) => pair.split(",").map((/** @type {string} */ k) => seen[Number(k)]));
}
