// What is measured on demand: attribution and ablation for a next token, and what leaving features out costs.

import { h } from "../../shared/elements.js";
import { fixed, num, whole } from "../../shared/numbers.js";
import { glyphs } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";

/** @import { Measured, View, Words } from "./reading.js" */
/** @typedef {{ target: string, baseline: string }} Tokens */
/** @typedef {{ can: string[], still: boolean, tokens: Tokens, cost: boolean }} Asked `cost`: whether it was ablated */

/**
 * @param {Words} words
 * @param {{ put: (name: keyof Tokens, value: string) => void, measure: (tokens: Tokens) => void,
 *   ask: (kind: "ablate" | "ablate_listed") => void }} act
 */
export function measurePart(words, act) {
  const own = words.measure;
  const target = field("target", own.target, act.put);
  const baseline = field("baseline", own.baseline, act.put);
  const measure = () => act.measure({ target: target.input.value, baseline: baseline.input.value });
  const go = h("button", { type: "button", class: "saew-button saew-plain", onclick: measure }, own.go);
  const ablate = h("button", { type: "button", class: "saew-pill", onclick: () => act.ask("ablate") });
  const look = { type: "button", class: "saew-pill", title: own.ablateAllTitle };
  const ablateAll = h("button", { ...look, onclick: () => act.ask("ablate_listed") }, own.ablateAll);
  const said = h("div", { class: "saew-probe-said", role: "status" });
  const tokens = h("div", { class: "saew-settings" }, target.el, baseline.el, go);
  const others = h("div", { class: "saew-settings" }, ablate, ablateAll);
  const head = [h("h3", {}, own.title), h("p", { class: "saew-note" }, own.note)];
  const el = h("div", { class: "saew-section saew-probe-measure" }, ...head, tokens, others, said);
  /** @param {View} view @param {Asked} asked */
  const update = ({ prompt, feature }, { can, still, tokens: typed, cost }) => {
    const { measured } = prompt;
    const [measures, ablates] = ["measure", "ablate"].map((kind) => !still && can.includes(kind));
    el.hidden = !(measures || ablates || (still && measured));
    tokens.hidden = !measures;
    ablate.hidden = !ablates || feature === null;
    ablateAll.hidden = !ablates || !prompt.features.length;
    others.hidden = ablate.hidden && ablateAll.hidden;
    for (const [input, value] of /** @type {const} */ ([
      [target.input, typed.target],
      [baseline.input, typed.baseline],
    ])) {
      if (document.activeElement !== input) input.value = value;
    }
    ablate.textContent = say(own.ablate, { feature });
    ablate.setAttribute("aria-pressed", String(cost));
    said.replaceChildren(...(measured ? found(measured, words) : []));
  };
  /** @param {boolean} busy */
  const rest = (busy) => {
    for (const button of [go, ablateAll]) button.disabled = busy;
  };
  /** @param {KeyboardEvent} event */
  const key = (event) => {
    if (event.key !== "Enter" || (event.target !== target.input && event.target !== baseline.input)) return false;
    measure();
    return true;
  };
  return { el, update, rest, key };
}

/** @param {keyof Tokens} name @param {string} label @param {(name: keyof Tokens, value: string) => void} put */
function field(name, label, put) {
  const look = { type: "text", class: "saew-input", spellcheck: "false", autocomplete: "off" };
  const input = h("input", { ...look, onchange: () => put(name, input.value) });
  return { input, el: h("label", { class: "saew-field" }, h("span", {}, label), input) };
}

/** @param {Measured} measured @param {Words} words */
function found({ target, baseline, difference, n, attribution, activation }, { measure }) {
  const against = baseline ? glyphs(baseline, 24) : measure.mean;
  const coefficient = (/** @type {number | null} */ r) => (r === null ? "–" : fixed(r));
  const told = { n: whole(n), attribution: coefficient(attribution), activation: coefficient(activation) };
  const values = { target: glyphs(target, 24), baseline: against, difference: num(difference) };
  return [h("p", {}, say(measure.result, values)), h("p", {}, say(measure.correlations, told))];
}
