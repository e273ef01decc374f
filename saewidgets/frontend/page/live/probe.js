// What stands behind a feature probe in a live page: a text in, its features out.

import { inLanguage, say } from "../../shared/words.js";
import { openingOf } from "./opening.js";
import { words as all } from "./words.js";

/** @import { Ask, Tell } from "../../engine/worker.js" */
/** @import { Model } from "../../types/host.js" */
/** @import { Kernel, Traits } from "./model.js" */
/** @typedef {[label: string, promoted: string[], maximum: number | null, density: number | null]} Known of a feature */
/**
 * @typedef {{ tokens: string[], known: Record<string, Known> }} Live what a page carries beside the engine: what each
 *   token is shown as, and what is known of features
 */

const PINS = 5; // features that are colored at once

/**
 * @param {Model<any>} model
 * @param {(traits: Traits) => void} put
 * @param {Live} live
 * @param {(ask: Ask) => void} ask
 * @returns {Kernel & { told: (tell: Tell) => void }}
 */
export function probeKernel(model, put, live, ask) {
  const words = inLanguage(all, model);
  const opening = openingOf(put, words);
  let job = 0;
  const labelOf = (/** @type {number} */ feature) => live.known[feature]?.[0] ?? "";

  /** @param {string[]} names @param {Traits} before */
  const changed = (names, before) => {
    const pinned = model.get("pinned");
    if (pinned.length > PINS) {
      put({ ...before, error: say(words.pins, { n: PINS, pins: JSON.stringify(pinned.slice(0, PINS)) }) });
      return;
    }
    if (names.includes("feature") || names.includes("pinned")) {
      const wanted = [...pinned, model.get("feature")].filter((feature) => feature !== null);
      put({ _names: Object.fromEntries(wanted.map((feature) => [feature, labelOf(feature)])) });
    }
    if (!names.includes("text")) return;
    job += 1;
    put({ status: "reading", waiting: opening.waiting() });
    ask({ kind: "read", job, prompt: model.get("text") });
  };
  /** @param {Extract<Tell, { kind: "read" }>} tell */
  const read = ({ reading: { text, ids, counted, turn, rows } }) => {
    const features = rows.map(({ feature, p, a }) => {
      const [label, promoted, maximum, density] = live.known[feature] ?? ["", [], null, null];
      const nothing = { quantile: null, attribution: null, ablation: null };
      return { feature, label, promoted, maximum, density, p, a, ...nothing };
    });
    const said = model.get("text");
    const roles = typeof said === "string" ? [] : said.map((/** @type {{ role: string }} */ { role }) => role);
    const tokens = ids.map((id) => [id, live.tokens[id]]);
    const at = model.get("position");
    put({
      position: at !== null && at >= ids.length ? null : at,
      _prompt: { text, tokens, counted, turn, roles, features, losses: {}, measured: null },
      error: "",
    });
  };
  /** @param {Tell} tell */
  const told = (tell) => {
    if (tell.kind === "opened") opening.opened();
    else if (tell.kind === "failed" && (tell.job === 0 || tell.job === job)) opening.failed(tell);
    else if (tell.kind === "read") {
      read(tell);
      if (tell.job === job) put({ status: "idle" });
    }
  };
  return { changed, message() {}, told };
}
