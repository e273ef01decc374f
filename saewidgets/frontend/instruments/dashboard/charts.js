// The charts of a feature: how strongly it fires, what it writes, and how often it fires among all.

import { logitRows } from "../../shared/charts.js";
import { h } from "../../shared/elements.js";
import { histogramChart } from "../../shared/histograms.js";
import { num, percent, whole } from "../../shared/numbers.js";
import { glyphs } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";
import { section } from "./section.js";

/** @import { TipLine } from "../../types/host.js" */
/** @import { About, Effect, Shown, Words } from "./data.js" */

/**
 * The histogram of the activations, whose bars can be chosen.
 *
 * @param {Shown} shown
 * @param {Words["histogram"]} words
 * @param {() => number} picked the chosen bar, -1 for none
 * @param {(bar: number, low: number, high: number) => void} pick
 */
export function strengthPart(shown, words, picked, pick) {
  const chart = histogramChart(shown.histogram, {
    what: words.nonZero,
    count: words.tokens,
    axis: words.activation,
    paint: (i, edges) => ({
      style: { "--h": (0.25 + (0.75 * (edges[i] + edges[i + 1])) / 2 / (edges.at(-1) || 1)).toFixed(3) },
    }),
    pick,
    picked,
  });
  return { el: section(words.title, words.note, chart.el), stop: chart.stop, update: chart.update };
}

/**
 * The tokens that a feature raises and lowers most on the straight path, and all of them as a histogram.
 *
 * @param {Shown} shown
 * @param {Words["logits"]} words
 */
export function logitsPart(shown, words) {
  const { promoted, suppressed } = shown;
  if (!promoted.length && !suppressed.length) return { el: null, stop: () => {} };
  const most = Math.max(...[...promoted, ...suppressed].map((effect) => Math.abs(effect.logit)), 1e-9);
  const side = (/** @type {string} */ title, /** @type {Effect[]} */ effects, /** @type {string} */ direction) =>
    h("div", {}, h("h4", {}, title), logitRows(effects, most, direction));
  const lists = h(
    "div",
    { class: "saew-two" },
    side(words.promoted, promoted, "up"),
    side(words.suppressed, suppressed, "down"),
  );
  const chart = shown.logits ? vocabularyChart(shown, shown.logits, words) : null;
  const el = section(words.title, words.note, lists, ...(chart ? [chart.note, chart.el] : []));
  return { el, stop: chart ? chart.stop : () => {} };
}

/**
 * @param {Shown} shown
 * @param {NonNullable<Shown["logits"]>} logits
 * @param {Words["logits"]} words
 */
function vocabularyChart(shown, logits, words) {
  const up = shown.promoted.at(-1)?.logit ?? Infinity;
  const down = shown.suppressed.at(-1)?.logit ?? -Infinity;
  const mark = (/** @type {string} */ kind) => (/** @type {Effect} */ effect) => ({
    at: effect.logit,
    class: kind,
    tip: /** @type {TipLine[]} */ ([
      [words.effect, num(effect.logit)],
      ["", glyphs(effect.token, 40)],
    ]),
  });
  const chart = histogramChart(logits, {
    what: words.vocabulary,
    count: words.tokens,
    axis: words.effect,
    height: 110,
    paint: (i, edges) => ({
      class: edges[i + 1] >= up ? "saew-bar-up" : edges[i] <= down ? "saew-bar-down" : "saew-bar-plain",
    }),
    marks: [...shown.promoted.map(mark("saew-mark-up")), ...shown.suppressed.map(mark("saew-mark-down"))],
  });
  const n = logits.counts.reduce((a, b) => a + b, 0);
  const note = h("p", { class: "saew-note saew-below" }, say(words.all, { n: whole(n) }));
  return { el: chart.el, note, stop: chart.stop };
}

/**
 * How often all features fire, this one marked.
 *
 * @param {Shown} shown
 * @param {About} about
 * @param {Words["density"]} words
 */
export function densityPart(shown, about, words) {
  if (!about.density) return { el: null, stop: () => {} };
  const at = Math.log10(shown.density);
  const tip = /** @type {TipLine[]} */ ([[words.here, percent(shown.density)]]);
  const chart = histogramChart(about.density, {
    what: words.features,
    count: words.features,
    axis: words.share,
    height: 110,
    format: (x) => percent(10 ** x),
    paint: (i, edges) => ({
      class: shown.density && edges[i] <= at && at <= edges[i + 1] ? "saew-bar-here" : "saew-bar-plain",
    }),
    marks: shown.density ? [{ at, class: "saew-mark-here", tip }] : [],
  });
  const note = about.dead ? say(words.note, { n: whole(about.dead) }) : words.noteNone;
  return { el: section(words.title, note, chart.el), stop: chart.stop };
}
