// What stands behind a clamp panel in a live page: settings in, texts out, as the Python side does it.

import { inLanguage, say } from "../../shared/words.js";
import { MOST, listed, nextSeeds } from "./answers.js";
import { codeOf } from "./code.js";
import { words as all } from "./words.js";

/** @import { Ask, Tell } from "../../engine/worker.js" */
/** @import { Model } from "../../types/host.js" */
/** @import { Kernel, Traits } from "./model.js" */
/** @import { Rows } from "./answers.js" */
/**
 * @typedef {{ maxima: Record<string, number>, windows: Record<string, [number, number]>, opening: string }} Live what a
 *   page carries beside the engine: exact maxima by feature, measured windows, and how `to_code` begins
 * @typedef {import("../../engine/text.js").Wanted} Wanted
 * @typedef {{ job: number, key: string, wanted: Wanted, multiples: [number, number][],
 *   scope: number | string, told: boolean, shown: boolean, rests: boolean }} Now `told`: both texts are there to their last
 *   token, `rests`: the engine is done with them
 */

const SETTINGS = ["prompt", "features", "multiples", "scope", "temperature", "seed", "n_tokens", "compare"];
const LARGEST = 1000; // multiples of the maximum
const [TRIES, SHOWN] = [20, 160]; // tries that are remembered, characters of a text that an entry shows

/**
 * @param {Model<any>} model
 * @param {(traits: Traits) => void} put
 * @param {Live} live
 * @param {(ask: Ask) => void} ask
 * @returns {Kernel & { told: (tell: Tell) => void }}
 */
export function clampKernel(model, put, live, ask) {
  const words = inLanguage(all, model);
  /** @type {Now | null} */
  let now = null;
  let [job, opened] = [0, false];
  const answers = answersOf(model, put, words, ask);

  const write = (afresh = false) => {
    const wanted = wantedOf(model, live);
    const key = JSON.stringify(wanted);
    if (now?.key === key && ["idle", "writing", "answering"].includes(model.get("status"))) return;
    job += 1;
    now = {
      job,
      key,
      wanted,
      multiples: onNow(model),
      scope: model.get("scope"),
      told: false,
      shown: false,
      rests: false,
    };
    answers.fits(now);
    put({ error: "", status: "writing", waiting: opened ? "" : words.opening });
    ask({ kind: "write", job, wanted, multiples: now.multiples, afresh });
  };
  const stop = () => {
    ask({ kind: "stop" });
    if (now) now.rests = true;
    if (["writing", "answering"].includes(model.get("status"))) put({ status: "stopped", waiting: "" });
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
    if (names.some((name) => SETTINGS.includes(name)) && (now || model.get("status") === "error")) write();
  };
  /** @param {string} kind */
  const message = (kind) => {
    if (kind === "ready") {
      if (!now && model.get("status") !== "error") write();
    } else if (kind === "stop") stop();
    else if (kind === "write") {
      if (["writing", "answering"].includes(model.get("status"))) return;
      now = null;
      write(true);
    } else if (kind === "more") {
      if (!now || !(now.told || model.get("status") === "writing")) write();
      if (now) answers.more(now);
    }
  };

  /** @param {Extract<Tell, { kind: "texts" }>} tell */
  const texts = (tell) => {
    if (!now) return;
    now.shown = true;
    const { wanted, multiples } = now;
    put({
      _texts: {
        default: tell.default,
        clamped: tell.clamped,
        other: null,
        under: multiples,
        code: codeOf(live.opening, wanted.prompt, wanted.clamps, wanted),
        done: tell.done,
        room: tell.room,
      },
    });
    if (!tell.done) return;
    now.told = true;
    const text = tell.clamped.map(([, piece]) => piece).join("");
    put({ _history: remembered(model.get("_history") ?? [], now, text), error: tell.stopped, status: "idle" });
  };
  /** @param {string} sentence */
  const failed = (sentence) => {
    if (now && !now.shown) put({ _texts: { ...model.get("_texts"), stale: true } });
    now = null;
    answers.end();
    put({ status: "error", error: sentence, waiting: "" });
  };
  /** @param {Tell} tell */
  const told = (tell) => {
    if (tell.kind === "opened") {
      opened = true;
      put({ waiting: "" });
    } else if (tell.kind === "failed" && tell.job === 0) failed(say(words.broken, { why: tell.sentence }));
    else if (tell.kind === "answers") answers.told(tell);
    else if (tell.job !== now?.job) {
      if (tell.kind === "failed" && answers.writes(tell.job)) failed(tell.sentence);
    } else if (tell.kind === "failed") failed(tell.sentence);
    else if (tell.kind === "texts") texts(tell);
    else {
      put({ _measured: tell.rows });
      now.rests = true;
      answers.begin(now);
    }
  };
  return { changed, message, told };
}

/** What is clamped now: [feature, multiple] in the order of the rows. @param {Model<any>} model */
function onNow(model) {
  const multiples = model.get("multiples");
  /** @type {number[]} */
  const features = model.get("features");
  return features
    .filter((feature) => (multiples[feature] ?? null) !== null)
    .map((feature) => /** @type {[number, number]} */ ([feature, multiples[feature]]));
}

/** The clamped text that the settings ask for. @param {Model<any>} model @param {Live} live @returns {Wanted} */
function wantedOf(model, live) {
  const scope = model.get("scope");
  return {
    prompt: model.get("prompt"),
    clamps: onNow(model).map(([feature, multiple]) => ({ feature, value: multiple * live.maxima[feature], scope })),
    seed: model.get("seed"),
    temperature: model.get("temperature"),
    n_tokens: model.get("n_tokens"),
  };
}

/**
 * What is wrong with the settings, in a sentence; "" where nothing is.
 *
 * @param {Model<any>} model @param {Live} live @param {typeof all.en} words
 */
function refusal(model, live, words) {
  for (const feature of model.get("features"))
    if (!Object.hasOwn(live.maxima, feature)) return say(words.unknown, { feature });
  for (const [feature, value] of Object.entries(model.get("multiples"))) {
    if (value === null) continue;
    if (!(typeof value === "number" && Math.abs(value) <= LARGEST))
      return say(words.multiple, { feature, most: LARGEST, value: String(value) });
  }
  return "";
}

/** The fixed part of each row. @param {Model<any>} model @param {Live} live */
function rowsOf(model, live) {
  /** @type {{ feature: number, label: string, promoted: string[] }[]} */
  const index = model.get("_index");
  const known = new Map(index.map((row) => [row.feature, row]));
  return model.get("features").map((/** @type {number} */ feature) => ({
    feature,
    label: known.get(feature)?.label ?? "",
    maximum: Number(live.maxima[feature].toPrecision(6)),
    promoted: (known.get(feature)?.promoted ?? []).slice(0, 3),
    window: live.windows[feature] ?? null,
  }));
}

/**
 * The history with the text that was finished at its front; what was tried again moves there, and the oldest go.
 *
 * @param {any[]} history @param {Now} now @param {string} text
 */
function remembered(history, { wanted, multiples, scope }, text) {
  const said = text.trim();
  const { prompt, temperature, seed, n_tokens } = wanted;
  const entry = { prompt, multiples, scope, temperature, seed, n_tokens };
  const key = (/** @type {any} */ { text: _, ...of }) =>
    JSON.stringify({ ...of, scope: of.multiples.length ? of.scope : "all" });
  const shown = Array.from(said).slice(0, SHOWN).join("");
  const others = history.filter((old) => key(old) !== key(entry));
  return [{ ...entry, text: shown.length < said.length ? `${shown}…` : shown }, ...others].slice(0, TRIES);
}

/**
 * The list of answers to one setting.
 *
 * @param {Model<any>} model @param {(traits: Traits) => void} put @param {typeof all.en} words
 * @param {(ask: Ask) => void} ask
 */
function answersOf(model, put, words, ask) {
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
