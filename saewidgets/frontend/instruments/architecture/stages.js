// The five stages of a token's way: activation, encode, active features, decode, error.

import { h, placed } from "../../shared/elements.js";
import { matrixPicture } from "../../shared/matrix.js";
import { num, percent, whole } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { curvePicture } from "./curve.js";
import { featuresPart } from "./features.js";

/** @typedef {[feature: number, label: string, activation: number, length: number, promoted: string[]]} Row */
/**
 * What Python sends of a token.
 *
 * @typedef {{
 *   x: number[], x_hat: number[], error: number[], x_length: number, x_hat_length: number, error_length: number,
 *   unexplained: number, mismatch: number, d_sae: number, pre: [rank: number, value: number][], active: number, rows:
 *  Row[]
 * }} Shown
 */
/** @typedef {typeof import("./words.js").words.en} Words */
/** @typedef {(words: string) => void} Tell */
/** @typedef {{ el: HTMLElement, update: (shown: Shown) => void, stop?: () => void }} Stage */

/**
 * @param {HTMLElement} root gives the matrices their colors
 * @param {Words} words
 * @param {{ tell: Tell, select: (feature: number) => void }} heard
 */
export function stagesPart(root, words, { tell, select }) {
  const features = featuresPart(words, select);
  const titles = words.stages;
  const stages = [
    numbersStage(root, "input", titles.input, "x", tell, (shown) => ({
      values: shown.x,
      long: shown.x_length,
      note: say(words.input, { d: shown.x.length }),
      length: words.length,
    })),
    curveStage(titles.up, words),
    featuresStage(titles.active, words, features),
    numbersStage(root, "down", titles.down, "x̂", tell, (shown) => ({
      values: shown.x_hat,
      long: shown.x_hat_length,
      note: words.down,
      length: words.length,
    })),
    numbersStage(root, "error", titles.error, "x − x̂", tell, (shown) => ({
      values: shown.error,
      long: shown.error_length,
      note: say(words.error, { share: percent(shown.unexplained) }),
      length: words.length,
    })),
  ];
  const el = h("div", { class: "saew-stages" }, ...stages.map((one) => one.el));
  /** @param {Shown} shown */
  const update = (shown) => {
    for (const one of stages) one.update(shown);
  };
  const stop = () => {
    for (const one of stages) one.stop?.();
  };
  return { el, update, stop, mark: features.mark };
}

/**
 * The place of a stage: title, what is to be seen at a glance, a note, and the picture.
 *
 * @param {string} name
 * @param {string} title
 */
function stage(name, title) {
  const value = h("span", { class: "saew-value" });
  const note = h("p", { class: "saew-note" });
  const picture = h("div", { class: "saew-stage-picture" });
  const el = h("div", { class: `saew-stage saew-stage-${name}` }, h("h3", {}, title), value, note, picture);
  return { el, value, note, picture };
}

/**
 * A stage that is a vector.
 *
 * @param {HTMLElement} root
 * @param {string} name
 * @param {string} title
 * @param {string} symbol
 * @param {Tell} tell
 * @param {(shown: Shown) => { values: number[], long: number, note: string, length: string }} read
 * @returns {Stage}
 */
function numbersStage(root, name, title, symbol, tell, read) {
  const { el, value, note, picture } = stage(name, title);
  /** @param {Shown} shown */
  const update = (shown) => {
    const most = Math.max(...shown.x.map(Math.abs), 1e-9) * 0.6; // the largest few may saturate
    const { values, long, note: words, length } = read(shown);
    value.textContent = say(length, { value: num(long) });
    note.textContent = words;
    picture.replaceChildren(mosaic(root, symbol, values, most, tell));
  };
  return { el, update };
}

/**
 * A vector as a rectangle of squares, row by row.
 *
 * @param {HTMLElement} root
 * @param {string} symbol
 * @param {number[]} values
 * @param {number} most
 * @param {Tell} tell
 */
function mosaic(root, symbol, values, most, tell) {
  const columns = Math.ceil(Math.sqrt(values.length * 0.6));
  const rows = Math.ceil(values.length / columns);
  const padded = Array.from({ length: rows * columns }, (_, k) => values[k] ?? 0);
  return matrixPicture(root, symbol, padded, rows, columns, { most, tell });
}

/**
 * @param {string} title
 * @param {Words} words
 * @returns {Stage}
 */
function curveStage(title, words) {
  /** @type {Shown | null} */
  let last = null;
  const { el, value, note, picture } = stage("up", title);
  const chart = placed((width) => (last ? curvePicture(last, width, words.curve) : h("div")));
  picture.append(chart.el);
  /** @param {Shown} shown */
  const update = (shown) => {
    last = shown;
    value.textContent = whole(shown.d_sae);
    note.textContent = say(words.up, { n: whole(shown.d_sae) });
    chart.redraw();
  };
  return { el, update, stop: chart.stop };
}

/**
 * @param {string} title
 * @param {Words} words
 * @param {{ el: HTMLElement, update: (shown: Shown) => void }} features
 * @returns {Stage}
 */
function featuresStage(title, words, features) {
  const { el, value, note, picture } = stage("active", title);
  picture.append(features.el);
  /** @param {Shown} shown */
  const update = (shown) => {
    value.textContent = say(words.kept, { k: shown.active, n: whole(shown.d_sae) });
    note.textContent = shown.active ? words.active : words.none;
    features.update(shown);
  };
  return { el, update };
}
