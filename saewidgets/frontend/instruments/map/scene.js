// What is drawn now: the points, how they look, which part is seen, and what is selected.

/** @import { Look } from "./look.js" */
/** @import { Points } from "./points.js" */
/** @import { View } from "./view.js" */

/**
 * @typedef {{ points: Points, look: Look, view: View, shown: Set<number>, links: "selected" | "all" | "none",
 *   selected: number, hover: number, chosen: number[], lasso: number[][] | null }} Scene `shown` are the SAEs that are
 *   drawn, `selected` and `hover` points or -1, `lasso` px
 */

/**
 * @param {Points} points
 * @param {Look} look
 * @param {View} view
 */
export function mapScene(points, look, view) {
  /** @type {Scene} */
  const scene = {
    points,
    look,
    view,
    shown: new Set(),
    links: "selected",
    selected: -1,
    hover: -1,
    chosen: [],
    lasso: null,
  };
  const shown = (/** @type {number} */ i) => scene.shown.has(points.sae[i]);
  return { scene, shown, allowed: (/** @type {number} */ i) => shown(i) && look.bright[i] === 1 };
}
