// The text: a box to type in, and what becomes of what was typed.

import { fitRows, h } from "../../shared/elements.js";

/** @import { Words } from "./reading.js" */
/** @typedef {import("../../types/model.js").FeatureProbeTraits["status"]} Status */

const PAUSE = 150; // ms without a key before the text is sent; of several texts the kernel reads the latest

/** @param {Words} words @param {(text: string) => void} read */
export function textBox(words, read) {
  const label = words.text;
  const box = h("textarea", { class: "saew-input saew-prompt", rows: 2, spellcheck: "false", "aria-label": label });
  const state = h("span", { class: "saew-status", role: "status" });
  const line = h("span", { class: "saew-probe-line" }, h("span", { class: "saew-kicker" }, label), state);
  const el = h("div", { class: "saew-ask" }, h("label", {}, line, box));
  let timer = 0;
  const stop = () => {
    clearTimeout(timer);
    timer = 0;
  };
  box.addEventListener("input", () => {
    stop();
    timer = setTimeout(() => {
      timer = 0;
      read(box.value);
    }, PAUSE);
  });
  /** @param {string} text */
  const update = (text) => {
    if (!timer && document.activeElement !== box) box.value = text;
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
