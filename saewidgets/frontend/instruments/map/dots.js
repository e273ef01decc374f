// The lower canvas: the shade, the points, the links between sizes, and the names.

import { drawNames, drawRegions } from "./names.js";
import { faded } from "./regions.js";
import { crowding, mapShade } from "./shade.js";
import { mapSprites } from "./sprites.js";

/** @import { Scene } from "./scene.js" */

const NAMED_POINTS = 70; // as many or fewer in view have their names written beside them
const FAINT = 0.1; // opacity of a point that is not asked for
const LIT_RADIUS = 3.2; // px, the least of one that is
const FAR = [1.5, 6]; // zoom between which points without a color come forward from their shade

/** @typedef {CanvasRenderingContext2D} Pen */

/**
 * @param {Scene} scene
 * @param {(i: number) => boolean} shown
 * @param {(name: string) => string} color of a property of the style sheet
 */
export function mapDots(scene, shown, color) {
  const { points, look, view } = scene;
  const shade = mapShade();
  const sprites = mapSprites(color);

  /** Draws the points; gives those that are lit and in view, [point, x, y] in px, up to one more than have names. */
  const drawPoints = (/** @type {Pen} */ pen, /** @type {number} */ ratio) => {
    const [k, ox, oy] = [view.unit() * ratio, view.right(0) * ratio, view.down(0) * ratio];
    const margin = 12 * ratio;
    const grow = view.grown();
    const asked = look.asked();
    const back = 0.6 + 0.3 * faded(view.at.zoom, FAR);
    /** @type {[number, number, number][]} */
    const seen = [];
    let was = -1;
    for (const i of look.order) {
      if (!shown(i)) continue;
      const px = ox + points.x[i] * k;
      const py = oy - points.y[i] * k;
      if (px < -margin || py < -margin || px > pen.canvas.width + margin || py > pen.canvas.height + margin) continue;
      const lit = look.bright[i] === 1;
      const radius = asked && lit ? Math.max(LIT_RADIUS, 1.4 * look.radius[i]) : look.radius[i];
      const alpha = !lit ? FAINT : look.recedes[i] && !asked ? back : 0.95;
      if (alpha !== was) pen.globalAlpha = alpha;
      was = alpha;
      const dot = sprites.get(look.ink[i], radius * grow, ratio);
      pen.drawImage(dot, Math.round(px - dot.width / 2), Math.round(py - dot.height / 2));
      if (lit && seen.length <= NAMED_POINTS) seen.push([i, px / ratio, py / ratio]);
    }
    pen.globalAlpha = 1;
    return seen;
  };

  const drawShade = (/** @type {Pen} */ pen, /** @type {number} */ ratio) => {
    const where = {
      left: view.right(0) * ratio,
      top: view.down(0) * ratio,
      unit: view.unit() * ratio,
      alpha: 1 - 0.75 * faded(view.at.zoom, FAR),
    };
    const taken = (/** @type {number} */ i) => shown(i) && (look.recedes[i] === 1 || look.bright[i] === 0);
    const grid = () => crowding(points, taken);
    shade.draw(pen, where, grid, () => color("--solid"));
  };

  return {
    /** The colors, the size or the resolution have changed. */
    reset() {
      sprites.clear();
      shade.reset();
    },
    /** Which points recede has changed. */
    resettle: shade.reset,
    draw(/** @type {Pen} */ pen, /** @type {number} */ ratio) {
      pen.setTransform(1, 0, 0, 1, 0, 0);
      pen.clearRect(0, 0, pen.canvas.width, pen.canvas.height);
      drawShade(pen, ratio);
      if (scene.links === "all") {
        pen.setTransform(ratio, 0, 0, ratio, 0, 0);
        drawLinks(pen, scene, shown, color);
        pen.setTransform(1, 0, 0, 1, 0, 0);
      }
      const seen = drawPoints(pen, ratio);
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      drawRegions(pen, scene, color);
      if (seen.length <= NAMED_POINTS) drawNames(pen, points, seen, color);
    },
  };
}

/**
 * All links between sizes.
 *
 * @param {Pen} pen in px
 * @param {Scene} scene
 * @param {(i: number) => boolean} shown
 * @param {(name: string) => string} color of a property of the style sheet
 */
function drawLinks(pen, { points, view }, shown, color) {
  pen.strokeStyle = color("--ink");
  pen.lineWidth = 0.7;
  pen.beginPath();
  for (const [l, a] of points.parent.entries()) {
    const b = points.child[l];
    if (!shown(a) || !shown(b)) continue;
    pen.moveTo(view.right(points.x[a]), view.down(points.y[a]));
    pen.lineTo(view.right(points.x[b]), view.down(points.y[b]));
  }
  pen.globalAlpha = 0.22;
  pen.stroke();
  pen.globalAlpha = 1;
}
