// The names of the map's parts: which of them are seen at a zoom, how faint they are, and where they stand. No drawing.

/** @import { Region } from "./points.js" */

export const AT_ONCE = 14; // names of the whole map; the others come with the zoom
const COMES = [1.25, 2.2]; // zoom between which the others fade in
const GOES = [7, 14]; // zoom between which all fade out: single points have names by then
const APART = 6; // px between two names

/**
 * 0 below `from`, 1 above `to`, evenly between.
 *
 * @param {number} v
 * @param {number[]} between
 */
export const faded = (v, [from, to]) => Math.max(0, Math.min(1, (v - from) / (to - from)));

/**
 * How much of its strength the name of this rank has at a zoom, 0 to 1.
 *
 * @param {number} rank 0 for the best named part
 * @param {number} zoom
 */
export function strength(rank, zoom) {
  return (rank < AT_ONCE ? 1 : faded(zoom, COMES)) * (1 - faded(zoom, GOES));
}

/**
 * @typedef {{ name: string, x: number, y: number, alpha: number, size: number }} Placed the middle of a name in px, its
 *   opacity and the size of its type in px
 */

/**
 * The names that are drawn, so that none covers another, leaves the picture, or lies below what covers the right edge.
 * Better named parts come first.
 *
 * @param {Region[]} regions
 * @param {{ right: (x: number) => number, down: (y: number) => number, zoom: number, width: number, height: number }}
 *   view `width` and `height` of what is free, px
 * @param {(name: string, size: number) => number} widthOf a name in px
 * @returns {Placed[]}
 */
export function placedNames(regions, { right, down, zoom, width, height }, widthOf) {
  const most = regions.reduce((n, region) => Math.max(n, region[3]), 1);
  /** @type {number[][]} */
  const taken = [];
  const placed = [];
  for (const [rank, [name, rx, ry, n]] of regions.entries()) {
    const alpha = strength(rank, zoom);
    if (alpha <= 0) continue;
    const size = Math.round(12 + 4 * Math.sqrt(n / most));
    const half = widthOf(name, size) / 2;
    const [x0, y] = [right(rx), down(ry)];
    if (x0 < 0 || x0 > width || y < size || y > height - size || 2 * half > width - 8) continue;
    const x = Math.max(half + 4, Math.min(width - half - 4, x0));
    const box = [x - half - APART, y - size / 2 - APART / 2, x + half + APART, y + size / 2 + APART / 2];
    if (taken.some(([a, b, c, d]) => box[0] < c && a < box[2] && box[1] < d && b < box[3])) continue;
    taken.push(box);
    placed.push({ name, x, y, alpha, size });
  }
  return placed;
}
