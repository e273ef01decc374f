// Features that are chosen in a picture: by mouse the nearest one, by keys one after the other.

import { isShortcut } from "../../shared/keys.js";
/** @import { Scene } from "./math.js" */
/** @import { Room } from "./views.js" */
/** @import { Spot } from "./layout.js" */

const NEAR = 16; // px

/**
 * The features that are pointed at; where there are none, the one that is marked.
 *
 * @param {number[]} features
 * @param {Scene | null} scene
 */
export const orMarked = (features, scene) =>
  features.length || !scene || scene.marked === null ? features : [scene.marked];

/**
 * Makes `el` a slider over features, and what is under the mouse the feature that is pointed at. `order` are the
 * features as the keys go, `spots` the place of each in the picture, in px of it.
 *
 * @param {HTMLElement} el
 * @param {string} name what the picture is called for those who do not see it
 * @param {Room} room
 * @param {(feature: number) => string} says what is told of a feature
 */
export function picking(el, name, room, says) {
  /** @type {{ order: number[], spots: Spot[], marked: number | null, svg: SVGSVGElement | null }} */
  let now = { order: [], spots: [], marked: null, svg: null };
  let at = -1;
  let down = [0, 0]; // where a press began: what is dragged is not chosen
  const attributes = { role: "slider", tabindex: 0, "aria-label": name, "aria-valuemin": 0 };
  for (const [key, value] of Object.entries(attributes)) el.setAttribute(key, String(value));
  el.classList.add("saew-pick-feature");
  const point = (/** @type {number} */ feature) => {
    at = feature;
    room.point(at < 0 ? [] : [at]);
    room.tell(at < 0 ? "" : says(at));
    state();
  };
  const state = () => {
    const shown = at >= 0 ? at : now.marked;
    el.setAttribute("aria-valuemax", String(Math.max(0, now.spots.length - 1)));
    el.setAttribute("aria-valuenow", String(shown ?? 0));
    el.setAttribute("aria-valuetext", shown === null ? room.words.pick.none : says(shown));
  };
  const nearest = (/** @type {PointerEvent | MouseEvent} */ event) => {
    const box = now.svg?.getBoundingClientRect();
    if (!box) return -1;
    const zoom = box.width / (now.svg?.viewBox.baseVal?.width || box.width);
    const far = now.spots.map(([x, y]) =>
      Math.hypot(event.clientX - box.left - x * zoom, event.clientY - box.top - y * zoom),
    );
    const least = far.length ? Math.min(...far) : NEAR;
    return least < NEAR ? far.indexOf(least) : -1;
  };
  el.addEventListener("pointermove", (event) => {
    const feature = nearest(event);
    if (feature !== at) point(feature);
  });
  el.addEventListener("pointerleave", () => point(-1));
  el.addEventListener("blur", () => point(-1));
  el.addEventListener("pointerdown", ({ clientX, clientY }) => (down = [clientX, clientY]));
  el.addEventListener("click", (event) => {
    const feature = nearest(event);
    if (feature >= 0 && Math.hypot(event.clientX - down[0], event.clientY - down[1]) < 4)
      room.put("marked", feature === now.marked ? null : feature);
  });
  /** @param {KeyboardEvent} event */
  const keys = (event) => {
    const { order, marked } = now;
    if (event.target !== el || isShortcut(event)) return false;
    const here = order.indexOf(at >= 0 ? at : (marked ?? -1));
    const last = order.length - 1;
    const to = {
      ArrowRight: here + 1,
      ArrowDown: here + 1,
      ArrowLeft: here - 1,
      ArrowUp: here - 1,
      Home: 0,
      End: last,
    };
    if (event.key in to && last >= 0)
      point(order[Math.max(0, Math.min(last, to[/** @type {keyof typeof to} */ (event.key)]))]);
    else if ((event.key === "Enter" || event.key === " ") && at >= 0) room.put("marked", at === marked ? null : at);
    else if (event.key === "Escape" && marked !== null) room.put("marked", null);
    else return false;
    event.preventDefault();
    return true;
  };
  /**
   * @param {Scene} scene
   * @param {number[]} order
   * @param {Spot[]} spots
   * @param {SVGSVGElement} svg
   */
  const update = ({ marked }, order, spots, svg) => {
    now = { order, spots, marked, svg };
    if (at >= spots.length) at = -1;
    state();
  };
  return { keys, update };
}
