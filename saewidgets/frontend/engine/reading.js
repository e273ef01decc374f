// Which features a text sets off, token by token.

import { asked } from "./prompts.js";
import { read, runOf, siteOf } from "./run.js";
import { short } from "./text.js";

/** @import { Prompt } from "./prompts.js" */
/** @import { Machine } from "./text.js" */
/**
 * @typedef {{ feature: number, p: number[], a: (number | null)[] }} Row the tokens where a feature is on, and how much
 * @typedef {{ text: string, ids: number[], counted: boolean[], turn: number[] | null, rows: Row[] }} Reading
 *   `counted`: no special token, and no vector longer than those that the SAE was trained on
 */

/**
 * Every feature that is on at some token, in the order of their numbers; it waits between two pieces of the text.
 *
 * @param {Machine} machine
 * @param {Prompt} prompt
 * @returns {Generator<null, Reading>}
 */
export function* reading({ decoder, sae, hook, tokenizer, speech }, prompt) {
  const { text, ids, turn } = asked(prompt, tokenizer, speech);
  const { n_layers, d_model: d } = decoder.parts;
  const x = new Float64Array(ids.length * d);
  const keep = (/** @type {Float64Array} */ own, /** @type {number} */ n, /** @type {number} */ start) =>
    x.set(own.subarray(0, n * d), start * d);
  const site = siteOf(hook, n_layers);
  if (!site) throw new Error(`${hook} is no site that a page reads`);
  // Noted where an edit would be made, and not changed. It is watched so that the last layer computes all rows, too.
  const run = runOf(decoder, { ...site, change: keep }, false, () => {});
  yield* read(run, ids);

  const special = new Set(speech.special);
  const counted = ids.map((id, t) => !special.has(id) && !tooLong(x, t * d, d, speech.max_norm));
  /** @type {Map<number, Row>} */
  const rows = new Map();
  for (const t of ids.keys()) {
    if (!counted[t]) continue;
    for (const { feature, value } of sae.active(x, t * d)) {
      const row = rows.get(feature) ?? { feature, p: [], a: [] };
      row.p.push(t);
      row.a.push(short(value));
      rows.set(feature, row);
    }
    yield null;
  }
  return { text, ids, counted, turn, rows: [...rows.values()].sort((a, b) => a.feature - b.feature) };
}

/** @param {Float64Array} x @param {number} at @param {number} d @param {number | null} most */
function tooLong(x, at, d, most) {
  if (most === null) return false;
  let sum = 0;
  for (let i = 0; i < d; i += 1) sum += x[at + i] ** 2;
  return Math.sqrt(sum) > most;
}
