// Where the engine runs: in a worker, or in the page itself where a browser refuses workers to a page from a disk.

/** @import { Ask, Tell } from "../../engine/worker.js" */
/** @typedef {() => { attend: (tell: (tell: Tell) => void) => (ask: Ask) => void }} Program the engine's own text */

const PATIENCE = 20_000; // ms for a worker to open the model before the page does it itself

/**
 * What asks the engine. `told` hears what comes of it.
 *
 * @param {Program} program
 * @param {(tell: Tell) => void} told
 * @returns {(ask: Ask) => void}
 */
export function hostOf(program, told) {
  /** @type {Ask[]} */
  const asked = []; // until the worker has shown that it works
  /** @type {(ask: Ask) => void} */
  let post = () => {};
  let settled = false;
  const here = () => {
    if (settled) return;
    settled = true;
    post = program().attend((tell) => setTimeout(() => told(tell)));
    for (const ask of asked.splice(0)) post(ask);
  };
  try {
    const begin = `const attend = (${program})().attend((tell) => postMessage(tell));`;
    const source = `${begin}onmessage = ({ data }) => attend(data);`;
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const worker = new Worker(url);
    const late = setTimeout(() => {
      worker.terminate();
      here();
    }, PATIENCE);
    worker.onerror = (event) => {
      event.preventDefault();
      clearTimeout(late);
      worker.terminate();
      here();
    };
    worker.onmessage = ({ data }) => {
      clearTimeout(late);
      if (!settled) URL.revokeObjectURL(url);
      settled = true;
      asked.length = 0;
      told(data);
    };
    post = (ask) => worker.postMessage(ask);
  } catch {
    here();
  }
  return (ask) => {
    if (!settled) asked.push(ask);
    post(ask);
  };
}
