// Fields to type in or to choose from, with their names.

import { h } from "./elements.js";

/** @import { Attributes } from "./elements.js" */
/**
 * @typedef {object} Typed
 * @property {[low: number, high: number, whole: boolean]} limits
 * @property {(value: number) => void} set
 * @property {(typed: string, now: number) => string} refusal `typed` is "" where it is no number
 * @property {(sentence: string) => void} tell is called with "" when a number was taken
 */

/**
 * @param {string} name
 * @param {HTMLElement} input
 */
export function field(name, input) {
  const title = h("span", {}, name);
  const el = h("label", { class: "saew-field" }, title, input);
  const rename = (/** @type {string} */ now) => {
    title.textContent = now;
  };
  return { el, rename };
}

/**
 * A number that is typed. What does not lie within its limits is said, and not taken.
 *
 * @param {string} name
 * @param {Typed} typed
 * @param {Attributes} attributes
 */
export function numberField(name, { limits: [low, high, whole], set, refusal, tell }, attributes) {
  let now = 0;
  const input = h("input", {
    type: "number",
    class: "saew-input saew-small",
    ...attributes,
    onchange: () => {
      const value = input.value === "" ? Number.NaN : Number(input.value);
      const taken = value >= low && value <= high && (!whole || Number.isInteger(value));
      tell(taken ? "" : refusal(Number.isNaN(value) ? "" : input.value, now));
      if (taken) set(value);
      else input.value = String(now);
    },
  });
  const update = (/** @type {number} */ value) => {
    now = value;
    if (document.activeElement !== input || input.disabled) input.value = String(value);
  };
  return { ...field(name, input), input, update };
}
