// The records of a clamp panel as the page gets them, and what its settings say.

import { num } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";

/**
 * @typedef {[feature: number, multiple: number][]} Multiples what is clamped, in the order of the rows
 * @typedef {[id: number, text: string, logprob: number | null, kl: number | null]} Token
 * @typedef {{ feature: number, label: string, maximum: number, promoted: string[], window: [number, number] | null }}
 *  Row
 * @typedef {{ default: Token[], clamped: Token[], other: Token[] | null, instead?: string, under: Multiples,
 *   code: string, done: boolean, room: number | null, stale?: boolean, missing?: boolean }} Texts the trait `_texts`;
 *   `room`: tokens that the context leaves after the prompt, `instead`: what the third was written under, `stale`: they
 *   are those of an earlier setting
 * @typedef {{ prompt: import("../../shared/turns.js").Prompt, multiples: Multiples, scope: number | string,
 *   temperature: number, seed: number, n_tokens: number, text: string }} Try
 * @typedef {{ feature: number, site: string, measure: string, default: number | null, clamped: number | null,
 *   kept: number | null }} Measured a `measure` of "set" holds in `clamped` what was set, in `kept` its multiple
 * @typedef {{ parts: [text: string, found: boolean][], holds: boolean | null, perplexity: number | null,
 *   stopped: string }} Answer
 * @typedef {{ share: number | null, rows: { seed: number, default: Answer | null, clamped: Answer | null }[] }} Answers
 *   the trait `_answers`; `share` of what is being written is there
 * @typedef {{ seeds: number[], scopes: (number | string)[], multiples: Record<string, number[]> }} Recorded
 * @typedef {{ get(name: string): any }} Settings a model, read only
 */

/**
 * What is clamped now.
 *
 * @param {Settings} model
 * @returns {Multiples}
 */
export function onNow(model) {
  const multiples = model.get("multiples");
  return model
    .get("features")
    .filter((/** @type {number} */ f) => (multiples[f] ?? null) !== null)
    .map((/** @type {number} */ f) => [f, multiples[f]]);
}

/**
 * Clamps in words: "#96 at 1.4×".
 *
 * @param {Multiples} multiples
 * @param {{ at: string }} words
 */
export function clampWords(multiples, { at }) {
  return multiples.map(([feature, multiple]) => say(at, { feature, multiple: num(multiple, 6) })).join(" + ");
}

/**
 * What a row is called, for a person and for a screen reader.
 *
 * @param {{ feature: number, label?: string }} row
 */
export function rowName(row) {
  return row.label ? `#${row.feature} ${row.label}` : `#${row.feature}`;
}

/**
 * A scope is a word, a position t ("from token t on"), or "token t" (there alone): its kind, and t where it has one.
 *
 * @param {number | string} scope
 * @returns {{ kind: string, t: string }}
 */
export function scopeParts(scope) {
  const [, only, t] = /^(token )?(-?\d+)$/.exec(String(scope)) ?? [];
  return t === undefined ? { kind: String(scope), t: "" } : { kind: only ? "only" : "from", t };
}

/**
 * The scope of a kind, at the token t where it needs one.
 *
 * @param {string} kind
 * @param {string | number} t
 */
export function scopeOf(kind, t) {
  return kind === "from" ? Number(t) : kind === "only" ? `token ${Number(t)}` : kind;
}
