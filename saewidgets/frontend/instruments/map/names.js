// The names on the lower canvas: of the parts of the map, and of points where few are in view.

import { nameOfPoint } from "./points.js";
import { placedNames } from "./regions.js";

/** @import { Points } from "./points.js" */
/** @import { Scene } from "./scene.js" */
/** @typedef {CanvasRenderingContext2D} Pen */
/** @typedef {(name: string) => string} Color of a property of the style sheet */

const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif";
const FAINT = 0.74; // opacity of the name of a part
const BEHIND = 0.4; // of that, while the legend or a search asks for something

/** @param {Pen} pen @param {Color} color @param {number} width px */
function halo(pen, color, width) {
  pen.textBaseline = "middle";
  pen.lineWidth = width;
  pen.lineJoin = "round";
  pen.strokeStyle = color("--card");
  pen.fillStyle = color("--ink");
}

/**
 * The names of the parts.
 *
 * @param {Pen} pen in px
 * @param {Scene} scene
 * @param {Color} color
 */
export function drawRegions(pen, { points, look, view }, color) {
  const { right, down, at, box } = view;
  const font = (/** @type {number} */ size) => {
    pen.font = `600 ${size}px ${FONT}`;
  };
  const widthOf = (/** @type {string} */ name, /** @type {number} */ size) => {
    font(size);
    return pen.measureText(name).width;
  };
  const free = { right, down, zoom: at.zoom, width: box.width - box.inset, height: box.height };
  halo(pen, color, 4);
  pen.textAlign = "center";
  for (const { name, x, y, alpha, size } of placedNames(points.regions, free, widthOf)) {
    font(size);
    pen.globalAlpha = FAINT * alpha * (look.asked() ? BEHIND : 1);
    pen.strokeText(name, x, y);
    pen.fillText(name, x, y);
  }
  pen.globalAlpha = 1;
  pen.textAlign = "start";
}

/**
 * The names of points, each beside its point where there is room.
 *
 * @param {Pen} pen in px
 * @param {Points} points
 * @param {[i: number, x: number, y: number][]} seen
 * @param {Color} color
 */
export function drawNames(pen, points, seen, color) {
  pen.font = `11.5px ${FONT}`;
  halo(pen, color, 3);
  /** @type {number[][]} */
  const taken = [];
  for (const [i, x, y] of seen) {
    const name = nameOfPoint(points, i, 22);
    const box = [x + 8, y - 7, x + 10 + pen.measureText(name).width, y + 7];
    if (taken.some(([a, b, c, d]) => box[0] < c && a < box[2] && box[1] < d && b < box[3])) continue;
    taken.push(box);
    pen.strokeText(name, box[0], y);
    pen.fillText(name, box[0], y);
  }
}
