// A model with somebody behind it: what a notebook's kernel is to `render`, in a page.

/** @import { Model } from "../../types/host.js" */
/** @typedef {Record<string, any>} Traits */
/**
 * @typedef {object} Kernel
 * @property {(names: string[], before: Traits) => void} changed a person has set these traits
 * @property {(kind: string) => void} message a person asks for something
 */

/**
 * Like `staticModel`, but what is set is told, once for all that is saved together. `put` sets without telling: it is
 * how the kernel answers.
 *
 * @param {Traits} state
 * @returns {{ model: Model<any>, put: (traits: Traits) => void, behind: (kernel: Kernel) => void }}
 */
export function liveModel(state) {
  /** @type {Map<string, Set<() => void>>} */
  const listeners = new Map();
  /** @type {Traits} */
  let before = {}; // what was set since it was saved, as it was
  /** @type {Kernel | null} */
  let kernel = null;
  const change = (/** @type {string} */ name, /** @type {any} */ value) => {
    if (Object.is(state[name], value)) return;
    state[name] = value;
    for (const fn of [...(listeners.get(`change:${name}`) ?? [])]) fn();
  };
  const put = (/** @type {Traits} */ traits) => {
    for (const [name, value] of Object.entries(traits)) change(name, value);
  };
  const save = () => {
    const [names, old] = [Object.keys(before), before];
    before = {};
    if (names.length) kernel?.changed(names, old);
  };
  /** @type {Model<any>} */
  const model = {
    get: (name) => state[name],
    set(name, value) {
      if (Object.is(state[name], value)) return;
      if (!Object.hasOwn(before, name)) before[name] = state[name];
      change(name, value);
    },
    save_changes: save,
    send(content) {
      save();
      const { kind } = /** @type {{ kind: string }} */ (content);
      // Not at once: whoever asks begins to wait for the answer after it has asked.
      if (kind === "ping") queueMicrotask(() => put({ _heard: (state._heard ?? 0) + 1 }));
      else kernel?.message(kind);
    },
    on(event, fn) {
      const known = listeners.get(event) ?? new Set();
      listeners.set(event, known.add(fn));
    },
    off(event, fn) {
      listeners.get(event)?.delete(fn);
    },
  };
  return {
    model,
    put,
    behind(now) {
      kernel = now;
    },
  };
}
