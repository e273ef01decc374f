// The clamped features read again, where the clamp acts and after every later layer, without it and with it.

import { editOf, short } from "./text.js";
import { read, runOf } from "./run.js";
import { spansOf } from "./edit.js";

/** @import { Clamp, Span } from "./edit.js" */
/** @import { Machine } from "./text.js" */
/**
 * @typedef {{ feature: number, site: string, measure: string, default: number | null, clamped: number | null,
 *   kept: number | null }} Measured as a page gets it
 */

/**
 * The rows of the measurement, when it is done; it waits between two pieces of the text. At the clamp a feature is read
 * by the encoder; at later layers it is how far the residual stream lies along its direction, in units of it.
 *
 * @param {Machine} machine
 * @param {{ ids: number[], answers: Span[] | null }} prompt
 * @param {Clamp[]} clamps
 * @param {Map<number, number>} multiples of the maximum, by feature
 * @param {number[]} tokens that came after the prompt
 * @returns {Generator<null, Measured[]>}
 */
export function* measured(machine, prompt, clamps, multiples, tokens) {
  const { decoder, sae, hook } = machine;
  const { n_layers, d_model: d } = decoder.parts;
  const [all, features] = [[...prompt.ids, ...tokens], [...multiples.keys()]];
  const edit = editOf(machine, clamps, prompt, all.length);
  if (!edit) return [];
  const home = hookLayer(hook);
  const names = [hook];
  for (let layer = home; layer < n_layers; layer += 1) names.push(`blocks.${layer}.hook_resid_post`);
  const sites = [...new Set(names)];
  const own = new Float64Array(all.length * d); // what comes to the SAE, the same in both
  /** @type {Map<string, Float64Array[]>} default and clamped by site, [token, feature] each */
  const found = new Map(sites.map((name) => [name, [0, 1].map(() => new Float64Array(all.length * features.length))]));

  const inner = edit.change;
  /** @type {typeof inner} */
  const watched = (x, n, start) => {
    own.set(x.subarray(0, n * d), start * d);
    encode(x, n, start, 0);
    inner(x, n, start);
    encode(x, n, start, 1);
  };
  /** @param {Float64Array} x @param {number} n @param {number} start @param {number} which */
  const encode = (x, n, start, which) => {
    const into = /** @type {Float64Array[]} */ (found.get(hook))[which];
    for (let row = 0; row < n; row += 1)
      into.set(sae.activations(x, row * d, features), (start + row) * features.length);
  };
  const run = runOf(decoder, { ...edit, change: watched }, true, (layer, edited, x, n, start) => {
    const into = found.get(`blocks.${layer - 1}.hook_resid_post`);
    if (!into || `blocks.${layer - 1}.hook_resid_post` === hook) return;
    for (let row = 0; row < n; row += 1)
      for (const [i, feature] of features.entries()) {
        const units = sae.units(own, (start + row) * d);
        into[Number(edited)][(start + row) * features.length + i] = along(sae, x, row * d, feature) / units;
      }
  });
  yield* read(run, all);

  return features.flatMap((feature, column) => {
    const clamp = /** @type {Clamp} */ (clamps.findLast((one) => one.feature === feature));
    const [covered] = spansOf(
      clamp.scope === "assistant" ? "generated" : clamp.scope,
      prompt.ids.length,
      null,
      Infinity,
    );
    const places = all.map((_, t) => t).filter((t) => covered[0] <= t && t < covered[1]);
    const inside = places.some((t) => t > 0) ? places.filter((t) => t > 0) : places;
    const mean = (/** @type {Float64Array} */ of) =>
      inside.reduce((sum, t) => sum + of[t * features.length + column], 0) / inside.length;
    const rows = inside.length ? sites.map((name) => /** @type {Float64Array[]} */ (found.get(name)).map(mean)) : [];
    const change = rows.length ? rows[0][1] - rows[0][0] : 0;
    const set = row(feature, "", "set", null, clamp.value, multiples.get(feature) ?? null);
    return [
      set,
      ...rows.map(([plain, clamped], i) => {
        const [part, whole] = i ? [clamped - plain, change] : [clamped, clamp.value];
        return row(feature, sites[i], i ? "projection" : "activation", plain, clamped, whole ? part / whole : null);
      }),
    ];
  });
}

/** @param {string} hook */
const hookLayer = (hook) => Number(hook.split(".")[1]);

/**
 * (x . row) / |row|^2 of a feature's decoder row.
 *
 * @param {Machine["sae"]} sae @param {Float64Array} x @param {number} at @param {number} feature
 */
function along(sae, x, at, feature) {
  let [sum, square] = [0, 0];
  for (let i = 0, from = sae.row(feature); i < sae.config.d_in; i += 1) {
    const w = sae.W_dec[from + i];
    sum += x[at + i] * w;
    square += w * w;
  }
  return sum / square;
}

/**
 * @param {number} feature @param {string} site @param {string} measure @param {number | null} plain
 * @param {number} clamped @param {number | null} kept
 * @returns {Measured}
 */
function row(feature, site, measure, plain, clamped, kept) {
  const said = (/** @type {number | null} */ x) => (x === null ? null : short(x));
  return { feature, site, measure, default: said(plain), clamped: said(clamped), kept: said(kept) };
}
