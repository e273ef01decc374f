// Stacked shares of the scores by interval of activation, over the histogram of all activations.

import { tick } from "../../shared/axes.js";
import { h, placed, s } from "../../shared/elements.js";
import { edgesOf } from "../../shared/histograms.js";
import { num, percent, whole } from "../../shared/numbers.js";
import { SCORES, scoreChip } from "../../shared/scores.js";
import { shareGrid } from "../../shared/shares.js";
import { say } from "../../shared/words.js";
import { stacked } from "./data.js";

/** @import { TipLine } from "../../types/host.js" */
/** @import { Judge, Lab, Row } from "./data.js" */
/** @typedef {typeof import("./words.js").words.en.chart} Words */
/** @typedef {{ x: (activation: number) => number, y: (share: number) => number, right: number }} Axes */

const [LEFT, RIGHT, TOP] = [44, 12, 20]; // margins, px
const [TALL, GAP, BELOW, BOTTOM] = [190, 12, 66, 38]; // shares, the space between, the histogram, the axis
const HEIGHT = TOP + TALL + GAP + BELOW + BOTTOM;
const FLOOR = TOP + TALL + GAP + BELOW; // of the histogram

/**
 * @param {Lab} lab
 * @param {Words} words
 * @param {(level: number) => void} pick
 */
export function sharesChart(lab, words, pick) {
  /** @type {{ judge: Judge, level: number }} */
  let now = { judge: lab.judges[0], level: 0 };
  /** @type {SVGElement[]} */
  let hits = [];

  const draw = (/** @type {number} */ width) => {
    const focused = hits.findIndex((hit) => hit.matches(":focus"));
    const along = (width - LEFT - RIGHT) / lab.maximum;
    /** @type {Axes} */
    const axes = { x: (a) => LEFT + along * a, y: (share) => TOP + TALL * (1 - share), right: width - RIGHT };
    const label = say(words.label, { n: lab.active.length, judge: now.judge.name });
    const svg = s("svg", { width, height: HEIGHT, role: "group", "aria-label": label, class: "saew-pickable" });
    svg.append(...shareGrid(LEFT, axes.right, axes.y), ...histogram(lab, axes, words));
    now.judge.rows.forEach((row, i) => {
      svg.append(...column(row, lab.edges[i], lab.edges[i + 1], axes));
    });
    hits = now.judge.rows.map((row, i) => hit(lab, row, i, axes, words, pick));
    svg.append(...hits, ...axisWords(lab, axes, words));
    mark();
    plot.el.dataset.level = String(now.level);
    if (focused >= 0) queueMicrotask(() => hits[focused].focus());
    return svg;
  };
  const plot = placed(draw);
  plot.el.classList.add("saew-spec-chart");

  const mark = () => {
    hits.forEach((el, i) => {
      el.setAttribute("aria-pressed", String(i === now.level));
      el.setAttribute("tabindex", i === now.level ? "0" : "-1");
    });
  };
  /** @param {Judge} judge @param {number} level */
  const update = (judge, level) => {
    const other = judge !== now.judge;
    now = { judge, level };
    if (other) plot.redraw();
    else mark();
  };
  return { el: plot.el, stop: plot.stop, update };
}

/**
 * The bar of one interval: its parts, the interval of a 3, and how many were judged.
 *
 * @param {Row} row
 * @param {number} low
 * @param {number} high
 * @param {Axes} axes
 */
function column(row, low, high, { x, y }) {
  const [n, , three] = row;
  const [left, width] = [x(low) + 1.5, Math.max(1, x(high) - x(low) - 3)];
  const middle = left + width / 2;
  if (!n) return [];
  const parts = stacked(row).map(([from, to], i) => {
    const size = { x: left, width, y: y(to), height: Math.max(0, y(from) - y(to)) };
    return to > from ? s("rect", { class: `saew-spec-part saew-spec-s${SCORES[i]}`, ...size }) : null;
  });
  /** @type {Element[]} */
  const whisker = [];
  const [, down, up] = three;
  if (down !== null && up !== null) {
    const d = `M${middle},${y(down)}V${y(up)}M${middle - 4},${y(down)}h8M${middle - 4},${y(up)}h8`;
    whisker.push(s("path", { class: "saew-spec-halo", d }), s("path", { class: "saew-spec-whisker", d }));
  }
  return [...parts.filter((part) => part !== null), ...whisker, tick(middle, TOP - 6, whole(n))];
}

/**
 * How many activations there are of each strength, on a logarithmic axis.
 *
 * @param {Lab} lab
 * @param {Axes} axes
 * @param {Words} words
 */
function histogram({ histogram: counted }, { x, right }, words) {
  const edges = edgesOf(counted);
  const most = Math.max(1, ...counted.counts);
  const tall = (/** @type {number} */ n) => (BELOW * Math.log10(n + 1)) / Math.log10(most + 1);
  const bars = counted.counts.map((n, i) => {
    const size = { x: x(edges[i]) + 0.5, width: Math.max(1, x(edges[i + 1]) - x(edges[i]) - 1) };
    const heat = (0.2 + (0.8 * (i + 0.5)) / counted.counts.length).toFixed(3);
    const place = { ...size, y: FLOOR - tall(n), height: tall(n), rx: 1 };
    return n ? s("rect", { class: "saew-bar", style: { "--h": heat }, ...place }) : null;
  });
  return [
    s("line", { class: "saew-axis", x1: LEFT, x2: right, y1: FLOOR + 0.5, y2: FLOOR + 0.5 }),
    tick(LEFT - 6, FLOOR - BELOW + 8, short(most), "end"),
    tick(LEFT - 6, FLOOR + 1, "0", "end"),
    s("title", {}, words.activations),
    ...bars.filter((bar) => bar !== null),
  ];
}

/** @param {number} n */
function short(n) {
  return n >= 1e6 ? `${num(n / 1e6, 2)}M` : n >= 1000 ? `${num(n / 1000, 2)}k` : String(n);
}

/**
 * What is pressed to choose an interval, over its bar and its part of the histogram.
 *
 * @param {Lab} lab
 * @param {Row} row
 * @param {number} level
 * @param {Axes} axes
 * @param {Words} words
 * @param {(level: number) => void} pick
 */
function hit(lab, row, level, { x }, words, pick) {
  const [n, refused, ...shares] = row;
  const [low, high] = [lab.edges[level], lab.edges[level + 1]];
  const some = n + refused > 0;
  const said = { low: num(low), high: num(high), n: whole(n), share: percent(shares[0][0] ?? 0) };
  const el = s("rect", {
    x: x(low),
    width: Math.max(1, x(high) - x(low)),
    y: TOP - 18,
    height: FLOOR - TOP + 18,
    rx: 3,
    class: `saew-hit${some ? "" : " saew-hollow"}`,
    role: "button",
    "aria-label": say(n ? words.column : words.empty, said),
    "aria-disabled": some ? undefined : "true",
    "data-tip": "",
    onclick: () => some && pick(level),
  });
  /** @type {TipLine[]} */
  const tip = [
    [words.range, `${num(low)} – ${num(high)}`],
    [words.active, whole(lab.active[level])],
    [words.judged, whole(n)],
  ];
  if (refused) tip.push([words.refused, whole(refused)]);
  if (n) SCORES.forEach((score, i) => tip.push([String(score), percent(shares[i][0] ?? 0), shares[i][0] ?? 0]));
  el.saewTip = tip;
  return el;
}

/** @param {Lab} lab @param {Axes} axes @param {Words} words */
function axisWords({ edges }, { x, right }, words) {
  const step = right < 420 ? 5 : right < 640 ? 2 : 1;
  const numbers = edges.filter((_, i) => i % step === 0).map((edge) => tick(x(edge), FLOOR + 16, num(edge, 2)));
  return [...numbers, tick((LEFT + right) / 2, FLOOR + 32, words.axis)];
}

/**
 * What the fills mean, in the words of the rubric.
 *
 * @param {Lab} lab
 */
export function legend({ rubric }) {
  const one = (/** @type {[number, string]} */ [score, words]) =>
    h("li", {}, scoreChip(score), h("span", { class: "saew-spec-means" }, words));
  return h("ul", { class: "saew-spec-legend" }, ...rubric.map(one));
}
