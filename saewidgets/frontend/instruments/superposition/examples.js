// Models that train on the same inputs again and again: where these lie in the hidden space; and the coordinates of h.

import { tick } from "../../shared/axes.js";
import { h, s } from "../../shared/elements.js";
import { num, percent, whole } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { arrowPicture } from "./arrows.js";
import { asArrows, measures } from "./math.js";
import { chartView } from "./section.js";

/** @import { Scene, Toy } from "./math.js" */
/** @import { Room, View } from "./views.js" */
/** @typedef {[feature: number, value: number][]} Sparse an input */
/** @typedef {{ kurtosis: number | null, shares: number[] }} Coordinates of one model */

/**
 * Hidden vectors of inputs as the columns of a W, so that they are drawn and measured as features are.
 *
 * @param {Toy} model
 * @param {Sparse[]} inputs
 * @returns {Toy}
 */
export function hiddenOf({ W, m, n, neurons }, inputs) {
  const T = inputs.length;
  const H = new Float32Array(m * T);
  for (const [t, input] of inputs.entries())
    for (let k = 0; k < m; k += 1) {
      const sum = input.reduce((total, [i, value]) => total + value * W[k * n + i], 0);
      H[k * T + t] = neurons ? Math.max(0, sum) : sum;
    }
  return { m, n: T, setOf: null, W: H, b: new Float32Array(T), D: null, neurons: false };
}

/** @param {Room} room @returns {View} */
export function examplesView({ words: { examples: words } }) {
  const note = h("p", { class: "saew-note" });
  const place = h("div", { class: "saew-portrait" });
  const el = h("div", { class: "saew-view", hidden: true }, h("h3", {}, words.title), note, place);
  /** @param {Scene} scene */
  const update = ({ data, chosen, one, turn }) => {
    const size = data.sizes[chosen];
    const inputs = data.examples.slice(0, size);
    el.hidden = !inputs.length || !asArrows(data);
    if (el.hidden) return;
    const model = hiddenOf(one, inputs);
    const { norms, dimensionality } = measures(model);
    const shares = [...dimensionality].sort((a, b) => a - b);
    const values = { size: whole(size), shown: inputs.length, even: num(one.m / size) };
    const median = num(shares[Math.floor((shares.length - 1) / 2)]);
    note.textContent = say(inputs.length < size ? words.first : words.all, { ...values, median });
    const picture = arrowPicture(model, { reach: 1.12 * Math.max(...norms, 1e-6), turn, big: true }, words);
    for (const arrow of picture.querySelectorAll("[data-feature]")) arrow.removeAttribute("data-feature");
    picture.querySelector(".saew-unit")?.remove(); // a length of 1 means nothing to an input
    place.replaceChildren(picture);
  };
  return { el, update };
}

/** @param {Room} room @returns {View} */
export function coordinatesView({ words: { coordinates: words } }) {
  const view = chartView({ title: words.title }, ({ data, chosen }, width) =>
    coordinatesPicture(data.coordinates[chosen], width, words.label),
  );
  view.el.hidden = true;
  /** @param {Scene} scene */
  const update = (scene) => {
    const one = scene.data.coordinates[scene.chosen];
    view.el.hidden = !one;
    if (!one) return;
    const m = one.shares.length;
    view.note.textContent = say(words.note, {
      kurtosis: num(one.kurtosis ?? NaN),
      chance: num((3 * (m - 1)) / (m + 1)),
    });
    view.update(scene);
  };
  return { ...view, update };
}

/**
 * One bar per coordinate of h, and a line where all would be alike.
 *
 * @param {Coordinates} one
 * @param {number} width
 * @param {string} label
 */
function coordinatesPicture({ shares }, width, label) {
  const [left, top, height] = [50, 8, 150];
  const most = Math.max(...shares, 2 / shares.length);
  const step = (width - left) / shares.length;
  const y = (/** @type {number} */ share) => top + height * (1 - share / most);
  const level = (/** @type {number} */ share) => tick(left - 6, y(share) + 4, percent(share), "end");
  const even = 1 / shares.length;
  return s(
    "svg",
    {
      width,
      height: top + height + 4,
      role: "img",
      "aria-label": say(label, { list: shares.map(percent).join(", ") }),
    },
    level(most),
    level(even),
    ...shares.map((share, k) => {
      const bar = { x: left + (k + 0.12) * step, width: 0.76 * step, y: y(share), height: top + height - y(share) };
      return s("rect", { ...bar, rx: 2, style: { fill: share > 3 * even ? "var(--up)" : "var(--down)" } });
    }),
    s("line", { x1: left, x2: width, y1: y(even), y2: y(even), class: "saew-grid" }),
  );
}
