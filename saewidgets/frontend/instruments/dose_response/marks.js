// The marks of the kinds: they differ in shape, not in color alone.

import { s } from "../../shared/elements.js";

/** @import { Kind } from "./sweep.js" */

const star = Array.from({ length: 10 }, (_, i) => {
  const long = i % 2 ? 0.6 : 1.4;
  return [long * Math.sin((i * Math.PI) / 5), -long * Math.cos((i * Math.PI) / 5)];
});
/** @type {Record<string, number[][]>} corners, in radii of the mark */
const CORNERS = {
  square: [
    [-0.9, -0.9],
    [0.9, -0.9],
    [0.9, 0.9],
    [-0.9, 0.9],
  ],
  diamond: [
    [0, -1.3],
    [1.3, 0],
    [0, 1.3],
    [-1.3, 0],
  ],
  "triangle-up": [
    [0, -1.2],
    [1.2, 1],
    [-1.2, 1],
  ],
  x: [
    [-1.2, -0.7],
    [-0.7, -1.2],
    [0, -0.5],
    [0.7, -1.2],
    [1.2, -0.7],
    [0.5, 0],
    [1.2, 0.7],
    [0.7, 1.2],
    [0, 0.5],
    [-0.7, 1.2],
    [-1.2, 0.7],
    [-0.5, 0],
  ],
  star,
  "line-ew": [
    [-1.3, -0.35],
    [1.3, -0.35],
    [1.3, 0.35],
    [-1.3, 0.35],
  ],
};

/**
 * The outline of a mark around (x, y), as the path of an SVG; a circle where the symbol has no corners.
 *
 * @param {string} symbol Plotly's name
 * @param {number} x px
 * @param {number} y px
 * @param {number} r px
 */
export function markPath(symbol, x, y, r) {
  const corners = CORNERS[symbol];
  if (!corners) return `M${x - r},${y}a${r},${r} 0 1 0 ${2 * r},0a${r},${r} 0 1 0 ${-2 * r},0Z`;
  return `M${corners.map(([a, b]) => `${(x + r * a).toFixed(1)},${(y + r * b).toFixed(1)}`).join("L")}Z`;
}

/**
 * The mark of a kind, beside its name.
 *
 * @param {Kind} kind
 */
export function swatch({ symbol, color }) {
  const mark = s("path", { class: "saew-dose-mark", d: markPath(symbol, 8, 6, 5), style: { "--c": `var(${color})` } });
  return s("svg", { width: 16, height: 12, "aria-hidden": "true" }, mark);
}
