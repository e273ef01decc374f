// The mouse and the finger on the picture: what a click and a drag mean, and when the wheel belongs to the map.

import { h } from "../../shared/elements.js";

const FIRM = 4; // px that a hand may shake and still click
const NOTCH = 0.0022; // logarithm of the zoom per px of the wheel
const PINCH = 0.011; // of two fingers on a touch pad, which send small steps
const HINT = 1800; // ms that a wheel without a click is answered with a hint

/** @typedef {"pan" | "lasso" | "box"} Tool */
/** @typedef {{ x: number, y: number, lastX: number, lastY: number, moved: boolean, tool: Tool }} Held */
/** @typedef {(x: number, y: number) => void} At a place in px, or a way */
/**
 * @typedef {{ tool: () => Tool, hover: At, leave: () => void, click: At, pan: At,
 *   zoom: (factor: number, x: number, y: number) => void, lasso: (line: number[][]) => void,
 *   lassoed: (line: number[][] | null) => void, whole: () => boolean }} Asks `whole` says whether all is seen already
 */

/** @param {HTMLElement} picture @param {PointerEvent | WheelEvent} event @returns {[number, number]} */
function placeOf(picture, event) {
  const box = picture.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

/**
 * What one finger or the mouse does while it is down.
 *
 * @param {Asks} asks
 */
function drags(asks) {
  /** @type {Held | null} */
  let held = null;
  /** @type {number[][] | null} */
  let line = null;
  const drop = () => {
    held = null;
    line = null;
  };
  return {
    drop,
    down(/** @type {number} */ x, /** @type {number} */ y, /** @type {Tool} */ tool) {
      held = { x, y, lastX: x, lastY: y, moved: false, tool };
    },
    move(/** @type {number} */ x, /** @type {number} */ y) {
      if (!held || (!held.moved && Math.hypot(x - held.x, y - held.y) < FIRM)) return;
      held.moved = true;
      const { x: x0, y: y0, lastX, lastY, tool } = held;
      const corners = [
        [x0, y0],
        [x, y0],
        [x, y],
        [x0, y],
      ];
      if (tool === "pan") asks.pan(x - lastX, y - lastY);
      else {
        line = tool === "box" ? corners : [...(line ?? [[x0, y0]]), [x, y]];
        asks.lasso(line);
      }
      Object.assign(held, { lastX: x, lastY: y });
    },
    up(/** @type {number} */ x, /** @type {number} */ y) {
      const [was, drawn] = [held, line];
      drop();
      if (was?.moved) asks.lassoed(drawn);
      else if (was) asks.click(x, y);
    },
  };
}

/**
 * Two fingers: how far they have moved and spread.
 *
 * @param {Map<number, [number, number]>} fingers
 * @param {Asks} asks
 * @param {number} id of the one that moves
 * @param {[number, number]} to
 */
function pinch(fingers, asks, id, to) {
  const spread = () => {
    const [[ax, ay], [bx, by]] = [...fingers.values()];
    return { apart: Math.hypot(ax - bx, ay - by), x: (ax + bx) / 2, y: (ay + by) / 2 };
  };
  const before = spread();
  fingers.set(id, to);
  const now = spread();
  if (before.apart > 0) asks.zoom(now.apart / before.apart, now.x, now.y);
  asks.pan(now.x - before.x, now.y - before.y);
}

/** By how much a turn of the wheel zooms. */
function factorOf(/** @type {WheelEvent} */ event) {
  const turned = Math.max(-120, Math.min(120, event.deltaY * (event.deltaMode ? 30 : 1)));
  return Math.exp(-turned * (event.ctrlKey && Math.abs(turned) < 40 ? PINCH : NOTCH));
}

/**
 * The wheel is the page's until the picture was clicked, and again when the pointer has left; with Ctrl, Cmd or two
 * fingers it zooms at once.
 *
 * @param {HTMLElement} picture
 * @param {string} hint
 * @param {Asks} asks
 */
export function mapPointer(picture, hint, asks) {
  const el = h("p", { class: "saew-map-hint", "aria-hidden": "true", hidden: true }, hint);
  /** @type {Map<number, [number, number]>} */
  const fingers = new Map();
  const drag = drags(asks);
  let entered = false; // clicked, and not left since
  let timer = 0;

  const enter = (/** @type {boolean} */ now) => {
    entered = now;
    picture.classList.toggle("saew-map-entered", now);
    if (now) el.hidden = true;
  };
  const tell = () => {
    el.hidden = false;
    clearTimeout(timer);
    timer = Number(setTimeout(() => (el.hidden = true), HINT));
  };
  picture.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    picture.focus({ preventScroll: true });
    enter(true);
    picture.setPointerCapture(event.pointerId);
    const [x, y] = placeOf(picture, event);
    fingers.set(event.pointerId, [x, y]);
    asks.leave();
    if (fingers.size > 1) drag.drop();
    else drag.down(x, y, event.shiftKey ? "lasso" : asks.tool());
  });
  picture.addEventListener("pointermove", (event) => {
    const to = placeOf(picture, event);
    if (fingers.size === 2 && fingers.has(event.pointerId)) pinch(fingers, asks, event.pointerId, to);
    else if (fingers.size) drag.move(...to);
    else asks.hover(...to);
  });
  picture.addEventListener("pointerup", (event) => {
    fingers.delete(event.pointerId);
    drag.up(...placeOf(picture, event));
  });
  picture.addEventListener("pointercancel", (event) => {
    fingers.delete(event.pointerId);
    drag.drop();
    asks.lassoed(null);
  });
  picture.addEventListener("pointerleave", (event) => {
    asks.leave();
    if (event.pointerType === "mouse") enter(false);
  });
  picture.addEventListener("blur", () => enter(false));
  const wheel = (/** @type {WheelEvent} */ event) => {
    const meant = event.ctrlKey || event.metaKey; // a pinch on a touch pad comes with ctrlKey
    const factor = factorOf(event);
    if (!meant && !entered) return tell();
    if (!meant && factor < 1 && asks.whole()) return undefined; // nothing left to zoom out of: the page scrolls on
    event.preventDefault();
    asks.leave();
    return asks.zoom(factor, ...placeOf(picture, event));
  };
  picture.addEventListener("wheel", wheel, { passive: false });
  return { el, stop: () => clearTimeout(timer) };
}
