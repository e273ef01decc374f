// The prompt of a clamp panel, and examples to try.

import { fitRows, h } from "../../shared/elements.js";
import { throttle } from "../../shared/events.js";

const LONGEST = 38; // characters of an example that its button shows
const PAUSE = 400; // ms between two prompts while somebody types

/**
 * @param {typeof import("./words.js").words.en.prompt} words
 * @param {[name: string, text: string][]} examples
 * @param {boolean} fixed
 * @param {{ put: (prompt: string) => void, write: (prompt: string) => void }} hands `write`: set it and write at once
 */
export function promptPart(words, examples, fixed, { put, write }) {
  const later = throttle(() => put(box.value), PAUSE);
  const box = h("textarea", {
    class: "saew-input saew-prompt",
    rows: 2,
    spellcheck: "false",
    "aria-label": words.title,
    disabled: fixed,
    oninput: () => {
      fitRows(box);
      later();
    },
  });
  const tries = examples.map(([name, text]) =>
    h("button", { type: "button", class: "saew-pill", title: text, onclick: () => put(text) }, shortened(name)),
  );
  const el = h(
    "div",
    { class: "saew-ask" },
    h("label", {}, h("span", { class: "saew-kicker" }, words.title), box),
    h(
      "div",
      { class: "saew-tries", hidden: fixed || !tries.length },
      h("span", { class: "saew-faint" }, words.examples),
      ...tries,
    ),
  );
  /** @param {string} prompt */
  const update = (prompt) => {
    if (document.activeElement !== box) box.value = prompt;
    fitRows(box);
  };
  /** @param {KeyboardEvent} event */
  const key = (event) => {
    if (event.target !== box || event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return false;
    event.preventDefault();
    write(box.value);
    return true;
  };
  return { el, update, key };
}

/** @param {string} text */
function shortened(text) {
  const line = text.replaceAll("\n", " ");
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 1)}…` : line;
}
