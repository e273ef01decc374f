// How many features fire how often.

import { tick } from "../../shared/axes.js";
import { placed, s } from "../../shared/elements.js";
import { edgesOf } from "../../shared/histograms.js";
import { num, whole } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { levels, rule } from "./axes.js";
import { BOTTOM, framed, HEIGHT, LEFT, RIGHT, TOP } from "./curve.js";

/** @import { Density, Words } from "./runs.js" */

const DIGITS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** Ten to a whole power. @param {number} exponent */
export function power(exponent) {
  if (exponent === 0) return "1";
  return `10${[...String(exponent)].map((digit) => (digit === "-" ? "⁻" : DIGITS[Number(digit)])).join("")}`;
}

/** @param {Words} words */
export function densityChart(words) {
  /** @type {Density | null} */
  let density = null;
  let color = "";
  const plot = placed((width) => {
    const svg = s("svg", { width, height: HEIGHT, role: "img", "aria-label": label(density, words) });
    if (density) svg.append(...bars(density, color, width, words));
    return svg;
  });
  const { el, value, note } = framed(words.curves.density, plot.el);
  note.textContent = words.notes.density;
  /** @param {Density | null} found @param {string} paint of the bars */
  const update = (found, paint) => {
    [density, color] = [found, paint];
    value.textContent = found ? say(words.silent, { n: whole(found.silent) }) : words.none;
    plot.redraw();
  };
  return { el, update, stop: plot.stop };
}

/** @param {Density | null} density @param {Words} words */
function label(density, words) {
  if (!density) return words.densityNone;
  const { counts, silent } = density;
  const edges = edgesOf(density);
  const mode = counts.indexOf(Math.max(...counts));
  return say(words.density, {
    n: whole(counts.reduce((a, b) => a + b, 0)),
    a: num(10 ** edges[mode], 2),
    b: num(10 ** edges[mode + 1], 2),
    silent: whole(silent),
  });
}

/**
 * @param {Density} density
 * @param {string} color
 * @param {number} width px
 * @param {Words} words
 */
function bars(density, color, width, words) {
  const { counts } = density;
  const edges = edgesOf(density);
  const [low, high] = [edges[0], edges[edges.length - 1]];
  const most = Math.max(1, ...counts);
  const floor = HEIGHT - BOTTOM;
  const x = (/** @type {number} */ e) => LEFT + ((width - LEFT - RIGHT) * (e - low)) / (high - low);
  const y = (/** @type {number} */ count) => TOP + (floor - TOP) * (1 - count / most);
  /** @type {Element[]} */
  const parts = levels(0, most, 2).flatMap((level) => rule(y(level), [LEFT, width - RIGHT], whole(level)));
  counts.forEach((count, i) => {
    if (!count) return;
    const [a, b] = [edges[i], edges[i + 1]];
    const tip = say(words.bin, { n: whole(count), a: num(10 ** a, 2), b: num(10 ** b, 2) });
    const size = { x: x(a) + 0.5, width: Math.max(1, x(b) - x(a) - 1), y: y(count), height: floor - y(count), rx: 1 };
    parts.push(s("rect", { ...size, style: { fill: color } }, s("title", {}, tip)));
  });
  parts.push(s("line", { x1: LEFT, x2: width - RIGHT, y1: floor + 0.5, y2: floor + 0.5, class: "saew-axis" }));
  for (let e = low; e <= high; e += 2) parts.push(tick(x(e), HEIGHT - 5, power(e), e === high ? "end" : "middle"));
  return parts;
}
