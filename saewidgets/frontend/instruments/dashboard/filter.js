// Find text in the examples of a feature, plain or as a regular expression: the others are hidden, what was found is marked.

import { h } from "../../shared/elements.js";
import { whole } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";

const FILTER_TEXT = {
  label: "Find in these examples",
  placeholder: "Find in these examples",
  regex: "Regular expression",
  case: "Match case",
  count: "{n} of {all}",
  broken: "not a regular expression",
};
const SIGNS = new Map([
  ["⏎", "\n"],
  ["␣", " "],
  ["⇥", "\t"],
  ["␍", "\r"],
]);

/** The pattern ready to search with, null for none, undefined for one that is broken. */
export function patternOf(text, regex, matchCase) {
  if (!text) return null;
  try {
    return new RegExp(regex ? text : text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), matchCase ? "gu" : "giu");
  } catch {
    return undefined;
  }
}

/** Which tokens a pattern touches, as a set of their places; empty where it does not stand in the text. */
export function touched(tokens, pattern) {
  const found = new Set();
  const ends = [];
  let text = "";
  for (const token of tokens) {
    text += token.replace(/[⏎␣⇥␍]/g, (sign) => SIGNS.get(sign));
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

/** A line with the box. `apply()` filters the examples inside `getBody()`; each carries its tokens as `saewTokens`. */
export function exampleFilter(getBody) {
  const box = h("input", {
    type: "search",
    class: "saew-input",
    "aria-label": FILTER_TEXT.label,
    placeholder: FILTER_TEXT.placeholder,
    spellcheck: "false",
    autocomplete: "off",
    oninput: apply,
  });
  const tick = (label) => {
    const input = h("input", { type: "checkbox", onchange: apply });
    return { input, el: h("label", { class: "saew-tick-box" }, input, label) };
  };
  const { input: regex, el: regexLabel } = tick(FILTER_TEXT.regex);
  const { input: matchCase, el: caseLabel } = tick(FILTER_TEXT.case);
  const said = h("span", { class: "saew-faint", role: "status" });
  const el = h("div", { class: "saew-filter" }, box, regexLabel, caseLabel, said);
  function apply() {
    const pattern = patternOf(box.value, regex.checked, matchCase.checked);
    const on = Boolean(pattern);
    const examples = [...getBody().querySelectorAll(".saew-example")];
    let n = 0;
    for (const example of examples) {
      const found = on ? touched(example.saewTokens, pattern) : new Set();
      example.hidden = on && !found.size;
      n += found.size ? 1 : 0;
      [...example.querySelectorAll(".saew-token")].forEach((token, i) =>
        token.classList.toggle("saew-found", found.has(i)),
      );
    }
    getBody().classList.toggle("saew-filtered", on);
    const weaker = getBody().querySelector("details");
    if (weaker && on) weaker.open = true;
    box.setAttribute("aria-invalid", String(pattern === undefined));
    said.textContent =
      pattern === undefined
        ? FILTER_TEXT.broken
        : on
          ? say(FILTER_TEXT.count, { n: whole(n), all: whole(examples.length) })
          : "";
  }
  return { el, apply };
}
