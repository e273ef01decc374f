// The chosen model, large: its directions as arrows, or its weights.

import { h } from "../../shared/elements.js";
import { isShortcut } from "../../shared/keys.js";
import { arrowPicture } from "./arrows.js";
import { asArrows, reachOf } from "./math.js";
import { weightsPicture } from "./matrices.js";

/** @import { Scene } from "./math.js" */
/** @import { Room, View } from "./views.js" */

const NUDGE = 0.12; // radians that a key turns a space
const DRAG = 90; // px of the mouse for one radian
/** @type {Record<string, [yaw: number, pitch: number]>} */
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @param {Room} room @returns {View} */
export function portraitView({ root, words: { portrait: words }, tell, turnBy }) {
  const title = h("h3", {});
  const note = h("p", { class: "saew-note" });
  const portrait = h("div", { class: "saew-portrait" });
  const el = h("div", { class: "saew-view" }, title, note, portrait);
  const keys = turning(portrait, turnBy, false);
  /** @param {Scene} scene */
  const update = ({ one, data, chosen, turn, marked }) => {
    const arrows = asArrows(data);
    const space = arrows && one.m === 3;
    title.textContent = arrows ? words.title : words.weights;
    note.textContent = arrows ? (space ? words.space : words.flat) : words.weightsNote;
    portrait.classList.toggle("saew-space", space);
    if (space) portrait.tabIndex = 0;
    else portrait.removeAttribute("tabindex");
    portrait.replaceChildren(
      arrows
        ? arrowPicture(one, { reach: 1.12 * reachOf(data, chosen), turn, big: true, marked }, words)
        : weightsPicture(root, one, data, { tell }),
    );
  };
  return { el, update, keys };
}

/**
 * A space that is turned by dragging it; what is returned turns it by the arrow keys.
 *
 * @param {HTMLElement} el
 * @param {(yaw: number, pitch: number) => void} turnBy
 * @param {boolean} shift whether Shift must be held, since the keys alone do something else there
 * @returns {(event: KeyboardEvent) => boolean}
 */
export function turning(el, turnBy, shift) {
  /** @type {[x: number, y: number] | null} */
  let from = null;
  el.addEventListener("pointerdown", (event) => {
    from = [event.clientX, event.clientY];
    el.setPointerCapture(event.pointerId);
  });
  el.addEventListener("pointermove", (event) => {
    if (!from || !el.hasPointerCapture(event.pointerId)) return;
    turnBy((event.clientX - from[0]) / DRAG, (event.clientY - from[1]) / DRAG);
    from = [event.clientX, event.clientY];
  });
  return (event) => {
    if (event.target !== el || !(event.key in KEYS) || isShortcut(event)) return false;
    if (shift && !event.shiftKey) return false;
    event.preventDefault();
    const [yaw, pitch] = KEYS[event.key];
    turnBy(yaw * NUDGE, pitch * NUDGE);
    return true;
  };
}
