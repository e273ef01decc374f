// Clamps as a change of activations: x' = x + sum over f of (value - a(x)) d, where its scope covers the token; one
// that adds leaves a(x) alone, as `steering.add_feature` does.

import { words } from "./words.js";
import { filled } from "./sentences.js";

/** @import { Change } from "./decoder.js" */
/** @import { Sae } from "./sae.js" */
/** @typedef {[first: number, stop: number]} Span tokens */
/**
 * @typedef {{ feature: number, value: number, scope: number | string, adds?: boolean }} Clamp `value` in SAE units;
 *   `adds`: it is added to what the feature is, in place of being what it becomes
 */

/** The position of a scope that covers one token; null for any other. @param {number | string} scope */
const oneToken = (scope) => {
  const found = /^token (0|-?[1-9]\d{0,8})$/.exec(String(scope));
  return found && typeof scope === "string" ? Number(found[1]) : null;
};

/**
 * The tokens that a scope covers. `answers` are those of the assistant's earlier turns, null where the prompt is none.
 *
 * @param {number | string} scope
 * @param {number} nPrompt
 * @param {Span[] | null} answers
 * @param {number} nRead so many tokens the model reads at most
 * @returns {Span[]}
 */
export function spansOf(scope, nPrompt, answers, nRead) {
  const only = oneToken(scope);
  const first = typeof scope === "number" ? scope : (only ?? 0);
  const said = typeof scope === "number" ? scope : `'${scope}'`; // as Python writes it
  if (first >= Math.max(nRead, nPrompt))
    throw new Error(filled(words.beyond, { scope: said, n: nRead, last: nRead - 1, prompt: nPrompt }));
  if (only !== null && only + nPrompt < 0) throw new Error(filled(words.before, { scope: said, n: nPrompt }));
  if (only !== null) return [only < 0 ? [only + nPrompt, only + nPrompt + 1] : [only, only + 1]];
  if (typeof scope === "number") return [[scope, Infinity]];
  if (scope === "assistant") {
    if (!answers) throw new Error(words.noDialogue);
    return [
      ...answers.map(([from, stop]) => /** @type {Span} */ ([from, Math.min(stop, nPrompt)])),
      [nPrompt, Infinity],
    ];
  }
  return [scope === "prompt" ? [0, nPrompt] : [scope === "generated" ? nPrompt : 0, Infinity]];
}

/**
 * What the clamps do to the tokens they cover. Where two clamps of one feature cover a token the later one holds.
 *
 * @param {Sae} sae
 * @param {Clamp[]} clamps
 * @param {Span[][]} spans of each clamp
 * @returns {Change}
 */
export function changeOf(sae, clamps, spans) {
  const { d_in: d } = sae.config;
  const features = [...new Set(clamps.map((clamp) => clamp.feature))];
  const values = clamps.map((clamp) => Math.fround(clamp.value));
  return (x, n, start) => {
    for (let row = 0; row < n; row += 1) {
      /** @type {Map<number, number>} which clamp holds, by feature */
      const wanted = new Map();
      for (const [i, { feature }] of clamps.entries())
        if (spans[i].some(([first, stop]) => first <= start + row && start + row < stop)) wanted.set(feature, i);
      if (!wanted.size) continue;
      const at = row * d;
      const own = sae.activations(x, at, features);
      const units = sae.units(x, at);
      for (const [i, feature] of features.entries()) {
        const by = wanted.get(feature);
        if (by === undefined) continue;
        const change = (values[by] - (clamps[by].adds ? 0 : own[i])) * units;
        if (change === 0) continue;
        for (let j = 0, from = sae.row(feature); j < d; j += 1) x[at + j] += change * sae.W_dec[from + j];
      }
    }
  };
}
