// The examples of a feature: tokens with their heat and underlines; those that read the same are one row that opens.

import { pieces } from "../../shared/bytes.js";
import { h } from "../../shared/elements.js";
import { aligned, num } from "../../shared/numbers.js";
import { chip, enterable, heat, heatScale } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";
import { folded, lossEffect } from "./data.js";
import { facts } from "./facts.js";
import { section } from "./section.js";

/** @import { Example, Shown, View, Words } from "./data.js" */

const FIRST = 10; // rows before "Show all", where the page is narrow
const LISTED = 3; // moved logits in a tooltip; the details of a chosen token show all
const SEEN = 0.02; // nats from which an effect is underlined
const STRONG = 0.3; // and from which it is underlined twice as thick

/**
 * Underline a token by what its loss becomes without the feature: solid where it gets less likely, dashed where
 * likelier.
 *
 * @param {Element} el
 * @param {number | null} effect
 */
function underline(el, effect) {
  const loss = effect ?? 0;
  el.classList.toggle("saew-helped", loss >= SEEN);
  el.classList.toggle("saew-hurt", loss <= -SEEN);
  el.classList.toggle("saew-strong", Math.abs(loss) >= STRONG);
}

/**
 * One example as a row.
 *
 * @param {Example} item
 * @param {View} view
 * @param {Words} words
 */
export function exampleRow(item, view, words) {
  const shown = pieces(item.t.map((place) => view.pool[place][1]));
  const strip = h(
    "div",
    { class: "saew-strip", dir: "auto" },
    ...shown.map((piece, i) => {
      const el = chip(piece, heat(item.a[i], view.maximum), null, i === item.p ? "saew-peak" : "");
      el.saewPlace = [item.c, item.s + i];
      return el;
    }),
  );
  const row = h("li", { class: "saew-example" }, h("span", { class: "saew-number" }, aligned(item.a[item.p])), strip);
  row.saewTokens = shown.map(({ text }) => text); // what the filter looks through
  describe(row, item, view, words);
  return row;
}

/**
 * Give the tokens of a row their tooltips and underlines, again where more has become known.
 *
 * @param {HTMLElement} row
 * @param {Example} item
 * @param {View} view
 * @param {Words} words
 */
export function describe(row, item, view, words) {
  row.saewItem = item;
  row.saewView = view;
  [...row.querySelectorAll(".saew-token")].forEach((el, i) => {
    // Worked out when it is looked at: there are thousands of tokens on a page.
    Object.defineProperty(el, "saewTip", {
      get: () => facts(item, i, view, words.token, LISTED),
      configurable: true,
    });
    underline(el, lossEffect(item, i));
  });
}

/**
 * The strongest examples: {el, rows}, rows in the order of `shown.top`.
 *
 * @param {Shown} shown
 * @param {View} view
 * @param {Words} words
 * @param {Element} legend what the underlines mean
 * @param {{ weak: string, strong: string }} scale
 */
export function topExamples(shown, view, words, legend, scale) {
  const text = words.examples;
  if (!shown.top.length) return { el: section(text.top, "", h("p", {}, text.none)), rows: [] };
  const groups = folded(shown.top);
  /** @type {Map<Example, HTMLElement>} */
  const rows = new Map();
  const list = h("ol", { class: "saew-examples saew-walk" });
  groups.forEach(([first, ...others], i) => {
    const row = exampleRow(first, view, words);
    const twins = others.map((item) => exampleRow(item, view, words));
    [first, ...others].forEach((item, k) => {
      rows.set(item, k ? twins[k - 1] : row);
    });
    for (const twin of twins) twin.classList.add("saew-twin");
    if (i >= FIRST) for (const each of [row, ...twins]) each.classList.add("saew-more");
    if (twins.length) row.append(timesButton(twins, text));
    list.append(row, ...twins);
  });
  enterable(list);
  const note = [`${text.topNote} `, heatScale(scale)];
  const more = groups.length > FIRST ? [moreButton(list, groups.length, text)] : [];
  const el = section(text.top, h("span", { class: "saew-scale-line" }, ...note), legend, list, ...more);
  return { el, rows: shown.top.map((item) => /** @type {HTMLElement} */ (rows.get(item))) };
}

/**
 * "× 11": opens the other rows that read the same.
 *
 * @param {HTMLElement[]} twins
 * @param {Words["examples"]} text
 */
function timesButton(twins, text) {
  const n = twins.length + 1;
  const title = say(text.timesTitle, { n });
  const button = h(
    "button",
    {
      type: "button",
      class: "saew-pill saew-times",
      title,
      "aria-label": `${say(text.times, { n })}: ${title}`,
      "aria-expanded": "false",
      onclick: () => {
        const open = button.getAttribute("aria-expanded") !== "true";
        button.setAttribute("aria-expanded", String(open));
        for (const twin of twins) twin.classList.toggle("saew-unfolded", open);
      },
    },
    say(text.times, { n }),
  );
  return button;
}

/**
 * @param {Element} list
 * @param {number} n rows in all
 * @param {Words["examples"]} text
 */
function moreButton(list, n, text) {
  const set = (/** @type {boolean} */ open) => {
    list.classList.toggle("saew-open", open);
    more.textContent = open ? text.fewer : say(text.all, { n });
    more.setAttribute("aria-expanded", String(open));
  };
  const more = h("button", {
    type: "button",
    class: "saew-link saew-toggle",
    onclick: () => set(more.getAttribute("aria-expanded") !== "true"),
  });
  set(false);
  return more;
}

/**
 * Weaker examples, level by level: {el, rows}, rows in the order of `shown.intervals`; el is null where there are none.
 *
 * @param {Shown} shown
 * @param {View} view
 * @param {Words} words
 * @param {number | null} [perContext] tokens of each context that examples were chosen among, null: all
 */
export function weakerExamples(shown, view, words, perContext) {
  const text = words.examples;
  const rows = shown.intervals.map((item) => exampleRow(item, view, words));
  if (!rows.length) return { el: null, rows };
  const levels = 1 + Math.max(...shown.intervals.map((item) => item.v));
  /** @type {Map<number, HTMLElement[]>} */
  const groups = new Map();
  shown.intervals.forEach(({ v }, i) => groups.set(v, [...(groups.get(v) ?? []), rows[i]]));
  const body = h("div", { class: "saew-walk" });
  for (const [v, own] of [...groups].sort((a, b) => b[0] - a[0])) {
    const low = (shown.maximum * v) / levels;
    const high = (shown.maximum * (v + 1)) / levels;
    body.append(
      h("h4", {}, say(perContext ? text.subsample : text.level, { i: levels - 1 - v, low: num(low), high: num(high) })),
      h("ol", { class: "saew-examples" }, ...own),
    );
  }
  enterable(body);
  const el = h(
    "details",
    { class: "saew-details" },
    h("summary", {}, text.weaker),
    h("p", { class: "saew-note" }, say(text.weakerNote, { k: levels })),
    ...(perContext ? [h("p", { class: "saew-note" }, say(text.subsampleNote, { n: perContext }))] : []),
    body,
  );
  return { el, rows };
}

/**
 * What the underlines mean.
 *
 * @param {Words["examples"]} text
 */
export function underlineLegend(text) {
  const sample = (/** @type {string} */ kind, /** @type {string} */ meaning) =>
    h("span", {}, h("span", { class: `saew-token ${kind}` }, h("span", { class: "saew-word" }, "abc")), meaning);
  return h(
    "p",
    { class: "saew-note saew-underlines" },
    sample("saew-helped", text.less),
    sample("saew-hurt", text.more),
  );
}
