// A recorded grid of clamps in a page without a kernel: the sliders choose among texts that were written beforehand.

/** @import { Settings, Texts, Token } from "./state.js" */
/**
 * @typedef {[feature: number, value: number, scope: string]} Clamp `value` in SAE units
 * @typedef {{ seed: number, clamps: Clamp[], t: (number | null)[], code: string }} Recorded
 *   `t` holds for each token its place in the pool, its log-probability and its KL
 * @typedef {{ units: Record<string, number>, maxima: Record<string, number>, pool: [id: number, text: string][],
 *   texts: Recorded[] }} Recording the trait `_recording`
 */

/**
 * The key of a set of clamps without their strengths: the same features in the same scope.
 *
 * @param {Clamp[]} clamps
 */
const kindOf = (clamps) =>
  clamps
    .map(([feature, , scope]) => `${feature}@${scope}`)
    .sort()
    .join("+");

/**
 * The recorded text nearest to these clamps with this seed, as the record's own `nearest` chooses it: distance in
 * multiples of each feature's maximum; of two as near the weaker. null where there is none.
 *
 * @param {Pick<Recording, "units" | "texts">} recording
 * @param {Clamp[]} clamps
 * @param {number} seed
 */
export function nearest(recording, clamps, seed) {
  const asked = kindOf(clamps);
  const wanted = new Map(clamps.map(([feature, value]) => [feature, value]));
  const squares = (/** @type {Recorded} */ text, /** @type {(feature: number) => number} */ from) =>
    text.clamps.reduce((sum, [f, value]) => sum + ((value - from(f)) / (recording.units[f] || 1)) ** 2, 0);
  let best = null;
  for (const text of recording.texts) {
    if (text.seed !== seed || kindOf(text.clamps) !== asked) continue;
    const apart = squares(text, (f) => wanted.get(f) ?? 0);
    const size = squares(text, () => 0);
    if (!best || apart < best.apart || (apart === best.apart && size < best.size)) best = { text, apart, size };
  }
  return best?.text ?? null;
}

/**
 * The tokens of a recorded text, as a stream has them.
 *
 * @param {Pick<Recording, "pool">} recording
 * @param {Pick<Recorded, "t">} text
 * @returns {Token[]}
 */
export function unpacked(recording, { t }) {
  /** @type {Token[]} */
  const tokens = [];
  for (let i = 0; i < t.length; i += 3) {
    const [id, piece] = recording.pool[Number(t[i])];
    tokens.push([id, piece, t[i + 1], t[i + 2]]);
  }
  return tokens;
}

/**
 * What a kernel would have answered to the settings that the model holds.
 *
 * @param {Settings} model
 * @returns {Texts}
 */
export function played(model) {
  /** @type {Recording} */
  const recording = model.get("_recording");
  const multiples = model.get("multiples");
  /** @type {number[]} */
  const on = model.get("features").filter((/** @type {number} */ f) => (multiples[f] ?? null) !== null);
  /** @type {Clamp[]} */
  const clamps = on.map((f) => [f, multiples[f] * recording.maxima[f], String(model.get("scope"))]);
  const before = nearest(recording, [], model.get("seed"));
  const after = nearest(recording, clamps, model.get("seed"));
  return {
    default: before ? unpacked(recording, before) : [],
    clamped: after ? unpacked(recording, after) : [],
    other: null,
    under: after ? after.clamps.map(([f, value]) => [f, Math.round((value / recording.maxima[f]) * 1e6) / 1e6]) : [],
    missing: !after,
    code: after?.code ?? "",
    done: Boolean(before && after),
    room: null,
  };
}
