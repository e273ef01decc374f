// What can be set beside the sliders: where the clamps hold, how text is sampled, what it is compared with.

import { h } from "../../shared/elements.js";
import { field, numberField } from "../../shared/fields.js";
import { num, whole } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { scopeOf, scopeParts } from "./state.js";

/** @import { Recorded } from "./state.js" */
/** @typedef {typeof import("./words.js").words.en.settings} Words */
/**
 * @typedef {{ scope: number | string, temperature: number, n_tokens: number, seed: number, compare: string }} Values
 * @typedef {{ status: "idle" | "writing" | "answering" | "stopped" | "error", waiting: string }} State
 * @typedef {object} How
 * @property {Words} words
 * @property {boolean} still no kernel stands behind the page
 * @property {boolean} frozen nothing can be set
 * @property {boolean} fixed only what a recording holds can be set
 * @property {Recorded | null} recorded
 * @property {string[]} comparisons
 * @property {(settings: Partial<Values>) => void} put
 * @property {(kind: "write" | "stop") => void} ask
 */

const SEEDS = 2 ** 31 - 1; // the largest that can be typed
/** @type {Record<string, [low: number, high: number, whole: boolean]>} as the kernel takes them */
const LIMITS = { temperature: [0, 10, false], n_tokens: [1, 2000, true], seed: [0, SEEDS, true] };

/** @param {How} how */
export function settingsPart(how) {
  const { words, fixed, recorded, comparisons, put } = how;
  const refused = h("p", { class: "saew-note saew-refused", role: "status", hidden: true });
  const tell = (/** @type {string} */ sentence) => {
    refused.textContent = sentence;
    refused.hidden = !sentence;
  };
  const number = (/** @type {"temperature" | "n_tokens" | "seed"} */ name, /** @type {string} */ title) =>
    limitedField(title, LIMITS[name], how, (value) => put({ [name]: value }), tell);
  const scope = scopeField(how);
  const temperature = number("temperature", words.temperature);
  const length = number("n_tokens", words.length);
  const seed = recorded ? recordedSeed(how, recorded.seeds) : number("seed", words.seed);
  const compare = comparisonField(how);
  const doing = writingButton(how);
  const reseed = h(
    "button",
    {
      type: "button",
      class: "saew-pill",
      hidden: fixed,
      onclick: () => put({ seed: Math.floor(Math.random() * 10000) }),
    },
    words.reseed,
  );
  const el = h(
    "div",
    {},
    h(
      "div",
      { class: "saew-settings" },
      scope.el,
      temperature.el,
      length.el,
      seed.el,
      reseed,
      comparisons.length ? compare.el : null,
      doing.el,
    ),
    refused,
  );
  /** @type {number | null} */
  let room = null;
  let asked = 0; // tokens
  const sayRoom = () => {
    const tight = room !== null && asked > room;
    length.rename(tight ? say(words.fits, { name: words.length, room: whole(room ?? 0) }) : words.length);
    const limits = { name: words.length, low: 1, high: whole(LIMITS.n_tokens[1]), room: whole(room ?? 0) };
    length.input.title = say(room === null ? words.title : words.room, limits);
  };
  /** @param {number | null} left tokens that the context leaves after the prompt; null where that is not known */
  const leave = (left) => {
    if (left === room) return;
    room = left;
    sayRoom();
  };
  /** @param {Values} values */
  const update = (values) => {
    scope.update(values.scope);
    temperature.update(values.temperature);
    length.update(values.n_tokens);
    seed.update(values.seed);
    compare.update(values.compare);
    asked = values.n_tokens;
    sayRoom();
  };
  return { el, update, leave, tell: doing.update };
}

/**
 * @param {string} name
 * @param {[low: number, high: number, whole: boolean]} limits
 * @param {How} how
 * @param {(value: number) => void} set
 * @param {(sentence: string) => void} tell
 */
function limitedField(name, limits, { words, fixed }, set, tell) {
  const [low, high, integer] = limits;
  const said = { name, low: whole(low), high: whole(high), kind: integer ? words.whole : words.number };
  const refusal = (/** @type {string} */ typed, /** @type {number} */ now) =>
    say(words.refused, { ...said, given: typed || words.nothing, now: num(now, 10) });
  const attributes = { step: integer ? 1 : 0.1, title: say(words.title, said), disabled: fixed };
  return numberField(name, { limits, set, refusal, tell }, attributes);
}

/**
 * Where the clamps hold: a word, from a token on, or at one token.
 *
 * @param {How} how
 */
function scopeField({ words, frozen, fixed, recorded, put }) {
  const select = h("select", {
    class: "saew-input",
    disabled: frozen,
    onchange: () => {
      const { kind, t } = scopeParts(select.value); // a recording offers "7" and "token 7" as they are
      put({ scope: scopeOf(kind, t === "" ? first.value : t) });
    },
  });
  const first = h("input", {
    type: "number",
    class: "saew-input saew-small",
    min: 0,
    max: 100000,
    step: 1,
    value: 1,
    disabled: fixed,
    onchange: () => first.validity.valid && first.value !== "" && put({ scope: scopeOf(select.value, first.value) }),
  });
  const el = h("div", { class: "saew-scope" }, field(words.scope, select).el, first);
  /** @type {Record<string, string>} */
  const named = { ...words.scopes, from: words.from, only: words.only };
  const wordsOf = (/** @type {string} */ choice) => {
    const { kind, t } = scopeParts(choice);
    return named[choice] ?? say(kind === "only" ? words.at.only : words.at.from, { t });
  };
  /** @param {number | string} scope */
  const update = (scope) => {
    const { kind, t } = scopeParts(scope);
    const chosen = recorded ? String(scope) : kind;
    const choices = (recorded?.scopes ?? Object.keys(named)).map(String);
    if (!choices.includes(chosen)) choices.push(chosen);
    select.replaceChildren(
      ...choices.map((choice) => h("option", { value: choice, selected: choice === chosen }, wordsOf(choice))),
    );
    first.hidden = chosen !== "from" && chosen !== "only";
    first.title = chosen === "only" ? words.onlyLabel : words.fromLabel;
    first.setAttribute("aria-label", first.title);
    if (t !== "" && document.activeElement !== first) first.value = t;
  };
  return { el, update };
}

/** The seeds of a recording. @param {How} how @param {number[]} seeds */
function recordedSeed({ words, frozen, put }, seeds) {
  const select = h(
    "select",
    { class: "saew-input", disabled: frozen, onchange: () => put({ seed: Number(select.value) }) },
    ...seeds.map((n) => h("option", { value: n }, String(n))),
  );
  const update = (/** @type {number} */ seed) => {
    select.value = String(seed);
  };
  return { el: field(words.seed, select).el, update };
}

/** @param {How} how */
function comparisonField({ words, still, comparisons, put }) {
  const select = h(
    "select",
    { class: "saew-input", disabled: still, onchange: () => put({ compare: select.value }) },
    ...["", ...comparisons].map((name) => h("option", { value: name }, name || words.nothingElse)),
  );
  const update = (/** @type {string} */ compare) => {
    select.value = compare;
  };
  return { el: field(words.compare, select).el, update };
}

/** What it is doing, and the button that begins and stops it. @param {How} how */
function writingButton({ words, still, recorded, ask }) {
  const state = h("span", { class: "saew-status", role: "status" });
  let writing = false;
  const button = h("button", {
    type: "button",
    class: "saew-button",
    disabled: still,
    hidden: Boolean(recorded),
    onclick: () => ask(writing ? "stop" : "write"),
  });
  const el = h("div", { class: "saew-do", hidden: still }, state, button);
  /** @param {State} now */
  const update = ({ status, waiting }) => {
    writing = ["writing", "answering"].includes(status) && !still;
    state.textContent = waiting ? words.waiting : words.status[status];
    state.title = waiting;
    state.setAttribute("data-status", status);
    button.textContent = writing ? words.stop : words.again;
  };
  return { el, update };
}
