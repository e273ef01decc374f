// The pairs of a relation as arrows in a plane.

import { placed as inPlace, h, s } from "../../shared/elements.js";
import { num, percent } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { placed } from "./places.js";

/** @import { TipLine } from "../../types/host.js" */
/** @import { Pair, Relation } from "./lab.js" */
/** @import { Place, Word } from "./places.js" */
/** @typedef {typeof import("./words.js").words.en.picture} Words */

const [LEAST, MOST] = [260, 420]; // height, px
const MARGIN = 14; // above and below, px
const HEAD = 7; // length of an arrow's head, px

/** @param {Words} words */
export function pairsPicture(words) {
  /** @type {Pair[]} */
  let pairs = [];
  const title = h("h3", {});
  const left = h("p", { class: "saew-note" });
  /** @param {number} out words that find no place @param {number} of */
  const told = (out, of) => {
    left.textContent = out ? say(words.left, { out, of }) : "";
  };
  const plot = inPlace((width) => (pairs.length > 1 ? picture(pairs, width, words, told) : h("div")));
  const says = h("p", { class: "saew-note" });
  const el = h("section", { class: "saew-section saew-directions-picture" }, title, plot.el, left, says);

  /** @param {Relation} relation */
  const update = (relation) => {
    pairs = relation.pairs;
    left.textContent = "";
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
 * @param {(out: number, of: number) => void} told how many words find no place
 */
function picture(pairs, width, words, told) {
  const height = Math.max(LEAST, Math.min(MOST, width * 0.62));
  const xs = pairs.flatMap(([, , x, , toX]) => [x, toX]);
  const ys = pairs.flatMap(([, , , y, , toY]) => [y, toY]);
  const side = Math.min(74, width / 5); // room for words at the ends
  const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  // One scale for both axes: what looks parallel is.
  const scale = Math.min(
    (width - 2 * side) / Math.max(right - left, 1e-9),
    (height - 4 * MARGIN) / Math.max(high - low, 1e-9),
  );
  /** @param {number} value */
  const x = (value) => width / 2 + scale * (value - (left + right) / 2);
  /** @param {number} value */
  const y = (value) => height / 2 - scale * (value - (low + high) / 2);
  const svg = s("svg", { width, height, role: "img", "aria-label": say(words.label, { n: pairs.length }) });
  for (const [a, b, ax, ay, bx, by] of pairs)
    svg.append(...arrow(x(ax), y(ay), x(bx), y(by)), hover(x(ax), y(ay), x(bx), y(by), [words.pair, `${a} → ${b}`]));
  const points = pairs.flatMap(([a, b, ax, ay, bx, by]) => [
    wordAt(a, x(ax), y(ay), bx >= ax ? -1 : 1),
    wordAt(b, x(bx), y(by), bx >= ax ? 1 : -1),
  ]);
  const places = placed(points, width, height);
  places.forEach((place, i) => {
    if (place && place !== "same") svg.append(drawn(points[i].text, place, i % 2));
  });
  told(places.filter((place) => place === null).length, places.filter((place) => place !== "same").length);
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
 * What shows the words of a pair on hover.
 *
 * @param {number} x
 * @param {number} y
 * @param {number} toX
 * @param {number} toY
 * @param {TipLine} line
 */
function hover(x, y, toX, toY, line) {
  const el = s("line", { class: "saew-directions-hover", x1: x, y1: y, x2: toX, y2: toY, "data-tip": "" });
  el.saewTip = [line];
  return el;
}

/** @param {string} text @param {number} x @param {number} y @param {1 | -1} side @returns {Word} */
const wordAt = (text, x, y, side) => ({ text, x, y, side });

/** @param {string} text @param {Place} place @param {number} which 0 the first of its pair */
function drawn(text, { left, right, bottom, side }, which) {
  const look = which ? "saew-directions-second" : "saew-directions-first";
  const at = { x: side > 0 ? left : right, y: bottom - 3, "text-anchor": side > 0 ? "start" : "end" };
  return s("text", { class: `saew-tick ${look}`, ...at }, text);
}
