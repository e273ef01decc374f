// Questions: what each way of searching asks for, and whether an answer is still that of the question.

/** @import { FeatureSearchTraits } from "../../types/model.js" */
/**
 * @typedef {"text" | "token" | "direction" | "prompt" | "prompts" | "classifier" | "attribution" | "effect" |
 *   "concept"} Mode
 * @typedef {"regex" | "case" | "relative" | "words"} Tick
 * @typedef {"scope" | "combine"} Choice
 * @typedef {"query" | "other"} Entry
 * @typedef {"at_least" | "at_most"} Limit a number of 0 or more
 * @typedef {{ ticks?: Tick[], choices?: Choice[], limits?: Limit[], lines?: boolean, concepts?: boolean,
 *   live?: boolean }} Way `lines`: boxes of several lines; `live`: searched as one types
 * @typedef {Pick<FeatureSearchTraits, Entry | Tick | Choice | Limit>} Question
 * @typedef {{ feature: number, label: string, score: number, density: number | null, maximum: number | null,
 *   tokens: string[], counts: number[], extra: Record<string, number | null> }} Found one row of an answer
 * @typedef {{ mode: Mode | "", rows: Found[], most: number, relative: boolean, query: string, other: string,
 *   held_out: number | null }} Results the trait `_results`: an answer, with the question that it answers; mode ""
 *   where nothing was asked; `held_out`: the share that a classifier tells right of texts that it has not seen
 * @typedef {typeof import("./words.js").words.en} Words
 */

/** @type {Record<Mode, Way>} */
export const WAYS = {
  text: { ticks: ["regex", "case"], live: true },
  token: {},
  direction: {},
  prompt: { ticks: ["relative"], live: true },
  prompts: { limits: ["at_least", "at_most"], lines: true, live: true },
  classifier: { lines: true },
  attribution: { lines: true },
  effect: { ticks: ["words"], choices: ["scope", "combine"], lines: true },
  concept: { concepts: true },
};

/**
 * Whether what is shown answers another kind of question than the one that is asked by now.
 *
 * @param {Results} results
 * @param {string} mode
 */
export const stale = (results, mode) => results.mode !== "" && results.mode !== mode;

/**
 * The question in quotation marks, cut to a line.
 *
 * @param {{ query: string, other: string }} asked
 * @param {Words} words
 */
export function quoted({ query, other }, words) {
  return [query, other]
    .filter(Boolean)
    .map((text) => words.quoted.replace("{text}", () => text.trim().replace(/\s+/g, " ").slice(0, 200)))
    .join(words.between);
}
