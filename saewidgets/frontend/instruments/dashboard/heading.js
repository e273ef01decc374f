// The heading of a feature: its label, what its reader calls it, and how often and how strongly it fires.

import { h } from "../../shared/elements.js";
import { num, percent } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { namingPart } from "./naming.js";

/** @import { Named } from "../../shared/labels.js" */
/** @import { Shown, Words } from "./data.js" */

/**
 * @param {Shown} shown
 * @param {Words} words
 * @param {((label: string) => void) | null} keep takes the reader's label; null where none can be given
 * @param {Named | undefined} row of the index
 */
export function headingPart(shown, words, keep, row) {
  const { heading } = words;
  const fact = (/** @type {string} */ name, /** @type {string} */ value, /** @type {string} */ detail) =>
    h(
      "div",
      { class: "saew-fact" },
      h("div", { class: "saew-kicker" }, name),
      h("div", { class: "saew-value" }, value, h("span", { class: "saew-faint" }, detail)),
    );
  /** @type {[string, number | null | undefined][]} */
  const both = [
    [heading.output, row?.output],
    [heading.input, row?.input],
  ];
  const scores = both.filter(([, score]) => score !== undefined);
  const naming = namingPart(shown, words, keep);
  const el = h(
    "div",
    { class: "saew-heading" },
    naming.el,
    h(
      "div",
      { class: "saew-facts" },
      fact(heading.fires, percent(shown.density), rarity(shown.density, heading)),
      fact(heading.maximum, num(shown.maximum), heading.units),
      ...scores.map(([name, score]) => fact(name, num(score, 2), "")),
    ),
  );
  return { el, update: naming.update, key: naming.key, focus: naming.focus };
}

/** @param {number} density @param {Words["heading"]} words */
function rarity(density, words) {
  if (!density) return words.never;
  return density < 0.5 ? say(words.oneIn, { n: num(1 / density) }) : words.ofTokens;
}
