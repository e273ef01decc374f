// What writes in a page without a kernel: one job at a time, a step at a time, the newest wins.

import { keep } from "./latest.js";
import { measured } from "./measure.js";
import { opened } from "./machine.js";
import { reading } from "./reading.js";
import { textOf } from "./text.js";

/** @import { Carried } from "./machine.js" */
/** @import { Measured } from "./measure.js" */
/** @import { Prompt } from "./prompts.js" */
/** @import { Reading } from "./reading.js" */
/** @import { Machine, Text, Token, Wanted } from "./text.js" */
/**
 * @typedef {{ kind: "open", carried: Carried }
 *   | { kind: "write", job: number, wanted: Wanted, multiples: [feature: number, multiple: number][], afresh: boolean,
 *       beside?: Wanted }
 *   | { kind: "answers", job: number, wanted: Wanted, seeds: number[] }
 *   | { kind: "read", job: number, prompt: Prompt }
 *   | { kind: "stop" }} Ask `wanted` with the clamps; the default text is `beside`, or the same
 *   without them. Nothing is measured after a text that was asked for with `beside`
 * @typedef {{ text: string, stopped: string, perplexity: number | null }} Answered
 * @typedef {{ kind: "opened" }
 *   | { kind: "texts", job: number, default: Token[], clamped: Token[], done: boolean, room: number, stopped: string }
 *   | { kind: "measured", job: number, rows: Measured[] }
 *   | { kind: "answers", job: number, share: number, done: boolean,
 *       rows: { seed: number, default: Answered | null, clamped: Answered | null }[] }
 *   | { kind: "read", job: number, reading: Reading }
 *   | { kind: "failed", job: number, sentence: string }} Tell
 * @typedef {{ job: number, shown: boolean, last: () => void,
 *   begin: (machine: Machine, job: Job) => Generator<null, void> }} Job `shown`: a person has seen something of it;
 *   `last` shows what was written when it is stopped
 */

const INTERVAL = 50; // ms between two updates of the texts
const PAUSE = 250; // ms between two updates of the answers
const DEFAULTS = 8; // texts without clamps that are remembered

/**
 * Takes what is asked, and tells what comes of it. A job that was shown ends as soon as a newer one waits; one that was
 * not goes on until it has been: otherwise a person who drags a slider would see nothing until it rests.
 *
 * @param {(tell: Tell) => void} tell
 * @returns {(ask: Ask) => void}
 */
export function attend(tell) {
  /** @type {Promise<Machine> | null} */
  let machine = null;
  /** @type {Job | null} */
  let pending = null;
  let [working, stopped] = [false, false];
  /** @type {Map<string, Text>} */
  const defaults = new Map();

  const work = async () => {
    working = true;
    const own = await machine?.catch(() => null);
    while (own && pending) {
      /** @type {Job} */
      const job = pending;
      [pending, stopped] = [null, false];
      try {
        const current = job.begin(own, job);
        while (!(stopped || (job.shown && pending)) && !current.next().done) await breath();
        if (stopped) job.last();
      } catch (error) {
        defaults.clear();
        if (!pending) tell({ kind: "failed", job: job.job, sentence: sentenceOf(error) });
      }
    }
    working = false;
  };
  /** @param {number} job @param {Job["begin"]} begin */
  const submit = (job, begin) => {
    pending = { job, shown: false, begin, last: () => {} };
    if (!working) work();
  };

  return (ask) => {
    if (ask.kind === "open") {
      machine = opened(ask.carried);
      machine.then(
        () => tell({ kind: "opened" }),
        (error) => tell({ kind: "failed", job: 0, sentence: sentenceOf(error) }),
      );
    } else if (ask.kind === "stop") [pending, stopped] = [null, true];
    else if (ask.kind === "write") {
      if (ask.afresh) defaults.clear();
      submit(ask.job, (own, job) => writing(own, job, ask, defaults, tell));
    } else if (ask.kind === "answers") submit(ask.job, (own, job) => answering(own, job, ask, tell));
    else submit(ask.job, (own, job) => looking(own, job, ask.prompt, tell));
  };
}

/** @param {unknown} error */
const sentenceOf = (error) => (error instanceof Error ? error.message : String(error));

/** Lets others have their turn: what was asked meanwhile comes in. */
function breath() {
  return new Promise((go) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      go(null);
    };
    port2.postMessage(null);
  });
}

/**
 * Both texts, a token of each at a time, and then the measurement.
 *
 * @param {Machine} machine @param {Job} job @param {Extract<Ask, { kind: "write" }>} ask
 * @param {Map<string, Text>} defaults @param {(tell: Tell) => void} tell
 * @returns {Generator<null, void>}
 */
function* writing(machine, job, { wanted, multiples, beside }, defaults, tell) {
  const plain = beside ?? { ...wanted, clamps: [] };
  const key = JSON.stringify(plain);
  const before = defaults.get(key) ?? textOf(machine, plain);
  keep(defaults, key, before, DEFAULTS);
  const after = JSON.stringify(wanted) === key ? before : textOf(machine, wanted);
  const texts = after === before ? [before] : [after, before];
  let sent = -Infinity;
  const begun = () => texts.every(({ text }) => text.shown.length || text.done);
  const show = (/** @type {boolean} */ done) => {
    const [{ room }, stopped] = [after.text, after.text.stopped || before.text.stopped];
    // Copies: where the engine runs in the page itself, what is shown must not grow by itself.
    const [plain, clamped] = [before.text.shown.slice(), after.text.shown.slice()];
    tell({ kind: "texts", job: job.job, default: plain, clamped, done, room, stopped });
    sent = performance.now();
  };
  job.last = () => show(false);
  for (let done = false; !done; ) {
    done = texts.map(({ step }) => step()).every(Boolean);
    if (done || (begun() && performance.now() >= sent + INTERVAL)) {
      show(done);
      job.shown = true;
    }
    yield null;
  }
  job.last = () => {};
  if (beside || !wanted.clamps.length) return tell({ kind: "measured", job: job.job, rows: [] });
  // The token that fills the context has no place in it: it is written, and never read.
  const tokens = after.text.shown.slice(0, Math.max(after.text.room - 1, 0)).map(([id]) => id);
  const rows = yield* measured(machine, after.prompt, wanted.clamps, new Map(multiples), tokens);
  tell({ kind: "measured", job: job.job, rows });
}

/**
 * More answers, one after the other, of each seed without the clamps and with them.
 *
 * @param {Machine} machine @param {Job} job @param {Extract<Ask, { kind: "answers" }>} ask
 * @param {(tell: Tell) => void} tell
 * @returns {Generator<null, void>}
 */
function* answering(machine, job, { wanted, seeds }, tell) {
  job.shown = true; // a slider that moves ends this at once
  const sets = wanted.clamps.length ? [[], wanted.clamps] : [[]];
  const rows = seeds.map((seed) => ({ seed, texts: /** @type {Text[]} */ ([]) }));
  let [sent, finished] = [-Infinity, 0];
  const total = seeds.length * sets.length;
  const list = (/** @type {number} */ part) => {
    const shown = rows.map(({ seed, texts: [plain, clamped] }) => ({
      seed,
      default: plain ? answered(plain) : null,
      clamped: clamped ? answered(clamped) : null,
    }));
    const share = (finished + part) / total;
    tell({ kind: "answers", job: job.job, share, done: finished === total, rows: shown });
    sent = performance.now();
  };
  for (const row of rows)
    for (const clamps of sets) {
      const text = textOf(machine, { ...wanted, clamps, seed: row.seed });
      row.texts.push(text);
      while (!text.step()) {
        if (performance.now() >= sent + PAUSE) list(text.text.n / wanted.n_tokens);
        yield null;
      }
      finished += 1;
    }
  list(0);
}

/**
 * The features of a text.
 *
 * @param {Machine} machine @param {Job} job @param {Prompt} prompt @param {(tell: Tell) => void} tell
 * @returns {Generator<null, void>}
 */
function* looking(machine, job, prompt, tell) {
  tell({ kind: "read", job: job.job, reading: yield* reading(machine, prompt) });
}

/** How likely the model as it is finds the text is known once it is finished. @param {Text} text @returns {Answered} */
function answered({ text }) {
  const said = text.shown.map(([, piece]) => piece).join("");
  const own = text.plain.slice(0, text.shown.length);
  const mean = own.reduce((sum, logprob) => sum + logprob, 0) / own.length;
  return { text: said, stopped: text.stopped, perplexity: text.done && own.length ? Math.exp(-mean) : null };
}
