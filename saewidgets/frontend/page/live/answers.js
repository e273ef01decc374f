// More answers, of other seeds, as the trait `_answers` lists them.

/** @import { Answered, Tell } from "../../engine/worker.js" */
/** @typedef {Extract<Tell, { kind: "answers" }>["rows"]} Rows */

export const MOST = 64; // answers that are kept

/**
 * Seeds that are not taken yet, those after the panel's own.
 *
 * @param {number[]} taken
 * @param {number} seed
 * @param {number} n
 */
export function nextSeeds(taken, seed, n) {
  const begin = Math.max(seed, ...taken) + 1;
  return Array.from({ length: Math.min(n, MOST - taken.length) }, (_, i) => begin + i);
}

/** What finds the words between commas, whole and in any case; null where there are none. @param {string} lookFor */
function wantedIn(lookFor) {
  const phrases = lookFor
    .split(",")
    .map((phrase) => phrase.trim())
    .filter(Boolean)
    .map((phrase) => phrase.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&").replaceAll("\\-", "\\x2d"));
  const word = "[\\p{L}\\p{N}_]";
  return phrases.length ? new RegExp(phrases.map((one) => `(?<!${word})${one}(?!${word})`).join("|"), "giu") : null;
}

/** @param {Answered | null} answer @param {RegExp | null} wanted */
function drawn(answer, wanted) {
  if (!answer) return null;
  const said = answer.text.trim();
  /** @type {[text: string, found: boolean][]} */
  const parts = [];
  let at = 0;
  for (const match of wanted ? said.matchAll(wanted) : []) {
    parts.push([said.slice(at, match.index), false], [match[0], true]);
    at = match.index + match[0].length;
  }
  parts.push([said.slice(at), false]);
  const { perplexity, stopped } = answer;
  return {
    parts: parts.filter(([text]) => text),
    holds: wanted ? parts.length > 1 : null,
    perplexity: perplexity !== null && Number.isFinite(perplexity) ? Number(perplexity.toPrecision(6)) : null,
    stopped,
  };
}

/** @param {Rows} rows @param {string} lookFor @param {number | null} share */
export function listed(rows, lookFor, share) {
  const wanted = wantedIn(lookFor);
  return {
    share,
    rows: rows.map((row) => ({
      seed: row.seed,
      default: drawn(row.default, wanted),
      clamped: drawn(row.clamped, wanted),
    })),
  };
}
