// A passage as it is read: running text, the tokens that are asked about in a frame.

import { pieces } from "../../shared/bytes.js";
import { h } from "../../shared/elements.js";
import { chip } from "../../shared/tokens.js";

/** @import { Passage, Pooled } from "./state.js" */

/**
 * The tokens of a passage. A screen reader hears « and » where the frames are.
 *
 * @param {Passage} passage
 * @param {Pooled[]} pool
 */
export function passageText([tokens, marked], pool) {
  const framed = new Set(marked);
  return pieces(tokens.map((place) => pool[place][1])).map((piece, i) => {
    if (!framed.has(i)) return chip(piece, 0, null);
    const el = chip(piece, 0, null, "saew-judged");
    const word = /** @type {Element} */ (el.querySelector(".saew-word"));
    if (!framed.has(i - 1)) word.before(unseen("«"));
    if (!framed.has(i + 1)) word.after(unseen("»"));
    return el;
  });
}

/** @param {string} text for a screen reader alone */
export const unseen = (text) => h("span", { class: "saew-unseen" }, text);
