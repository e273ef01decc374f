// Two canvases, the points below, and above them what changes with the pointer; and when they are drawn anew.

import { h } from "../../shared/elements.js";
import { mapDots } from "./dots.js";
import { drawRings } from "./rings.js";

/** @import { Scene } from "./scene.js" */

const QUICK = 9; // ms: what takes longer to draw is not drawn in every frame of a movement
const REST = 90; // ms without a movement after which it is drawn anew

/**
 * `host` takes the canvases.
 *
 * @param {HTMLElement} host
 * @param {Scene} scene
 * @param {(i: number) => boolean} shown
 */
export function mapCanvas(host, scene, shown) {
  const { view } = scene;
  const below = h("canvas", { class: "saew-map-points", "aria-hidden": "true" });
  const above = h("canvas", { class: "saew-map-picture" });
  host.append(below, above);
  const color = (/** @type {string} */ name) => getComputedStyle(host).getPropertyValue(name).trim();
  const dots = mapDots(scene, shown, color);
  let ratio = 1;
  let asked = 0;
  let both = false;
  let cost = 0; // ms of the last drawing of the points
  let seen = { ...view.at }; // the view of that drawing
  let pause = 0;

  const frame = () => {
    asked = 0;
    const [low, high] = [below.getContext("2d"), above.getContext("2d")];
    if (!low || !high) return;
    if (both) {
      const begun = performance.now();
      dots.draw(low, ratio);
      below.style.removeProperty("transform");
      seen = { ...view.at };
      cost = performance.now() - begun;
    }
    both = false;
    high.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawRings(high, scene, shown, color);
  };
  /** Draw anew at the next frame; `points`: the lower canvas too. */
  const draw = (points = true) => {
    both = both || points;
    if (!asked) asked = requestAnimationFrame(frame);
  };
  return {
    above,
    draw,
    /** The view has moved. On a slow machine the last drawing is moved along and drawn sharply when the hand rests. */
    moved() {
      clearTimeout(pause);
      if (cost < QUICK) return draw();
      const by = view.at.zoom / seen.zoom;
      const [mx, my] = [(view.box.width - view.box.inset) / 2, view.box.height / 2];
      const left = (1 - by) * mx + (seen.x - view.at.x) * view.unit();
      const top = (1 - by) * my + (view.at.y - seen.y) * view.unit();
      below.style.setProperty("transform", `translate(${left}px, ${top}px) scale(${by})`);
      pause = Number(setTimeout(draw, REST));
      return draw(false);
    },
    /** The size in px, of which `inset` at the right edge is covered. */
    size(/** @type {number} */ width, /** @type {number} */ height, /** @type {number} */ inset) {
      Object.assign(view.box, { width, height, inset });
      ratio = Math.min(2, window.devicePixelRatio || 1);
      for (const canvas of [below, above]) fit(canvas, width, height, ratio);
      host.style.setProperty("height", `${height}px`);
      dots.reset();
      if (asked) cancelAnimationFrame(asked);
      both = true;
      frame();
    },
    /** The colors have changed. */
    repaint() {
      dots.reset();
      draw();
    },
    /** Which points are lit or shown has changed. */
    relight() {
      dots.resettle();
      draw();
    },
    stop() {
      cancelAnimationFrame(asked);
      clearTimeout(pause);
    },
  };
}

/** @param {HTMLCanvasElement} canvas @param {number} width px @param {number} height px @param {number} ratio */
function fit(canvas, width, height, ratio) {
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.setProperty("width", `${width}px`);
  canvas.style.setProperty("height", `${height}px`);
}
