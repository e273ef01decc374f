// Views of the attack: what it does to one input, and how vulnerable each model is beside the features per dimension.

import { tick } from "../../shared/axes.js";
import { h, placed, s } from "../../shared/elements.js";
import { num, percent } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { attackOn, inputOf, meanLength } from "./attack.js";
import { slider } from "./controls.js";
import { swatch, telling } from "./drawing.js";
import { measures, perFeature } from "./math.js";
import { chartView } from "./section.js";

/** @import { Scene } from "./math.js" */
/** @import { Attack } from "./attack.js" */
/** @import { Room, View } from "./views.js" */
/** @typedef {typeof import("./words.js").words.en.attack} Words */

const [LEFT, RIGHT] = [34, 6];
const [BAND, GAP] = [54, 36]; // px of a row of bars, and below it

/** @param {Room} room @returns {View} */
export function attackView({ words: { attack: words }, tell, put }) {
  let [sample, mean] = [1, 0]; // which input is sampled, and how long inputs are
  const length = slider(
    words.length,
    { min: 0, max: 1, step: 0.01 },
    (attack) => say(words.lengthIs, { share: percent(attack), radius: num(attack * mean) }),
    { get: (/** @type {Scene} */ { attack }) => attack, set: (attack) => put("attack", attack) },
  );
  const another = h("button", { type: "button", class: "saew-pill" }, words.another);
  another.addEventListener("click", () => {
    put("marked", null);
    put("sample", sample + 1);
  });
  const set = h("div", { class: "saew-attack-set" }, length.el, another);
  const note = h("p", { class: "saew-note" });
  const said = h("p", { class: "saew-attack-said", role: "status" });
  /** @type {{ scene: Scene, x: number[], found: Attack } | null} */
  let shown = null;
  const chart = placed((width) =>
    shown ? attackPicture(shown.scene, shown.x, shown.found, width, words, tell) : h("div"),
  );
  const legend = h(
    "div",
    { class: "saew-shades" },
    swatch("var(--down)", words.before),
    swatch("var(--up)", words.after),
  );
  const inside = h("div", {}, set, said, chart.el, legend);
  const el = h("div", { class: "saew-view saew-wide" }, h("h3", {}, words.title), note, inside);
  /** @param {Scene} scene */
  const update = (scene) => {
    const { data, one, marked, attack } = scene;
    inside.hidden = !data.attackable;
    note.textContent = data.attackable ? words.note : words.cannot;
    if (!data.attackable) return;
    ({ sample } = scene);
    const density = perFeature(data.density, scene);
    const x = marked === null ? inputOf(density, sample) : density.map((_, i) => Number(i === marked));
    mean = meanLength(density);
    const found = attackOn(one, x, attack * mean, perFeature(data.importance, scene));
    shown = { scene, x, found };
    length.update(scene);
    const far = Math.hypot(...found.fooled.map((value, j) => value - found.y[j]));
    const facts = {
      ...{ output: found.output, clean: num(found.clean, 2), hit: num(found.hit, 2), far: num(far, 2) },
      input: marked === null ? say(words.sampled, { sample }) : say(words.alone, { i: marked }),
      deep: num(Math.hypot(...found.moved.map((value, k) => value - found.h[k])), 2),
    };
    said.textContent = say(found.output < 0 ? words.nothing : words.says, facts);
    chart.redraw();
  };
  return { el, update, stop: chart.stop };
}

/**
 * Rows of bars: the input, the hidden layer, the output, without the attack as a bar and with it as a line; and the
 * change of the output.
 *
 * @param {Scene} scene
 * @param {number[]} x
 * @param {Attack} found
 * @param {number} width
 * @param {Words} words
 * @param {(words: string) => void} tell
 */
function attackPicture({ one, marked }, x, { step, h: hidden, moved, y, fooled, output }, width, words, tell) {
  const rows = [
    { name: words.input, before: x, after: x.map((value, i) => value + step[i]), one: words.feature, on: marked ?? -1 },
    { name: words.hidden, before: hidden, after: moved, one: words.dimension, on: -1 },
    { name: words.output, before: y, after: fooled, one: words.feature, on: output },
    { name: words.change, before: y.map(() => 0), after: fooled.map((value, i) => value - y[i]), one: "", on: output },
  ];
  const height = rows.length * (BAND + GAP);
  const svg = s("svg", { width, height, role: "img", "aria-label": say(words.label, { output, n: one.n }) });
  for (const [r, row] of rows.entries()) {
    const g = rowPicture(row, width, words.tip, tell);
    g.setAttribute("transform", `translate(0 ${r * (BAND + GAP) + 14})`);
    svg.append(g);
  }
  return svg;
}

/**
 * @param {{ name: string, before: number[], after: number[], one: string, on: number }} row `one`: what each bar is;
 *   the differences alone are drawn where it is empty
 * @param {number} width
 * @param {string} tip
 * @param {(words: string) => void} tell
 */
function rowPicture({ name, before, after, one, on }, width, tip, tell) {
  const all = [...before, ...after, 0];
  const [low, high] = [Math.min(...all), Math.max(...all, 1e-3)];
  const at = (/** @type {number} */ value) => (BAND * (high - value)) / (high - low);
  const each = (width - LEFT - RIGHT) / before.length;
  const every = Math.ceil((6 + 7 * String(before.length).length) / each); // no number lies over the next
  const level = (/** @type {number} */ value) => tick(LEFT - 5, at(value) + 4, num(value, 2), "end");
  const row = s("g", {}, s("text", { x: LEFT, y: -4, class: "saew-tick saew-row-name" }, name), level(0));
  for (const value of [low, high]) if (Math.abs(at(value) - at(0)) > 14) row.append(level(value));
  for (const [i, value] of before.entries()) {
    const left = LEFT + each * i;
    const wide = { x: left + each * 0.14, width: each * 0.72 };
    const bar = (/** @type {number} */ to, /** @type {string} */ fill) =>
      s("rect", { ...wide, y: Math.min(at(0), at(to)), height: Math.abs(at(0) - at(to)), style: { fill } });
    const back = { x: left, width: each, y: 0, height: BAND, class: i === on ? "saew-strip-on" : "saew-strip-back" };
    const g = s("g", {}, s("rect", back), one ? bar(value, "var(--down)") : bar(after[i], "var(--up)"));
    if (one && Math.abs(at(after[i]) - at(0)) + Math.abs(at(value) - at(0)) > 0.5)
      g.append(s("rect", { ...wide, y: at(after[i]) - 1.2, height: 2.4, style: { fill: "var(--up)" } }));
    if (one && i % every === 0) g.append(tick(left + each / 2, BAND + 12, String(i)));
    const says = one
      ? say(tip, { one, i, before: num(value), after: num(after[i]) })
      : `${name} ${i}: ${num(after[i])}`;
    row.append(telling(g, tell, () => says));
  }
  row.append(s("line", { x1: LEFT, x2: width - RIGHT, y1: at(0), y2: at(0), class: "saew-axis" }));
  return row;
}

/** @param {Room} room @returns {View} */
export function vulnerabilityView({ words: { attack: words }, tell, choose }) {
  const legend = h(
    "div",
    { class: "saew-shades" },
    swatch("var(--up)", words.vulnerability),
    swatch("var(--down)", words.perDimension),
  );
  const draw = (/** @type {Scene} */ scene, /** @type {number} */ width) =>
    curvesPicture(scene, width, words, { tell, choose });
  const view = chartView({ title: words.curves }, draw, legend);
  /** @param {Scene} scene */
  const update = (scene) => {
    const { attackable, vulnerability } = scene.data;
    view.note.textContent = vulnerability.length ? words.curvesNote : attackable ? words.later : words.cannotAll;
    view.update(scene);
  };
  return { ...view, update };
}

/**
 * Vulnerability and features per dimension of each model, both against a model without superposition, which has 1.
 *
 * @param {Scene} scene
 * @param {number} width
 * @param {Words} words
 * @param {{ tell: (words: string) => void, choose: (model: number) => void }} heard
 */
function curvesPicture({ data, all, chosen }, width, words, { tell, choose }) {
  const [right, top, height] = [10, 10, 250];
  const base = height - 38;
  const curves = [
    { color: "var(--down)", name: words.perDimension, values: all.map((one) => 1 / measures(one).perFeature) },
    { color: "var(--up)", name: words.vulnerability, values: data.vulnerability },
  ].filter(({ values }) => values.length);
  const places = placesOf(data.density);
  const x = (/** @type {number} */ i) => LEFT + 4 + (width - LEFT - right - 12) * places[i];
  const high = Math.max(1.2, ...curves.flatMap(({ values }) => values)) * 1.04;
  const y = (/** @type {number} */ value) => base - ((base - top) * value) / high;
  const nice = [0.5, 1, 2, 5, 10, 20, 50, 100, 500, 1000].find((step) => high / step <= 5) ?? high;
  const label = curves
    .map(({ name, values }) => `${name}: ${values.map((value) => num(value, 2)).join(", ")}`)
    .join("; ");
  const svg = s("svg", { width, height, role: "img", "aria-label": label });
  for (let value = 0; value <= high; value += nice)
    svg.append(
      s("line", { x1: LEFT, x2: width - right, y1: y(value), y2: y(value), class: value ? "saew-grid" : "saew-axis" }),
      tick(LEFT - 5, y(value) + 4, num(value), "end"),
    );
  svg.append(s("line", { x1: LEFT, x2: width - right, y1: y(1), y2: y(1), class: "saew-fraction" }));
  svg.append(s("line", { x1: x(chosen), x2: x(chosen), y1: top, y2: base, class: "saew-now" }));
  const every = Math.ceil(all.length / Math.max(1, Math.floor((width - LEFT) / 38)));
  for (const [i, text] of data.labels.entries())
    if (i % every === 0) svg.append(tick(x(i), base + 15, text.replace(/^0\./, ".")));
  svg.append(tick((LEFT + width) / 2, height - 6, data.label_name));
  for (const { color, name, values } of curves) {
    const points = values.map((value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`);
    svg.append(
      s("path", { d: `M${points.join("L")}`, class: "saew-line", style: { stroke: color, "stroke-width": 2 } }),
    );
    for (const [i, value] of values.entries()) {
      const dot = s("circle", {
        cx: x(i),
        cy: y(value),
        r: 4,
        class: "saew-strip-dot saew-press",
        style: { "--c": color },
      });
      telling(dot, tell, () => say(words.curveTip, { name, model: data.labels[i], value: num(value) }));
      dot.addEventListener("click", () => choose(i));
      svg.append(dot);
    }
  }
  return svg;
}

/**
 * Where each model stands from left to right, 0 to 1: by 1 / density on a logarithmic scale where each has one of its
 * own, else evenly.
 *
 * @param {number[][]} density
 */
export function placesOf(density) {
  const logs = density.map((row) => -Math.log(row[0]));
  const [low, high] = [Math.min(...logs), Math.max(...logs)];
  const plain = density.every((row) => row.length === 1) && new Set(logs).size === logs.length;
  return logs.map((log, i) => (plain ? (log - low) / (high - low || 1) : i / Math.max(1, logs.length - 1)));
}
