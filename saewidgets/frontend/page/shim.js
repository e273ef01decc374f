// A page without a kernel: a stand-in for the model that a notebook gives to `render`.

/** @import { Instrument, Model } from "../types/host.js" */
/** @typedef {Record<string, any>} Traits */
/** @typedef {{ from: string, to: string, table: Record<string, any>, packed?: string }} Lookup */
/**
 * @typedef {{ instrument: string, state: Traits, lookup: Lookup | null, live?: any }} View of `export.page`; `live`:
 *   what answers in the place of a kernel needs
 * @typedef {(instrument: string, state: Traits, live: any) => Model<any>} Answered
 */

/**
 * `state` holds the traits. `lookup` {from, to, table} answers for the kernel: when trait `from` changes, trait `to`
 * becomes table[from]. Nothing here stores anything: a page opened through Jupyter may not touch localStorage or
 * cookies.
 *
 * @param {Traits} state
 * @param {Lookup | null} [lookup]
 * @returns {Model<any>}
 */
export function staticModel(state, lookup) {
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
    send() {},
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

const SHARED = ["feature", "token", "interval"]; // traits in which the instruments of a page follow one another

/**
 * Draw the instruments of a page; those that share a trait follow one another in it, and the page's #feature=31.
 *
 * @param {Record<string, Instrument>} instruments by name
 * @param {View[]} views
 * @param {Answered | null} [answered] makes the model of a view that is answered
 */
export async function mount(instruments, views, answered = null) {
  const hosts = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".saew-mount"));
  const asked = () => /^#feature=(\d+)$/.exec(location.hash)?.[1];
  const models = [];
  for (const [i, view] of views.entries()) {
    try {
      const { state, lookup } = view.lookup?.packed ? await opened(view) : view;
      const model =
        answered && view.live
          ? answered(view.instrument, revive(state), view.live)
          : staticModel({ _static: true, ...revive(state) }, lookup);
      if (model.get("feature") !== undefined && asked()) model.set("feature", Number(asked()));
      instruments[view.instrument].render({ model, el: hosts[i] });
      hosts[i].before(heading(hosts[i]));
      models.push(model);
    } catch (error) {
      hosts[i].textContent = `This browser cannot open the page: ${error}`;
    }
  }
  for (const name of SHARED) {
    const sharing = models.filter((model) => model.get(name) !== undefined);
    for (const model of sharing) {
      model.on(`change:${name}`, () => {
        for (const other of sharing) other.set(name, model.get(name));
      });
    }
    if (name !== "feature" || !sharing.length) continue;
    sharing[0].on("change:feature", () => {
      const link = `#feature=${sharing[0].get("feature")}`;
      try {
        if (location.hash !== link) history.replaceState(null, "", link); // so that the address can be passed on
      } catch {
        // a page in a frame of its own origin has no address to change
      }
    });
    window.addEventListener("hashchange", () => {
      if (asked()) for (const model of sharing) model.set("feature", Number(asked()));
    });
  }
}
