// What stands behind a clamp panel in a live page: settings in, texts out, as the Python side does it.

import { inLanguage } from "../../shared/words.js";
import { answersOf } from "./answers.js";
import { codeOf } from "./code.js";
import { openingOf } from "./opening.js";
import { onNow, refusal, remembered, rowsOf, wantedOf } from "./settings.js";
import { words as all } from "./words.js";

/** @import { Ask, Tell } from "../../engine/worker.js" */
/** @import { Model } from "../../types/host.js" */
/** @import { Kernel, Traits } from "./model.js" */
/** @import { Live, Now } from "./settings.js" */
/**
 * @typedef {{ now: Now | null, asked: Map<number, Now> }} State `now`: the texts that the settings ask for,
 *   `asked`: by job, those that something may still come of
 */

const SETTINGS = ["prompt", "features", "multiples", "scope", "temperature", "seed", "n_tokens", "compare"];
const BUSY = ["writing", "answering"];

/**
 * @param {Model<any>} model
 * @param {(traits: Traits) => void} put
 * @param {Live} live
 * @param {(ask: Ask) => void} ask
 * @returns {Kernel & { told: (tell: Tell) => void }}
 */
export function clampKernel(model, put, live, ask) {
  const words = inLanguage(all, model);
  /** @type {State} */
  const state = { now: null, asked: new Map() };
  const opening = openingOf(put, words);
  let job = 0;
  const answers = answersOf(model, put, words, ask);

  const write = (afresh = false) => {
    const wanted = wantedOf(model, live);
    const key = JSON.stringify(wanted);
    if (state.now?.key === key && ["idle", ...BUSY].includes(model.get("status"))) return;
    job += 1;
    const [multiples, scope] = [onNow(model), model.get("scope")];
    state.now = { job, key, wanted, multiples, scope, told: false, shown: false, rests: false };
    state.asked.set(job, state.now);
    answers.fits(state.now);
    put({ error: "", status: "writing", waiting: opening.waiting() });
    ask({ kind: "write", job, wanted, multiples, afresh });
  };
  const stop = () => {
    ask({ kind: "stop" });
    if (state.now) state.now.rests = true;
    if (BUSY.includes(model.get("status"))) put({ status: "stopped", waiting: "" });
    answers.end();
  };
  /** @param {string[]} names @param {Traits} before */
  const changed = (names, before) => {
    const wrong = refusal(model, live, words);
    if (wrong) {
      put({ ...before, error: wrong });
      return;
    }
    if (names.includes("features")) put({ _rows: rowsOf(model, live) });
    if (names.includes("look_for")) answers.list();
    const moved = names.some((name) => SETTINGS.includes(name));
    if (moved && (state.now || model.get("status") === "error")) write();
  };
  /** @param {string} kind */
  const message = (kind) => {
    const status = model.get("status");
    if (kind === "ready") {
      if (!state.now && status !== "error") write();
    } else if (kind === "stop") stop();
    else if (kind === "write") {
      if (BUSY.includes(status)) return;
      state.now = null;
      write(true);
    } else if (kind === "more") {
      if (!(state.now?.told || status === "writing")) write();
      if (state.now) answers.more(state.now);
    }
  };
  return { changed, message, told: hearing(model, put, live, opening, state, answers) };
}

/**
 * What is done with what the engine tells.
 *
 * @param {Model<any>} model @param {(traits: Traits) => void} put @param {Live} live
 * @param {ReturnType<typeof openingOf>} opening @param {State} state @param {ReturnType<typeof answersOf>} answers
 * @returns {(tell: Tell) => void}
 */
function hearing(model, put, live, opening, state, answers) {
  /** @param {Extract<Tell, { kind: "texts" }>} tell */
  const texts = (tell) => {
    const own = state.asked.get(tell.job);
    if (!own) return;
    for (const job of state.asked.keys()) if (job < tell.job) state.asked.delete(job);
    own.shown = true;
    const { wanted, multiples } = own;
    const code = codeOf(live.opening, wanted.prompt, wanted.clamps, wanted);
    const { default: plain, clamped, done, room } = tell;
    put({ _texts: { default: plain, clamped, other: null, under: multiples, code, done, room } });
    if (!done || own !== state.now) return; // a slider has moved on: these are of a moment ago
    own.told = true;
    const text = clamped.map(([, piece]) => piece).join("");
    put({ _history: remembered(model.get("_history") ?? [], own, text), error: tell.stopped, status: "idle" });
  };
  /** @param {Extract<Tell, { kind: "failed" }>} tell */
  const failed = (tell) => {
    if (!state.now?.shown) put({ _texts: { ...model.get("_texts"), stale: true } });
    state.now = null;
    answers.end();
    opening.failed(tell);
  };
  return (tell) => {
    const current = state.now;
    if (tell.kind === "opened") opening.opened();
    else if (tell.kind === "texts") texts(tell);
    else if (tell.kind === "answers") answers.told(tell);
    else if (tell.kind === "failed") {
      if (tell.job === 0 || tell.job === current?.job || answers.writes(tell.job)) failed(tell);
    } else if (tell.kind === "measured" && tell.job === current?.job) {
      put({ _measured: tell.rows });
      current.rests = true;
      answers.begin(current);
    }
  };
}
