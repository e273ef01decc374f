// Pre-activations by rank, the largest first; those that pass the threshold are marked.

import { s } from "../../shared/elements.js";
import { num, whole } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";

/** @import { Shown } from "./stages.js" */

const [HEIGHT, LEFT, RIGHT, BOTTOM, TOP] = [150, 32, 6, 20, 8];

/**
 * @param {Shown} shown
 * @param {number} width
 * @param {string} label with places for n, high, low and k
 */
export function curvePicture({ pre, d_sae, active }, width, label) {
  const values = pre.map(([, value]) => value);
  const [high, low] = [Math.max(...values, 0), Math.min(...values, 0)];
  const y = (/** @type {number} */ value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - low) / (high - low || 1));
  const ranks = Math.log10(d_sae) || 1;
  const x = (/** @type {number} */ rank) => LEFT + ((width - LEFT - RIGHT) * Math.log10(rank + 1)) / ranks;
  const line = (/** @type {Shown["pre"]} */ points, /** @type {Record<string, unknown>} */ style) =>
    s("path", {
      d: `M${points.map(([rank, value]) => `${x(rank).toFixed(1)},${y(value).toFixed(1)}`).join("L")}`,
      class: "saew-line",
      style,
    });
  const levels = [high, 0, low].filter((value) => value === 0 || Math.abs(y(value) - y(0)) >= 12);
  const decades = Array.from({ length: Math.floor(Math.log10(d_sae)) + 1 }, (_, k) => 10 ** k);
  const passed = pre.filter(([rank]) => rank < active);
  return s(
    "svg",
    {
      width,
      height: HEIGHT,
      role: "img",
      "aria-label": say(label, { n: whole(d_sae), high: num(high), low: num(low), k: active }),
    },
    ...levels.flatMap((value) => [
      s("line", { x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value), class: "saew-grid" }),
      s("text", { x: LEFT - 5, y: y(value) + 4, class: "saew-tick", "text-anchor": "end" }, num(value, 2)),
    ]),
    ...decades.map((rank) =>
      s("text", { x: x(rank - 1), y: HEIGHT - 4, class: "saew-tick", "text-anchor": "middle" }, whole(rank)),
    ),
    line(pre, { stroke: "var(--firm)" }),
    ...(passed.length ? [line(passed, { stroke: "var(--up)", "stroke-width": 4 })] : []),
  );
}
