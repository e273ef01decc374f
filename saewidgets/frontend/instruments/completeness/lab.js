// The shape of what the instrument draws, as payloads/completeness.py makes it, and how one finds one's way in it.

/**
 * @typedef {[slope: number, middle: number | null, loss: number | null]} Curve P = 1 / (1 + exp(-slope (x - middle)))
 * @typedef {[x: number, share: number, low: number, high: number, n: number]} Group of concepts of like frequency
 * @typedef {[feature: number, recall: number, precision: number, mean: number]} Part
 * @typedef {[feature: number, f1: number]} Step
 * @typedef {{ name: string, x: number | null, has: boolean, feature: number, f1: number, parts: Part[],
 *   steps: Step[] }} Concept x: log10 of its share of the tokens
 * @typedef {{ name: string, alive: number, n: number, share: number, half: number | null, curve: Curve,
 *   groups: Group[], concepts: Concept[] }} Sae
 * @typedef {{ title: string, note: string, bound: number, plain: Curve, rescaled: Curve, saes: Sae[] }} Lab `_lab`
 */

/**
 * The SAE of a name, or the first.
 *
 * @param {Lab} lab
 * @param {string} name
 */
export const saeOf = (lab, name) => lab.saes.find((sae) => sae.name === name) ?? lab.saes[0];

/**
 * What a sigmoid gives at some x; null where it has no middle.
 *
 * @param {Curve} curve
 * @param {number} x
 */
export function at([slope, middle], x) {
  return middle === null ? null : 1 / (1 + Math.exp(-slope * (x - middle)));
}

/**
 * How far an SAE's frequencies move where they are counted in its live features, decades.
 *
 * @param {Sae} sae
 */
export const shiftOf = ({ alive }) => Math.log10(Math.max(1, alive));

/**
 * The concepts that have a feature, or those that have none, the most frequent first.
 *
 * @param {Sae} sae
 * @param {boolean} has
 */
export function conceptsWith({ concepts }, has) {
  return concepts.filter((one) => one.has === has).sort((a, b) => (b.x ?? -99) - (a.x ?? -99));
}

/**
 * The whole decades between two numbers, ends included where they are one.
 *
 * @param {number} low log10
 * @param {number} high
 */
export function decades(low, high) {
  const first = Math.ceil(low - 1e-9);
  return Array.from({ length: Math.max(0, Math.floor(high + 1e-9) - first + 1) }, (_, i) => first + i);
}

/** A concept's name in words. @param {string} name */
export const inWords = (name) => name.replaceAll("_", " ");
