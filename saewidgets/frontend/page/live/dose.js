// What stands behind a dose-response in a live page: the recorded texts of a point, and texts that nobody recorded.

import { inLanguage, say } from "../../shared/words.js";
import { openingOf } from "./opening.js";
import { words as all } from "./words.js";

/** @import { Clamp } from "../../engine/edit.js" */
/** @import { Prompt } from "../../engine/prompts.js" */
/** @import { Ask, Tell } from "../../engine/worker.js" */
/** @import { Model } from "../../types/host.js" */
/** @import { Kernel, Traits } from "./model.js" */
/**
 * @typedef {{ feature: number, maximum: number, prompt: Prompt, steering_prompt: Prompt | null,
 *   scope: number | string, temperature: number, n_tokens: number,
 *   table: Record<string, { key: string, texts: any[] }> }} Live how the sweep was written, and its texts by point
 */

const LARGEST = 1000; // multiples of the maximum

/** What is done to the model at a strength. @param {Live} live @param {string} kind @param {number} multiple */
function clampsOf({ feature, maximum, scope }, kind, multiple) {
  /** @type {Clamp} */
  const clamp = { feature, value: multiple * maximum, scope };
  if (kind === "clamp") return [clamp];
  return kind === "add" && multiple ? [{ ...clamp, adds: true }] : [];
}

/**
 * @param {Model<any>} model
 * @param {(traits: Traits) => void} put
 * @param {Live} live
 * @param {(ask: Ask) => void} ask
 * @returns {Kernel & { told: (tell: Tell) => void }}
 */
export function doseKernel(model, put, live, ask) {
  const words = inLanguage(all, model);
  const opening = openingOf(put, words);
  let job = 0;
  /** @type {{ kind: string, multiple: number, seed: number, held: boolean } | null} what is written now */
  let now = null;
  const write = () => {
    /** @type {{ key: string, kind: string, multiple: number }[]} */
    const points = model.get("_sweep").points;
    const kind = points.find(({ key }) => key === model.get("_point"))?.kind ?? "";
    const [given, seed] = [model.get("strength"), model.get("seed")];
    if (!model.get("_writes").includes(kind)) return put({ error: say(words.kind, { kind }) });
    const multiple = ["none", "prompt"].includes(kind) ? 0 : given;
    job += 1;
    const measured = points.find((point) => point.kind === kind && point.multiple === multiple);
    const held = Boolean(measured && live.table[measured.key].texts.some(([own]) => own === seed));
    now = { kind, multiple, seed, held };
    const { prompt, temperature, n_tokens } = live;
    const beside = { prompt, clamps: [], seed, temperature, n_tokens };
    const own = kind === "prompt" ? (live.steering_prompt ?? prompt) : prompt;
    const wanted = { ...beside, prompt: own, clamps: clampsOf(live, kind, multiple) };
    const _written = { ...now, default: [], changed: [], done: false, stopped: "" };
    put({ error: "", status: "writing", waiting: opening.waiting(), _written });
    ask({ kind: "write", job, wanted, multiples: [], afresh: false, beside });
  };
  /** @param {string[]} names @param {Traits} before */
  const changed = (names, before) => {
    const strength = model.get("strength");
    if (!(typeof strength === "number" && Math.abs(strength) <= LARGEST))
      put({ ...before, error: say(words.strength, { most: LARGEST, value: String(strength) }) });
    if (names.includes("_point")) put({ _shown: live.table[model.get("_point")] });
  };
  /** @param {string} kind */
  const message = (kind) => {
    if (kind === "write") write();
    else if (kind === "stop") {
      ask({ kind: "stop" });
      put({ status: "stopped", waiting: "" });
    }
  };
  /** @param {Extract<Tell, { kind: "texts" }>} tell */
  const texts = ({ default: plain, clamped, done, stopped }) => {
    put({ _written: { ...now, default: plain, changed: clamped, done, stopped } });
    if (done) put({ status: "idle" });
  };
  /** @param {Tell} tell */
  const told = (tell) => {
    if (tell.kind === "opened") opening.opened();
    else if (tell.kind === "failed" && (tell.job === 0 || tell.job === job)) opening.failed(tell);
    else if (tell.kind === "texts" && tell.job === job) texts(tell);
  };
  return { changed, message, told };
}
