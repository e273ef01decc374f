// A low-rank matrix and a polytope are two views of one thing: W'W as a matrix beside its columns W_i as points.

import { h, s } from "../../shared/elements.js";
import { isShortcut } from "../../shared/keys.js";
import { matrixPicture } from "../../shared/matrix.js";
import { num, percent } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { arrowPicture, LABELED, placing } from "./arrows.js";
import { halo } from "./drawing.js";
import { dot, graphOf, orthonormal, subspace } from "./graph.js";
import { bounded, direction, measures } from "./math.js";
import { orMarked, picking } from "./pick.js";
import { told } from "./polytopes.js";
import { turning } from "./portrait.js";
import { section } from "./section.js";

/** @import { Scene, Toy } from "./math.js" */
/** @import { Spot } from "./layout.js" */
/** @import { Room, View } from "./views.js" */

/** @type {Record<string, [row: number, column: number]>} */
const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/** @param {Room} room @returns {View} */
export function matrixView({ root, words: { linked: words }, tell, point: pointAll, put }) {
  const bands = ["row", "column"].map((way) => h("div", { class: `saew-band saew-band-${way}`, hidden: true }));
  const place = h("div", {});
  const attributes = { role: "slider", tabindex: 0, "aria-label": words.matrix, "aria-valuemin": 0 };
  const grid = h("div", { class: "saew-linked", ...attributes }, place, ...bands);
  const { el, note } = section({ title: words.matrix, look: "saew-half" }, grid);
  /** @type {Scene | null} */
  let scene = null;
  /** @type {[row: number, column: number]} */
  let cell = [0, 0];
  const says = () => {
    if (!scene) return "";
    const { inner, norms } = measures(scene.one);
    const [i, j] = cell;
    const value = inner[i * scene.one.n + j];
    if (i === j) return say(words.own, { i, value: num(value), norm: num(norms[i]) });
    const cosine = Math.max(-1, Math.min(1, value / (norms[i] * norms[j] || 1)));
    return say(words.pair, { i, j, value: num(value), angle: num((180 * Math.acos(cosine)) / Math.PI) });
  };
  const at = (/** @type {number} */ row, /** @type {number} */ column) => {
    if (row >= 0) cell = [row, column];
    pointAll(row < 0 ? [] : [...new Set([row, column])]);
    tell(row < 0 ? "" : says());
    state();
  };
  const state = () => {
    const n = scene?.one.n ?? 1;
    const values = { max: n * n - 1, now: cell[0] * n + cell[1], text: says() };
    for (const [key, value] of Object.entries(values)) grid.setAttribute(`aria-value${key}`, String(value));
  };
  const press = (/** @type {number} */ i) => put("marked", scene?.marked === i ? null : i);
  grid.addEventListener("blur", () => at(-1, -1));
  /** @param {KeyboardEvent} event */
  const keys = (event) => {
    if (event.target !== grid || !scene || isShortcut(event)) return false;
    const move = MOVES[event.key];
    if (move) at(...bounded([cell[0] + move[0], cell[1] + move[1]], scene.one.n));
    else if (event.key === "Enter" || event.key === " ") press(cell[0]);
    else return false;
    event.preventDefault();
    return true;
  };
  /** @param {Scene} now */
  const update = (now) => {
    scene = now;
    const { one, data } = now;
    note.textContent = say(words.matrixNote, { n: one.n, m: Math.min(one.n, one.m) });
    cell = bounded(cell, one.n);
    const look = { most: data.reach ** 2, at, press };
    place.replaceChildren(matrixPicture(root, "W′W", measures(one).inner, one.n, one.n, look));
    point([]);
    state();
  };
  /** @param {number[]} features */
  const point = (features) => {
    const shown = orMarked(features, scene);
    const n = scene?.one.n ?? 1;
    for (const [k, band] of bands.entries()) {
      band.hidden = !shown.length;
      const [side, size] = k ? ["left", "width"] : ["top", "height"];
      band.style.setProperty(side, `${(100 * (shown[k] ?? shown[0])) / n}%`);
      band.style.setProperty(size, `${100 / n}%`);
    }
  };
  return { el, update, keys, point };
}

/** @param {Room} room @returns {View} */
export function pointsView(room) {
  const { linked: words, portrait } = room.words;
  const place = h("div", { class: "saew-points" });
  const { el, note } = section({ title: words.points, look: "saew-half" }, place);
  /** @type {Scene | null} */
  let scene = null;
  let rings = s("g", {});
  /** @type {Spot[]} */
  let spots = [];
  const pick = picking(place, words.points, room, (i) => (scene ? told(scene.one, i, room.words.polytopes) : ""));
  const turn = turning(place, room.turnBy, true);
  /** @param {Scene} now */
  const update = (now) => {
    scene = now;
    const { model, share } = projected(now);
    const look = { reach: 1.12 * now.data.reach, turn: now.turn, big: true };
    const svg = arrowPicture(model, look, portrait);
    svg.setAttribute("aria-hidden", "true");
    const put = placing(model, look);
    spots = Array.from({ length: model.n }, (_, i) => {
      const [x, y] = put(direction(model, i), i);
      return [x, y];
    });
    rings = s("g", {});
    svg.append(rings);
    place.replaceChildren(svg);
    place.classList.toggle("saew-space", model.m === 3);
    const { parts, of } = graphOf(now.one);
    const own = now.marked === null ? undefined : parts[of[now.marked]];
    const facts = { m: now.one.m, share: percent(share), features: own ? own.features.join(", ") : "" };
    const sentence = now.one.m <= 3 ? words.whole : own ? words.ofPart : words.ofAll;
    note.textContent = say(sentence, facts) + (model.m === 3 ? ` ${words.turn}` : "");
    pick.update(now, [...spots.keys()], spots, svg);
    point([]);
  };
  /** @param {number[]} features */
  const point = (features) => {
    const shown = orMarked(features, scene);
    rings.replaceChildren(
      ...shown.map((i) => halo(spots[i])),
      ...(spots.length > LABELED ? shown : []).map((i) =>
        s("text", { x: spots[i][0] + 8, y: spots[i][1] - 6, class: "saew-arrow-number" }, String(i)),
      ),
    );
  };
  return { el, update, keys: (event) => turn(event) || pick.keys(event), point };
}

/**
 * The model in at most three dimensions: as it is, or projected on those that the part of the marked feature fills and
 * on the widest others; `share` of |W|^2 is kept.
 *
 * @param {Pick<Scene, "one" | "marked">} scene
 * @returns {{ model: Toy, share: number }}
 */
export function projected({ one, marked }) {
  if (one.m <= 3) return { model: one, share: 1 };
  const { parts, of } = graphOf(one);
  const vectors = Array.from({ length: one.n }, (_, i) => direction(one, i));
  const own = marked === null ? undefined : parts[of[marked]];
  const units = vectors[0].map((_, a) => vectors[0].map((_, b) => Number(a === b)));
  const axes = orthonormal([...(own?.axes ?? []), ...subspace(vectors), ...units]).slice(0, 3);
  const W = Float32Array.from(axes.flatMap((axis) => vectors.map((v) => dot(v, axis))));
  const model = { ...one, m: 3, W, D: null, neurons: false, measures: undefined };
  const total = measures(one).norms.reduce((sum, x) => sum + x * x, 0) || 1;
  return { model, share: W.reduce((sum, x) => sum + x * x, 0) / total };
}
