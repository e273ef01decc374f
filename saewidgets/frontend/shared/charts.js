// The charts inside the instruments, as small SVG: no library travels with a notebook.

import { h, s } from "./elements.js";
import { fixed } from "./numbers.js";
import { glyphs } from "./tokens.js";
import { say, sent } from "./words.js";

/**
 * Direct logit effects as rows: token, bar, number.
 *
 * @param {{ token: string, id: number, logit: number }[]} effects
 * @param {number} most the length of a full bar
 * @param {string} direction up or down: the color
 */
export function logitRows(effects, most, direction, text = sent.charts) {
  const row = (/** @type {(typeof effects)[number]} */ { token, id, logit }) =>
    h(
      "li",
      {},
      h("code", { class: "saew-code", title: say(text.id, { id }) }, glyphs(token, 18)),
      h(
        "span",
        { class: "saew-track" },
        h("span", { class: "saew-fill", style: { width: `${(100 * Math.abs(logit)) / (most || 1)}%` } }),
      ),
      h("span", { class: "saew-number" }, logit > 0 ? `+${fixed(logit)}` : fixed(logit)),
    );
  return h("ol", { class: `saew-logits saew-${direction}` }, ...effects.map(row));
}

/**
 * Counts as a row of small bars on a logarithmic axis, each with the heat of its activation.
 *
 * @param {number[]} counts
 * @param {string} label
 */
export function sparkline(counts, label) {
  const [width, height] = [92, 20];
  const decades = Math.max(1, Math.log10(Math.max(1, ...counts) + 1));
  const step = width / Math.max(1, counts.length);
  const svg = s("svg", { class: "saew-spark", width, height, role: "img", "aria-label": label });
  counts.forEach((count, i) => {
    if (!count) return;
    const tall = Math.max(1, (height - 1) * (Math.log10(count + 1) / decades));
    svg.append(
      s("rect", {
        x: i * step,
        width: Math.max(1, step - 0.6),
        y: height - tall,
        height: tall,
        class: "saew-bar",
        style: { "--h": (0.25 + (0.75 * (i + 0.5)) / counts.length).toFixed(3) },
      }),
    );
  });
  svg.append(s("line", { x1: 0, x2: width, y1: height - 0.5, y2: height - 0.5, class: "saew-axis" }));
  return svg;
}
