// What a person sets: sliders, choices and numbers, and the button that trains.

import { h } from "../../shared/elements.js";
import { num } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { spread } from "./math.js";

/** @import { SuperpositionLabTraits } from "../../types/model.js" */
/** @typedef {Pick<SuperpositionLabTraits, (typeof SETTINGS)[number] | (typeof BESIDE)[number]>} Settings */
/** @typedef {typeof import("./words.js").words.en.controls} Words */
/** @typedef {{ el: HTMLElement, update: (settings: Settings) => void }} Control */
/** @typedef {(name: string, value: unknown) => void} Put */
/** @typedef {{ min: number, max: number, step: number, title?: string }} Range */

export const SETTINGS = /** @type {const} */ ([
  ...["n_features", "n_hidden", "densities", "importance_decay", "relation", "set_size", "activation", "hidden"],
  ...["task", "l1", "steps", "tries", "seed"],
]);

/** What the controls show and nobody sets there. */
export const BESIDE = /** @type {const} */ (["status", "recipe_note"]);

const plain = (/** @type {number} */ value) => String(value);

/**
 * @param {Words} words
 * @param {Put} put
 * @param {() => void} train begins a training, or ends the one under way
 */
export function controlsPart(words, put, train) {
  const knobs = knobControls(words, put);
  const relation = choice(words.relation, "relation", words.relations, put);
  const setSize = number(words.setSize, "set_size", { min: 1, max: 50 }, put);
  const activation = choice(words.activation, "activation", words.activations, put);
  const others = [
    choice(words.hiddenKind, "hidden", words.activations, put),
    choice(words.task, "task", words.tasks, put),
    number(words.steps, "steps", { min: 1, max: 100000 }, put),
    number(words.tries, "tries", { min: 1, max: 100 }, put),
    number(words.seed, "seed", { min: 0, max: 2 ** 31 - 1 }, put),
  ];
  const reseed = h(
    "button",
    { type: "button", class: "saew-pill", onclick: () => put("seed", Math.floor(Math.random() * 10000)) },
    words.reseed,
  );
  const penalty = slider(words.l1, { min: 0, max: 1, step: 0.02 }, (value) => num(value), {
    get: ({ l1 }) => l1,
    set: (value) => put("l1", value),
  });
  const state = h("span", { class: "saew-status", role: "status" });
  const progress = h("progress", { class: "saew-job-progress", max: 1, "aria-label": words.progress });
  const button = h("button", { type: "button", class: "saew-button", onclick: train });
  const next = h("p", { class: "saew-note" });
  const el = h(
    "div",
    { class: "saew-lab-controls" },
    h("div", { class: "saew-knobs" }, ...knobs.map((one) => one.el)),
    h("div", { class: "saew-lab-choices" }, relation.el, setSize.el, activation.el),
    h("div", { class: "saew-lab-do" }, state, button),
    progress,
    next,
    h(
      "details",
      { class: "saew-details" },
      h("summary", {}, words.more),
      h("div", { class: "saew-lab-more" }, ...others.map((one) => one.el), reseed, penalty.el),
    ),
  );
  const all = [...knobs, relation, setSize, activation, ...others, penalty];
  /**
   * @param {Settings} settings
   * @param {string} step how far the training is, empty where there is nothing to see
   * @param {number} share of it that is done, 0 to 1
   */
  const update = (settings, step, share) => {
    for (const one of all) one.update(settings);
    setSize.el.hidden = settings.relation === "independent";
    next.textContent = settings.recipe_note;
    next.hidden = !settings.recipe_note;
    const { status } = settings;
    const says = words.status[status];
    state.textContent = status === "training" && step ? say(words.at, { status: says, step }) : says;
    state.setAttribute("data-status", status);
    progress.classList.toggle("saew-idle", status !== "training"); // it keeps its place: nothing may jump
    progress.value = share;
    button.textContent = status === "training" ? words.stop : words.train;
  };
  return { el, update };
}

/**
 * The six sliders.
 *
 * @param {Words} words
 * @param {Put} put
 */
function knobControls(words, put) {
  /** @type {number[]} */
  let densities = [1];
  const respread = (/** @type {number} */ first, /** @type {number} */ last, count = densities.length) =>
    put("densities", spread(first, last, count));
  const first = () => densities[0];
  const last = () => densities[densities.length - 1];
  const density = (
    /** @type {string} */ label,
    /** @type {(value: number) => void} */ set,
    /** @type {number} */ index,
  ) =>
    slider(
      label,
      { min: -2, max: 0, step: 0.02, title: words.shareNote },
      (log) => say(words.share, { percent: num(100 * 10 ** log, 2) }),
      {
        get: (settings) => {
          densities = settings.densities;
          return Number(Math.log10(/** @type {number} */ (densities.at(index))).toFixed(6));
        },
        set: (log) => set(Number((10 ** log).toPrecision(2))),
      },
    );
  return [
    slider(words.features, { min: 1, max: 20, step: 1 }, plain, {
      get: (settings) => settings.n_features,
      set: (value) => put("n_features", value),
    }),
    slider(words.hidden, { min: 1, max: 10, step: 1 }, plain, {
      get: (settings) => settings.n_hidden,
      set: (value) => put("n_hidden", value),
    }),
    // One model is the densest and the sparsest.
    density(words.densest, (value) => respread(value, densities.length > 1 ? last() : value), 0),
    density(words.sparsest, (value) => respread(densities.length > 1 ? first() : value, value), -1),
    slider(words.models, { min: 1, max: 8, step: 1 }, plain, {
      get: (settings) => settings.densities.length,
      set: (count) => respread(first(), last(), count),
    }),
    slider(words.decay, { min: 0.5, max: 1, step: 0.01 }, (value) => say(words.times, { value: num(value) }), {
      get: (settings) => settings.importance_decay,
      set: (value) => put("importance_decay", value),
    }),
  ];
}

/**
 * A slider under its name and value.
 *
 * @template S
 * @param {string} label
 * @param {Range} range
 * @param {(value: number) => string} format
 * @param {{ get: (settings: S) => number, set: (value: number) => void }} trait
 */
export function slider(label, { min, max, step, title }, format, { get, set }) {
  const input = h("input", { type: "range", class: "saew-range", "aria-label": label, min, max, step, title });
  const output = h("output", {});
  const show = (/** @type {number} */ value) => {
    output.textContent = format(value);
    input.setAttribute("aria-valuetext", format(value));
  };
  input.addEventListener("input", () => {
    set(Number(input.value));
    show(Number(input.value));
  });
  const el = h(
    "label",
    { class: "saew-knob" },
    h("span", { class: "saew-knob-name" }, h("span", {}, label), output),
    h("span", { class: "saew-slider" }, h("span", { class: "saew-rail", "aria-hidden": "true" }), input),
  );
  /** @param {S} settings */
  const update = (settings) => {
    const value = get(settings);
    input.max = String(Math.max(max, value)); // a recorded run may be larger than the slider
    input.min = String(Math.min(min, value));
    if (document.activeElement !== input || Number(input.value) !== value) input.value = String(value);
    show(value);
  };
  return { el, update };
}

/**
 * @param {string} label
 * @param {"relation" | "activation" | "hidden" | "task"} name
 * @param {Record<string, string>} options
 * @param {Put} put
 * @returns {Control}
 */
function choice(label, name, options, put) {
  const select = h(
    "select",
    { class: "saew-input" },
    ...Object.entries(options).map(([value, words]) => h("option", { value }, words)),
  );
  select.addEventListener("change", () => put(name, select.value));
  const el = h("label", { class: "saew-field" }, h("span", {}, label), select);
  return { el, update: (settings) => (select.value = settings[name]) };
}

/**
 * @param {string} label
 * @param {"set_size" | "steps" | "tries" | "seed"} name
 * @param {{ min: number, max: number }} range
 * @param {Put} put
 * @returns {Control}
 */
function number(label, name, { min, max }, put) {
  const input = h("input", { type: "number", class: "saew-input", min, max, step: 1 });
  let last = "";
  input.addEventListener("change", () => {
    if (input.value !== "" && input.validity.valid) put(name, Number(input.value));
    else input.value = last;
  });
  const el = h("label", { class: "saew-field" }, h("span", {}, label), input);
  /** @param {Settings} settings */
  const update = (settings) => {
    last = String(settings[name]);
    if (document.activeElement !== input) input.value = last;
  };
  return { el, update };
}
