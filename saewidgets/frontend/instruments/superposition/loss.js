// Loss of each model by step, both axes logarithmic.

import { tick } from "../../shared/axes.js";
import { s } from "../../shared/elements.js";
import { num, whole } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";

/** @import { Scene } from "./math.js" */

const [LEFT, RIGHT, TOP, BOTTOM, HEIGHT] = [42, 10, 10, 24, 214];
const log = (/** @type {number} */ value) => Math.log10(Math.max(value, 1e-9));

/**
 * `seek(snapshot)` is called where the person clicks or drags.
 *
 * @param {Scene} scene
 * @param {number} width
 * @param {{ label: string }} words
 * @param {(snapshot: number) => void} seek
 */
export function lossPicture({ data: { steps, losses }, chosen, at }, width, words, seek) {
  const { x, y, decades } = scales(steps, losses, width);
  const ends = losses[losses.length - 1].map((value) => num(value, 2));
  const svg = s("svg", {
    width,
    height: HEIGHT,
    class: "saew-seek",
    role: "img",
    "aria-label": say(words.label, { list: ends.join(", ") }),
  });
  for (const value of decades)
    svg.append(
      s("line", { x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value), class: "saew-grid" }),
      tick(LEFT - 6, y(value) + 4, num(value), "end"),
    );
  for (let step = 1; step <= steps[steps.length - 1]; step *= 10) svg.append(tick(x(step), HEIGHT - 6, whole(step)));
  for (const i of losses[0].keys()) {
    const points = losses.map((row, t) => `${x(steps[t]).toFixed(1)},${y(row[i]).toFixed(1)}`);
    const look = i === chosen ? { opacity: 1, "stroke-width": 2.4 } : { opacity: 0.28, "stroke-width": 1.2 };
    const name = i === chosen ? "saew-line saew-chosen" : "saew-line";
    svg.append(s("path", { d: `M${points.join("L")}`, class: name, style: { stroke: "var(--ink)", ...look } }));
  }
  const now = x(steps[at]);
  svg.append(
    s("line", { x1: now, x2: now, y1: TOP, y2: HEIGHT - BOTTOM, class: "saew-now" }),
    s("circle", { cx: now, cy: y(losses[at][chosen]), r: 4.5, class: "saew-now-dot" }),
  );
  const nearest = (/** @type {PointerEvent} */ event) => {
    const mouse = event.clientX - svg.getBoundingClientRect().left;
    const far = steps.map((step) => Math.abs(x(step) - mouse));
    seek(far.indexOf(Math.min(...far)));
  };
  svg.addEventListener("pointerdown", nearest);
  svg.addEventListener("pointermove", (event) => event.buttons === 1 && nearest(event));
  return svg;
}

/**
 * @param {number[]} steps
 * @param {number[][]} losses
 * @param {number} width
 */
function scales(steps, losses, width) {
  const positive = losses.flat().filter((value) => value > 0);
  const low = log(Math.min(...positive));
  const high = Math.max(log(Math.max(...positive)), low + 0.1);
  const end = Math.log10(1 + steps[steps.length - 1]) || 1;
  const first = Math.ceil(low);
  return {
    x: (/** @type {number} */ step) => LEFT + ((width - LEFT - RIGHT) * Math.log10(1 + step)) / end,
    y: (/** @type {number} */ value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (log(value) - low) / (high - low)),
    decades: Array.from({ length: Math.max(0, Math.floor(high) - first + 1) }, (_, k) => 10 ** (first + k)),
  };
}
