// Loss against the one setting in which the models differ: what was found, over what known solutions cost.

import { tick } from "../../shared/axes.js";
import { h, s } from "../../shared/elements.js";
import { num } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { telling } from "./drawing.js";
import { pieceOf } from "./math.js";
import { chartView } from "./section.js";

/** @import { Scene } from "./math.js" */
/** @import { Room, View } from "./views.js" */
/** @typedef {typeof import("./words.js").words.en.curves} Words */
/**
 * What Python sends, see payloads/curves.py. `features` is empty where the setting is that of all features.
 *
 * @typedef {{ x: number, loss: number, below: string, above: string }} Crossing
 * @typedef {{
 *   name: string, features: number[], settings: number[], found: number[], x: number[],
 *   lines: { name: string, losses: (number | null)[] }[], crossings: Crossing[]
 * }} Curves
 */
/** @typedef {{ tell: (words: string) => void, choose: (model: number) => void }} Heard */

const [LEFT, RIGHT, TOP, BOTTOM, HEIGHT] = [48, 12, 12, 38, 236];
const COLORS = ["var(--saew-c2)", "var(--saew-c4)", "var(--saew-c3)", "var(--saew-c5)"];
const ROUND = [1, 2, 3, 5]; // digits of a logarithmic axis

/** @param {Curves} curves @param {Words} words */
export function curvesLegend(curves, words) {
  const one = (/** @type {string} */ mark, /** @type {string} */ color, /** @type {string} */ text) =>
    h("span", { class: "saew-swatch-words" }, h("span", { class: mark, style: { "--c": color } }), text);
  return [
    one("saew-found-mark", "var(--ink)", words.found),
    ...curves.lines.map(({ name }, k) => one("saew-line-mark", COLORS[k], words.solutions[name] ?? name)),
  ];
}

/**
 * @param {Scene} scene
 * @param {Curves} curves
 * @param {number} width
 * @param {Words} words
 * @param {Heard} heard
 */
export function curvesPicture({ data, at, chosen }, curves, width, words, { tell, choose }) {
  const found = at === data.snapshots - 1 ? curves.found : data.losses[at];
  const { x, y, xs, ys } = axes(curves, [...found, ...curves.found], width);
  const parts = [
    ...ys.map((value) => s("line", { x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value), class: "saew-grid" })),
    ...ys.map((value) => tick(LEFT - 6, y(value) + 4, num(value, 2), "end")),
    ...xs.map((value) => tick(x(value), HEIGHT - BOTTOM + 16, num(value, 2))),
    tick((LEFT + width - RIGHT) / 2, HEIGHT - 5, settingName(curves, words)),
    s("line", { x1: LEFT, x2: width - RIGHT, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM, class: "saew-axis" }),
    ...curves.lines.map(({ losses }, k) =>
      s("path", { d: path(curves.x.map(x), losses, y), class: "saew-line", style: { stroke: COLORS[k] } }),
    ),
    ...curves.crossings.map((one) => crossing(one, x, y, width, words, tell)),
  ];
  for (const [i, loss] of found.entries()) {
    const says = say(words.tip, { setting: num(curves.settings[i]), loss: num(loss), ...nearest(curves, i, words) });
    const dot = s("circle", {
      cx: x(curves.settings[i]),
      cy: y(loss),
      r: i === chosen ? 6 : 4.2,
      class: i === chosen ? "saew-found saew-chosen" : "saew-found",
      onclick: () => choose(i),
    });
    parts.push(telling(dot, tell, () => says));
  }
  const label = say(words.label, { list: found.map((loss) => num(loss, 2)).join(", "), where: crossed(curves, words) });
  return s("svg", { width, height: HEIGHT, role: "img", "aria-label": label }, ...parts);
}

/** @param {Curves} curves @param {Words} words */
export function settingName({ name, features }, words) {
  const what = words.settings[/** @type {keyof Words["settings"]} */ (name)];
  return features.length ? say(words.of, { what, list: features.join(", ") }) : what;
}

/**
 * Where the curves cross, in words; empty where they do not.
 *
 * @param {Curves} curves
 * @param {Words} words
 */
export function crossed({ crossings }, words) {
  const name = (/** @type {string} */ solution) => words.solutions[solution] ?? solution;
  return crossings
    .map((one) => say(words.crossing, { x: num(one.x, 2), below: name(one.below), above: name(one.above) }))
    .join(" ");
}

/**
 * The loss of a curve at a setting, straight in its logarithm between two points; null where it has none.
 *
 * @param {number[]} x ascending
 * @param {(number | null)[]} losses
 * @param {number} at
 */
export function between(x, losses, at) {
  const { k, share } = pieceOf(x, at);
  const [a, b] = [losses[k - 1], losses[k]];
  if (a === null || b === null) return null;
  return a + (b - a) * share;
}

/**
 * The known solution that is cheapest where a model stands, in words.
 *
 * @param {Curves} curves
 * @param {number} i
 * @param {Words} words
 */
function nearest({ x, lines, settings }, i, words) {
  let [name, least] = ["", Infinity];
  for (const line of lines) {
    const value = between(x, line.losses, settings[i]);
    if (value !== null && value < least) [name, least] = [words.solutions[line.name] ?? line.name, value];
  }
  return { theory: name ? say(words.cheapest, { name, value: num(least) }) : "" };
}

/**
 * @param {Curves} curves
 * @param {number[]} found losses that must be in sight
 * @param {number} width
 */
function axes({ x: settings, lines, settings: own }, found, width) {
  const known = [...lines.flatMap(({ losses }) => losses), ...found].filter((v) => v !== null && v > 0);
  const all = /** @type {number[]} */ (known);
  // A loss of nearly 0 (a model with nothing to err about) would flatten everything else.
  const most = Math.max(...all);
  const least = Math.max(Math.min(...all), most / 1e4);
  const [low, high] = [least / 1.12, most * 1.12];
  const ends = [Math.min(settings[0], ...own), Math.max(settings[settings.length - 1], ...own)];
  const along = (/** @type {number} */ v, /** @type {number} */ a, /** @type {number} */ b) =>
    Math.log(v / a) / Math.log(b / a);
  return {
    x: (/** @type {number} */ v) => LEFT + (width - LEFT - RIGHT) * along(v, ends[0], ends[1]),
    y: (/** @type {number} */ v) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - along(Math.max(v, low), low, high)),
    xs: roundValues(ends[0], ends[1], width > 420 ? 9 : 5),
    ys: roundValues(low, high, 6),
  };
}

/**
 * Round numbers between two ends of a logarithmic axis, at most `most`.
 *
 * @param {number} low
 * @param {number} high
 * @param {number} most
 */
export function roundValues(low, high, most) {
  for (const digits of [ROUND, [1, 3], [1]]) {
    const out = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1)
      for (const digit of digits) {
        const value = Number((digit * 10 ** power).toPrecision(1));
        if (value >= low * 0.999 && value <= high * 1.001) out.push(value);
      }
    if (out.length <= most || digits.length === 1) return out;
  }
  return [];
}

/** @param {number[]} across @param {(number | null)[]} losses @param {(value: number) => number} y */
function path(across, losses, y) {
  let pen = "M";
  let d = "";
  for (const [k, loss] of losses.entries()) {
    if (loss !== null) d += `${pen}${across[k].toFixed(1)},${y(loss).toFixed(1)}`;
    pen = loss === null ? "M" : "L";
  }
  return d;
}

/**
 * @param {Crossing} one
 * @param {(value: number) => number} x
 * @param {(value: number) => number} y
 * @param {number} width
 * @param {Words} words
 * @param {(words: string) => void} tell
 */
function crossing(one, x, y, width, words, tell) {
  const [cx, cy] = [x(one.x), y(one.loss)];
  const left = cx > width / 2;
  const name = (/** @type {string} */ solution) => words.solutions[solution] ?? solution;
  const says = say(words.crossing, { x: num(one.x, 2), below: name(one.below), above: name(one.above) });
  const g = s(
    "g",
    { class: "saew-crossing" },
    s("line", { x1: cx, x2: cx, y1: TOP, y2: HEIGHT - BOTTOM, class: "saew-fraction" }),
    s("rect", { x: cx - 4.5, y: cy - 4.5, width: 9, height: 9, transform: `rotate(45 ${cx} ${cy})` }),
    tick(cx + (left ? -6 : 6), TOP + 8, say(words.cross, { x: num(one.x, 2) }), left ? "end" : "start"),
  );
  return telling(g, tell, () => says);
}

/** @param {Room} room @returns {View} */
export function curvesView({ words: { curves: words }, tell, choose }) {
  const legend = h("div", { class: "saew-shades" });
  const view = chartView(
    { title: words.title, look: "saew-full" },
    (scene, width) =>
      scene.data.curves ? curvesPicture(scene, scene.data.curves, width, words, { tell, choose }) : h("div"),
    legend,
  );
  /** @param {Scene} scene */
  const update = (scene) => {
    const { curves } = scene.data;
    view.el.hidden = !curves;
    if (!curves) return;
    view.note.textContent = `${words.note} ${curves.lines.length ? crossed(curves, words) : words.nothing}`;
    legend.replaceChildren(...curvesLegend(curves, words));
    view.update(scene);
  };
  return { ...view, update };
}
