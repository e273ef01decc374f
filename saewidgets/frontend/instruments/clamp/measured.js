// Did the clamp hold? What was set, what the encoder reads back there, and how much of the change is left further up.

import { h, responsive } from "../../shared/elements.js";
import { fixed, num, percent } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";

/** @import { Measured } from "./state.js" */
/** @typedef {typeof import("./words.js").words.en.measured} Words */

const SITES = 6; // of each feature, before "Show all"
const SET = "set"; // the measure of the row that says what was set

/**
 * @param {(feature: number) => string} nameOf
 * @param {Words} words
 */
export function measuredTable(nameOf, words) {
  const body = h("tbody");
  const head = words.columns.map((title, i) => h("th", { scope: "col", class: i < 2 ? "saew-words" : "" }, title));
  const table = h("table", { class: "saew-table saew-measured-table" }, h("thead", {}, h("tr", {}, ...head)), body);
  const scroller = h("div", { class: "saew-scroll" }, table);
  const all = h("button", { type: "button", class: "saew-link", hidden: true, onclick: showAll });
  const el = h(
    "section",
    { class: "saew-measured", hidden: true },
    h("h3", {}, words.title),
    h("p", { class: "saew-note" }, words.note),
    scroller,
    all,
  );
  /** @type {Measured[]} */
  let drawn = [];
  let everything = false; // every row, once somebody has asked for it
  function showAll() {
    everything = true;
    draw();
  }
  const draw = () => {
    const listed = everything ? drawn : fewSites(drawn);
    all.hidden = listed.length === drawn.length;
    all.textContent = say(words.all, { n: drawn.filter(({ measure }) => measure !== SET).length });
    body.replaceChildren(
      ...listed.map((row) => (row.measure === SET ? setRow(row, nameOf, words) : siteRow(row, words))),
    );
  };
  /** @param {Measured[]} rows @param {boolean} stale they are of a text before this one */
  const update = (rows, stale) => {
    el.hidden = !rows.length;
    el.classList.toggle("saew-stale", stale);
    if (rows === drawn) return;
    drawn = rows;
    draw();
  };
  return { el, update, stop: focusableIfNeeded(scroller, words.title) };
}

/**
 * A feature, and what it was set to. @param {Measured} row @param {(feature: number) => string} nameOf @param {Words}
 * words
 */
function setRow({ feature, clamped, kept }, nameOf, words) {
  return h(
    "tr",
    { class: "saew-measured-feature" },
    h("th", { scope: "row", colspan: 2 }, nameOf(feature)),
    h("td", {}, words.set),
    figure(clamped),
    h("td", {}, kept === null ? "" : say(words.maximum, { multiple: num(kept, 4) })),
  );
}

/** @param {Measured} row @param {Words} words */
function siteRow({ site, measure, default: before, clamped, kept }, words) {
  const read = /** @type {Record<string, string>} */ (words.measures)[measure] ?? measure;
  return h(
    "tr",
    {},
    h("td", { class: "saew-words saew-site" }, ...breakable(site)),
    h("td", { class: "saew-words" }, read),
    figure(before),
    figure(clamped),
    h("td", {}, kept === null ? "–" : share(kept, measure === "activation" ? words.ofSet : words.ofChange)),
  );
}

const figure = (/** @type {number | null} */ x) => h("td", {}, x === null ? "–" : fixed(x));

/** A share with its bar. @param {number} kept @param {string} sentence */
function share(kept, sentence) {
  const width = `${Math.max(0, Math.min(100, 100 * kept)).toFixed(1)}%`;
  return h(
    "span",
    { class: "saew-kept" },
    h("span", { class: "saew-track", "aria-hidden": "true" }, h("span", { class: "saew-fill", style: { width } })),
    h("span", {}, say(sentence, { share: percent(Math.round(100 * kept) / 100) })),
  );
}

/** A name that may break after its dots and underscores. @param {string} name */
function breakable(name) {
  return name.split(/(?<=[._])/).flatMap((part, i) => (i ? [h("wbr"), part] : [part]));
}

/**
 * Of each feature what was set, the clamp's own site, and a few of the later ones, evenly from the next to the last: a
 *  model may
 * have many layers.
 *
 * @param {Measured[]} rows
 */
export function fewSites(rows) {
  const features = [...new Set(rows.map((row) => row.feature))];
  return features.flatMap((feature) => {
    const own = rows.filter((row) => row.feature === feature);
    const set = own.filter((row) => row.measure === SET);
    const sites = own.filter((row) => row.measure !== SET);
    if (sites.length <= SITES) return own;
    const later = Array.from({ length: SITES - 1 }, (_, i) => Math.round(1 + (i * (sites.length - 2)) / (SITES - 2)));
    const kept = new Set([0, ...later]);
    return [...set, ...sites.filter((_, i) => kept.has(i))];
  });
}

/**
 * A part that scrolls can be reached by keys while there is something to scroll.
 *
 * @param {HTMLElement} el
 * @param {string} name
 */
function focusableIfNeeded(el, name) {
  return responsive(el, () => {
    const needed = el.scrollWidth > el.clientWidth + 1;
    for (const [attribute, value] of [
      ["tabindex", "0"],
      ["role", "region"],
      ["aria-label", name],
    ])
      if (needed) el.setAttribute(attribute, value);
      else el.removeAttribute(attribute);
  });
}
