// GPT-2's decoder, a layer at a time, with keys and values kept.

import { attentionOf } from "./attention.js";
import { ACTIVATIONS, normed, product } from "./products.js";

/**
 * @typedef {{ n_ctx: number, n_layers: number, n_heads: number, d_head: number, d_model: number, d_vocab: number,
 *   norm_eps: number, scales: number[], activation: string }} Parts as the page carries them; `scales`: what the scores
 *   of each layer are multiplied with
 * @typedef {Record<string, Float32Array>} Weights by name, matrices [out, in]
 * @typedef {{ k: Float32Array, v: Float32Array }} Cache of a layer, [n_ctx, d_q] each
 * @typedef {(x: Float64Array, n: number, start: number) => void} Change what is done in place to n rows, the first of
 *   which stands at token `start`
 * @typedef {{ inner: string, change: Change }} Inside a change, and the place within a layer where it is made
 */

/** @param {Parts} parts @param {Weights} weights */
export function decoderOf(parts, weights) {
  const { n_ctx, n_heads, d_head, d_model: d, norm_eps } = parts;
  const act = ACTIVATIONS[parts.activation];
  const dQ = n_heads * d_head;
  const dMlp = weights["0.mlp_in.b"].length;
  const room = roomOf(d, dQ, dMlp);
  const attended = attentionOf(n_ctx, dQ, d_head);

  /** @param {number} layer @param {string} name */
  const of = (layer, name) => weights[`${layer}.${name}`];

  /**
   * What attention adds to the last `kept` rows of x [n, d], whose tokens stand at `start` and after it; the cache
   * takes the keys and values of all.
   *
   * @param {number} layer @param {Float64Array} x @param {number} n @param {number} start @param {Cache} cache
   * @param {number} kept
   */
  const attention = (layer, x, n, start, cache, kept) => {
    const { norm, qkv, z, added } = room(n);
    normed(x, n, of(layer, "norm_attention.gain"), of(layer, "norm_attention.bias"), norm_eps, norm);
    product(norm, n, of(layer, "qkv.W"), of(layer, "qkv.b"), qkv);
    for (let row = 0; row < n; row += 1) {
      const from = row * 3 * dQ;
      cache.k.set(qkv.subarray(from + dQ, from + 2 * dQ), (start + row) * dQ);
      cache.v.set(qkv.subarray(from + 2 * dQ, from + 3 * dQ), (start + row) * dQ);
    }
    const [skipped, scale] = [n - kept, parts.scales[layer]];
    for (let row = skipped; row < n; row += 1)
      for (let head = 0; head < n_heads; head += 1) {
        const to = (row - skipped) * dQ + head * d_head;
        attended(qkv, row * 3 * dQ + head * d_head, cache, head * d_head, start + row + 1, scale, z, to);
      }
    product(z, kept, of(layer, "out.W"), of(layer, "out.b"), added);
    return added;
  };

  /** What the MLP adds to x [n, d]. @param {number} layer @param {Float64Array} x @param {number} n */
  const mlp = (layer, x, n) => {
    const { norm, hidden, added } = room(n);
    normed(x, n, of(layer, "norm_mlp.gain"), of(layer, "norm_mlp.bias"), norm_eps, norm);
    product(norm, n, of(layer, "mlp_in.W"), of(layer, "mlp_in.b"), hidden);
    for (let i = 0; i < n * dMlp; i += 1) hidden[i] = act(hidden[i]);
    product(hidden, n, of(layer, "mlp_out.W"), of(layer, "mlp_out.b"), added);
    return added;
  };

  /**
   * One layer on the last `kept` rows of x [n, d], in place, which are all unless a number is given; with a change
   * inside it if asked.
   *
   * @param {number} layer @param {Float64Array} x @param {number} n @param {number} start @param {Cache} cache
   * @param {Inside | null} [inside] @param {number} [kept]
   */
  const block = (layer, x, n, start, cache, inside = null, kept = n) => {
    const [own, at] = [x.subarray((n - kept) * d, n * d), start + n - kept];
    const first = attention(layer, x, n, start, cache, kept);
    if (inside?.inner === "hook_attn_out") inside.change(first, kept, at);
    for (let i = 0; i < kept * d; i += 1) own[i] += first[i];
    if (!kept) return;
    if (inside?.inner === "hook_resid_mid") inside.change(own, kept, at);
    const second = mlp(layer, own, kept);
    if (inside?.inner === "hook_mlp_out") inside.change(second, kept, at);
    for (let i = 0; i < kept * d; i += 1) own[i] += second[i];
  };

  /** @returns {Cache} */
  const cache = () => ({ k: new Float32Array(n_ctx * dQ), v: new Float32Array(n_ctx * dQ) });
  return { parts, ...endsOf(parts, weights), block, cache };
}

/** What is before the layers, and after them. @param {Parts} parts @param {Weights} weights */
function endsOf({ d_model: d, d_vocab, norm_eps }, weights) {
  const [none, norm] = [new Float32Array(d_vocab), new Float64Array(d)];
  /** What flows into layer 0, [n, d]. @param {number[]} tokens @param {number} start */
  const embedded = (tokens, start) => {
    const x = new Float64Array(tokens.length * d);
    for (const [row, token] of tokens.entries())
      for (let i = 0; i < d; i += 1)
        x[row * d + i] = weights.embedding[token * d + i] + weights.positions[(start + row) * d + i];
    return x;
  };

  /** The logits after the last of n rows that flow out of the last layer. @param {Float64Array} x @param {number} n */
  const logits = (x, n) => {
    normed(x.subarray((n - 1) * d, n * d), 1, weights["norm_final.gain"], weights["norm_final.bias"], norm_eps, norm);
    const found = new Float64Array(d_vocab);
    product(norm, 1, weights.unembedding ?? weights.embedding, weights["unembedding.b"] ?? none, found);
    return found;
  };
  return { embedded, logits };
}

/** @typedef {ReturnType<typeof decoderOf>} Decoder */

/** Memory for what is between the steps of a layer, made once for as many rows as are asked for. */
function roomOf(/** @type {number} */ d, /** @type {number} */ dQ, /** @type {number} */ dMlp) {
  let most = 0;
  const rows = (/** @type {number} */ width) => new Float64Array(most * width);
  let made = { norm: rows(d), qkv: rows(3 * dQ), z: rows(dQ), hidden: rows(dMlp), added: rows(d) };
  return (/** @type {number} */ n) => {
    if (n > most) {
      most = n;
      made = { norm: rows(d), qkv: rows(3 * dQ), z: rows(dQ), hidden: rows(dMlp), added: rows(d) };
    }
    return made;
  };
}
