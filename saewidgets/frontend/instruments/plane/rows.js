// One row per direction: its name, its angle, and what can be done with it.

import { h } from "../../shared/elements.js";
import { num } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { turned } from "./geometry.js";
import { colorOf } from "./picture.js";

/** @typedef {typeof import("./words.js").words.en} Words */
/**
 * @typedef {{ turn: (i: number, degrees: number) => void, snap: (i: number) => void,
 *   remove: (i: number) => void }} Asks
 */

/** @param {Words} words @param {Asks} asks */
export function directionRows(words, asks) {
  const el = h("div", { class: "saew-plane-rows" });
  /** @type {string[]} */
  let names = [];

  /** @param {number[]} angles degrees @param {string[]} labels */
  const update = (angles, labels) => {
    const shown = labels.slice(0, angles.length);
    if (shown.length !== names.length || shown.some((name, i) => name !== names[i])) {
      names = shown;
      el.replaceChildren(...names.map((name, i) => rowOf(i, name, names.length > 1, words, asks)));
    }
    for (const [i, row] of [...el.children].entries()) {
      const [output, range] = [row.querySelector("output"), row.querySelector("input")];
      if (output) output.textContent = say(words.degrees, { value: num(angles[i], 4) });
      if (range && document.activeElement !== range) range.value = String(turned(angles[i]));
    }
  };
  return { el, update };
}

/** @param {number} i @param {string} name @param {boolean} several @param {Words} words @param {Asks} asks */
function rowOf(i, name, several, words, asks) {
  const range = h("input", {
    type: "range",
    class: "saew-range saew-colored",
    min: 0,
    max: 360,
    step: 1,
    style: { "--c": colorOf(i) },
    "aria-label": say(words.angle, { name }),
    oninput: () => asks.turn(i, Number(range.value)),
  });
  const snap = {
    type: "button",
    class: "saew-pill",
    "aria-label": say(words.jumpTo, { name }),
    onclick: () => asks.snap(i),
  };
  const remove = {
    type: "button",
    class: "saew-icon saew-quiet",
    "aria-label": say(words.remove, { name }),
    onclick: () => asks.remove(i),
  };
  return h(
    "div",
    { class: "saew-plane-row", style: { "--c": colorOf(i) } },
    h("span", { class: "saew-name", title: name }, h("span", { class: "saew-dot" }), h("span", {}, name)),
    range,
    h("output", {}, ""),
    h("button", snap, words.jump),
    several ? h("button", remove, "×") : null,
  );
}
