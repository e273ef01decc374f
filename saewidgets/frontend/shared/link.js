// What a person sets goes to the kernel, and comes again if it was lost.
//
// JupyterLab can lose a message to a kernel on its way (the first one on a fresh subshell, while a cell runs), and a
// widget model then holds back all its later changes, for ever. So some time after a change the kernel is pinged with
// what was set since it answered last, on a way that is not held back; it sets what it has missed, and answers.

/** @import { Link, Model } from "../types/host.js" */

import { throttle } from "./events.js";
import { alive, attempt } from "./life.js";

const PATIENCE = 800; // ms without an answer before the kernel is asked whether it is there, and before it is said
const SOON = 60; // ms, the same once a change was lost: from then on the pings bring them

/**
 * `put(settings)` sets traits of `model` and saves them; `ask(kind, settings)` asks for something to be done with them;
 * `waiting()` tells whether the kernel owes an answer, and `told()` is called when that changes. A page without a
 * kernel (`_static`) asks nobody.
 *
 * @template {Record<string, any>} T
 * @param {Model<T>} model
 * @param {() => void} told
 * @returns {Link<T>}
 */
export function kernelLink(model, told = () => {}, ms = 40) {
  const save = throttle(() => attempt(model, () => model.save_changes()), ms);
  /** @type {Set<string>} */
  const unheard = new Set(); // names of traits
  let [timer, waiting, later] = [0, false, false]; // later: something was set after the last ping went out

  const ping = () => {
    later = false;
    const set = Object.fromEntries([...unheard].map((name) => [name, model.get(name)]));
    attempt(model, () => model.send({ kind: "ping", set }));
  };
  const wait = () => {
    if (!alive(model)) {
      settle();
      return;
    }
    if (waiting) ping(); // the one before may have been lost
    timer = setTimeout(wait, 3 * PATIENCE);
    if (!waiting) {
      waiting = true;
      told();
    }
  };
  const sent = () => {
    later = Boolean(timer);
    if (model.get("_static") || timer || !alive(model)) return;
    const first = () => {
      ping();
      timer = setTimeout(wait, PATIENCE);
    };
    timer = setTimeout(first, model.get("_mended") ? SOON : PATIENCE);
  };
  const settle = () => {
    clearTimeout(timer);
    timer = 0;
    if (waiting) {
      waiting = false;
      told();
    }
  };
  const heard = () => {
    settle();
    if (later) sent();
    else unheard.clear();
  };
  /** @param {Partial<T>} settings */
  const put = (settings) => {
    for (const [name, value] of Object.entries(settings)) {
      model.set(name, value);
      unheard.add(name);
    }
    save();
    sent();
  };
  /** @param {string} kind @param {Partial<T>} settings */
  const ask = (kind, settings = {}) => {
    put(settings);
    attempt(model, () => model.send({ kind, set: settings })); // a saved change may be held back until after this
  };

  model.on("change:_heard", heard);
  const stop = () => {
    clearTimeout(timer);
    model.off("change:_heard", heard);
  };
  return { put, ask, waiting: () => waiting, stop };
}
