// The text, token by token: one of them is chosen.

import { pieces } from "../../shared/bytes.js";
import { h } from "../../shared/elements.js";
import { isShortcut } from "../../shared/keys.js";
import { running } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";

const MORE = "‥"; // on a token that holds later bytes of the character before it
/** @type {Record<string, number>} */
const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };

/**
 * @param {string[]} tokens
 * @param {{ tokens: string, token: string }} words
 * @param {(position: number) => void} choose
 */
export function picksPart(tokens, words, choose) {
  let at = 0;
  const buttons = pieces(tokens).map(({ text, raw, slim, share }, i) =>
    h(
      "button",
      {
        type: "button",
        class: "saew-pick",
        role: "radio",
        "aria-label": say(words.token, { i, text: raw }),
        title: share && raw,
        onclick: () => choose(i),
      },
      slim ? MORE : running(text || " ", 60),
    ),
  );
  const el = h("div", { class: "saew-picks", role: "radiogroup", "aria-label": words.tokens }, ...buttons);
  /** @param {number} position */
  const update = (position) => {
    at = position;
    for (const [i, button] of buttons.entries()) {
      button.setAttribute("aria-checked", String(i === at));
      button.tabIndex = i === at ? 0 : -1;
    }
  };
  /** @param {KeyboardEvent} event */
  const keys = (event) => {
    const by = STEPS[event.key];
    if (!by || !buttons.some((button) => button === event.target)) return false;
    if (isShortcut(event)) return false;
    event.preventDefault();
    const next = Math.max(0, Math.min(buttons.length - 1, at + by));
    choose(next);
    buttons[next].focus();
    return true;
  };
  return { el, update, keys };
}
