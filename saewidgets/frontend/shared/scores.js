// The scores of judges: 3, the concept itself, to 0, nowhere; null where a judge refused.

import { h } from "./elements.js";

export const SCORES = [3, 2, 1, 0]; // the best first

/**
 * A score as a small square, dark for a 3; a dash where there is none.
 *
 * @param {number | null} score
 * @param {string} [said] in words, where the number alone does not do
 */
export function scoreChip(score, said) {
  const look = score === null ? "none" : score;
  const image = said ? "img" : undefined;
  return h(
    "span",
    { class: `saew-score saew-score-${look}`, role: image, title: said, "aria-label": said },
    score ?? "–",
  );
}
