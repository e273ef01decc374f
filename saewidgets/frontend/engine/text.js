// One text as it is written, a token at a time.

import { changeOf, spansOf } from "./edit.js";
import { asked } from "./prompts.js";
import { divergence, drawn, finite, logTotal } from "./random.js";
import { begun, runOf, siteOf } from "./run.js";
import { filled } from "./sentences.js";
import { words } from "./words.js";

/** @import { Decoder } from "./decoder.js" */
/** @import { Clamp } from "./edit.js" */
/** @import { Asked, Prompt, Speech } from "./prompts.js" */
/** @import { Edit, Found, Prefixes } from "./run.js" */
/** @import { Sae } from "./sae.js" */
/** @import { Tokenizer } from "./tokenizer.js" */
/**
 * @typedef {[id: number, text: string, logprob: number | null, kl: number | null]} Token as a page gets it
 * @typedef {{ prompt: Prompt, clamps: Clamp[], seed: number, temperature: number, n_tokens: number }} Wanted
 * @typedef {{ decoder: Decoder, sae: Sae, hook: string, tokenizer: Tokenizer, speech: Speech, ends: number[],
 *   noise: (seed: number, step: number) => Float64Array, prefix: Prefixes }} Machine
 */

/** A number with the digits that can be read off a screen. @param {number} x */
export const short = (x) => (Number.isFinite(x) ? Number(x.toPrecision(6)) : null);

/**
 * The clamps on a prompt as an edit. Raises Error, in a sentence, for a scope that covers nothing.
 *
 * @param {Machine} machine
 * @param {Clamp[]} clamps
 * @param {Pick<Asked, "ids" | "answers">} prompt
 * @param {number} nRead so many tokens are read at most
 * @returns {Edit | null}
 */
export function editOf({ decoder, sae, hook }, clamps, { ids, answers }, nRead) {
  if (!clamps.length) return null;
  const spans = clamps.map(({ scope }) => spansOf(scope, ids.length, answers, nRead));
  const site = siteOf(hook, decoder.parts.n_layers);
  return site && { ...site, change: changeOf(sae, clamps, spans) };
}

/**
 * A text that is being written. `step` does a little more of it and says whether it is finished; `shown` are its tokens
 * so far; the text that might begin the next turn is held back.
 *
 * @param {Machine} machine
 * @param {Wanted} wanted
 * @param {boolean} [reference] follow the model as it is on the same tokens, too: each token's KL
 */
export function textOf(machine, wanted, reference = true) {
  const { decoder, tokenizer, speech } = machine;
  const prompt = asked(wanted.prompt, tokenizer, speech);
  const { ids } = prompt;
  const room = speech.n_ctx - ids.length + 1;
  const nRead = Math.min(ids.length + wanted.n_tokens - 1, speech.n_ctx);
  const edit = editOf(machine, wanted.clamps, prompt, nRead);
  const run = runOf(decoder, edit, reference);
  const append = tokenizer.reader(ids);
  const steps = Math.min(wanted.n_tokens, room);
  /** @type {{ done: boolean, stopped: string, room: number, shown: Token[], plain: number[], n: number }}
   *   `plain`: each token's log-probability under the model as it is */
  const text = { done: steps < 1, stopped: "", room, shown: [], plain: [], n: 0 };
  const turn = heldBack(text.shown, prompt.end);
  const prefill = promptRead(machine, run, ids, edit);
  let last = -1; // the token that was written last
  const finish = () => {
    turn.finish();
    text.done = true;
  };

  const step = () => {
    if (text.done) return true;
    let found;
    if (last < 0) {
      const first = prefill.next();
      if (!first.done) return false;
      found = first.value;
    } else found = run.feed([last], ids.length + text.n - 1);
    const [logits, plain] = [/** @type {Float64Array} */ (found.edited), found.plain];
    if (!finite(logits)) {
      text.stopped = filled(words.notFinite, { n: text.n });
      finish();
      return true;
    }
    const noise = wanted.temperature ? machine.noise(wanted.seed, text.n) : null;
    const token = drawn(logits, wanted.temperature, noise);
    if (machine.ends.includes(token)) {
      finish();
      return true;
    }
    last = token;
    text.n += 1;
    if (plain) text.plain.push(plain[token] - logTotal(plain));
    const kl = edit ? (plain ? divergence(logits, plain) : Number.NaN) : 0;
    const whole = turn.add([token, append(token), short(logits[token] - logTotal(logits)), short(kl)]);
    if (whole) text.done = true;
    else if (text.n >= steps) finish();
    return text.done;
  };
  return { text, step, prompt };
}

/** @typedef {ReturnType<typeof textOf>} Text */

/**
 * @param {Machine} machine @param {ReturnType<typeof runOf>} run @param {number[]} ids @param {Edit | null} edit
 * @returns {Generator<null, Found>}
 */
function* promptRead({ decoder, hook, prefix }, run, ids, edit) {
  const { n_layers, d_model } = decoder.parts;
  const known = yield* prefix(ids, siteOf(hook, n_layers)?.layer ?? n_layers);
  return yield* begun(run, ids, edit, known, d_model);
}

/**
 * Tokens that are held back while their text may be the beginning of `end`, the text in which the next turn begins. A
 * token that holds the last of the answer too keeps that part of its text.
 *
 * @param {Token[]} shown
 * @param {string} end
 */
export function heldBack(shown, end) {
  /** @type {Token[]} */
  let held = [];
  let text = "";
  /** @param {Token} token @returns whether the next turn has begun */
  const add = (token) => {
    if (!end) {
      shown.push(token);
      return false;
    }
    held.push(token);
    text += token[1];
    const at = text.indexOf(end);
    if (at >= 0) {
      cut(at);
      return true;
    }
    let begun = 0;
    for (let n = Math.min(end.length - 1, text.length); n > 0 && !begun; n -= 1)
      if (text.endsWith(end.slice(0, n))) begun = n;
    while (held.length && text.length - held[0][1].length >= begun) {
      text = text.slice(held[0][1].length);
      shown.push(/** @type {Token} */ (held.shift()));
    }
    return false;
  };
  /** @param {number} characters of the answer that are left */
  const cut = (characters) => {
    let left = characters;
    for (const [id, own, logprob, kl] of held) {
      if (left <= 0) break;
      shown.push([id, own.slice(0, left), logprob, kl]);
      left -= own.length;
    }
    held = [];
  };
  const finish = () => {
    shown.push(...held);
    held = [];
  };
  return { add, finish };
}
