// The page of one feature: made anew for each, and told where more becomes known of it.

import { h } from "../../shared/elements.js";
import { binPart } from "./bin.js";
import { densityPart, logitsPart, strengthPart } from "./charts.js";
import { barOf, carriedBin } from "./data.js";
import { describe, topExamples, underlineLegend, weakerExamples } from "./examples.js";
import { tokenCard } from "./facts.js";
import { headingPart } from "./heading.js";
import { neuronsPart, relatedPart } from "./relations.js";

/** @import { Named } from "../../shared/labels.js" */
/** @import { About, Bin, Pooled, Shown, View, Words } from "./data.js" */
/**
 * What a page asks, and what it tells.
 *
 * @typedef {{ words: Words, scale: { weak: string, strong: string }, about: About, passport: string,
 *   pool: () => Pooled[], index: () => Named[], interval: () => number[] | null, bin: () => Bin | null,
 *   token: () => number[] | null, measuring: () => boolean, carried: boolean, filter: Element, filtered: () => void,
 *   keep: ((feature: number, label: string) => void) | null, go: (feature: number) => void,
 *   setInterval: (interval: number[] | null) => void, setToken: (token: number[] | null) => void }} Desk
 */

/**
 * @param {Shown} first
 * @param {Desk} desk
 */
export function featurePage(first, desk) {
  const { words, keep } = desk;
  let shown = first;
  const viewOf = (/** @type {Pooled[] | undefined} */ pool) => ({
    pool: pool ?? shown.pool ?? desk.pool(),
    maximum: shown.maximum,
    bytes: desk.about.bytes,
  });
  const legend = h("div", {});
  const rowNow = () => desk.index().find(({ feature }) => feature === shown.feature);
  const heading = headingPart(shown, words, keep && ((label) => keep(shown.feature, label)), rowNow());
  const bin = binPart(shown, words, () => desk.setInterval(null));
  const top = topExamples(shown, viewOf(undefined), words, legend, desk.scale);
  const weaker = weakerExamples(shown, viewOf(undefined), words, desk.about.perContext);
  const card = tokenCard(words.token, () => desk.setToken(null));
  const picked = () => barOf(shown, desk.interval());
  const strength = strengthPart(shown, words.histogram, picked, (i, low, high) =>
    desk.setInterval(picked() === i ? null : [shown.feature, low, high]),
  );
  const written = logitsPart(shown, words.logits);
  const often = densityPart(shown, desk.about, words.density);
  const related = relatedPart(shown, words.related, desk.go);
  const neurons = neuronsPart(words.neurons, words.related);
  const main = h("div", { class: "saew-main" }, shown.top.length ? desk.filter : null, bin.el, top.el, weaker.el);
  const charts = h("div", { class: "saew-side" }, card.el, strength.el, written.el, often.el);
  const tables = h("div", { class: "saew-tables" }, related.el, neurons.el);
  const el = h(
    "div",
    {},
    h("div", { "aria-live": "polite" }, heading.el),
    h("div", { class: "saew-columns" }, main, charts, tables),
    colophon(desk.passport, words, rowNow()?.output !== undefined),
  );

  /** Ring the chosen token wherever it stands, and keep its numbers in view. */
  const mark = () => card.update(ringed(main, desk.token()));
  const bins = () => {
    const interval = desk.interval();
    const asked = /** @type {[number, number, number] | null} */ (interval);
    const found = !asked ? null : desk.carried ? carriedBin(shown, asked) : desk.bin();
    strength.update();
    bin.update(found, interval, viewOf(found?.pool));
    desk.filtered();
    mark();
  };
  const names = () => {
    heading.update(rowNow()?.own ? (rowNow()?.label ?? "") : "");
    related.update(desk.index());
  };
  const measured = () => {
    const waits = desk.measuring() ? [h("p", { class: "saew-note", role: "status" }, words.examples.measuring)] : [];
    legend.replaceChildren(...(shown.measured ? [underlineLegend(words.examples)] : waits));
  };
  /**
   * More has become known of the feature that is shown: tell it where it stands, and move nothing.
   *
   * @param {Shown} now
   */
  const update = (now) => {
    shown = now;
    const view = viewOf(undefined);
    top.rows.forEach((row, i) => describe(row, now.top[i], view, words));
    weaker.rows.forEach((row, i) => describe(row, now.intervals[i], view, words));
    measured();
    neurons.update(now);
    mark();
  };
  /** Whether `now` can be told by `update`. @param {Shown} now */
  const fits = (now) =>
    now.feature === shown.feature && now.top.length + now.intervals.length === top.rows.length + weaker.rows.length;
  const begin = () => {
    names();
    update(shown);
    bins();
  };
  const stop = () => {
    for (const part of [strength, written, often]) part.stop();
  };
  return { el, main, begin, update, fits, mark, bins, names, measured, stop, key: heading.key, focus: heading.focus };
}

/**
 * Mark the chosen token among the examples; the first of them, with what is known of it.
 *
 * @param {Element} main
 * @param {number[] | null} chosen context and position
 */
function ringed(main, chosen) {
  /** @type {Element | null} */
  let first = null;
  for (const token of main.querySelectorAll(".saew-example .saew-token")) {
    const place = token.saewPlace;
    const is = Boolean(chosen && place) && place?.[0] === chosen?.[0] && place?.[1] === chosen?.[1];
    token.classList.toggle("saew-chosen", is);
    if (is) token.setAttribute("aria-current", "true");
    else token.removeAttribute("aria-current");
    if (is) first ??= token;
  }
  const row = first?.closest(".saew-example");
  if (!row || !chosen) return null;
  const view = /** @type {View} */ (row.saewView);
  return { item: row.saewItem, i: chosen[1] - row.saewItem.s, view };
}

/**
 * Where the figures come from, and what they do not show.
 *
 * @param {string} passport
 * @param {Words} words
 * @param {boolean} scored
 */
function colophon(passport, words, scored) {
  const lines = scored ? [...words.honesty, words.heading.scoresShow] : words.honesty;
  return h(
    "div",
    { class: "saew-footer" },
    h("p", {}, passport),
    h(
      "details",
      { class: "saew-details" },
      h("summary", {}, words.honestyTitle),
      h("ul", {}, ...lines.map((line) => h("li", {}, line))),
    ),
  );
}
