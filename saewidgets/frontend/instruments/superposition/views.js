// The views of the chosen model, in groups of which one is open. A new one is a function here, and stands in a group.

import { h } from "../../shared/elements.js";
import { matrixPicture } from "../../shared/matrix.js";
import { say } from "../../shared/words.js";
import { attackView, vulnerabilityView } from "./attacked.js";
import { barPicture } from "./bars.js";
import { sharedColor } from "./colors.js";
import { curvesView } from "./curves.js";
import { densitiesView } from "./densities.js";
import { matrixView, pointsView } from "./linked.js";
import { coordinatesView, examplesView } from "./examples.js";
import { swatch } from "./drawing.js";
import { lossPicture } from "./loss.js";
import { readoutName, readoutPicture } from "./matrices.js";
import { partsPicture } from "./parts.js";
import { dimensionsView, graphView, polytopesView, sharesView } from "./polytopes.js";
import { portraitView } from "./portrait.js";
import { recoveryView } from "./recovered.js";
import { chartView, section } from "./section.js";
import { stripPicture } from "./strip.js";

/** @import { Scene } from "./math.js" */
/** @typedef {typeof import("./words.js").words.en} Words */

/**
 * What a view may use: the words, and what happens when a person points at something, chooses a model or a snapshot,
 *  turns a space, or sets a trait. `point` shows features in all views of the group, none of them where they are none.
 *
 * @typedef {{
 *   root: HTMLElement, words: Words, tell: (words: string) => void, choose: (model: number) => void,
 *   seek: (snapshot: number) => void, turnBy: (yaw: number, pitch: number) => void,
 *   sae: { still: boolean, size: (features: number) => void, kind: (name: string) => void, train: () => void },
 *   put: (name: "marked" | "attack" | "sample" | "view", value: string | number | null) => void,
 *   point: (features: number[]) => void
 * }} Room
 */
/**
 * @typedef {{
 *   el: HTMLElement, update: (scene: Scene) => void, stop?: () => void, keys?: (event: KeyboardEvent) => boolean,
 *   point?: (features: number[]) => void
 * }} View
 */

/** @type {((room: Room) => View)[]} */
export const VIEWS = [portraitView, examplesView, readoutView, barsView, densitiesView, stripView, lossView, partsView];

/**
 * The groups in the order of their tabs; their names are those of the trait `view`.
 *
 * @type {Record<keyof Words["views"], ((room: Room) => View)[]>}
 */
export const GROUPS = {
  overview: VIEWS,
  graph: [graphView, sharesView, polytopesView, dimensionsView],
  matrix: [matrixView, pointsView, coordinatesView],
  loss: [curvesView],
  attack: [attackView, vulnerabilityView],
  recovery: [recoveryView],
};

/** @param {Room} room @returns {View} */
function readoutView({ root, words: { readout: words }, tell }) {
  const gram = h("div", { class: "saew-gram" });
  const { el, note } = section({ title: words.title }, gram);
  /** @param {Scene} scene */
  const update = ({ one, data }) => {
    note.textContent = one.D || one.neurons ? say(words.neurons, { name: readoutName(one) }) : words.plain;
    gram.style.setProperty("grid-template-columns", `minmax(0, ${one.n}fr) minmax(0, 1fr)`);
    gram.replaceChildren(
      readoutPicture(root, one, data, { tell }),
      matrixPicture(root, words.bias, one.b, one.n, 1, { most: data.bias, tell }),
    );
  };
  return { el, update };
}

/** @param {Room} room @returns {View} */
function barsView({ words: { bars: words }, tell, put }) {
  const shades = [0, 0.25, 0.5, 0.75, 1].map((value) =>
    h("span", { class: "saew-shade", style: { background: sharedColor(value) } }),
  );
  const legend = h("div", { class: "saew-shades" }, h("span", {}, words.alone), ...shades, h("span", {}, words.shared));
  return chartView(words, (scene, width) => barPicture(scene, width, words, { tell, put }), legend);
}

/** @param {Room} room @returns {View} */
function stripView({ words: { strip: words }, tell, choose }) {
  return chartView(words, (scene, width) => stripPicture(scene, width, words, { tell, choose }));
}

/** @param {Room} room @returns {View} */
function lossView({ words: { loss: words }, seek }) {
  return chartView(words, (scene, width) => lossPicture(scene, width, words, seek));
}

/** @param {Room} room @returns {View} */
function partsView({ words: { parts: words }, tell }) {
  const legend = h(
    "div",
    { class: "saew-shades" },
    swatch("var(--down)", words.own),
    swatch("var(--up)", words.others),
  );
  const view = chartView(
    words,
    ({ data, chosen }, width) =>
      data.loss_parts.length ? partsPicture(data.loss_parts[chosen], width, words, tell) : h("div"),
    legend,
  );
  view.el.hidden = true;
  /** @param {Scene} scene */
  const update = (scene) => {
    const known = scene.data.loss_parts.length > 0;
    if (known || !scene.training) view.el.hidden = !known;
    view.el.classList.toggle("saew-pending", !known);
    view.update(scene);
  };
  return { ...view, update };
}
