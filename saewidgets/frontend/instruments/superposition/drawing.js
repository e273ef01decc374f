// What several pictures of toy models draw alike.

import { h, s } from "../../shared/elements.js";

/**
 * Makes `el` say what it is while the pointer is on it.
 *
 * @template {Element} E
 * @param {E} el
 * @param {(words: string) => void} tell
 * @param {() => string} says
 */
export function telling(el, tell, says) {
  el.addEventListener("pointerenter", () => tell(says()));
  el.addEventListener("pointerleave", () => tell(""));
  return el;
}

/**
 * A ring around a feature that is marked or pointed at.
 *
 * @param {ArrayLike<number>} spot x and y on the picture
 */
export const halo = (spot, r = 6) => s("circle", { cx: spot[0], cy: spot[1], r, class: "saew-halo" });

/** A color of a legend, and what it stands for. @param {string} background @param {string} text */
export const swatch = (background, text) =>
  h("span", { class: "saew-swatch-words" }, h("span", { class: "saew-shade", style: { background } }), text);
