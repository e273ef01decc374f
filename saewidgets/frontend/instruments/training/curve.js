// A live curve of one number over the steps, of one run or of several.

import { tick } from "../../shared/axes.js";
import { h, placed, s } from "../../shared/elements.js";
import { num, whole } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { levels, logLevels, rule } from "./axes.js";

/** @import { Value, Words } from "./runs.js" */
/** @typedef {[step: number, value: Value]} At */
/** @typedef {[step: number, value: number]} Drawn */
/** @typedef {{ name: string, color: string, chosen: boolean, points: At[] }} Series */
/** @typedef {(x: number, digits?: number) => string} Format */
/** @typedef {{ log?: boolean, format?: Format }} Look `log`: on a logarithmic axis, where 0 is a gap */

export const HEIGHT = 128; // px
export const LEFT = 46; // margins, px
export const RIGHT = 10;
export const TOP = 8;
export const BOTTOM = 20;

/**
 * A chart's frame: its name, the value in front, a line of small print, and the picture below.
 *
 * @param {string} name
 * @param {Element} plot
 */
export function framed(name, plot) {
  const value = h("span", { class: "saew-curve-value" });
  const note = h("span", { class: "saew-faint saew-curve-note" });
  const el = h("figure", { class: "saew-curve" }, h("figcaption", {}, h("span", {}, name), value, note), plot);
  return { el, value, note };
}

/**
 * Live curves of one number.
 *
 * @param {string} name
 * @param {Words} words
 * @param {Look} look
 */
export function curveChart(name, words, { log = false, format = num } = {}) {
  const good = (/** @type {At} */ point) => point[1] !== null && (!log || point[1] > 0);
  /** @type {Series[]} */
  let all = [];
  const plot = placed((width) => {
    const front = all.find((one) => one.chosen) ?? all[0];
    const last = front?.points.filter(good).at(-1);
    const svg = s("svg", { width, height: HEIGHT, role: "img", "aria-label": label(name, words, all, front, format) });
    const seen = /** @type {Drawn[]} */ (all.flatMap((one) => one.points.filter(good)));
    if (!front || !seen.length) return svg;
    const { x, y, marks, ends } = axes(seen, width, log);
    for (const level of marks) svg.append(...rule(y(level), [LEFT, width - RIGHT], format(level, 2)));
    for (const one of [...all.filter((other) => other !== front), front]) {
      const look = one === front ? "saew-line" : "saew-line saew-behind";
      svg.append(s("path", { d: path(one.points, good, x, y), class: look, style: { stroke: one.color } }));
    }
    if (last) svg.append(s("circle", { cx: x(last[0]), cy: y(last[1] ?? 0), r: 3.5, style: { fill: front.color } }));
    const [first, end] = ends.map(whole);
    svg.append(tick(LEFT, HEIGHT - 4, first, "start"));
    svg.append(tick(width - RIGHT, HEIGHT - 4, say(words.atStep, { step: end }), "end"));
    return svg;
  });
  const { el, value, note } = framed(name, plot.el);
  /** @param {Series[]} series @param {string} print the small print */
  const update = (series, print) => {
    all = series;
    const front = all.find((one) => one.chosen) ?? all[0];
    const last = front?.points.filter(good).at(-1);
    value.textContent = last ? format(last[1] ?? 0) : words.none;
    note.textContent = print;
    plot.redraw();
  };
  return { el, update, stop: plot.stop };
}

/**
 * Where steps and values lie, and the values at which the axis has a line.
 *
 * @param {Drawn[]} seen
 * @param {number} width px
 * @param {boolean} log
 */
function axes(seen, width, log) {
  const scale = log ? Math.log10 : (/** @type {number} */ value) => value;
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let [first, end] = [low, high];
  for (const [step, value] of seen) {
    [low, high] = [Math.min(low, scale(value)), Math.max(high, scale(value))];
    [first, end] = [Math.min(first, step), Math.max(end, step)];
  }
  if (!log) low = Math.min(low, 0);
  if (high - low < 1e-12) high = low + (log ? 0.1 : Math.abs(low) || 1);
  end = Math.max(end, first + 1);
  return {
    x: (/** @type {number} */ step) => LEFT + ((width - LEFT - RIGHT) * (step - first)) / (end - first),
    y: (/** @type {number} */ v) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (scale(v) - low) / (high - low)),
    marks: log ? logLevels(low, high) : levels(low, high),
    ends: [first, end],
  };
}

/**
 * The line through the points; it breaks where a point is not `good`.
 *
 * @param {At[]} points
 * @param {(point: At) => boolean} good
 * @param {(step: number) => number} x
 * @param {(value: number) => number} y
 */
export function path(points, good, x, y) {
  let line = "";
  let pen = "M";
  for (const point of points) {
    if (!good(point)) pen = "M";
    else {
      line += `${pen}${x(point[0]).toFixed(1)},${y(point[1] ?? 0).toFixed(1)}`;
      pen = "L";
    }
  }
  return line;
}

/**
 * @param {string} name
 * @param {Words} words
 * @param {Series[]} all
 * @param {Series | undefined} front
 * @param {Format} format
 */
function label(name, words, all, front, format) {
  const last = front?.points.filter(([, value]) => value !== null).at(-1);
  if (!front || !last) return say(words.noSteps, { name });
  const told = { name, n: all.length, run: front.name, value: format(last[1] ?? 0), step: whole(last[0]) };
  return say(all.length > 1 ? words.severalCurves : words.curve, told);
}
