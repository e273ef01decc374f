// What the model is made to become by one click: features at multiples that somebody chose beforehand.

import { h } from "../../shared/elements.js";

/** @import { Multiples } from "./state.js" */
/** @typedef {[name: string, clamps: Multiples]} Preset */

/**
 * One button per preset, and one for none; what is set now is pressed.
 *
 * @param {typeof import("./words.js").words.en.presets} words
 * @param {Preset[]} presets
 * @param {(clamps: Multiples) => void} choose
 */
export function presetsPart(words, presets, choose) {
  /** @type {Preset[]} */
  const all = [[words.none, []], ...presets];
  const buttons = all.map(([name, clamps]) =>
    h("button", { type: "button", class: "saew-pill", "aria-pressed": "false", onclick: () => choose(clamps) }, name),
  );
  const el = h(
    "div",
    { class: "saew-tries saew-presets", role: "group", "aria-label": words.title, hidden: !presets.length },
    h("span", { class: "saew-kicker" }, words.title),
    ...buttons,
  );
  /** @param {Multiples} now what is clamped */
  const update = (now) => {
    for (const [i, [, clamps]] of all.entries()) buttons[i].setAttribute("aria-pressed", String(same(clamps, now)));
  };
  return { el, update };
}

/**
 * Whether two settings clamp the same features to the same multiples, in whatever order.
 *
 * @param {Multiples} a
 * @param {Multiples} b
 */
export function same(a, b) {
  const other = new Map(b);
  return a.length === b.length && a.every(([feature, multiple]) => other.get(feature) === multiple);
}
