// What one chooses a point by: the kind of intervention, and its strength.

import { h } from "../../shared/elements.js";
import { num } from "../../shared/numbers.js";
import { swatch } from "./marks.js";
import { nearest, ofKind } from "./sweep.js";

/** @import { Point, Sweep } from "./sweep.js" */

let controls = 0; // radio buttons of one group have a name of their own on the page

/**
 * @param {Sweep} sweep
 * @param {typeof import("./words.js").words.en} words
 * @param {(key: string) => void} pick is called with the key of the point that was chosen
 */
export function pointControl(sweep, words, pick) {
  controls += 1;
  const group = `saew-kind-${controls}-${Math.random().toString(36).slice(2, 9)}`;
  /** @type {Point | null} */
  let chosen = null;
  const strengths = () => (chosen ? ofKind(sweep, chosen.kind) : []);
  const radios = Object.entries(sweep.kinds).map(([kind, look]) => {
    const input = h("input", { type: "radio", name: group, value: kind });
    input.addEventListener("change", () => {
      pick(nearest(sweep, kind, range.disabled || !chosen ? 0 : chosen.multiple).key);
    });
    return { kind, input, label: h("label", { class: "saew-dose-kind" }, input, swatch(look), look.name) };
  });
  const range = h("input", {
    type: "range",
    class: "saew-range",
    min: 0,
    max: 1,
    step: 1,
    "aria-label": words.strength,
    oninput: () => pick(strengths()[Number(range.value)].key),
  });
  const reads = h("output", {});
  const el = h(
    "div",
    { class: "saew-dose-point" },
    h("fieldset", { class: "saew-dose-kinds" }, h("legend", {}, words.kinds), ...radios.map(({ label }) => label)),
    h("label", { class: "saew-dose-strength" }, h("span", {}, words.strength), range, reads),
  );

  /** @param {Point} point the one in hand */
  const update = (point) => {
    chosen = point;
    for (const { kind, input } of radios) input.checked = kind === point.kind;
    const steps = strengths();
    const several = steps.length > 1;
    range.max = String(Math.max(0, steps.length - 1));
    range.disabled = !several;
    range.value = String(steps.indexOf(point));
    reads.textContent = several ? `${num(point.multiple)}×` : "–";
    range.setAttribute("aria-valuetext", several ? `${num(point.multiple)}×` : words.noStrength);
  };
  return { el, update };
}
