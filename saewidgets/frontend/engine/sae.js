// A sparse autoencoder as far as a clamp needs it: what features are at a vector, and what one unit of them adds there.

import { product } from "./products.js";

/** @import { Weights } from "./decoder.js" */
/**
 * @typedef {{ architecture: string, k: number, d_in: number, scale: number, subtracts_b_dec: boolean,
 *   input_normalization: string, features: number[], whole: boolean }} Config `features`: those that are carried, in
 *   the order of the rows of the decoder; `whole`: the encoder has all features of the SAE, and else these alone
 */

const EPS = 1e-5; // beside the standard deviation, as on the Python side

/** @param {Config} config @param {Weights} weights */
export function saeOf(config, weights) {
  const { architecture, d_in: d, scale, input_normalization } = config;
  const [W_enc, W_dec, b_dec] = [weights["sae.W_enc"], weights["sae.W_dec"], weights["sae.b_dec"]];
  const bias = weights["sae.b_enc"] ?? weights["sae.b_gate"];
  const places = new Map(config.features.map((feature, place) => [feature, place]));
  const n = W_enc.length / d;
  const [z, pre] = [new Float64Array(d), new Float64Array(n)];

  /** @param {number} feature */
  const placeOf = (feature) => {
    const place = places.get(feature);
    if (place === undefined) throw new Error(`feature ${feature} is not carried`);
    return place;
  };
  /** Its row of the encoder. @param {number} feature */
  const encoded = (feature) => (config.whole ? feature : placeOf(feature));

  /** What the encoder multiplies, of x[at, at + d]. @param {Float64Array} x @param {number} at */
  const read = (x, at) => {
    let [mean, by] = [0, scale];
    if (input_normalization === "layer_norm") {
      mean = meanOf(x, at, d);
      by = 1 / (deviation(x, at, d) + EPS);
    } else if (input_normalization === "unit_norm") by = 1 / Math.max(units(x, at), 1.2e-38);
    for (let i = 0; i < d; i += 1) z[i] = (x[at + i] - mean) * by - (config.subtracts_b_dec ? b_dec[i] : 0);
  };

  /** Model units per unit of a decoder's row there. @param {Float64Array} x @param {number} at */
  const units = (x, at) => {
    if (input_normalization === "layer_norm") return deviation(x, at, d);
    if (input_normalization !== "unit_norm") return 1 / scale;
    let sum = 0;
    for (let i = 0; i < d; i += 1) sum += x[at + i] ** 2;
    return Math.sqrt(sum / d);
  };

  /** @param {number} place before anything is cut off */
  const own = (place) => {
    let sum = 0;
    for (let i = 0, w = place * d; i < d; i += 1) sum += z[i] * W_enc[w + i];
    return sum;
  };

  /** What some features are at x[at, at + d]. @param {Float64Array} x @param {number} at @param {number[]} features */
  const activations = (x, at, features) => {
    read(x, at);
    if (architecture === "topk") {
      product(z, 1, W_enc, bias, pre);
      const least = largest(pre, config.k);
      return features.map((f) => (pre[encoded(f)] >= least ? Math.max(pre[encoded(f)], 0) : 0));
    }
    return features.map((f) => {
      const place = encoded(f);
      const sum = own(place);
      if (architecture === "gated") {
        const size = sum * Math.exp(weights["sae.r_mag"][place]) + weights["sae.b_mag"][place];
        return sum + bias[place] > 0 ? Math.max(size, 0) : 0;
      }
      const value = sum + bias[place];
      const least = weights["sae.threshold"]?.[place] ?? -Infinity;
      return value > least ? Math.max(value, 0) : 0;
    });
  };

  /** All that are on, the strongest first. @param {Float64Array} x @param {number} at */
  const active = (x, at) =>
    activations(x, at, config.features)
      .map((value, place) => ({ feature: config.features[place], value }))
      .filter(({ value }) => value > 0)
      .sort((a, b) => b.value - a.value);

  /** A decoder's row: where in `W_dec` it begins. @param {number} feature */
  const row = (feature) => placeOf(feature) * d;
  return { config, activations, active, units, row, W_dec };
}

/** @typedef {ReturnType<typeof saeOf>} Sae */

/** @param {Float64Array} x @param {number} at @param {number} d */
function meanOf(x, at, d) {
  let sum = 0;
  for (let i = 0; i < d; i += 1) sum += x[at + i];
  return sum / d;
}

/** The standard deviation over d - 1. @param {Float64Array} x @param {number} at @param {number} d */
function deviation(x, at, d) {
  const mean = meanOf(x, at, d);
  let sum = 0;
  for (let i = 0; i < d; i += 1) sum += (x[at + i] - mean) ** 2;
  return Math.sqrt(sum / (d - 1));
}

/** The k-th largest of some numbers. @param {Float64Array} values @param {number} k */
function largest(values, k) {
  const top = new Float64Array(k).fill(-Infinity); // ascending
  for (const value of values) {
    if (value <= top[0]) continue;
    let i = 1;
    for (; i < k && top[i] < value; i += 1) top[i - 1] = top[i];
    top[i - 1] = value;
  }
  return top[0];
}
