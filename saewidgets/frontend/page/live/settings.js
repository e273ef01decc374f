// What a clamp panel in a live page is set to, and what follows from that alone.

import { say } from "../../shared/words.js";

/** @import { Model } from "../../types/host.js" */
/** @typedef {typeof import("./words.js").words.en} Words */
/**
 * @typedef {{ maxima: Record<string, number>, windows: Record<string, [number, number]>, opening: string }} Live what a
 *   page carries beside the engine: exact maxima by feature, measured windows, and how `to_code` begins
 * @typedef {import("../../engine/text.js").Wanted} Wanted
 * @typedef {{ job: number, key: string, wanted: Wanted, multiples: [number, number][],
 *   scope: number | string, told: boolean, shown: boolean, rests: boolean }} Now `told`: both texts are there to their
 *   last token, `rests`: the engine is done with them
 */

const LARGEST = 1000; // multiples of the maximum
const [TRIES, SHOWN] = [20, 160]; // tries that are remembered, characters of a text that an entry shows

/** What is clamped now: [feature, multiple] in the order of the rows. @param {Model<any>} model */
export function onNow(model) {
  const multiples = model.get("multiples");
  /** @type {number[]} */
  const features = model.get("features");
  return features
    .filter((feature) => (multiples[feature] ?? null) !== null)
    .map((feature) => /** @type {[number, number]} */ ([feature, multiples[feature]]));
}

/** The clamped text that the settings ask for. @param {Model<any>} model @param {Live} live @returns {Wanted} */
export function wantedOf(model, live) {
  const scope = model.get("scope");
  return {
    prompt: model.get("prompt"),
    clamps: onNow(model).map(([feature, multiple]) => ({ feature, value: multiple * live.maxima[feature], scope })),
    seed: model.get("seed"),
    temperature: model.get("temperature"),
    n_tokens: model.get("n_tokens"),
  };
}

/**
 * What is wrong with the settings, in a sentence; "" where nothing is.
 *
 * @param {Model<any>} model @param {Live} live @param {Words} words
 */
export function refusal(model, live, words) {
  for (const feature of model.get("features"))
    if (!Object.hasOwn(live.maxima, feature)) return say(words.unknown, { feature });
  for (const [feature, value] of Object.entries(model.get("multiples"))) {
    if (value === null) continue;
    if (!(typeof value === "number" && Math.abs(value) <= LARGEST))
      return say(words.multiple, { feature, most: LARGEST, value: String(value) });
  }
  return "";
}

/** The fixed part of each row. @param {Model<any>} model @param {Live} live */
export function rowsOf(model, live) {
  /** @type {{ feature: number, label: string, promoted: string[] }[]} */
  const index = model.get("_index");
  const known = new Map(index.map((row) => [row.feature, row]));
  return model.get("features").map((/** @type {number} */ feature) => ({
    feature,
    label: known.get(feature)?.label ?? "",
    maximum: Number(live.maxima[feature].toPrecision(6)),
    promoted: (known.get(feature)?.promoted ?? []).slice(0, 3),
    window: live.windows[feature] ?? null,
  }));
}

/**
 * The history with the text that was finished at its front; what was tried again moves there, and the oldest go.
 *
 * @param {any[]} history @param {Now} now @param {string} text
 */
export function remembered(history, { wanted, multiples, scope }, text) {
  const said = text.trim();
  const { prompt, temperature, seed, n_tokens } = wanted;
  const entry = { prompt, multiples, scope, temperature, seed, n_tokens };
  const key = (/** @type {any} */ { text: _, ...of }) =>
    JSON.stringify({ ...of, scope: of.multiples.length ? of.scope : "all" });
  const shown = Array.from(said).slice(0, SHOWN).join("");
  const others = history.filter((old) => key(old) !== key(entry));
  return [{ ...entry, text: shown.length < said.length ? `${shown}…` : shown }, ...others].slice(0, TRIES);
}
