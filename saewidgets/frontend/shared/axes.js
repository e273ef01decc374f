// Texts on the axes of small charts.

import { s } from "./elements.js";

/**
 * A text on an axis.
 *
 * @param {number} x px
 * @param {number} y px
 * @param {string} text
 * @param {"start" | "middle" | "end"} anchor
 */
export function tick(x, y, text, anchor = "middle") {
  return s("text", { x, y, class: "saew-tick", "text-anchor": anchor }, text);
}
