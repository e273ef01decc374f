// The text: a box to type in, and what becomes of what was typed.

import { fitRows, h } from "../../shared/elements.js";
import { turnsBox } from "../../shared/turns.js";

/** @import { Prompt } from "../../shared/turns.js" */

/** @import { Words } from "./reading.js" */
/** @typedef {import("../../types/model.js").FeatureProbeTraits["status"]} Status */

const PAUSE = 150; // ms without a key before the text is sent; of several texts the kernel reads the latest

/**
 * @param {Words} words
 * @param {import("../../shared/turns.js").Words} common
 * @param {(text: Prompt) => void} read
 */
export function textBox(words, common, read) {
  const label = words.text;
  const box = h("textarea", { class: "saew-input saew-prompt", rows: 2, spellcheck: "false", "aria-label": label });
  const state = h("span", { class: "saew-status", role: "status" });
  const line = h("span", { class: "saew-probe-line" }, h("span", { class: "saew-kicker" }, label), state);
  const turns = turnsBox(common, false, () => later(() => turns.now()));
  const field = h("label", {}, box);
  const el = h("div", { class: "saew-ask" }, line, field, turns.el);
  let timer = 0;
  const stop = () => {
    clearTimeout(timer);
    timer = 0;
  };
  /** @param {() => Prompt} typed */
  const later = (typed) => {
    stop();
    timer = setTimeout(() => {
      timer = 0;
      read(typed());
    }, PAUSE);
  };
  box.addEventListener("input", () => later(() => box.value));
  /** @param {Prompt} text */
  const update = (text) => {
    const plain = typeof text === "string";
    field.hidden = !plain;
    turns.el.hidden = plain;
    if (!plain) turns.update(text);
    else if (!timer && document.activeElement !== box) box.value = text;
    fitRows(box);
  };
  /** @param {Status} status @param {string} waiting what it waits for, "" for nothing */
  const told = (status, waiting) => {
    state.textContent = waiting ? words.waiting : words.status[status];
    state.title = waiting;
    state.setAttribute("data-status", status === "reading" || status === "measuring" ? "writing" : status);
  };
  return { el, update, told, stop };
}
