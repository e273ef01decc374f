// Loss against compute, of runs of several sizes: the best at each compute, its power law; and the learning rates.

import { tick } from "../../shared/axes.js";
import { h, placed, s } from "../../shared/elements.js";
import { num, whole } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { logLevels, rule } from "./axes.js";
import { COLUMNS } from "./runs.js";

/** @import { Run, Words } from "./runs.js" */
/**
 * @typedef {{ run: Run, at: [compute: number, fvu: number][] }} Curve ascending in compute
 * @typedef {{ compute: number, fvu: number, run: Run }} Best the best of the runs that have spent a compute
 * @typedef {{ a: number, b: number }} Law y = a x^b
 */

const HEIGHT = 280; // px
const [LEFT, RIGHT, TOP, BOTTOM] = [56, 18, 14, 40]; // margins, px
const BUDGETS = 8;
const BEGIN = 0.1; // share of a run after which it counts: before, it only warms up
const SMOOTH = 5; // points of a curve that are averaged: one batch is noisy

/** Operations of training on one token: two products forward, twice as much backward. @param {Run} run */
const perToken = ({ d_in, d_sae }) => 12 * d_in * d_sae;

/** @param {number[]} values */
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The runs as curves of unexplained variance against compute. @param {Run[]} runs @returns {Curve[]} */
export function curvesOf(runs) {
  return runs
    .filter((run) => run.d_sae > 0)
    .map((run) => {
      const known = run.points.filter((point) => (point[COLUMNS.fvu] ?? 0) > 0);
      const fvu = known.map((point) => Number(point[COLUMNS.fvu]));
      /** @type {[number, number][]} */
      const at = known.map((point, i) => [
        perToken(run) * Number(point[COLUMNS.tokens]),
        mean(fvu.slice(Math.max(0, i - SMOOTH + 1), i + 1)),
      ]);
      return { run, at };
    })
    .filter(({ at }) => at.length > 1);
}

/**
 * The best run at each of some budgets that two runs or more have spent, after the first tenth of each; between two
 * points the logarithm of the measure is linear in that of compute.
 *
 * @param {Curve[]} curves
 * @returns {Best[]}
 */
export function bestOf(curves) {
  const ascending = (/** @type {number[]} */ values) => values.sort((a, b) => a - b);
  const first = ascending(curves.map(({ at }) => at[Math.floor(BEGIN * at.length)][0]))[1];
  const last = ascending(curves.map(({ at }) => at[at.length - 1][0])).at(-2);
  if (first === undefined || last === undefined || first >= last) return [];
  return Array.from({ length: BUDGETS }, (_, i) => {
    const compute = first * (last / first) ** (i / (BUDGETS - 1));
    const told = curves.flatMap(({ run, at }) => {
      const fvu = reached(at, compute);
      return fvu === null ? [] : [{ compute, fvu, run }];
    });
    return told.reduce((best, one) => (one.fvu < best.fvu ? one : best), told[0]);
  }).filter(Boolean);
}

/** What a curve had reached at a compute; null beyond its ends. @param {Curve["at"]} at @param {number} compute */
function reached(at, compute) {
  const [near, far] = [at[0][0] * (1 - 1e-9), at[at.length - 1][0] * (1 + 1e-9)];
  if (compute < near || compute > far) return null;
  const next = Math.max(
    1,
    Math.min(
      at.length - 1,
      at.findIndex(([x]) => x >= compute),
    ),
  );
  const [[x0, y0], [x1, y1]] = [at[next - 1], at[next]];
  const share = x1 > x0 ? Math.log(compute / x0) / Math.log(x1 / x0) : 1;
  return y0 * (y1 / y0) ** Math.max(0, Math.min(1, share));
}

/**
 * The power law nearest to points on logarithmic axes; null for fewer than two x.
 *
 * @param {[x: number, y: number][]} points
 */
export function powerLaw(points) {
  const [u, v] = [points.map(([x]) => Math.log(x)), points.map(([, y]) => Math.log(y))];
  const [mu, mv] = [mean(u), mean(v)];
  const spread = u.reduce((sum, x) => sum + (x - mu) ** 2, 0);
  if (points.length < 2 || spread < 1e-12) return null;
  const b = u.reduce((sum, x, i) => sum + (x - mu) * (v[i] - mv), 0) / spread;
  return { a: Math.exp(mv - b * mu), b };
}

/**
 * @param {Words} words
 * @param {(name: string) => void} pick is called with the name of a run that was clicked
 */
export function scalingPart(words, pick) {
  const own = words.scaling;
  /** @type {Curve[]} */
  let curves = [];
  /** @type {Best[]} */
  let best = [];
  const plot = placed((width) => {
    const svg = s("svg", { width, height: HEIGHT, role: "img", "aria-label": lawWords(best, words) });
    if (curves.length) svg.append(...drawn(curves, best, width, pick));
    svg.append(tick((LEFT + width - RIGHT) / 2, HEIGHT - 6, own.compute));
    const turned = { transform: `translate(13,${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)`, class: "saew-tick" };
    svg.append(s("text", { ...turned, "text-anchor": "middle" }, words.frontier.fvu));
    return svg;
  });
  const said = h("p", { class: "saew-note", role: "status" });
  const table = h("div", {});
  const el = h(
    "div",
    { class: "saew-section saew-scaling" },
    h("h3", {}, own.title),
    h("p", { class: "saew-note" }, own.note),
    h("figure", { class: "saew-frontier" }, plot.el),
    said,
    table,
    h("p", { class: "saew-note" }, own.not),
  );
  /** @param {Run[]} runs */
  const update = (runs) => {
    curves = curvesOf(runs);
    el.hidden = new Set(curves.map(({ run }) => run.d_sae)).size < 2;
    if (el.hidden) return;
    best = bestOf(curves);
    said.textContent = lawWords(best, words);
    table.replaceChildren(...ratesTable(curves, words));
    plot.redraw();
  };
  return { el, update, stop: plot.stop };
}

/** @param {Best[]} best @param {Words} words */
export function lawWords(best, { scaling: own }) {
  const law = best.length ? powerLaw(best.map(({ compute, fvu }) => [compute, fvu])) : null;
  const features = best.length ? powerLaw(best.map(({ compute, run }) => [compute, run.d_sae])) : null;
  if (!law || !features) return own.none;
  return say(own.law, { loss: num(law.b, 2), features: num(features.b, 2), tokens: num(1 - features.b, 2) });
}

/**
 * The grid, the curves, and the best at each budget, joined by its law.
 *
 * @param {Curve[]} curves
 * @param {Best[]} best
 * @param {number} width px
 * @param {(name: string) => void} pick
 */
function drawn(curves, best, width, pick) {
  const logs = curves.flatMap(({ at }) => at.map(([x, y]) => [Math.log10(x), Math.log10(y)]));
  const [x0, x1] = [Math.min(...logs.map(([x]) => x)), Math.max(...logs.map(([x]) => x))];
  const [y0, y1] = [Math.min(...logs.map(([, y]) => y)), Math.max(...logs.map(([, y]) => y))];
  const x = (/** @type {number} */ v) => LEFT + ((width - LEFT - RIGHT) * (Math.log10(v) - x0)) / (x1 - x0 || 1);
  const y = (/** @type {number} */ v) => TOP + ((HEIGHT - TOP - BOTTOM) * (y1 - Math.log10(v))) / (y1 - y0 || 1);
  /** @type {Element[]} */
  const parts = logLevels(y0, y1).flatMap((level) => rule(y(level), [LEFT, width - RIGHT], num(level, 2)));
  for (let d = Math.ceil(x0); d <= x1; d += 1) {
    parts.push(s("line", { x1: x(10 ** d), x2: x(10 ** d), y1: TOP, y2: HEIGHT - BOTTOM, class: "saew-grid" }));
    parts.push(tick(x(10 ** d), HEIGHT - BOTTOM + 16, `1e${d}`));
  }
  const path = (/** @type {[number, number][]} */ points) =>
    `M${points.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join("L")}`;
  for (const { run, at } of curves) {
    const look = { d: path(at), class: "saew-line", style: { stroke: run.color, strokeWidth: run.chosen ? 3 : 1.5 } };
    parts.push(s("path", { ...look, onclick: () => pick(run.name) }, s("title", {}, run.name)));
  }
  const law = best.length ? powerLaw(best.map(({ compute, fvu }) => [compute, fvu])) : null;
  if (law) {
    const ends = [best[0].compute, best[best.length - 1].compute];
    const line = ends.map((c) => /** @type {[number, number]} */ ([c, law.a * c ** law.b]));
    parts.push(s("path", { d: path(line), class: "saew-line saew-front" }));
  }
  const dots = best.map(({ compute, fvu, run }) =>
    s("circle", { cx: x(compute), cy: y(fvu), r: 4, style: { fill: run.color, stroke: "var(--card)" } }),
  );
  return [...parts, ...dots];
}

/**
 * The last unexplained variance by size and learning rate, the best of each size marked; nothing at a single rate.
 *
 * @param {Curve[]} curves
 * @param {Words} words
 */
function ratesTable(curves, { scaling: own }) {
  const rateOf = (/** @type {Run} */ run) => Math.max(...run.points.map((point) => point[COLUMNS.rate] ?? 0));
  const rates = [...new Set(curves.map(({ run }) => rateOf(run)))].sort((a, b) => a - b);
  if (rates.length < 2) return [];
  const sizes = [...new Set(curves.map(({ run }) => run.d_sae))].sort((a, b) => a - b);
  const head = h("tr", {}, ...[own.size, ...rates.map((r) => num(r))].map((name) => h("th", { scope: "col" }, name)));
  const rows = sizes.map((size) => {
    const ends = rates.map((rate) => {
      const own = curves.filter(({ run }) => run.d_sae === size && rateOf(run) === rate);
      return own.length ? Math.min(...own.map(({ at }) => at[at.length - 1][1])) : null;
    });
    const least = Math.min(...ends.map((end) => end ?? Infinity));
    const cells = ends.map((end) => h("td", {}, end === least ? h("strong", {}, num(end)) : num(end)));
    return h("tr", {}, h("th", { scope: "row" }, whole(size)), ...cells);
  });
  const look = { class: "saew-table saew-rates", "aria-label": own.rates };
  return [h("h4", {}, own.rates), h("table", look, h("thead", {}, head), h("tbody", {}, ...rows))];
}
