// Histograms as small SVG: counts on a logarithmic axis, marks below, and bins that can be picked with mouse or keys.

import { h, responsive, s } from "./elements.js";
import { num, percent, whole } from "./numbers.js";
import { say } from "./words.js";

const HISTOGRAM_TEXT = {
  label: "Histogram of {n} {what}, from {low} to {high}. Most lie between {a} and {b}.",
  empty: "Histogram of {what}: there are none.",
  bin: "{a} to {b}: {n} {count}",
};

/** @import { TipLine } from "../types/host.js" */
/** @typedef {{ edges: number[], counts: number[] }} Histogram */
/** @typedef {{ at: number, class: string, tip: TipLine[] }} Mark on the axis */

/**
 * Edges of bins of equal width, which travel as their two ends.
 *
 * @param {Histogram} histogram
 */
export function edgesOf({ edges, counts }) {
  if (edges.length !== 2 || counts.length < 2) return edges;
  const [low, high] = edges;
  return Array.from({ length: counts.length + 1 }, (_, i) => low + ((high - low) * i) / counts.length);
}

/**
 * A histogram in words {what, count, axis}: what is counted, the name of one count, the name of the axis in the
 * tooltip. `paint(i, edges)` gives a bar's {class, style}; `format` writes a value on the axis.
 * With `pick(i, low, high)` the bins are buttons; `picked()` says which is chosen. Returns {el, stop, update}.
 *
 * @param {Histogram} histogram
 * @param {{ what: string, count: string, axis: string, marks?: Mark[], height?: number,
 *   paint?: (i: number, edges: number[]) => { class?: string, style?: Record<string, string> },
 *   format?: (x: number) => string, pick?: (i: number, low: number, high: number) => void,
 *   picked?: () => number }} look
 */
export function histogramChart(
  histogram,
  { what, count, axis, paint = () => ({}), marks = [], format = num, height = 150, pick, picked = () => -1 },
) {
  const edges = edgesOf(histogram);
  const { counts } = histogram;
  const total = counts.reduce((a, b) => a + b, 0);
  const mode = counts.indexOf(Math.max(...counts));
  const [low, high] = [edges[0], edges[edges.length - 1]];
  const label = total
    ? say(HISTOGRAM_TEXT.label, {
        n: whole(total),
        what,
        low: format(low),
        high: format(high),
        a: format(edges[mode]),
        b: format(edges[mode + 1]),
      })
    : say(HISTOGRAM_TEXT.empty, { what });
  const host = h("div", { class: "saew-chart" });
  /** @type {SVGRectElement[]} */
  let hits = [];
  /** @param {number} width px */
  const draw = (width) => {
    const focused = hits.indexOf(/** @type {SVGRectElement} */ (host.querySelector(":focus")));
    const [left, right, top, bottom] = [38, 8, 8, marks.length ? 30 : 24];
    const [w, tall] = [width - left - right, height - top - bottom];
    const most = Math.max(1, ...counts);
    const decades = Math.max(1, Math.log10(most + 1));
    /** @param {number} n */
    const y = (n) => top + tall * (1 - Math.log10(n + 1) / decades);
    /** @param {number} value */
    const x = (value) => left + (w * (value - low)) / (high - low || 1);
    const grid = [1, 10, 100, 1000, 1e4, 1e5, 1e6, 1e7].filter((n) => n <= most);
    const svg = s("svg", {
      width,
      height,
      role: pick ? "group" : "img",
      "aria-label": label,
      class: pick ? "saew-pickable" : "",
    });
    for (const n of grid) {
      svg.append(
        s("line", { x1: left, x2: width - right, y1: y(n), y2: y(n), class: "saew-grid" }),
        s(
          "text",
          { x: left - 6, y: y(n) + 4, class: "saew-tick", "text-anchor": "end", "aria-hidden": "true" },
          short(n),
        ),
      );
    }
    hits = [];
    counts.forEach((n, i) => {
      const [x0, x1] = [x(edges[i]), x(edges[i + 1])];
      /** @type {TipLine[]} */
      const tip = [
        [axis, `${format(edges[i])} – ${format(edges[i + 1])}`],
        [count, `${whole(n)} (${percent(n / (total || 1))})`],
      ];
      if (n) {
        const { class: kind = "", style } = paint(i, edges);
        const bar = s("rect", {
          x: x0 + 0.5,
          width: Math.max(1, x1 - x0 - 1),
          y: y(n),
          height: top + tall - y(n),
          rx: 1.5,
          class: `saew-bar ${kind}`.trim(),
          "data-tip": pick ? undefined : "",
          style,
        });
        bar.saewTip = tip;
        svg.append(bar);
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
        "aria-label": say(HISTOGRAM_TEXT.bin, { a: format(edges[i]), b: format(edges[i + 1]), n: whole(n), count }),
        "aria-disabled": n ? undefined : "true",
        "data-tip": "",
        onclick: () => n && pick(i, edges[i], edges[i + 1]),
      });
      hit.saewTip = tip;
      hits.push(hit);
    });
    svg.append(
      s("line", { x1: left, x2: width - right, y1: top + tall + 0.5, y2: top + tall + 0.5, class: "saew-axis" }),
      ...hits,
    );
    for (const mark of marks) {
      const at = x(mark.at);
      const el = s("path", {
        d: `M${at},${top + tall + 2} l3.5,7 h-7 z`,
        class: `saew-mark ${mark.class}`,
        "data-tip": "",
      });
      el.saewTip = mark.tip;
      svg.append(el);
    }
    for (const [i, anchor] of ["start", "middle", "end"].entries()) {
      const value = low + ((high - low) * i) / 2;
      svg.append(
        s(
          "text",
          { x: x(value), y: height - 6, class: "saew-tick", "text-anchor": anchor, "aria-hidden": "true" },
          format(value),
        ),
      );
    }
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

/** @param {number} n */
function short(n) {
  return n >= 1e6 ? `${n / 1e6}M` : n >= 1000 ? `${n / 1000}k` : String(n);
}

/**
 * Arrows go from bin to bin, Home and End to the ends, Enter and Space choose. Call it from the instrument's key
 * handler.
 *
 * @param {KeyboardEvent} event
 * @returns {boolean} whether it used the key
 */
export function binKeys(event) {
  const from = /** @type {Partial<Element> | null} */ (event.target)?.closest?.(".saew-hit");
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
