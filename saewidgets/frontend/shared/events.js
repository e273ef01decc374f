// When things happen: traits that change, and calls that come too often.

/** @import { Model } from "../types/host.js" */

/**
 * Listen to several traits of a model; returns the function that stops it.
 *
 * @param {Model<any>} model
 * @param {string[]} names
 * @param {() => void} fn
 */
export function listen(model, names, fn) {
  for (const name of names) model.on(`change:${name}`, fn);
  return () => {
    for (const name of names) model.off(`change:${name}`, fn);
  };
}

/**
 * Call `fn` at most once every `ms`, always with the last arguments.
 *
 * @template {unknown[]} A
 * @param {(...args: A) => void} fn
 * @param {number} ms
 * @returns {(...args: A) => void}
 */
export function throttle(fn, ms) {
  let timer = 0;
  /** @type {A | null} */
  let waiting = null;
  const fire = () => {
    if (waiting === null) {
      timer = 0;
      return;
    }
    const args = waiting;
    waiting = null;
    timer = Number(setTimeout(fire, ms));
    fn(...args);
  };
  return (...args) => {
    waiting = args;
    if (!timer) fire();
  };
}
