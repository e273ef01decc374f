// A carried model, opened.

import { decoderOf } from "./decoder.js";
import { inflated, named, widened } from "./floats.js";
import { gumbel } from "./random.js";
import { prefixesOf } from "./run.js";
import { saeOf } from "./sae.js";
import { tokenizerOf } from "./tokenizer.js";

/** @import { Parts } from "./decoder.js" */
/** @import { Speech } from "./prompts.js" */
/** @import { Config } from "./sae.js" */
/** @import { Machine } from "./text.js" */
/** @import { Vocabulary } from "./tokenizer.js" */
/**
 * @typedef {{ parts: Parts, sae: Config, hook: string, speech: Speech, ends: number[], vocabulary: Vocabulary,
 *   shapes: Record<string, number[]> }} About what is said of the weights
 * @typedef {{ about: string, weights: string }} Carried as it lies in a page: base64 of deflated JSON, and of deflated
 *   numbers of 16 bits
 */

/** @param {Carried} carried @returns {Promise<Machine>} */
export async function opened(carried) {
  const [about, bytes] = await Promise.all([inflated(carried.about), inflated(carried.weights)]);
  return machineOf(JSON.parse(new TextDecoder().decode(about)), widened(bytes));
}

/** @param {About} about @param {Float32Array} all @returns {Machine} */
export function machineOf(about, all) {
  const weights = named(all, about.shapes);
  const decoder = decoderOf(about.parts, weights);
  return {
    decoder,
    sae: saeOf(about.sae, weights),
    hook: about.hook,
    tokenizer: tokenizerOf(about.vocabulary),
    speech: about.speech,
    ends: about.ends,
    noise: gumbel(about.parts.d_vocab),
    prefix: prefixesOf(decoder),
  };
}
