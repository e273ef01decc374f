// What one head of attention reads for one token.

/** @import { Cache } from "./decoder.js" */

/**
 * A function that writes to z[to, to + dHead] a mean of the values of the first `seen` tokens, weighted by how well
 * their keys fit q[at, at + dHead]; `head` is where the head begins in a row of the cache.
 *
 * @param {number} nCtx
 * @param {number} dQ
 * @param {number} dHead
 */
export function attentionOf(nCtx, dQ, dHead) {
  const scores = new Float64Array(nCtx);
  /**
   * @param {Float64Array} q @param {number} at @param {Cache} cache @param {number} head @param {number} seen
   * @param {number} scale @param {Float64Array} z @param {number} to
   */
  return (q, at, { k, v }, head, seen, scale, z, to) => {
    let most = -Infinity;
    for (let t = 0; t < seen; t += 1) {
      let sum = 0;
      for (let i = 0, from = t * dQ + head; i < dHead; i += 1) sum += q[at + i] * k[from + i];
      scores[t] = sum * scale;
      if (scores[t] > most) most = scores[t];
    }
    let total = 0;
    for (let t = 0; t < seen; t += 1) {
      scores[t] = Math.exp(scores[t] - most);
      total += scores[t];
    }
    for (let i = 0; i < dHead; i += 1) z[to + i] = 0;
    for (let t = 0; t < seen; t += 1) {
      const weight = scores[t] / total;
      for (let i = 0, from = t * dQ + head; i < dHead; i += 1) z[to + i] += weight * v[from + i];
    }
  };
}
