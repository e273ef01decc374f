// The prompt of a clamp panel, a text or the turns of a dialogue, and examples to try.

import { fitRows, h } from "../../shared/elements.js";
import { throttle } from "../../shared/events.js";
import { promptLine, turnsBox } from "../../shared/turns.js";

/** @import { Prompt } from "../../shared/turns.js" */

const LONGEST = 38; // characters of an example that its button shows
const PAUSE = 400; // ms between two prompts while somebody types

/**
 * @param {typeof import("./words.js").words.en.prompt} words
 * @param {import("../../shared/turns.js").Words} common
 * @param {[name: string, prompt: Prompt][]} examples
 * @param {boolean} fixed
 * @param {object} hands
 * @param {(prompt: Prompt) => void} hands.put
 * @param {(prompt: Prompt) => void} hands.write set it and write at once
 * @param {() => string} hands.answer the clamped text as it is now
 */
export function promptPart(words, common, examples, fixed, { put, write, answer }) {
  const later = throttle(() => put(typed()), PAUSE);
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
  const turns = turnsBox(common, fixed, later);
  /** @type {Prompt} */
  let now = "";
  const typed = () => (typeof now === "string" ? box.value : turns.now());
  const next = nextTurn(words, (said) => {
    if (typeof now === "string") return;
    const [last, text] = [now.at(-1), answer()];
    const open = last?.role === "assistant"; // the model has gone on in it
    const answered = { role: "assistant", content: ((open ? last.content : "") + text).trim() };
    put([...(open ? now.slice(0, -1) : now), answered, { role: "user", content: said }]);
  });
  const tries = examples.map(([name, prompt]) =>
    h(
      "button",
      { type: "button", class: "saew-pill", title: promptLine(prompt, common), onclick: () => put(prompt) },
      shortened(name),
    ),
  );
  const label = h("label", {}, h("span", { class: "saew-kicker" }, words.title), box);
  const talk = h(
    "div",
    { class: "saew-talk" },
    h("span", { class: "saew-kicker" }, words.dialogue),
    turns.el,
    fixed ? null : next.el,
  );
  const el = h(
    "div",
    { class: "saew-ask" },
    label,
    talk,
    h(
      "div",
      { class: "saew-tries", hidden: fixed || !tries.length },
      h("span", { class: "saew-faint" }, words.examples),
      ...tries,
    ),
  );
  /** @param {Prompt} prompt */
  const update = (prompt) => {
    now = prompt;
    label.hidden = typeof prompt !== "string";
    talk.hidden = !label.hidden;
    if (typeof prompt !== "string") turns.update(prompt);
    else if (document.activeElement !== box) box.value = prompt;
    fitRows(box);
  };
  /** @param {KeyboardEvent} event */
  const key = (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return false;
    if (event.target !== box && !turns.has(event.target)) return next.key(event);
    event.preventDefault();
    write(typed());
    return true;
  };
  return { el, update, key };
}

/**
 * What the user says next: the answer is taken over, and this is asked.
 *
 * @param {typeof import("./words.js").words.en.prompt} words
 * @param {(said: string) => void} ask
 */
function nextTurn(words, ask) {
  const box = h("textarea", {
    class: "saew-input saew-prompt",
    rows: 1,
    spellcheck: "false",
    placeholder: words.next,
    "aria-label": words.next,
    oninput: () => typed(),
  });
  const typed = () => {
    fitRows(box, 1);
    button.disabled = !box.value.trim();
  };
  const go = () => {
    const said = box.value;
    if (!said.trim()) return;
    box.value = "";
    typed();
    ask(said);
  };
  const button = h(
    "button",
    { type: "button", class: "saew-pill", disabled: true, title: words.answerTitle, onclick: go },
    words.answer,
  );
  /** @param {KeyboardEvent} event */
  const key = (event) => {
    if (event.target !== box) return false;
    event.preventDefault();
    go();
    return true;
  };
  return { el: h("div", { class: "saew-next" }, box, button), key };
}

/** @param {string} text */
function shortened(text) {
  const line = text.replaceAll("\n", " ");
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 1)}…` : line;
}
