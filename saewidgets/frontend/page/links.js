// What a person set in an exported page, in its address: "#feature=31&map.color=%22density%22", so that it can be
// passed on. An address is text that anybody may write: a value is taken if the page says that it may be, else nothing
// of it is.

/** @import { Model } from "../types/host.js" */

/**
 * @typedef {{ of?: any[], low?: number, high?: number, whole?: boolean, each?: Allowed, least?: number, most?: number,
 *   keys?: string[], text?: number, like?: string, any?: any[], null?: boolean }} Allowed the values that a trait
 *   may have, as payloads/settable.py writes them
 * @typedef {{ key: string, allowed: Allowed[], models: Model<any>[] }} Place a setting, and the instruments that
 *   have it: a value is taken that one of them may have
 * @typedef {{ model: Model<any>, name: string, links: Record<string, Allowed>, sae: string }} Linked an instrument
 *   of the page
 */

export const LONGEST = 4000; // characters of an address that is written or read
const SHARED = ["feature", "token", "interval"]; // one setting of the whole page

/**
 * Whether a value is among those that are allowed.
 *
 * @param {Allowed} allowed
 * @param {any} value
 * @returns {boolean}
 */
export function fits(allowed, value) {
  if (value === null && allowed.null) return true;
  if (allowed.of) return allowed.of.some((one) => one === value);
  if (allowed.any) return allowed.any.some((one) => fits(one, value));
  if (allowed.text !== undefined)
    return typeof value === "string" && value.length <= allowed.text && new RegExp(allowed.like ?? "").test(value);
  const { each, keys } = allowed;
  if (each && keys) {
    if (value === null || typeof value !== "object" || Array.isArray(value)) return false;
    return Object.entries(value).every(([key, one]) => keys.includes(key) && fits(each, one));
  }
  if (each) {
    const [least, most] = [allowed.least ?? 0, allowed.most ?? 0];
    if (!Array.isArray(value) || value.length < least || value.length > most) return false;
    return value.every((one) => fits(each, one));
  }
  if (typeof value !== "number" || (allowed.whole && !Number.isInteger(value))) return false;
  return value >= Number(allowed.low) && value <= Number(allowed.high);
}

/**
 * The settings of a page: those in which its instruments follow one another, and "map.color", or "map2.color" of a
 * second map.
 *
 * @param {Linked[]} instruments
 * @returns {Place[]}
 */
export function places(instruments) {
  /** @type {Map<string, Place>} */
  const found = new Map();
  /** @type {Record<string, number>} */
  const seen = {};
  for (const { model, name, links } of instruments) {
    seen[name] = (seen[name] ?? 0) + 1;
    const own = seen[name] > 1 ? `${name}${seen[name]}` : name;
    for (const [trait, allowed] of Object.entries(links)) {
      const key = SHARED.includes(trait) ? trait : `${own}.${trait}`;
      const place = found.get(key);
      if (place) {
        place.models.push(model);
        place.allowed.push(allowed);
      } else found.set(key, { key, allowed: [allowed], models: [model] });
    }
  }
  return [...found.values()];
}

/** @param {string} key */
export const traitOf = (key) => key.slice(key.indexOf(".") + 1);

/**
 * What an address asks for, and whether all of it is what this page has: then, and only then, it is to be set.
 *
 * @param {string} hash
 * @param {Place[]} known
 * @param {string} sae the first digits of the digest of the page's SAE; "" where that is not known
 * @returns {{ wanted: [place: Place, value: any][], sound: boolean }}
 */
export function read(hash, known, sae) {
  const text = hash.replace(/^#/, "");
  /** @type {[Place, any][]} */
  const wanted = [];
  if (!text) return { wanted, sound: true };
  if (text.length > LONGEST) return { wanted, sound: false };
  for (const pair of text.split("&")) {
    const [key, value] = parsed(pair);
    if (key === "sae" && (!sae || value === sae)) continue;
    const place = known.find((one) => one.key === key);
    if (!place?.allowed.some((one) => fits(one, value))) return { wanted: [], sound: false };
    wanted.push([place, value]);
  }
  return { wanted, sound: true };
}

/**
 * @param {string} pair
 * @returns {[key: string, value: any]} ["", undefined] for one that is none
 */
function parsed(pair) {
  const at = pair.indexOf("=");
  if (at < 1) return ["", undefined];
  try {
    const [key, text] = [pair.slice(0, at), decodeURIComponent(pair.slice(at + 1))];
    return [key, key === "sae" ? text : JSON.parse(text)];
  } catch {
    return ["", undefined];
  }
}

/**
 * The address of these settings; null where it would be too long to pass on.
 *
 * @param {Iterable<[key: string, value: any]>} set
 * @param {string} sae
 */
export function written(set, sae) {
  const pairs = [...set].map(
    ([key, value]) => `${key}=${encodeURIComponent(JSON.stringify(value ?? null)).replace(/%2C/g, ",")}`,
  );
  const hash = `#${[...pairs, ...(sae ? [`sae=${sae}`] : [])].join("&")}`;
  return hash.length > LONGEST ? null : hash;
}
