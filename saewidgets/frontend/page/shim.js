// A page without a kernel: a stand-in for the model that a notebook gives to `render`.

import { places, read, traitOf, written } from "./links.js";
import { words } from "./words.js";

/** @import { Instrument, Model } from "../types/host.js" */
/** @import { Linked } from "./links.js" */
/** @typedef {Record<string, any>} Traits */
/** @typedef {{ from: string, to: string, table: Record<string, any>, packed?: string }} Lookup */
/**
 * @typedef {{ instrument: string, state: Traits, lookup: Lookup | null, live?: any, sae?: string,
 *   links?: Record<string, import("./links.js").Allowed> }} View of `export.page`; `live`: what answers in the
 *   place of a kernel needs
 * @typedef {(instrument: string, state: Traits, live: any, own: string[]) => Model<any>} Answered `own`: what a reset
 *   sets as it began
 */

/**
 * `state` holds the traits. `lookup` {from, to, table} answers for the kernel: when trait `from` changes, trait `to`
 * becomes table[from]. A message that asks for it sets the traits `own` as the page began. Nothing here stores
 * anything: a page opened through Jupyter may not touch localStorage or cookies.
 *
 * @param {Traits} state
 * @param {Lookup | null} [lookup]
 * @param {string[]} [own]
 * @returns {Model<any>}
 */
export function staticModel(state, lookup, own = []) {
  const begun = structuredClone(own.map((name) => [name, state[name]]));
  /** @type {Map<string, Set<() => void>>} */
  const listeners = new Map();
  /** @type {Model<any>} */
  const model = {
    get: (name) => state[name],
    set(name, value) {
      if (Object.is(state[name], value)) return;
      if (lookup && name === lookup.from && !Object.hasOwn(lookup.table, String(value))) return;
      state[name] = value;
      if (lookup && name === lookup.from) model.set(lookup.to, lookup.table[String(value)]);
      for (const fn of [...(listeners.get(`change:${name}`) ?? [])]) fn();
    },
    save_changes() {},
    send(content) {
      if (/** @type {{ kind?: string }} */ (content)?.kind !== "reset") return;
      for (const [name, value] of begun) model.set(name, structuredClone(value));
    },
    on(event, fn) {
      const known = listeners.get(event) ?? new Set();
      listeners.set(event, known.add(fn));
    },
    off(event, fn) {
      listeners.get(event)?.delete(fn);
    },
  };
  return model;
}

/**
 * What stands for bytes in a page's data, {base64}, as the DataView that a notebook would give; also inside a trait.
 *
 * @param {any} value
 * @returns {any}
 */
function revive(value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  if (typeof value.base64 !== "string")
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, revive(inner)]));
  return new DataView(Uint8Array.from(atob(value.base64), (c) => c.charCodeAt(0)).buffer);
}

/**
 * What `export.pack` packed: base64 of deflated JSON.
 *
 * @param {string} text
 */
async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

/**
 * State and lookup of a view whose table travels packed. Older browsers cannot open it: they say so.
 *
 * @param {View} view
 */
async function opened({ state, lookup }) {
  if (!lookup?.packed) return { state, lookup };
  const { table, ...more } = await unpacked(lookup.packed);
  return { state: { ...state, ...more, [lookup.to]: table[String(state[lookup.from])] }, lookup: { ...lookup, table } };
}

/**
 * The name of an instrument as the page's heading for it, for a screen reader: below are its own, from the second or
 *  third level on.
 *
 * @param {Element} host
 */
function heading(host) {
  const el = document.createElement("h2");
  el.className = "saew-page-title";
  el.textContent = host.querySelector(".saew")?.getAttribute("aria-label") ?? "";
  return el;
}

/**
 * What a person sets in the page is in its address, and what its address asks for is set: at the beginning and when it
 * changes. Nothing is written before something is set, and no step is added to the browser's history.
 *
 * @param {Linked[]} instruments
 * @param {(why: "" | "unknown" | "long") => void} tell says what became of an address that cannot be taken or given
 */
function address(instruments, tell) {
  const known = places(instruments);
  const sae = instruments.find((one) => one.sae)?.sae ?? "";
  /** @type {Map<string, any>} */
  const set = new Map(); // by key of a place
  let [last, timer] = [0, 0];

  function follow() {
    const { wanted, sound } = read(location.hash, known, sae);
    let taken = sound;
    for (const [{ key, models }, value] of wanted) {
      const trait = traitOf(key);
      for (const model of models) {
        model.set(trait, value);
        model.save_changes(); // a page that answers may refuse it
      }
      set.set(key, value);
      taken &&= models.some((model) => JSON.stringify(model.get(trait)) === JSON.stringify(value));
    }
    tell(taken ? "" : "unknown");
  }

  function write() {
    clearTimeout(timer);
    const early = last + BETWEEN - performance.now();
    if (early > 0) {
      timer = window.setTimeout(write, early);
      return;
    }
    last = performance.now();
    const link = written(set, sae);
    tell(link === null ? "long" : "");
    try {
      if (link !== null && location.hash !== link) history.replaceState(null, "", link);
    } catch {
      // a page in a frame of its own origin has no address to change
    }
  }

  function begin() {
    for (const { key, models } of known)
      for (const model of models)
        model.on(`change:${traitOf(key)}`, () => {
          set.set(key, model.get(traitOf(key)));
          write();
        });
    window.addEventListener("hashchange", follow);
  }

  return { follow, begin };
}

const BETWEEN = 300; // ms between two changes of the address: browsers take a hundred in half a minute
const SHARED = ["feature", "token", "interval"]; // traits in which the instruments of a page follow one another

/** The words of the language that the page names. */
const said = () =>
  /** @type {Record<string, typeof words.en>} */ (words)[document.documentElement.lang.slice(0, 2)] ?? words.en;

/** @returns {{ el: HTMLElement, tell: (why: "" | "unknown" | "long") => void }} */
function notice() {
  const el = document.createElement("p");
  el.className = "saew-page-note";
  el.setAttribute("role", "status");
  el.hidden = true;
  return {
    el,
    tell(why) {
      el.textContent = why && said().address[why];
      el.hidden = !why;
    },
  };
}

/** @param {HTMLElement} host @param {unknown} error */
function failed(host, error) {
  host.textContent = `${said().cannotOpen} ${error}`;
}

/**
 * Draw the instruments of a page; those that share a trait follow one another in it, and the page's #feature=31.
 *
 * @param {Record<string, Instrument>} instruments by name
 * @param {View[]} views
 * @param {Answered | null} [answered] makes the model of a view that is answered
 */
export async function mount(instruments, views, answered = null) {
  const hosts = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".saew-mount"));
  const note = notice();
  hosts[0]?.before(note.el);
  /** @type {Linked[]} */
  const linked = [];
  /** @type {[number, Model<any>][]} */
  const drawn = [];
  for (const [i, view] of views.entries()) {
    try {
      const { state, lookup } = view.lookup?.packed ? await opened(view) : view;
      const links = view.links ?? {};
      const own = Object.keys(links);
      const model =
        answered && view.live
          ? answered(view.instrument, revive(state), view.live, own)
          : staticModel({ _static: true, _resets: own.length > 0, ...revive(state) }, lookup, own);
      linked.push({ model, name: view.instrument, links, sae: view.sae ?? "" });
      drawn.push([i, model]);
    } catch (error) {
      failed(hosts[i], error);
    }
  }
  const link = address(linked, note.tell);
  link.follow();
  for (const [i, model] of drawn) {
    try {
      instruments[views[i].instrument].render({ model, el: hosts[i] });
      hosts[i].before(heading(hosts[i]));
    } catch (error) {
      failed(hosts[i], error);
    }
  }
  const models = linked.map(({ model }) => model);
  for (const name of SHARED) {
    const sharing = models.filter((model) => model.get(name) !== undefined);
    for (const model of sharing) {
      model.on(`change:${name}`, () => {
        for (const other of sharing) other.set(name, model.get(name));
      });
    }
  }
  link.begin();
}
