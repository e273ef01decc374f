// The share of concepts that have a feature, against their frequency as it is, or counted in live features.

import { tick } from "../../shared/axes.js";
import { placed, s } from "../../shared/elements.js";
import { num, percent, whole } from "../../shared/numbers.js";
import { ranged, shareGrid } from "../../shared/shares.js";
import { say } from "../../shared/words.js";
import { at, decades, inWords, shiftOf } from "./lab.js";

/** @import { TipLine } from "../../types/host.js" */
/** @import { Concept, Lab, Sae } from "./lab.js" */
/** @typedef {typeof import("./words.js").words.en.chart} Words */
/** @typedef {{ x: (value: number) => number, y: (share: number) => number, low: number, high: number }} Axes */

const [LEFT, RIGHT] = [44, 10]; // margins, px
const [TALL, RUG, BOTTOM] = [200, 9, 40]; // the shares; a row of marks of concepts; the axis
const APART = 9; // px between the shares and the marks
const LINE = 60; // pieces of a curve
const ROOM = 0.15; // decades beside the outermost concept

/**
 * @param {Lab} lab
 * @param {boolean} rescaled
 * @param {Words} words
 * @param {(sae: string, concept: string) => void} pick
 */
export function sharesChart(lab, rescaled, words, pick) {
  let chosen = { sae: "", concept: "" };
  const shift = (/** @type {Sae} */ sae) => (rescaled ? shiftOf(sae) : 0);
  const rows = lab.saes.length * RUG + APART; // above the shares, and below
  const draw = (/** @type {number} */ width) => {
    const xs = lab.saes.flatMap((sae) => sae.concepts.map(({ x }) => (x ?? 0) + shift(sae)));
    const [low, high] = [Math.min(...xs) - ROOM, Math.max(...xs) + ROOM];
    /** @type {Axes} */
    const axes = {
      low,
      high,
      x: (value) => LEFT + ((value - low) / Math.max(high - low, 1e-9)) * (width - LEFT - RIGHT),
      y: (share) => rows + TALL * (1 - share),
    };
    const height = 2 * rows + TALL + BOTTOM;
    const label = say(rescaled ? words.rescaledLabel : words.label, { n: lab.saes.length });
    const svg = s("svg", { width, height, role: "img", "aria-label": label });
    svg.append(...grid(axes, width, rows, rescaled, words));
    lab.saes.forEach((sae, i) => {
      svg.append(
        ...thresholdAndHalf(sae, i, shift(sae), axes, rows, words),
        ...shares(sae, i, shift(sae), axes, words),
      );
    });
    lab.saes.forEach((sae, i) => {
      for (const one of sae.concepts) svg.append(mark(sae, one, i, shift(sae), axes, words, chosen, pick));
    });
    return svg;
  };
  const plot = placed(draw);
  /** @param {string} sae @param {string} concept */
  const update = (sae, concept) => {
    chosen = { sae, concept };
    plot.redraw();
  };
  return { el: plot.el, stop: plot.stop, update };
}

/** @param {Axes} axes @param {number} width @param {number} rows @param {boolean} rescaled @param {Words} words */
function grid({ x, y, low, high }, width, rows, rescaled, words) {
  const right = width - RIGHT;
  const floor = y(0) + rows;
  const up = decades(low, high).flatMap((power) => [
    s("line", { class: "saew-grid", x1: x(power), x2: x(power), y1: y(1), y2: y(0) }),
    tick(x(power), floor + 14, rescaled ? num(10 ** power) : percent(10 ** power)),
  ]);
  return [
    ...shareGrid(LEFT, right, y),
    ...up,
    tick((LEFT + right) / 2, floor + 32, rescaled ? words.perFeature : words.frequency),
  ];
}

/**
 * 1 / (live features) as a dashed line, and the frequency at which half have a feature as an open ring.
 *
 * @param {Sae} sae
 * @param {number} i
 * @param {number} shift decades
 * @param {Axes} axes
 * @param {number} rows px
 * @param {Words} words
 */
function thresholdAndHalf(sae, i, shift, { x, y, low, high }, rows, words) {
  const out = [];
  const [threshold, middle] = [shift - shiftOf(sae), sae.curve[1]];
  if (threshold >= low && threshold <= high)
    out.push(
      s("line", {
        class: `saew-whole-threshold saew-whole-c${i % 4}`,
        x1: x(threshold),
        x2: x(threshold),
        y1: y(1) - rows / 2,
        y2: y(0),
      }),
    );
  const half = middle === null ? Number.NaN : middle + shift;
  if (half >= low && half <= high) {
    const ring = s("circle", {
      class: `saew-whole-half saew-whole-c${i % 4}`,
      cx: x(half),
      cy: y(0.5),
      r: 5.5,
      "data-tip": "",
    });
    ring.saewTip = [
      [sae.name, ""],
      [words.half, percent(sae.half ?? 0)],
      [words.threshold, percent(1 / Math.max(1, sae.alive))],
    ];
    out.push(ring);
  }
  return out;
}

/** @param {Sae} sae @param {number} i @param {number} shift @param {Axes} axes @param {Words} words */
function shares(sae, i, shift, { x, y, low, high }, words) {
  const look = `saew-whole-c${i % 4}`;
  const points = Array.from({ length: LINE + 1 }, (_, k) => low + ((high - low) * k) / LINE);
  const line = points.flatMap((value) => {
    const share = at(sae.curve, value - shift);
    return share === null ? [] : [`${x(value).toFixed(1)},${y(share).toFixed(1)}`];
  });
  const drawn = line.length ? [s("polyline", { class: `saew-whole-line ${look}`, points: line.join(" ") })] : [];
  const dots = sae.groups.map(([gx, share, down, up, n]) => {
    const dot = s("circle", { class: `saew-whole-dot ${look}`, cx: x(gx + shift), cy: y(share), r: 4, "data-tip": "" });
    /** @type {TipLine[]} */
    dot.saewTip = [
      [sae.name, ""],
      [words.concepts, whole(n)],
      [words.share, ranged([share, down, up], { of: words.range })],
    ];
    return dot;
  });
  return [...drawn, ...dots];
}

/**
 * A concept: above the shares where it has a feature, below where it has none.
 *
 * @param {Sae} sae
 * @param {Concept} one
 * @param {number} i
 * @param {number} shift
 * @param {Axes} axes
 * @param {Words} words
 * @param {{ sae: string, concept: string }} chosen
 * @param {(sae: string, concept: string) => void} pick
 */
function mark(sae, one, i, shift, { x, y }, words, chosen, pick) {
  const now = one.name === chosen.concept && sae.name === chosen.sae;
  const top = one.has ? y(1) - (i + 1) * RUG - APART : y(0) + APART + i * RUG;
  const el = s("rect", {
    class: `saew-whole-mark saew-whole-c${i % 4}${now ? " saew-whole-now" : ""}`,
    x: x((one.x ?? 0) + shift) - (now ? 2.5 : 1),
    width: now ? 5 : 2,
    y: top,
    height: RUG - 2,
    "data-tip": "",
    onclick: () => pick(sae.name, one.name),
  });
  el.saewTip = [
    [inWords(one.name), sae.name],
    [words.of, percent(10 ** (one.x ?? 0))],
    [words.best, say(words.f1, { feature: one.feature, f1: num(one.f1, 2) })],
  ];
  return el;
}
