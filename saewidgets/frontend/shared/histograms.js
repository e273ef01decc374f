// Histograms as small SVG: counts on a logarithmic axis, marks below, and bins that can be picked with mouse or keys.

import { h, responsive, s } from "./elements.js";
import { num, percent, whole } from "./numbers.js";
import { say, sent } from "./words.js";

/** @import { TipLine } from "../types/host.js" */
/** @typedef {{ edges: number[], counts: number[] }} Counted edges of equal bins may travel as their two ends */
/** @typedef {{ at: number, class: string, tip: TipLine[] }} Mark on the axis */
/**
 * What a histogram is of, in words (what is counted, the name of one count, the name of the axis in the tooltip), and
 * how it is drawn: `paint` gives a bar's class and style, `format` writes a value of the axis. With `pick` the bins are
 * buttons; `picked` says which is chosen.
 *
 * @typedef {{ what: string, count: string, axis: string,
 *   paint?: (bin: number, edges: number[]) => { class?: string, style?: Record<string, string> }, marks?: Mark[],
 *   format?: (x: number) => string, height?: number, pick?: (bin: number, low: number, high: number) => void,
 *   picked?: () => number }} Look
 */
/** @typedef {{ left: number, right: number, top: number, width: number, w: number, tall: number }} Frame */
/** @typedef {{ x: (value: number) => number, y: (n: number) => number }} Scale */

const GRID = [1, 10, 100, 1000, 1e4, 1e5, 1e6, 1e7];

/**
 * Edges of bins of equal width, which travel as their two ends.
 *
 * @param {Counted} histogram
 */
export function edgesOf({ edges, counts }) {
  if (edges.length !== 2 || counts.length < 2) return edges;
  const [low, high] = edges;
  return Array.from({ length: counts.length + 1 }, (_, i) => low + ((high - low) * i) / counts.length);
}

/**
 * A histogram: its element, `update()` for another choice, and its end.
 *
 * @param {Counted} histogram
 * @param {Look} look
 */
export function histogramChart(histogram, look, text = sent.histogram) {
  const { marks = [], height = 150, pick, picked = () => -1 } = look;
  const edges = edgesOf(histogram);
  const { counts } = histogram;
  const mode = counts.indexOf(Math.max(...counts));
  const [low, high] = [edges[0], edges.at(-1) ?? 0];
  const label = labelOf(counts, edges, look, text);
  const host = h("div", { class: "saew-chart" });
  /** @type {SVGElement[]} */
  let hits = [];
  const draw = (/** @type {number} */ width) => {
    const focused = hits.findIndex((hit) => hit.matches(":focus"));
    const [left, right, top, bottom] = [38, 8, 8, marks.length ? 30 : 24];
    const frame = { left, right, top, width, w: width - left - right, tall: height - top - bottom };
    const decades = Math.max(1, Math.log10(Math.max(1, ...counts) + 1));
    const scale = {
      x: (/** @type {number} */ value) => left + (frame.w * (value - low)) / (high - low || 1),
      y: (/** @type {number} */ n) => top + frame.tall * (1 - Math.log10(n + 1) / decades),
    };
    const svg = s("svg", {
      width,
      height,
      role: pick ? "group" : "img",
      "aria-label": label,
      class: pick ? "saew-pickable" : "",
    });
    svg.append(...grid(Math.max(1, ...counts), frame, scale));
    hits = bars(svg, counts, edges, look, text, frame, scale);
    const foot = top + frame.tall + 0.5;
    svg.append(s("line", { x1: left, x2: width - right, y1: foot, y2: foot, class: "saew-axis" }), ...hits);
    svg.append(...marks.map((mark) => triangle(mark, scale.x(mark.at), top + frame.tall)));
    svg.append(...axisLabels([low, (low + high) / 2, high], look.format ?? num, height, scale));
    host.replaceChildren(svg);
    update();
    if (focused >= 0) hits[focused].focus();
  };
  const update = () => {
    const chosen = picked();
    const stop = chosen >= 0 ? chosen : mode;
    hits.forEach((hit, i) => {
      hit.setAttribute("aria-pressed", String(i === chosen));
      hit.setAttribute("tabindex", i === stop ? "0" : "-1");
    });
  };
  return { el: host, stop: responsive(host, draw), update };
}

/**
 * A histogram in a sentence.
 *
 * @param {number[]} counts
 * @param {number[]} edges
 * @param {Look} look
 * @param {typeof sent.histogram} text
 */
function labelOf(counts, edges, { what, format = num }, text) {
  const total = counts.reduce((a, b) => a + b, 0);
  const mode = counts.indexOf(Math.max(...counts));
  if (!total) return say(text.empty, { what });
  return say(text.label, {
    n: whole(total),
    what,
    low: format(edges[0]),
    high: format(edges.at(-1) ?? 0),
    a: format(edges[mode]),
    b: format(edges[mode + 1]),
  });
}

/** @param {number} most @param {Frame} frame @param {Scale} scale */
function grid(most, { left, right, width }, { y }) {
  return GRID.filter((n) => n <= most).flatMap((n) => [
    s("line", { x1: left, x2: width - right, y1: y(n), y2: y(n), class: "saew-grid" }),
    s("text", { x: left - 6, y: y(n) + 4, class: "saew-tick", "text-anchor": "end", "aria-hidden": "true" }, short(n)),
  ]);
}

/**
 * Draw the bars; what is picked lies over them, and is returned.
 *
 * @param {SVGElement} svg
 * @param {number[]} counts
 * @param {number[]} edges
 * @param {Look} look
 * @param {typeof sent.histogram} text
 * @param {Frame} frame
 * @param {Scale} scale
 */
function bars(svg, counts, edges, look, text, { top, tall }, { x, y }) {
  const { axis, count, format = num, paint = () => ({}), pick } = look;
  const total = counts.reduce((a, b) => a + b, 0);
  /** @type {SVGElement[]} */
  const hits = [];
  counts.forEach((n, i) => {
    const [x0, x1] = [x(edges[i]), x(edges[i + 1])];
    /** @type {TipLine[]} */
    const tip = [
      [axis, `${format(edges[i])} – ${format(edges[i + 1])}`],
      [count, `${whole(n)} (${percent(n / (total || 1))})`],
    ];
    if (n) {
      const look = /** @type {{ class?: string, style?: Record<string, string> }} */ (paint(i, edges));
      const [width, height] = [Math.max(1, x1 - x0 - 1), top + tall - y(n)];
      const kind = `saew-bar ${look.class ?? ""}`.trim();
      const place = { x: x0 + 0.5, width, y: y(n), height, rx: 1.5 };
      svg.append(tipped(s("rect", { ...place, class: kind, "data-tip": !pick, style: look.style }), tip));
    }
    if (!pick) return;
    const hit = s("rect", {
      x: x0,
      width: Math.max(1, x1 - x0),
      y: top,
      height: tall,
      class: `saew-hit${n ? "" : " saew-hollow"}`,
      role: "button",
      tabindex: -1,
      "aria-label": say(text.bin, { a: format(edges[i]), b: format(edges[i + 1]), n: whole(n), count }),
      "aria-disabled": n ? undefined : "true",
      "data-tip": "",
      onclick: () => n && pick(i, edges[i], edges[i + 1]),
    });
    hits.push(tipped(hit, tip));
  });
  return hits;
}

/** @template {Element} E @param {E} el @param {TipLine[]} tip */
function tipped(el, tip) {
  el.saewTip = tip;
  return el;
}

/** @param {Mark} mark @param {number} at @param {number} foot */
function triangle(mark, at, foot) {
  const d = `M${at},${foot + 2} l3.5,7 h-7 z`;
  return tipped(s("path", { d, class: `saew-mark ${mark.class}`, "data-tip": "" }), mark.tip);
}

/**
 * @param {number[]} values low, middle, high
 * @param {(x: number) => string} format
 * @param {number} height
 * @param {Scale} scale
 */
function axisLabels(values, format, height, { x }) {
  const anchors = ["start", "middle", "end"];
  return values.map((value, i) =>
    s(
      "text",
      { x: x(value), y: height - 6, class: "saew-tick", "text-anchor": anchors[i], "aria-hidden": "true" },
      format(value),
    ),
  );
}

/** @param {number} n */
function short(n) {
  return n >= 1e6 ? `${n / 1e6}M` : n >= 1000 ? `${n / 1000}k` : String(n);
}

/**
 * Arrows go from bin to bin, Home and End to the ends, Enter and Space choose. For the instrument's key handler.
 *
 * @param {KeyboardEvent} event
 */
export function binKeys(event) {
  const from = event.target instanceof Element ? event.target.closest(".saew-hit") : null;
  if (!from?.parentElement) return false;
  const all = /** @type {SVGElement[]} */ ([...from.parentElement.querySelectorAll(".saew-hit")]);
  const solid = all.filter((hit) => !hit.classList.contains("saew-hollow"));
  const at = all.indexOf(/** @type {SVGElement} */ (from));
  /** @type {SVGElement | undefined} */
  let to;
  if (event.key === "ArrowRight") to = solid.find((hit) => all.indexOf(hit) > at);
  else if (event.key === "ArrowLeft") to = solid.findLast((hit) => all.indexOf(hit) < at);
  else if (event.key === "Home") to = solid[0];
  else if (event.key === "End") to = solid.at(-1);
  else if (event.key === "Enter" || event.key === " ") from.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  else return false;
  event.preventDefault();
  if (to) {
    for (const hit of all) hit.setAttribute("tabindex", hit === to ? "0" : "-1");
    to.focus();
  }
  return true;
}
