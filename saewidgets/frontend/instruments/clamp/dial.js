// One slider: its scale, the band where the clamp was measured to work, and what tells off, 0 and a value apart.

import { h } from "../../shared/elements.js";
import { num } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { LIMIT, middleOf, multipleAt, placeOf, snapped, stepped, TICKS } from "./scale.js";
import { rowName } from "./state.js";

/** @import { Row } from "./state.js" */
/** @typedef {typeof import("./words.js").words.en.rows} Words */
/**
 * @typedef {{ on: boolean, multiple: number, first: boolean }} Shown `multiple`: where the handle waits while it is off
 */

const THUMB = 16; // px, as in the style sheet
const STEPS = 1000; // of the element; the multiples that it stands for are finer
const SLIP = 4; // px that a hand moves in a click

/**
 * Where the middle of the handle is for a multiple, as a CSS length.
 *
 * @param {number} multiple
 */
export const lengthOf = (multiple) => `calc(${THUMB / 2}px + (100% - ${THUMB}px) * ${placeOf(multiple).toFixed(5)})`;

/**
 * @param {Row} row
 * @param {{ words: Words, notches: number[], frozen: boolean, change: (multiple: number | null) => void }} how
 */
export function dial(row, { words, notches, frozen, change }) {
  const range = h("input", {
    type: "range",
    class: "saew-range",
    min: 0,
    max: STEPS,
    step: "any",
    title: words.title,
    "aria-label": say(words.slider, { name: rowName(row) }),
    disabled: frozen,
  });
  const fill = h("span", { class: "saew-rail-fill" });
  const beyond = h("span", { class: "saew-rail-beyond", hidden: true });
  const band = row.window && windowBand(row.window, words, frozen, change);
  const rail = h(
    "span",
    { class: "saew-rail", "aria-hidden": "true" },
    ...TICKS.map((at) => mark(at ? "tick" : "zero", at)),
    ...(band ? band.onRail : []),
    fill,
    ...notches.filter((m) => Math.abs(m) <= LIMIT).map((m) => mark("notch", m)),
    beyond,
  );
  const el = h(
    "div",
    { class: `saew-slider ${band ? "saew-banded" : ""}`.trim() },
    rail,
    range,
    band?.label,
    band?.first,
  );
  range.addEventListener("input", () => {
    change(snapped(multipleAt(Number(range.value) / STEPS)));
    update(now); // a hand that moves by less than a step moves nothing
  });
  if (row.window && !frozen) clickForMiddle(range, row.window, () => now.multiple, change);

  /** @type {Shown} */
  let now = { on: false, multiple: 0, first: false };
  /** @param {Shown} shown */
  const update = (shown) => {
    now = shown;
    const { on, multiple, first } = shown;
    range.value = String(STEPS * placeOf(multiple));
    range.setAttribute("aria-valuetext", on ? valueWords(multiple, row.window, words) : words.off);
    el.classList.toggle("saew-is-off", !on);
    el.classList.toggle("saew-is-zero", on && multiple === 0);
    el.classList.toggle("saew-first", first);
    const ends = [lengthOf(Math.min(0, multiple)), lengthOf(Math.max(0, multiple))];
    fill.style.setProperty("left", ends[0]);
    fill.style.setProperty("right", `calc(100% - ${ends[1]})`);
    fill.hidden = !on;
    beyond.hidden = !on || Math.abs(multiple) <= LIMIT;
    beyond.textContent = multiple > 0 ? "▸" : "◂";
    beyond.classList.toggle("saew-left", multiple < 0);
    range.title = beyond.hidden ? words.title : say(words.beyondTitle, { multiple: num(multiple, 6) });
  };

  /** @param {KeyboardEvent} event */
  const key = (event) => {
    if (event.target !== range || frozen) return false;
    const next = keyed(event.key, now.multiple, row.window);
    if (next === undefined) return false;
    event.preventDefault();
    change(next);
    return true;
  };
  return { el, update, key };
}

/** @param {string} kind @param {number} at */
const mark = (kind, at) => h("span", { class: `saew-rail-${kind}`, style: { left: lengthOf(at) } });

/**
 * What a key sets; undefined where it sets nothing.
 *
 * @param {string} key
 * @param {number} multiple
 * @param {Row["window"]} window
 * @returns {number | null | undefined}
 */
export function keyed(key, multiple, window) {
  /** @type {Record<string, () => number | null>} */
  const keys = {
    ArrowRight: () => stepped(multiple, 1, false, window),
    ArrowUp: () => stepped(multiple, 1, false, window),
    ArrowLeft: () => stepped(multiple, -1, false, window),
    ArrowDown: () => stepped(multiple, -1, false, window),
    PageUp: () => stepped(multiple, 1, true, window),
    PageDown: () => stepped(multiple, -1, true, window),
    Home: () => -LIMIT,
    End: () => LIMIT,
    0: () => 0,
    Delete: () => null,
    Backspace: () => null,
  };
  return keys[key]?.();
}

/** @param {number} multiple @param {Row["window"]} window @param {Words} words */
function valueWords(multiple, window, words) {
  if (multiple === 0) return words.ablated;
  const works = window !== null && multiple >= window[0] && multiple <= window[1];
  const sentence = Math.abs(multiple) > LIMIT ? words.beyond : works ? words.works : words.multiple;
  return say(sentence, { multiple: num(multiple, 6) });
}

/**
 * The band of the window: on the rail, its label, and what leads a first hand to it.
 *
 * @param {[number, number]} window
 * @param {Words} words
 * @param {boolean} frozen
 * @param {(multiple: number) => void} change
 */
function windowBand(window, words, frozen, change) {
  const [low, high] = window;
  const [left, right] = [lengthOf(low), `calc(100% - ${lengthOf(high)})`];
  const band = h("span", { class: "saew-rail-window", style: { left, right } });
  const arrow = h("span", {
    class: "saew-rail-arrow",
    style: { left: lengthOf(Math.min(0, high)), right: `calc(100% - ${lengthOf(Math.max(0, low))})` },
  });
  arrow.classList.toggle("saew-left", high < 0);
  const middle = middleOf(window);
  const label = h(
    "button",
    {
      type: "button",
      class: "saew-works",
      title: words.windowTitle,
      disabled: frozen,
      style: { "--at": lengthOf(middle) },
      onclick: () => change(middle),
    },
    say(low === high ? words.windowOne : words.window, { low: num(low, 4), high: num(high, 4) }),
  );
  const first = h("span", { class: "saew-hint", style: { "--at": lengthOf(middle) } }, words.first);
  first.classList.toggle("saew-left", placeOf(middle) > 0.62);
  return { onRail: [band, arrow], label, first };
}

/**
 * A click on the band, away from the handle, is for its middle; a drag ends where it ends.
 *
 * @param {HTMLInputElement} range
 * @param {[number, number]} window
 * @param {() => number} current
 * @param {(multiple: number) => void} change
 */
function clickForMiddle(range, window, current, change) {
  /** @type {{ x: number, own: boolean } | null} */
  let pressed = null;
  /** @param {number} x px of the page */
  const placeAt = (x) => {
    const box = range.getBoundingClientRect();
    return (x - box.left - THUMB / 2) / (box.width - THUMB);
  };
  range.addEventListener("pointerdown", ({ clientX: x }) => {
    const { width } = range.getBoundingClientRect();
    pressed = { x, own: Math.abs(placeAt(x) - placeOf(current())) * (width - THUMB) <= THUMB / 2 };
  });
  range.addEventListener("click", ({ clientX: x }) => {
    const place = placeAt(x);
    const clicked = pressed && !pressed.own && Math.abs(x - pressed.x) <= SLIP;
    if (clicked && place >= placeOf(window[0]) && place <= placeOf(window[1])) change(middleOf(window));
    pressed = null;
  });
}
