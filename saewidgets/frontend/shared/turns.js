// The turns of a dialogue: whose they are, and what they say; to read, and to write.

import { fitRows, h } from "./elements.js";

/** @typedef {{ role: string, content: string }} Turn */
/** @typedef {string | Turn[]} Prompt a text, or a dialogue */
/** @typedef {typeof import("./words.js").words.en.turns} Words */

/** @param {string} role @param {Words} words */
export const roleName = (role, words) => /** @type {Record<string, string>} */ (words.roles)[role] ?? role;

/** A prompt as one text, a line a turn. @param {Prompt} prompt @param {Words} words */
export function promptLine(prompt, words) {
  if (typeof prompt === "string") return prompt;
  return prompt.map(({ role, content }) => `${roleName(role, words)}: ${content}`).join("\n");
}

/** Whether two prompts are one. @param {Prompt} a @param {Prompt} b */
export const samePrompt = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** A prompt to read. @param {Prompt} prompt @param {Words} words */
export function promptView(prompt, words) {
  if (typeof prompt === "string") return h("pre", { class: "saew-pre" }, prompt);
  const turns = prompt.map(({ role, content }) =>
    h(
      "div",
      { class: "saew-turn" },
      h("span", { class: "saew-role" }, roleName(role, words)),
      h("span", { class: "saew-said", dir: "auto" }, content),
    ),
  );
  return h("div", { class: "saew-turns" }, ...turns);
}

/**
 * A dialogue to write: one box per turn.
 *
 * @param {Words} words
 * @param {boolean} fixed nothing can be typed
 * @param {(turns: Turn[]) => void} typed is called with every change
 */
export function turnsBox(words, fixed, typed) {
  const el = h("div", { class: "saew-turns", role: "group", "aria-label": words.title });
  /** @type {HTMLTextAreaElement[]} */
  let boxes = [];
  /** @type {string[]} */
  let roles = [];
  const now = () => boxes.map((box, at) => ({ role: roles[at], content: box.value }));
  const build = () => {
    boxes = [];
    el.replaceChildren();
    for (const role of roles) {
      const box = h("textarea", {
        class: "saew-input saew-prompt",
        rows: 1,
        spellcheck: "false",
        disabled: fixed,
        oninput: () => {
          fitRows(box, 1);
          typed(now());
        },
      });
      boxes.push(box);
      el.append(h("label", { class: "saew-turn" }, h("span", { class: "saew-role" }, roleName(role, words)), box));
    }
  };
  /** @param {Turn[]} turns */
  const update = (turns) => {
    const given = turns.map(({ role }) => role);
    if (given.join() !== roles.join()) {
      roles = given;
      build();
    }
    turns.forEach(({ content }, at) => {
      if (document.activeElement !== boxes[at]) boxes[at].value = content;
      fitRows(boxes[at], 1);
    });
  };
  const has = (/** @type {EventTarget | null} */ target) => boxes.some((box) => box === target);
  return { el, update, now, has };
}
