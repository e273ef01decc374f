// What every kernel of a live page hears of the engine: that the model is open, and that something failed.

import { say } from "../../shared/words.js";

/** @import { Tell } from "../../engine/worker.js" */
/** @import { Traits } from "./model.js" */
/** @typedef {typeof import("./words.js").words.en} Words */

/** @param {(traits: Traits) => void} put @param {Words} words */
export function openingOf(put, words) {
  let waiting = words.opening;
  return {
    /** What the trait `waiting` says of something that is asked for now. */
    waiting: () => waiting,
    opened() {
      waiting = "";
      put({ waiting });
    },
    /** @param {Extract<Tell, { kind: "failed" }>} tell the job 0 is the opening itself */
    failed({ job, sentence }) {
      const error = job ? sentence : say(words.broken, { why: sentence });
      put({ status: "error", error, waiting: "" });
    },
  };
}
