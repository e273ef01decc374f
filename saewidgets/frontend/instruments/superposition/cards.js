// One card per model, to compare them and to choose one.

import { h } from "../../shared/elements.js";
import { num } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { arrowPicture } from "./arrows.js";
import { asArrows, measures, reachOf } from "./math.js";
import { readoutPicture, weightsPicture } from "./matrices.js";

/** @import { Scene } from "./math.js" */
/** @typedef {typeof import("./words.js").words.en} Words */

/**
 * @param {HTMLElement} root gives matrices their colors
 * @param {Words} words
 * @param {(model: number) => void} choose
 */
export function cardsPart(root, words, choose) {
  const el = h("div", { class: "saew-panels", role: "group", "aria-label": words.cards.name });
  /** @type {ReturnType<typeof card>[]} */
  let cards = [];
  /** @param {Scene} scene */
  const update = (scene) => {
    const count = scene.data.instances;
    if (cards.length !== count) {
      cards = Array.from({ length: count }, (_, i) => card(root, words, i, choose));
      el.replaceChildren(...cards.map((one) => one.el));
      // even rows: all in one where there is room, else in two or more of the same length
      el.style.setProperty("--many", String(count <= 8 ? count : Math.ceil(count / Math.ceil(count / 8))));
      el.style.setProperty("--few", String(count <= 4 ? count : Math.ceil(count / Math.ceil(count / 4))));
    }
    for (const one of cards) one.update(scene);
  };
  return { el, update };
}

/**
 * @param {HTMLElement} root
 * @param {Words} words
 * @param {number} i
 * @param {(model: number) => void} choose
 */
function card(root, words, i, choose) {
  const name = h("span", { class: "saew-panel-name" });
  const picture = h("span", { class: "saew-panel-picture", "aria-hidden": "true" });
  const facts = h("span", { class: "saew-panel-facts" });
  const el = h(
    "button",
    { type: "button", class: "saew-panel", onclick: () => choose(i) },
    h("span", { class: "saew-panel-in" }, name, picture, facts),
  );
  /** @param {Scene} scene */
  const update = (scene) => {
    const { data, at, chosen } = scene;
    const { norms } = measures(scene.all[i]);
    el.setAttribute("aria-pressed", String(i === chosen));
    name.replaceChildren(h("span", {}, data.label_name), " ", h("span", {}, data.labels[i]), " ");
    picture.replaceChildren(thumbnail(root, scene, i, words));
    facts.replaceChildren(
      h("span", {}, say(words.cards.represented, { k: norms.filter((v) => v > 0.5).length, n: data.features })),
      " ",
      h("span", {}, say(words.cards.loss, { value: num(data.losses[at][i], 2) })),
    );
  };
  return { el, update };
}

/**
 * @param {HTMLElement} root
 * @param {Scene} scene
 * @param {number} i
 * @param {Words} words
 */
function thumbnail(root, { data, all, turn }, i, words) {
  if (asArrows(data)) return arrowPicture(all[i], { reach: 1.08 * reachOf(data, i), turn, big: false }, words.portrait);
  const look = { small: true, tell: null };
  return data.privileged ? weightsPicture(root, all[i], data, look) : readoutPicture(root, all[i], data, look);
}
