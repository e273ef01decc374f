// One measure of a dose-response against the strength: a line per kind, its 95 % band, the window, the point in hand.

import { h, responsive, s } from "../../shared/elements.js";
import { num, percent } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { markPath } from "./marks.js";
import { ofKind } from "./sweep.js";

/** @import { Interval, Measure, Point, Sweep } from "./sweep.js" */
/** @typedef {typeof import("./words.js").words.en.chart} Words */
/**
 * Where strengths and values lie in a chart of `width` px.
 *
 * @typedef {{ width: number, x: (multiple: number) => number, y: (value: number) => number }} Axes
 * @typedef {{ low: number, high: number, scale: (value: number) => number }} Range of the values, on their scale
 */

const HEIGHT = 180; // px
const [LEFT, RIGHT, TOP, BOTTOM] = [46, 12, 8, 24]; // margins, px
const STEPS = [-100, -50, -20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20, 50, 100]; // strengths that the axis may name
const DECADES = 14;
const LEVELS = Array.from({ length: DECADES }, (_, i) => [1, 2, 5].map((x) => x * 10 ** (i - 2))).flat();
const [NEAR, CHOSEN] = [4, 6]; // radii of marks, px

/** A place on the axis of strengths: near 1 and at 10 both are seen. @param {number} multiple */
const spread = (multiple) => Math.sign(multiple) * Math.sqrt(Math.abs(multiple));

/**
 * A measure in words, with its interval where there is one.
 *
 * @param {Measure} measure
 * @param {Interval} interval
 * @param {Words} words
 */
export function doseWords(measure, [value, low, high], words) {
  const told = measure.share ? percent : num;
  if (value === null) return words.none;
  if (low === null || high === null) return told(value);
  return say(words.interval, { value: told(value), low: told(low), high: told(high) });
}

/**
 * A chart of one measure.
 *
 * @param {Sweep} sweep
 * @param {Measure} measure
 * @param {Words} words
 * @param {(key: string) => void} pick is called with the key of the point that was clicked, or the nearest to the click
 */
export function doseChart(sweep, measure, words, pick) {
  const plot = h("div", { class: "saew-chart" });
  const el = h("figure", { class: "saew-dose" }, h("figcaption", {}, measure.name), plot);
  const range = rangeOf(sweep, measure);
  const strengths = sweep.points.map(({ multiple }) => multiple);
  const [first, last] = [Math.min(0, ...strengths), Math.max(1, ...strengths)];
  let width = 0;
  /** @type {Point | null} */
  let chosen = null;

  const draw = () => {
    const along = (width - LEFT - RIGHT) / (spread(last) - spread(first));
    const up = (HEIGHT - TOP - BOTTOM) / (range.high - range.low);
    /** @type {Axes} */
    const axes = {
      width,
      x: (multiple) => LEFT + along * (spread(multiple) - spread(first)),
      y: (value) => HEIGHT - BOTTOM - up * (range.scale(value) - range.low),
    };
    const svg = s("svg", { width, height: HEIGHT, role: "img", "aria-label": label(sweep, measure, chosen, words) });
    svg.append(...frame(sweep, measure, axes, range, [first, last], chosen));
    /** @type {[x: number, y: number, key: string][]} */
    const marks = [];
    const inFront = Object.keys(sweep.kinds).sort((a, b) => Number(a === chosen?.kind) - Number(b === chosen?.kind));
    for (const kind of inFront) {
      svg.append(...lineOf(sweep, measure, kind, axes, chosen));
      for (const point of ofKind(sweep, kind)) {
        const [value] = point[measure.column];
        if (value === null || !drawable(measure, value)) continue;
        svg.append(markOf(sweep, measure, point, axes, point === chosen, words));
        marks.push([axes.x(point.multiple), axes.y(value), point.key]);
      }
    }
    const floor = HEIGHT - BOTTOM + 0.5;
    svg.append(s("line", { class: "saew-axis", x1: LEFT, x2: width - RIGHT, y1: floor, y2: floor }));
    svg.addEventListener("click", (event) => {
      const box = svg.getBoundingClientRect();
      /** @param {[number, number, string]} mark */
      const far = ([x, y]) => Math.hypot(x - event.clientX + box.left, y - event.clientY + box.top);
      if (marks.length) pick(marks.reduce((best, mark) => (far(mark) <= far(best) ? mark : best))[2]); // the one on top
    });
    plot.replaceChildren(svg);
  };
  const stop = responsive(plot, (now) => {
    width = now;
    draw();
  });
  /** @param {Point} point */
  const update = (point) => {
    chosen = point;
    if (width) draw();
  };
  return { el, update, stop };
}

/** @param {Measure} measure @param {number | null} value */
function drawable(measure, value) {
  return value !== null && (!measure.log || value > 0);
}

/**
 * The range of a measure's axis: its values, their intervals and its bound; 0 to 1 for a share.
 *
 * @param {Sweep} sweep
 * @param {Measure} measure
 * @returns {Range}
 */
function rangeOf(sweep, measure) {
  const scale = measure.log ? Math.log10 : (/** @type {number} */ value) => value;
  const values = [...sweep.points.flatMap((point) => point[measure.column]), measure.bound];
  const scaled = values.flatMap((value) => (value !== null && drawable(measure, value) ? [scale(value)] : []));
  let [low, high] = scaled.length ? [Math.min(...scaled), Math.max(...scaled)] : [0, 1];
  if (measure.share) [low, high] = [0, 1];
  else if (!measure.log) low = Math.min(low, 0);
  return { low, high: high - low > 1e-9 ? high : low + 1, scale };
}

/**
 * The values at which the axis has a line.
 *
 * @param {Measure} measure
 * @param {Range} range
 */
function levels(measure, { low, high, scale }) {
  if (measure.share) return [0, 0.5, 1];
  if (!measure.log) return evenly(high);
  const inside = LEVELS.filter((value) => scale(value) >= low - 1e-9 && scale(value) <= high + 1e-9);
  if (inside.length <= 6) return inside;
  const decades = inside.filter((value) => /^1/.test(value.toExponential()));
  return decades.filter((_, i) => i % Math.ceil(decades.length / 5) === 0);
}

/** Levels from 0 to `high` in round steps, three or four of them. @param {number} high */
function evenly(high) {
  const rough = high / 3;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((n) => n * size >= rough) ?? 10) * size;
  return Array.from({ length: 5 }, (_, i) => i * step).filter((value) => value <= high * (1 + 1e-9));
}

/**
 * What lies behind the lines: the window, the grid with its numbers, the bound, the strength in hand.
 *
 * @param {Sweep} sweep
 * @param {Measure} measure
 * @param {Axes} axes
 * @param {Range} range
 * @param {[first: number, last: number]} ends of the axis of strengths
 * @param {Point | null} chosen
 */
function frame({ window }, measure, { width, x, y }, range, [first, last], chosen) {
  /** @param {string} look @param {number} at */
  const across = (look, at) => s("line", { class: look, x1: LEFT, x2: width - RIGHT, y1: at, y2: at });
  /** @param {number} value */
  const words = (value) => {
    if (measure.share) return percent(value);
    return value >= 1e4 ? value.toExponential().replace("e+", "e") : num(value, 2);
  };
  /** @type {Element[]} */
  const parts = [];
  if (window) {
    const [left, right] = window.map(x);
    const size = { x: left - 4, width: right - left + 8, y: TOP, height: HEIGHT - TOP - BOTTOM, rx: 3 };
    parts.push(s("rect", { class: "saew-dose-window", ...size }));
  }
  for (const value of levels(measure, range)) {
    const place = { class: "saew-tick", x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" };
    parts.push(across("saew-grid", y(value)), s("text", place, words(value)));
  }
  for (const multiple of STEPS.filter((step) => step >= first && step <= last)) {
    const place = { class: "saew-tick", x: x(multiple), y: HEIGHT - 6, "text-anchor": "middle" };
    parts.push(s("text", place, `${num(multiple)}×`));
  }
  if (measure.bound !== null) parts.push(across("saew-dose-bound", y(measure.bound)));
  if (chosen) {
    const at = x(chosen.multiple);
    parts.push(s("line", { class: "saew-dose-cursor", x1: at, x2: at, y1: TOP, y2: HEIGHT - BOTTOM }));
  }
  return parts;
}

/**
 * The line of a kind and its band; a level across the chart for a kind without strengths.
 *
 * @param {Sweep} sweep
 * @param {Measure} measure
 * @param {string} kind
 * @param {Axes} axes
 * @param {Point | null} chosen
 */
function lineOf(sweep, measure, kind, { width, x, y }, chosen) {
  const points = ofKind(sweep, kind);
  const style = { "--c": `var(${sweep.kinds[kind].color})` };
  /** @param {string} look @param {string} d */
  const path = (look, d) => s("path", { class: look, d, style });
  /** @param {Point} point @param {0 | 1 | 2} i mean, low or high; null where it cannot be drawn */
  const at = (point, i) => {
    const value = point[measure.column][i];
    if (value === null || !drawable(measure, value)) return null;
    return `${x(point.multiple).toFixed(1)},${y(value).toFixed(1)}`;
  };
  if (points.length === 1) {
    const [value] = points[0][measure.column];
    if (value === null || !drawable(measure, value)) return [];
    return [path("saew-dose-line saew-dose-level", `M${LEFT},${y(value)}H${width - RIGHT}`)];
  }
  const solid = points.filter((point) => at(point, 1) && at(point, 2));
  const outline = [...solid.map((point) => at(point, 2)), ...solid.toReversed().map((point) => at(point, 1))];
  const band = solid.length > 1 ? [path("saew-dose-band", `M${outline.join("L")}Z`)] : [];
  let pen = "M";
  let d = "";
  for (const point of points) {
    const place = at(point, 0);
    if (place) d += pen + place;
    pen = place ? "L" : "M"; // a line breaks where nothing was measured
  }
  return [...band, path(kind === chosen?.kind ? "saew-dose-line saew-dose-strong" : "saew-dose-line", d)];
}

/**
 * @param {Sweep} sweep
 * @param {Measure} measure
 * @param {Point} point
 * @param {Axes} axes
 * @param {boolean} here whether it is the point in hand
 * @param {Words} words
 */
function markOf({ kinds }, measure, point, { x, y }, here, words) {
  const { name, color, symbol } = kinds[point.kind];
  const mark = s("path", {
    class: here ? "saew-dose-mark saew-dose-chosen" : "saew-dose-mark",
    d: markPath(symbol, x(point.multiple), y(Number(point[measure.column][0])), here ? CHOSEN : NEAR),
    style: { "--c": `var(${color})` },
    "data-tip": "",
  });
  mark.saewTip = [
    [name, ""],
    [words.strength, `${num(point.multiple)}×`],
    [measure.name, doseWords(measure, point[measure.column], words)],
  ];
  return mark;
}

/**
 * @param {Sweep} sweep
 * @param {Measure} measure
 * @param {Point | null} chosen
 * @param {Words} words
 */
function label({ kinds }, measure, chosen, words) {
  if (!chosen) return measure.name;
  const value = doseWords(measure, chosen[measure.column], words);
  const { name } = kinds[chosen.kind];
  return say(words.label, { name: measure.name, kind: name, multiple: num(chosen.multiple), value });
}
