// The features that are on at a token: number, name, activation, and the length of what each adds.

import { h } from "../../shared/elements.js";
import { num } from "../../shared/numbers.js";
import { running } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";

/** @import { Row, Shown } from "./stages.js" */
/** @typedef {typeof import("./words.js").words.en} Words */

/**
 * @param {Words} words
 * @param {(feature: number) => void} select
 */
export function featuresPart(words, select) {
  /** @type {Map<number, HTMLElement>} */
  const buttons = new Map();
  /** @type {number | null} */
  let selected = null;
  const list = h("ol", { class: "saew-parts", "aria-label": words.stages.active });
  const heads = h(
    "div",
    { class: "saew-part saew-part-heads", "aria-hidden": "true" },
    h("span", {}, words.feature),
    h("span", { class: "saew-number" }, words.activation),
    h("span", { class: "saew-part-length" }, words.part),
  );
  const el = h("div", {}, heads, list);
  /** @param {number | null} feature */
  const mark = (feature) => {
    selected = feature;
    for (const [id, button] of buttons) button.setAttribute("aria-pressed", String(id === selected));
  };
  /** @param {Shown} shown */
  const update = ({ rows, active }) => {
    const longest = Math.max(...rows.map((row) => row[3]), 1e-9);
    buttons.clear();
    const items = rows.map((row) => {
      const button = rowButton(row, longest, words, select);
      buttons.set(row[0], button);
      return h("li", {}, button);
    });
    if (active > rows.length)
      items.push(h("li", { class: "saew-faint" }, say(words.more, { n: active - rows.length })));
    list.replaceChildren(...items);
    el.hidden = !rows.length;
    mark(selected);
  };
  return { el, update, mark };
}

/**
 * @param {Row} row
 * @param {number} longest
 * @param {Words} words
 * @param {(feature: number) => void} select
 */
function rowButton([feature, label, activation, length, promoted], longest, words, select) {
  const share = { width: `${(100 * length) / longest}%`, background: "var(--up)" };
  const tokens = promoted.map((token) => running(token.trim() || token, 30)).join(", ");
  const name = label || h("span", { class: "saew-faint" }, tokens || words.unnamed);
  return h(
    "button",
    { type: "button", class: "saew-part", title: label || tokens, onclick: () => select(feature) },
    h("span", { class: "saew-part-name" }, h("span", { class: "saew-id" }, `#${feature} `), name),
    " ",
    h("span", { class: "saew-number" }, num(activation)),
    " ",
    h("span", { class: "saew-track" }, h("span", { class: "saew-fill", style: share })),
    h("span", { class: "saew-number" }, num(length)),
  );
}
