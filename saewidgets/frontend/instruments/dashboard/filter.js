// Find text in the examples of a feature, plain or as a regular expression: the others are hidden, finds are marked.

import { h } from "../../shared/elements.js";
import { whole } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";

/** @import { Words } from "./data.js" */

/** @type {Record<string, string>} */
const SIGNS = { "⏎": "\n", "␣": " ", "⇥": "\t", "␍": "\r" };

/**
 * The pattern ready to search with, null for none, undefined for one that is broken.
 *
 * @param {string} text
 * @param {boolean} regex
 * @param {boolean} matchCase
 */
export function patternOf(text, regex, matchCase) {
  if (!text) return null;
  try {
    return new RegExp(regex ? text : text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), matchCase ? "gu" : "giu");
  } catch {
    return undefined;
  }
}

/**
 * Which tokens a pattern touches, as a set of their places; empty where it does not stand in the text.
 *
 * @param {string[]} tokens
 * @param {RegExp} pattern
 */
export function touched(tokens, pattern) {
  const found = new Set();
  /** @type {number[]} */
  const ends = [];
  let text = "";
  for (const token of tokens) {
    text += token.replace(/[⏎␣⇥␍]/g, (sign) => SIGNS[sign]);
    ends.push(text.length);
  }
  for (const match of text.matchAll(pattern)) {
    if (!match[0]) continue;
    ends.forEach((end, i) => {
      const start = i ? ends[i - 1] : 0;
      if (start < match.index + match[0].length && end > match.index) found.add(i);
    });
  }
  return found;
}

/**
 * A line with the box. `apply()` filters the examples inside `getBody()`; each carries its tokens as `saewTokens`.
 *
 * @param {() => Element} getBody
 * @param {Words["filter"]} words
 */
export function exampleFilter(getBody, words) {
  const box = h("input", {
    type: "search",
    class: "saew-input",
    "aria-label": words.label,
    placeholder: words.label,
    spellcheck: "false",
    autocomplete: "off",
    oninput: apply,
  });
  const tick = (/** @type {string} */ label) => {
    const input = h("input", { type: "checkbox", onchange: apply });
    return { input, el: h("label", { class: "saew-tick-box" }, input, label) };
  };
  const regex = tick(words.regex);
  const matchCase = tick(words.case);
  const said = h("span", { class: "saew-faint", role: "status" });
  const el = h("div", { class: "saew-filter" }, box, regex.el, matchCase.el, said);
  function apply() {
    const pattern = patternOf(box.value, regex.input.checked, matchCase.input.checked);
    const body = getBody();
    const examples = /** @type {HTMLElement[]} */ ([...body.querySelectorAll(".saew-example")]);
    const n = examples.filter((example) => mark(example, pattern)).length;
    body.classList.toggle("saew-filtered", Boolean(pattern));
    const weaker = body.querySelector("details");
    if (weaker && pattern) weaker.open = true;
    box.setAttribute("aria-invalid", String(pattern === undefined));
    const count = pattern ? say(words.count, { n: whole(n), all: whole(examples.length) }) : "";
    said.textContent = pattern === undefined ? words.broken : count;
  }
  return { el, apply };
}

/**
 * Mark what a pattern finds in an example, and hide the example where it finds nothing.
 *
 * @param {HTMLElement} example
 * @param {RegExp | null | undefined} pattern
 */
function mark(example, pattern) {
  const found = pattern ? touched(example.saewTokens ?? [], pattern) : new Set();
  example.hidden = Boolean(pattern) && !found.size;
  [...example.querySelectorAll(".saew-token")].forEach((token, i) => {
    token.classList.toggle("saew-found", found.has(i));
  });
  return found.size > 0;
}
