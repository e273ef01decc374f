// What an SAE on the chosen model's hidden layer has recovered: true directions and learned ones.

import { tick } from "../../shared/axes.js";
import { h, s } from "../../shared/elements.js";
import { matrixPicture } from "../../shared/matrix.js";
import { num, percent } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { ground, placing } from "./arrows.js";
import { featureColor } from "./colors.js";
import { telling } from "./drawing.js";
import { direction } from "./math.js";

/** @import { Scene, Toy } from "./math.js" */
/** @typedef {typeof import("./words.js").words.en.recovery} Words */
/**
 * What Python sends, see payloads/recovery.py: one entry of `features`, `match`, `matched` and `best` per true feature
 * that the model represents; `of` and `alive` per SAE feature, `of` the place in `features` of the true one that it
 * comes near, -1 for none; the directions, each of length 1, where there are up to three dimensions; `cosines` row by
 * row where there are more.
 *
 * @typedef {{
 *   model: number, busy: boolean, share: number, size: number, found: number, features: number[], match: number[],
 *   matched: (number | null)[], best: number[], of: number[], alive: boolean[], learned: number[][],
 *   cosines: number[], missed: number, split: number, mixtures: number, dead: number, l0: number, fvu: number
 * }} Recovered
 */

const BOX = 200;
const ROWS = 20; // features that have a row of their own
const ROW = 15;

/**
 * SAE features in the order in which a matrix of cosines shows the matches on its diagonal: first those that were
 * matched, in the order of the true features, then the others.
 *
 * @param {Pick<Recovered, "match" | "size">} recovered
 */
export function matchedFirst({ match, size }) {
  const taken = match.filter((k) => k >= 0);
  const rest = Array.from({ length: size }, (_, k) => k).filter((k) => !taken.includes(k));
  return [...taken, ...rest];
}

/** @param {Recovered} recovered @param {Words} words */
export function outcome(recovered, words) {
  const { features, missed, split, mixtures, dead, l0, fvu, found } = recovered;
  const known = { k: features.length - missed, n: features.length, found };
  const parts = [say(missed ? words.someFound : words.allFound, { ...known, missed })];
  if (split) parts.push(say(words.split, { split }));
  if (mixtures) parts.push(say(words.mixtures, { mixtures }));
  if (dead) parts.push(say(words.dead, { dead }));
  parts.push(say(words.fit, { l0: num(l0, 2), fvu: percent(fvu) }));
  return parts.join(" ");
}

/**
 * @param {HTMLElement} root
 * @param {Scene} scene
 * @param {Recovered} recovered
 * @param {Words} words
 * @param {(words: string) => void} tell
 */
export function recoveredPicture(root, scene, recovered, words, tell) {
  const { one } = scene;
  const rows = h("div", { class: "saew-recovered-rows" }, cosineRows(one, recovered, words, tell));
  if (recovered.learned.length)
    return h("div", { class: "saew-recovered" }, directions(one, recovered, scene.turn, words), rows);
  if (!recovered.cosines.length) return h("div", { class: "saew-recovered" }, rows);
  const order = matchedFirst(recovered);
  const { size, features } = recovered;
  const values = features.flatMap((_, i) => order.map((k) => Math.max(0, recovered.cosines[i * size + k])));
  const matrix = matrixPicture(root, words.matrix, values, features.length, size, { most: 1, tell });
  return h("div", { class: "saew-recovered" }, h("div", { class: "saew-recovered-matrix" }, matrix), rows);
}

/**
 * True directions as lines, learned ones as rings at their ends: filled where they come near a true one.
 *
 * @param {Toy} model
 * @param {Recovered} recovered
 * @param {{ yaw: number, pitch: number }} turn
 * @param {Words} words
 */
function directions(model, recovered, turn, words) {
  const { features, learned, alive, of } = recovered;
  const place = placing(model, { reach: 1.22, turn, big: true });
  const center = BOX / 2;
  const svg = s(
    "svg",
    {
      viewBox: `0 0 ${BOX} ${BOX}`,
      class: "saew-arrows",
      role: "img",
      "aria-label": say(words.picture, { n: features.length, size: recovered.size }),
    },
    ...ground(model.m, (center - 14) / 1.22, place),
  );
  for (const i of features) {
    const column = direction(model, i);
    const length = Math.hypot(...column);
    const [x, y] = place(
      column.map((v) => v / length),
      i,
    );
    const [lx, ly] = place(
      column.map((v) => (1.14 * v) / length),
      i,
    );
    const start = { x1: center, y1: model.m === 1 ? y : center };
    svg.append(
      s("line", {
        ...start,
        x2: x,
        y2: y,
        class: "saew-shaft",
        "stroke-width": 2,
        style: { "--c": featureColor(i, model) },
      }),
    );
    if (model.n <= ROWS)
      svg.append(s("text", { x: lx, y: ly + 3.5, class: "saew-arrow-number", "text-anchor": "middle" }, String(i)));
  }
  for (const [k, axis] of learned.entries()) {
    if (!alive[k]) continue;
    const [cx, cy] = place(axis, of[k] >= 0 ? features[of[k]] : 0);
    const ring = { cx, cy, r: 5.2, class: of[k] >= 0 ? "saew-learned" : "saew-learned saew-strange" };
    const color = of[k] >= 0 ? featureColor(features[of[k]], model) : "var(--alarm)";
    svg.append(s("circle", { ...ring, style: { "--c": color } }));
  }
  return svg;
}

/**
 * The largest cosine of each true feature with any learned one, against the cosine that counts as found.
 *
 * @param {Toy} model
 * @param {Recovered} recovered
 * @param {Words} words
 * @param {(words: string) => void} tell
 */
function cosineRows(model, recovered, words, tell) {
  const { features, best, match, matched, found } = recovered;
  const [left, right, width] = [26, 40, 300];
  const few = features.length <= ROWS;
  const tall = few ? ROW : Math.max(2, Math.min(6, 240 / features.length));
  const x = (/** @type {number} */ value) => left + (width - left - right) * Math.max(0, value);
  const height = features.length * tall;
  const says = (/** @type {number} */ r) =>
    say(match[r] < 0 ? words.unmatched : words.tip, {
      i: features[r],
      best: num(best[r], 3),
      k: match[r],
      value: num(matched[r] ?? 0, 3),
    });
  const row = (/** @type {number} */ r) => {
    const y = r * tall;
    const bar = { x: left, width: Math.max(1, x(best[r]) - left), y: y + tall * 0.16, height: tall * 0.68 };
    const name = best[r] >= found ? "saew-recovered-bar" : "saew-recovered-bar saew-missed";
    const g = s(
      "g",
      {},
      s("rect", { x: 0, width, y, height: tall, fill: "transparent" }),
      s("rect", { ...bar, rx: few ? 2 : 0, class: name, style: { "--c": featureColor(features[r], model) } }),
    );
    const text = { y: y + tall / 2 + 4, class: "saew-tick" };
    if (few)
      g.append(
        s("text", { x: left - 6, ...text, "text-anchor": "end" }, String(features[r])),
        s("text", { x: width - right + 6, ...text }, best[r].toFixed(2)),
      );
    return telling(g, tell, () => says(r));
  };
  return s(
    "svg",
    {
      viewBox: `0 0 ${width} ${height + 16}`,
      class: "saew-recovered-chart",
      role: "img",
      "aria-label": say(words.rows, { list: best.map((value) => num(value, 2)).join(", ") }),
    },
    ...features.map((_, r) => row(r)),
    s("line", { x1: x(found), x2: x(found), y1: 0, y2: height, class: "saew-fraction" }),
    ...[0, found].map((value) => tick(x(value), height + 13, String(value))),
  );
}
