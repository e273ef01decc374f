// A text's way through the decoder: the model as it is, and with a change at one site, on the same tokens.

import { keep } from "./latest.js";

/** @import { Cache, Change, Decoder } from "./decoder.js" */
/**
 * @typedef {{ layer: number, inner: string, change: Change }} Edit a change, the first layer that it moves, and the
 *   place within that layer: "" before it
 * @typedef {(layer: number, edited: boolean, x: Float64Array, n: number, start: number) => void} Watch what is told
 *   what flows into a layer, or out of the last with their number
 * @typedef {{ x: Float64Array, caches: Cache[], logits: Float64Array, n: number }} Prefix the model as it is on a
 *   prompt of n tokens; x is what flows into the layer of the edit
 */

const CHUNK = 8; // tokens of a prompt that are read at a time: between two chunks somebody may ask for something else

/**
 * Where an edit at a hook point acts; null where it cannot be made.
 *
 * @param {string} hook
 * @param {number} layers
 * @returns {{ layer: number, inner: string } | null}
 */
export function siteOf(hook, layers) {
  const [, number, name] = /^blocks\.(\d+)\.(\w+)$/.exec(hook) ?? [];
  const layer = Number(number);
  if (number === undefined || layer >= layers) return null;
  if (name === "hook_resid_pre") return { layer, inner: "" };
  if (name === "hook_resid_post") return { layer: layer + 1, inner: "" };
  return ["hook_attn_out", "hook_resid_mid", "hook_mlp_out"].includes(name) ? { layer, inner: name } : null;
}

/**
 * A run of one text. Layers below the edit are computed once for both. Without `reference` the model as it is is not
 * followed above it.
 *
 * @param {Decoder} decoder
 * @param {Edit | null} edit
 * @param {boolean} reference
 * @param {Watch | null} [watch]
 * @param {number} [at] without an edit, the layer whose input `feed` passes on
 */
export function runOf(decoder, edit, reference, watch = null, at = decoder.parts.n_layers) {
  const layers = decoder.parts.n_layers;
  const parting = edit ? edit.layer : at;
  const plain = Array.from({ length: reference || !edit ? layers : parting }, () => decoder.cache());
  const edited = Array.from({ length: layers }, (_, layer) =>
    edit && layer >= parting ? decoder.cache() : plain[layer],
  );

  /**
   * Some layers, of which the last of all computes no more rows than somebody asks for.
   *
   * @param {number} from @param {number} to @param {Float64Array} x @param {number} n @param {number} start
   * @param {Cache[]} caches @param {boolean} changed @param {boolean} asked
   */
  const through = (from, to, x, n, start, caches, changed, asked) => {
    for (let layer = from; layer < to; layer += 1) {
      const inside = changed && edit?.inner && layer === parting ? edit : null;
      const kept = watch || layer < layers - 1 ? n : Number(asked);
      decoder.block(layer, x, n, start, caches[layer], inside, kept);
      watch?.(layer + 1, changed, x, n, start);
    }
  };
  /**
   * From the layer of the edit on, the edit made.
   *
   * @param {Float64Array} x @param {number} n @param {number} start @param {boolean} asked
   */
  const above = (x, n, start, asked) => {
    if (edit && !edit.inner) edit.change(x, n, start);
    watch?.(parting, true, x, n, start);
    through(parting, layers, x, n, start, edited, true, asked);
    return asked ? decoder.logits(x, n) : null;
  };

  /**
   * Reads tokens that stand at `start` and after it. Gives the logits after the last, of both, where they are asked
   * for.
   *
   * @param {number[]} tokens
   * @param {number} start
   * @param {boolean} [asked]
   * @param {(x: Float64Array) => void} [pass] is told what flows into the layer of the edit, or into `at`
   */
  const feed = (tokens, start, asked = true, pass = () => {}) => {
    const n = tokens.length;
    const x = decoder.embedded(tokens, start);
    through(0, parting, x, n, start, plain, false, asked);
    pass(x);
    const found = edit ? above(x.slice(), n, start, asked) : null;
    if (reference || !edit) through(parting, layers, x, n, start, plain, false, asked);
    const own = asked && (reference || !edit) ? decoder.logits(x, n) : null;
    return { edited: edit ? found : own, plain: own };
  };
  /**
   * Takes the beginning of another run of the model as it is for its own: `read` here is only what lies above the edit.
   *
   * @param {Prefix} prefix
   */
  const resume = ({ caches, n }) => {
    for (const [layer, own] of plain.entries()) {
      own.k.set(caches[layer].k.subarray(0, (n * own.k.length) / decoder.parts.n_ctx));
      own.v.set(caches[layer].v.subarray(0, (n * own.v.length) / decoder.parts.n_ctx));
    }
  };
  return { feed, above, resume, plain };
}

/** @typedef {ReturnType<typeof runOf>} Run */
/** @typedef {{ edited: Float64Array | null, plain: Float64Array | null }} Found logits */

/**
 * Reads tokens some at a time, and waits in between.
 *
 * @param {Run} run
 * @param {number[]} tokens
 * @param {(x: Float64Array, start: number) => void} [pass] see `feed`
 * @returns {Generator<null, Found>}
 */
export function* read(run, tokens, pass = () => {}) {
  for (let at = 0; ; at += CHUNK) {
    const last = at + CHUNK >= tokens.length;
    const found = run.feed(tokens.slice(at, at + CHUNK), at, last, (x) => pass(x, at));
    if (last) return found;
    yield null;
  }
}

const KEPT = 4; // prompts

/**
 * The model as it is on the latest prompts, kept: a slider that moves does not change it.
 *
 * @param {Decoder} decoder
 */
export function prefixesOf(decoder) {
  const d = decoder.parts.d_model;
  /** @type {Map<string, Prefix>} */
  const known = new Map();
  /**
   * @param {number[]} tokens
   * @param {number} layer whose input is asked for
   * @returns {Generator<null, Prefix>}
   */
  return function* (tokens, layer) {
    const key = [layer, ...tokens].join();
    let prefix = known.get(key);
    if (!prefix) {
      const x = new Float64Array(tokens.length * d);
      const run = runOf(decoder, null, true, null, layer);
      const { plain } = yield* read(run, tokens, (own, at) => x.set(own, at * d));
      prefix = { x, caches: run.plain, logits: /** @type {Float64Array} */ (plain), n: tokens.length };
    }
    keep(known, key, prefix, KEPT);
    return prefix;
  };
}

/** @typedef {ReturnType<typeof prefixesOf>} Prefixes */

/**
 * The beginning of a run: its prompt.
 *
 * @param {Run} run
 * @param {number[]} tokens
 * @param {Edit | null} edit
 * @param {Prefix} prefix
 * @param {number} d
 * @returns {Generator<null, Found>}
 */
export function* begun(run, tokens, edit, prefix, d) {
  run.resume(prefix);
  if (!edit) return { edited: prefix.logits, plain: prefix.logits };
  for (let at = 0; ; at += CHUNK) {
    const n = Math.min(CHUNK, tokens.length - at);
    const last = at + n >= tokens.length;
    const found = run.above(prefix.x.slice(at * d, (at + n) * d), n, at, last);
    if (last) return { edited: found, plain: prefix.logits };
    yield null;
  }
}
