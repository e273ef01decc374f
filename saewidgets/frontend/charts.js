// The charts inside the instruments, as small SVG: no library travels with a notebook.

import { fixed, h, num, responsive, s, say, whole } from "./dom.js";
import { glyphs } from "./tokens.js";

const CHART_TEXT = {
  curve: "{name}: {value} at step {step}",
  noPoints: "no steps yet",
  step: "step",
};

/** Direct logit effects as rows: token, bar, number. `most` is the length of a full bar. */
export function logitRows(effects, most, direction) {
  return h(
    "ol",
    { class: `saew-logits saew-${direction}` },
    ...effects.map((effect) =>
      h(
        "li",
        {},
        h("code", { class: "saew-code", title: `id ${effect.id}` }, glyphs(effect.token, 18)),
        h("span", { class: "saew-track" }, h("span", { class: "saew-fill", style: { width: `${(100 * Math.abs(effect.logit)) / (most || 1)}%` } })),
        h("span", { class: "saew-number" }, effect.logit > 0 ? `+${fixed(effect.logit)}` : fixed(effect.logit)),
      ),
    ),
  );
}

/** One live curve: update([[step, value], ...]) redraws it. A null value is a gap. */
export function curveChart(name, { color, format = num, log = false }) {
  const value = h("span", { class: "saew-curve-value" }, "–");
  const plot = h("div", { class: "saew-chart" });
  const el = h("figure", { class: "saew-curve" }, h("figcaption", {}, h("span", {}, name), value), plot);
  let points = [];
  let width = 0;
  const draw = () => {
    const height = 120;
    const [left, right, top, bottom] = [44, 8, 8, 20];
    const seen = points.filter(([, v]) => v !== null && (!log || v > 0));
    const last = seen.at(-1);
    value.textContent = last ? format(last[1]) : "–";
    const label = last ? say(CHART_TEXT.curve, { name, value: format(last[1]), step: whole(last[0]) }) : `${name}: ${CHART_TEXT.noPoints}`;
    const svg = s("svg", { width, height, role: "img", "aria-label": label });
    if (last) {
      const scale = log ? Math.log10 : (v) => v;
      let [low, high] = seen.reduce(([a, b], [, v]) => [Math.min(a, scale(v)), Math.max(b, scale(v))], [Infinity, -Infinity]);
      if (!log) low = Math.min(low, 0);
      if (high - low < 1e-12) high = low + 1;
      const [first, end] = [points[0][0], Math.max(points.at(-1)[0], points[0][0] + 1)];
      const x = (step) => left + ((width - left - right) * (step - first)) / (end - first);
      const y = (v) => top + (height - top - bottom) * (1 - (scale(v) - low) / (high - low));
      const back = log ? (v) => 10 ** v : (v) => v;
      for (const level of [low, (low + high) / 2, high]) {
        const at = y(back(level));
        svg.append(
          s("line", { x1: left, x2: width - right, y1: at, y2: at, class: "saew-grid" }),
          s("text", { x: left - 6, y: at + 4, class: "saew-tick", "text-anchor": "end" }, format(back(level), 2)),
        );
      }
      let path = "";
      let pen = "M";
      for (const [step, v] of points) {
        if (v === null || (log && v <= 0)) pen = "M";
        else {
          path += `${pen}${x(step).toFixed(1)},${y(v).toFixed(1)}`;
          pen = "L";
        }
      }
      svg.append(
        s("path", { d: path, class: "saew-line", style: { stroke: color } }),
        s("circle", { cx: x(last[0]), cy: y(last[1]), r: 3.5, style: { fill: color } }),
        s("text", { x: left, y: height - 4, class: "saew-tick" }, whole(first)),
        s("text", { x: width - right, y: height - 4, class: "saew-tick", "text-anchor": "end" }, `${CHART_TEXT.step} ${whole(end)}`),
      );
    }
    plot.replaceChildren(svg);
  };
  const stop = responsive(plot, (w) => {
    width = w;
    draw();
  });
  return {
    el,
    stop,
    update(next) {
      points = next;
      if (width) draw();
    },
  };
}


/** Counts as a row of small bars on a logarithmic axis, each with the heat of its activation. */
export function sparkline(counts, label) {
  const [width, height] = [92, 20];
  const decades = Math.max(1, Math.log10(Math.max(1, ...counts) + 1));
  const step = width / Math.max(1, counts.length);
  const svg = s("svg", { class: "saew-spark", width, height, role: "img", "aria-label": label });
  counts.forEach((count, i) => {
    if (!count) return;
    const tall = Math.max(1, (height - 1) * (Math.log10(count + 1) / decades));
    svg.append(s("rect", { x: i * step, width: Math.max(1, step - 0.6), y: height - tall, height: tall, class: "saew-bar", style: { "--h": (0.25 + (0.75 * (i + 0.5)) / counts.length).toFixed(3) } }));
  });
  svg.append(s("line", { x1: 0, x2: width, y1: height - 0.5, y2: height - 0.5, class: "saew-axis" }));
  return svg;
}
