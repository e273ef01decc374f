// The pairs of a relation as arrows in a plane.

import { h, placed, s } from "../../shared/elements.js";
import { num, percent } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";

/** @import { Pair, Relation } from "./lab.js" */
/** @typedef {typeof import("./words.js").words.en.picture} Words */

const [LEAST, MOST] = [260, 420]; // height, px
const MARGIN = 14; // above and below, px
const HEAD = 7; // length of an arrow's head, px
const LETTER = 7.2; // of a word's letter, about, px
const LINE = 13; // height of a word, px

/** @param {Words} words */
export function pairsPicture(words) {
  /** @type {Pair[]} */
  let pairs = [];
  const title = h("h3", {});
  const plot = placed((width) => (pairs.length > 1 ? picture(pairs, width, words) : h("div")));
  const says = h("p", { class: "saew-note" });
  const el = h("section", { class: "saew-section saew-directions-picture" }, title, plot.el, says);

  /** @param {Relation} relation */
  const update = (relation) => {
    pairs = relation.pairs;
    title.textContent = say(words.title, { name: relation.name });
    says.textContent = sentences(relation, words).join(" ");
    plot.redraw();
  };
  return { el, update, stop: plot.stop };
}

/**
 * What was measured of the offsets, in words.
 *
 * @param {Relation} relation
 * @param {Words} words
 */
function sentences({ parallel, null: shuffled, high, p, length, explained }, words) {
  if (parallel === null || explained === null) return [words.empty];
  const told = { value: num(parallel, 2), null: num(shuffled ?? 0, 2), high: num(high ?? 0, 2), p: num(p ?? 1, 2) };
  return [
    say(words.parallel, told),
    ...(length === null ? [] : [say(words.length, { length: num(length, 2) })]),
    say(words.explained, { share: percent(explained) }),
  ];
}

/**
 * @param {Pair[]} pairs
 * @param {number} width px
 * @param {Words} words
 */
function picture(pairs, width, words) {
  const height = Math.max(LEAST, Math.min(MOST, width * 0.62));
  const xs = pairs.flatMap(([, , x, , toX]) => [x, toX]);
  const ys = pairs.flatMap(([, , , y, , toY]) => [y, toY]);
  const side = Math.min(74, width / 5); // room for words at the ends
  const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  // One scale for both axes: what looks parallel is.
  const scale = Math.min(
    (width - 2 * side) / Math.max(right - left, 1e-9),
    (height - 2 * MARGIN - LINE) / Math.max(high - low, 1e-9),
  );
  /** @param {number} value */
  const x = (value) => width / 2 + scale * (value - (left + right) / 2);
  /** @param {number} value */
  const y = (value) => height / 2 - scale * (value - (low + high) / 2);
  const svg = s("svg", { width, height, role: "img", "aria-label": say(words.label, { n: pairs.length }) });
  /** @type {[number, number, number, number][]} */
  const taken = [];
  for (const [, , ax, ay, bx, by] of pairs) svg.append(...arrow(x(ax), y(ay), x(bx), y(by)));
  for (const [a, b, ax, ay, bx, by] of pairs) {
    const forward = bx >= ax;
    svg.append(word(a, x(ax), y(ay), forward ? -1 : 1, "saew-directions-first", taken));
    svg.append(word(b, x(bx), y(by), forward ? 1 : -1, "saew-directions-second", taken));
  }
  return svg;
}

/**
 * An arrow with its head, and a dot where it begins.
 *
 * @param {number} x
 * @param {number} y
 * @param {number} toX
 * @param {number} toY
 */
function arrow(x, y, toX, toY) {
  const turn = Math.atan2(toY - y, toX - x);
  /** @param {number} by */
  const wing = (by) => `${toX - HEAD * Math.cos(turn + by)},${toY - HEAD * Math.sin(turn + by)}`;
  return [
    s("line", { class: "saew-directions-line", x1: x, y1: y, x2: toX, y2: toY }),
    s("path", { class: "saew-directions-head", d: `M${wing(0.45)}L${toX},${toY}L${wing(-0.45)}` }),
    s("circle", { class: "saew-directions-start", cx: x, cy: y, r: 2.5 }),
  ];
}

/**
 * A word beside its point, moved up or down until it covers no other.
 *
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {1 | -1} side of the point
 * @param {string} look
 * @param {[number, number, number, number][]} taken boxes of the words before it: left, top, right, bottom
 */
function word(text, x, y, side, look, taken) {
  const long = LETTER * text.length;
  const left = side > 0 ? x + 7 : x - 7 - long;
  const steps = [0, 1, -1, 2, -2, 3, -3, 4, -4].map((n) => n * (LINE - 1));
  /** @param {number} dy @returns {[number, number, number, number]} */
  const box = (dy) => [left, y + dy - LINE / 2, left + long, y + dy + LINE / 2];
  /** @param {[number, number, number, number]} one */
  const free = ([l, t, r, b]) => !taken.some(([l2, t2, r2, b2]) => l < r2 && r > l2 && t < b2 && b > t2);
  const dy = steps.find((step) => free(box(step))) ?? 0;
  taken.push(box(dy));
  const place = { x: side > 0 ? x + 7 : x - 7, y: y + dy + 4, "text-anchor": side > 0 ? "start" : "end" };
  return s("text", { class: `saew-tick ${look}`, ...place }, text);
}
