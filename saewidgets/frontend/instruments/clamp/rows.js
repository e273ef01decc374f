// The rows of a clamp panel: one feature each, with a switch (off is not 0), a slider and an exact value.

import { h } from "../../shared/elements.js";
import { num } from "../../shared/numbers.js";
import { glyphs } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";
import { dial, lengthOf } from "./dial.js";
import { TICKS } from "./scale.js";
import { rowName } from "./state.js";

/** @import { Row } from "./state.js" */
/** @typedef {typeof import("./words.js").words.en.rows} Words */
/**
 * @typedef {object} Hands what the rows of a panel can do, and how
 * @property {Words} words
 * @property {boolean} frozen nothing can be moved
 * @property {boolean} fixed rows do not come and go
 * @property {Record<string, number[]>} recorded multiples that a recording holds, by feature; drawn as notches
 * @property {(feature: number, multiple: number | null) => void} change
 * @property {(feature: number) => void} remove
 * @property {(feature: number) => void} choose
 */

/**
 * All rows below their scale.
 *
 * @param {Hands} hands
 */
export function rowsPart(hands) {
  /** @type {Map<number, ReturnType<typeof sliderRow>>} */
  const rows = new Map();
  const el = h("div", { class: "saew-clamp-rows" });
  /** @type {Row[]} */
  let drawn = [];
  let moved = false; // somebody has moved a slider: how to begin is known

  /** @param {Row[]} described @returns whether a row had the focus, and may be gone with it */
  const build = (described) => {
    const held = document.activeElement !== null && el.contains(document.activeElement);
    drawn = described;
    rows.clear();
    for (const row of described) rows.set(row.feature, sliderRow(row, hands));
    const none = h("p", { class: "saew-note" }, hands.words.none);
    el.replaceChildren(...(rows.size ? [scaleHead(hands.words), ...[...rows.values()].map((row) => row.el)] : [none]));
    return held;
  };
  /** @param {Record<string, number | null>} multiples @param {number | null} chosen */
  const update = (multiples, chosen) => {
    moved ||= drawn.some(({ feature }) => (multiples[feature] ?? null) !== null);
    const first = moved || hands.frozen ? undefined : drawn.find((row) => row.window)?.feature;
    for (const [feature, row] of rows) row.update(multiples[feature] ?? null, feature === chosen, feature === first);
  };
  /** @param {KeyboardEvent} event */
  const key = (event) => [...rows.values()].some((row) => row.key(event));
  return { el, build, update, key };
}

/** The scale of the sliders. @param {Words} words */
function scaleHead(words) {
  const ticks = TICKS.map((at) => h("span", { style: { left: lengthOf(at) } }, at ? `${num(at)}×` : "0"));
  return h(
    "div",
    { class: "saew-clamp-row saew-clamp-head", "aria-hidden": "true" },
    h("span", {}, words.head),
    h("div", { class: "saew-clamp-scale" }, ...ticks),
  );
}

/**
 * @param {Row} row
 * @param {Hands} hands
 */
function sliderRow(row, { words, frozen, fixed, recorded, change, remove, choose }) {
  const name = rowName(row);
  const set = (/** @type {number | null} */ multiple) => change(row.feature, multiple);
  const toggle = h("input", {
    type: "checkbox",
    role: "switch",
    class: "saew-switch",
    "aria-label": say(words.on, { name }),
    disabled: frozen,
    onchange: () => set(toggle.checked ? last : null),
  });
  const slider = dial(row, { words, notches: recorded[row.feature] ?? [], frozen, change: set });
  const exact = exactValue(row, words, frozen, set);
  const away = say(words.remove, { name });
  const el = h(
    "div",
    { class: "saew-clamp-row" },
    toggle,
    h(
      "button",
      { type: "button", class: "saew-name saew-clamp-name", onclick: () => choose(row.feature) },
      h("span", { class: "saew-id" }, `#${row.feature}`),
      h("span", {}, row.label || row.promoted.map((t) => glyphs(t, 12)).join("  ")),
    ),
    slider.el,
    exact.el,
    h(
      "button",
      {
        type: "button",
        class: "saew-icon saew-quiet",
        "aria-label": away,
        title: away,
        disabled: fixed,
        onclick: () => remove(row.feature),
      },
      "×",
    ),
  );
  let last = 0; // where the handle waits while the feature is off
  /** @param {number | null} multiple @param {boolean} selected @param {boolean} first */
  const update = (multiple, selected, first) => {
    const on = multiple !== null;
    if (on) last = multiple;
    el.classList.toggle("saew-off", !on);
    el.classList.toggle("saew-selected", selected);
    toggle.checked = on;
    slider.update({ on, multiple: last, first });
    exact.update(multiple);
  };
  return { el, update, key: slider.key };
}

/**
 * The exact value: a multiple to type, and what it is in SAE units.
 *
 * @param {Row} row
 * @param {Words} words
 * @param {boolean} frozen
 * @param {(multiple: number | null) => void} set
 */
function exactValue(row, words, frozen, set) {
  const box = h("input", {
    type: "number",
    class: "saew-input saew-multiple",
    step: "any",
    placeholder: words.off,
    "aria-label": say(words.box, { name: rowName(row) }),
    disabled: frozen,
    onchange: () => {
      if (box.validity.badInput) update(now);
      else set(box.value === "" ? null : Number(box.value));
    },
    onblur: () => update(now), // while it is typed in, what the kernel says is not shown
  });
  const times = h("span", { "aria-hidden": "true" }, "×");
  const units = h("output", { class: "saew-units" });
  const el = h("div", { class: "saew-exact" }, box, times, units);
  /** @type {number | null} */
  let now = null;
  /** @param {number | null} multiple */
  function update(multiple) {
    now = multiple;
    if (document.activeElement !== box || !box.matches(":focus-visible"))
      box.value = multiple === null ? "" : String(multiple);
    box.title = multiple === null ? "" : String(multiple); // a long one does not fit
    times.classList.toggle("saew-none", multiple === null);
    const value = (multiple ?? 0) * row.maximum;
    units.textContent = !multiple ? (multiple === null ? "" : words.ablated) : say(words.units, { value: num(value) });
    units.title = say(words.unitsTitle, { value: num(value, 6), maximum: num(row.maximum, 6) });
  }
  return { el, update };
}
