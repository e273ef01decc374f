// What a dashboard draws, and what is worked out of it without a page.

/** @typedef {typeof import("./words.js").words.en} Words */
/** @typedef {[id: number, text: string, bytes?: string]} Pooled what examples name by place; bytes: hex */
/** @typedef {[at: number, promoted: number[], suppressed: number[]]} Moved pairs of place and logit */
/**
 * An example: t tokens by place, a activations, p the token it was chosen for, c document, s where its first token
 * stands, v level (-1: a top example), l loss effects in thousandths of a nat, m moved logits.
 *
 * @typedef {{ t: number[], a: number[], p: number, c: number, s: number, v: number, l?: (number | null)[],
 *   m?: Moved[] }} Example
 */
/** @typedef {{ token: string, id: number, logit: number }} Effect */
/** @typedef {{ edges: number[], counts: number[] }} Counted */
/** @typedef {[layer: number, neuron: number, decoder: number, encoder: number, pearson: number | null]} Neuron */
/**
 * One feature, as payloads/features.py draws it.
 *
 * @typedef {{ feature: number, label: string, maximum: number, density: number, top: Example[],
 *   intervals: Example[],
 *   histogram: Counted, promoted: Effect[], suppressed: Effect[],
 *   neighbors: { feature: number, cosine: number, encoder: number | null }[],
 *   encoder: { feature: number, cosine: number, encoder: number }[],
 *   correlated: [feature: number, ...values: number[]][], aligned: Neuron[], neurons: Neuron[], sample: number,
 *   logits: Counted | null, measured: boolean, pool?: Pooled[] }} Shown
 */
/**
 * @typedef {{ bytes: boolean, density: Counted | null, dead: number, named: boolean,
 *   perContext: number | null }} About of all features
 */
/** @typedef {[feature: number, low: number, high: number]} Interval */
/** @typedef {{ interval: Interval, items: Example[], around: number[] | null, pool?: Pooled[] }} Bin */
/** @typedef {{ pool: Pooled[], maximum: number, bytes: boolean }} View what an example is drawn with */

const BEFORE = 2; // tokens before the strongest one that two examples must share to read the same
const AFTER = 2; // and after it

/** @param {Example} item */
const around = ({ t, p }) => JSON.stringify([t.slice(Math.max(0, p - BEFORE), p), t.slice(p, p + 1 + AFTER)]);

/**
 * Examples in groups that read the same around their strongest token, in the order of their first members.
 *
 * @param {Example[]} items
 * @returns {Example[][]}
 */
export function folded(items) {
  /** @type {Map<string, Example[]>} */
  const groups = new Map();
  for (const item of items) {
    const key = around(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return [...groups.values()];
}

/**
 * What stands where an example says `place`: bytes as hex, or null where nobody knows.
 *
 * @param {Pooled[]} pool
 * @param {number} place
 * @param {boolean} bytesKnown of tokens whose text is their own bytes
 */
export function tokenAt(pool, place, bytesKnown) {
  const [id, text, odd] = pool[place];
  const own = bytesKnown && text.length <= 64 ? [...new TextEncoder().encode(text)] : null;
  return { id, text, bytes: odd ?? own?.map((b) => b.toString(16).padStart(2, "0")).join("") ?? null };
}

/**
 * The loss effect of token i of an example in nats, null where it is not known.
 *
 * @param {Example} item
 * @param {number} i
 */
export function lossEffect(item, i) {
  const effect = item.l?.[i];
  return effect === null || effect === undefined ? null : effect / 1000;
}

/**
 * The examples of a bin that a page without a kernel carries; where it has none, those of the level around.
 *
 * @param {Shown} shown
 * @param {Interval} interval
 * @returns {Bin | null} null for another feature's
 */
export function carriedBin(shown, [feature, low, high]) {
  if (feature !== shown.feature) return null;
  const last = high >= shown.maximum * (1 - 1e-4);
  const unique = new Map([...shown.intervals, ...shown.top].map((item) => [`${item.c} ${item.s + item.p}`, item]));
  const strong = (/** @type {Example[]} */ items) => items.sort((a, b) => b.a[b.p] - a.a[a.p]).slice(0, 10);
  const inside = strong(
    [...unique.values()].filter((item) => item.a[item.p] >= low && (last || item.a[item.p] < high)),
  );
  if (inside.length || !shown.intervals.length) return { interval: [feature, low, high], items: inside, around: null };
  const levels = 1 + Math.max(...shown.intervals.map((item) => item.v));
  const level = Math.min(Math.floor((((low + high) / 2) * levels) / shown.maximum), levels - 1);
  const around = [(shown.maximum * level) / levels, (shown.maximum * (level + 1)) / levels];
  return { interval: [feature, low, high], items: strong(shown.intervals.filter((item) => item.v === level)), around };
}

/**
 * The bar of the histogram that an interval is, -1 where it is none of this feature's.
 *
 * @param {Shown} shown
 * @param {number[] | null} interval
 */
export function barOf(shown, interval) {
  if (!interval || interval[0] !== shown.feature) return -1;
  const middle = (interval[1] + interval[2]) / 2;
  const { edges, counts } = shown.histogram;
  const width = (edges.at(-1) ?? 0) - edges[0] || 1;
  return Math.max(0, Math.min(counts.length - 1, Math.floor(((middle - edges[0]) * counts.length) / width)));
}
