// The random numbers of the Python side: torch's generator by seed, and the Gumbel noise that is drawn from it.

import { keep } from "./latest.js";

const [N, M] = [624, 397];

/**
 * The Mersenne Twister (Matsumoto and Nishimura 1998): whole numbers of 32 bits.
 *
 * @param {number} seed of which the lowest 32 bits count
 */
export function twister(seed) {
  const state = new Uint32Array(N);
  state[0] = seed % 2 ** 32;
  for (let i = 1; i < N; i += 1) {
    const before = state[i - 1] ^ (state[i - 1] >>> 30);
    state[i] = Math.imul(1812433253, before) + i;
  }
  let at = N;
  const turn = () => {
    for (let i = 0; i < N; i += 1) {
      const y = (state[i] & 0x80000000) | (state[(i + 1) % N] & 0x7fffffff);
      state[i] = state[(i + M) % N] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    at = 0;
  };
  return () => {
    if (at === N) turn();
    let y = state[at];
    at += 1;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}

/**
 * Numbers from 0 to 1 with 53 random bits, as torch draws them.
 *
 * @param {() => number} next
 */
export const uniform = (next) => {
  const high = next() & 0x1fffff;
  return (high * 2 ** 32 + next()) * 2 ** -53;
};

const KEPT = 8; // seeds

/**
 * -log(-log(u)) by seed and step, kept: a slider that moves does not change it.
 *
 * @param {number} size
 */
export function gumbel(size) {
  /** @type {Map<number, { next: () => number, drawn: Float64Array[] }>} */
  const known = new Map();
  return (/** @type {number} */ seed, /** @type {number} */ step) => {
    const own = known.get(seed) ?? { next: twister(seed), drawn: [] };
    keep(known, seed, own, KEPT);
    while (own.drawn.length <= step)
      own.drawn.push(Float64Array.from({ length: size }, () => -Math.log(-Math.log(uniform(own.next)))));
    return own.drawn[step];
  };
}

/**
 * The first place of the largest of logits / temperature + noise; of the logits alone at temperature 0.
 *
 * @param {Float64Array} logits
 * @param {number} temperature
 * @param {Float64Array | null} noise
 */
export function drawn(logits, temperature, noise) {
  let [best, where] = [-Infinity, 0];
  for (let i = 0; i < logits.length; i += 1) {
    const own = noise && temperature ? logits[i] / temperature + noise[i] : logits[i];
    if (own > best) [best, where] = [own, i];
  }
  return where;
}

/** log(sum(exp(logits))). @param {Float64Array} logits */
export function logTotal(logits) {
  let [most, total] = [-Infinity, 0];
  for (const own of logits) if (own > most) most = own;
  for (const own of logits) total += Math.exp(own - most);
  return most + Math.log(total);
}

/** KL(p || q) of two rows of logits, in nats; never below 0. @param {Float64Array} p @param {Float64Array} q */
export function divergence(p, q) {
  const [a, b] = [logTotal(p), logTotal(q)];
  let sum = 0;
  for (let i = 0; i < p.length; i += 1) {
    const logP = p[i] - a;
    if (logP > -745) sum += Math.exp(logP) * (logP - (q[i] - b));
  }
  return Math.max(sum, 0);
}

/** @param {Float64Array} logits */
export function finite(logits) {
  let most = -Infinity;
  for (const own of logits) {
    if (Number.isNaN(own)) return false;
    if (own > most) most = own;
  }
  return Number.isFinite(most);
}
