// A prompt as the model reads it: the ids of a text, or of a dialogue in the model's own form, and whose words are
// where.

import { filled } from "./sentences.js";
import { words } from "./words.js";

/** @import { Span } from "./edit.js" */
/** @import { Tokenizer } from "./tokenizer.js" */
/**
 * @typedef {string | { role: string, content: string }[]} Prompt
 * @typedef {{ name: string, n_ctx: number, bos: number | null, chat_format: string, turn_end: string,
 *   special: number[], max_norm: number | null }} Speech `special`: tokens that mark rather than say something,
 *   `max_norm`: the longest of the vectors that the SAE was trained on
 * @typedef {{ text: string, ids: number[], answers: Span[] | null, turn: number[] | null, end: string }} Asked
 *   `turn`: of each token, whose words it holds, `end`: the text in which the next turn begins
 */

/**
 * A dialogue in the form "Human: {}\nAssistant:", and the characters of each turn's words in it.
 *
 * @param {string} form
 * @param {{ role: string, content: string }[]} turns
 */
export function rendered(form, turns) {
  let text = "";
  /** @type {Span[]} */
  const spans = [];
  const add = (/** @type {string} */ before, /** @type {string} */ own, /** @type {string} */ after) => {
    spans.push([text.length + before.length, text.length + before.length + own.length]);
    text += before + own + after;
  };
  const [before, ...rest] = form.split("{}");
  const last = turns.at(-1);
  const open = last?.role === "assistant";
  for (const { role, content } of open ? turns.slice(0, -1) : turns) {
    if (role === "user") add(before, content, rest.join("{}"));
    else add(role === "assistant" ? " " : "", content, "\n"); // an answer follows a space, an order has its own line
  }
  if (open && last) {
    const gap = !text || /[\s>]$/.test(text) || /^\s/.test(last.content) ? "" : " ";
    add(gap, last.content, "");
  }
  return { text, spans };
}

/**
 * The turn of each token, by where its characters stand; -1 for the form's own.
 *
 * @param {Tokenizer} tokenizer
 * @param {number[]} ids
 * @param {Span[]} spans
 */
function turnsOf(tokenizer, ids, spans) {
  const read = tokenizer.reader();
  let at = 0;
  return ids.map((id) => {
    const begin = at;
    at += read(id).length;
    const first = begin < at ? begin : at - 1; // a part of a character
    return spans.findIndex(([a, b]) => first < b && Math.max(at, first + 1) > a);
  });
}

/**
 * Raises Error, in a sentence, for a prompt that the model cannot take.
 *
 * @param {Prompt} prompt
 * @param {Tokenizer} tokenizer
 * @param {Speech} speech
 * @returns {Asked}
 */
export function asked(prompt, tokenizer, { name, n_ctx, bos, chat_format, turn_end }) {
  const said = typeof prompt === "string" ? { text: prompt, spans: null } : rendered(chat_format, prompt);
  let { text } = said;
  if (bos !== null) {
    const marker = new TextDecoder().decode(tokenizer.raw(bos));
    if (text.startsWith(marker)) text = text.slice(marker.length);
  }
  const own = tokenizer.encode(text);
  const ids = bos === null ? own : [bos, ...own];
  if (!ids.length) throw new Error(filled(words.empty, { name }));
  if (ids.length > n_ctx)
    throw new Error(filled(words.tooLong, { n: ids.length, name, room: n_ctx, more: ids.length - n_ctx }));
  if (typeof prompt === "string" || !said.spans) return { text, ids, answers: null, turn: null, end: "" };
  const turn = turnsOf(tokenizer, own, said.spans);
  const before = ids.length - own.length;
  /** @type {Span[]} */
  const answers = [];
  for (const [number, { role }] of prompt.entries())
    if (role === "assistant" && turn.includes(number))
      answers.push([turn.indexOf(number) + before, turn.lastIndexOf(number) + 1 + before]);
  return { text, ids, answers, turn: [...Array(before).fill(-1), ...turn], end: turn_end };
}
