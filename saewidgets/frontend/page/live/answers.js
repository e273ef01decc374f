// More answers, of other seeds, as the trait `_answers` lists them.

import { say } from "../../shared/words.js";

/** @import { Answered, Ask, Tell } from "../../engine/worker.js" */
/** @import { Model } from "../../types/host.js" */
/** @import { Traits } from "./model.js" */
/** @import { Now } from "./settings.js" */
/** @typedef {typeof import("./words.js").words.en} Words */
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

/**
 * The list of answers to one setting.
 *
 * @param {Model<any>} model @param {(traits: Traits) => void} put @param {Words} words
 * @param {(ask: Ask) => void} ask
 */
export function answersOf(model, put, words, ask) {
  /** @type {{ of: string, rows: Rows, wanted: number[], job: number, share: number | null }} */
  let own = { of: "", rows: [], wanted: [], job: -1, share: null };
  let number = 0;
  /** What they answer: the same with any seed. @param {Now} now */
  const key = (now) => JSON.stringify({ ...now.wanted, seed: 0 });
  const list = () => put({ _answers: listed(own.rows, model.get("look_for"), own.share) });
  const end = () => {
    if (own.share === null) return;
    own = { ...own, wanted: [], job: -1, share: null };
    list();
  };
  /** @param {Now} now the settings moved: answers to something else go */
  const fits = (now) => {
    end();
    if (!own.rows.length || own.of === key(now)) return;
    own = { of: "", rows: [], wanted: [], job: -1, share: null };
    list();
  };
  /** @param {Now} now */
  const more = (now) => {
    if (own.share !== null) return; // they are on their way
    const seeds = nextSeeds(
      own.rows.map(({ seed }) => seed),
      model.get("seed"),
      model.get("n_answers"),
    );
    if (!seeds.length) {
      put({ error: say(words.most, { n: MOST }) });
      return;
    }
    own = { ...own, of: key(now), wanted: seeds, share: 0 };
    put({ error: "" });
    const waiting = seeds.map((seed) => ({ seed, default: null, clamped: null }));
    put({ _answers: listed([...own.rows, ...waiting], model.get("look_for"), 0) });
    if (now.rests) begin(now);
  };
  /** @param {Now} now both texts are there: whoever asked for more gets them */
  const begin = (now) => {
    if (own.share === null) return;
    number -= 1; // jobs of the texts count up
    own.job = number;
    put({ status: "answering" });
    ask({ kind: "answers", job: number, wanted: now.wanted, seeds: own.wanted });
  };
  /** @param {Extract<Tell, { kind: "answers" }>} tell */
  const told = (tell) => {
    if (tell.job !== own.job) return;
    const taken = new Set(own.wanted);
    const rows = [...own.rows.filter(({ seed }) => !taken.has(seed)), ...tell.rows];
    own = { ...own, rows, share: tell.done ? null : tell.share };
    list();
    if (tell.done) put({ status: "idle" });
  };
  return { fits, more, begin, end, told, list, writes: (/** @type {number} */ job) => job === own.job };
}
