// One measure of a dose-response against the strength, as SVG: a line a kind, its 95 % band, the window, and the point in hand.

import { h, num, percent, responsive, s, say } from "./dom.js";

const DOSE_CHART_TEXT = {
  label: "{name}. {kind} at {multiple}×: {value}.",
  none: "not measured",
  interval: "{value} ({low} to {high})",
  strength: "strength",
};
const LEVELS = [...Array(14).keys()].map((d) => d - 2).flatMap((d) => [1, 2, 5].map((x) => x * 10 ** d));
const STEPS = [-100, -50, -20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20, 50, 100];

/** A place on the axis of strengths: near 1 and at 10 both are seen. */
const root = (m) => Math.sign(m) * Math.sqrt(Math.abs(m));

/** Levels from 0 to `high` in round steps, three or four of them. */
function evenly(high) {
  const rough = high / 3;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((n) => n * size >= rough) * size;
  return [...Array(5).keys()].map((i) => i * step).filter((v) => v <= high * (1 + 1e-9));
}

/** The outline of a mark around (x, y): kinds differ in shape, not in color alone. */
export function markPath(symbol, x, y, r) {
  const poly = (...points) => `M${points.map(([a, b]) => `${(x + r * a).toFixed(1)},${(y + r * b).toFixed(1)}`).join("L")}Z`;
  if (symbol === "square") return poly([-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]);
  if (symbol === "diamond") return poly([0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]);
  if (symbol === "triangle-up") return poly([0, -1.2], [1.2, 1], [-1.2, 1]);
  if (symbol === "x") return poly([-1.2, -0.7], [-0.7, -1.2], [0, -0.5], [0.7, -1.2], [1.2, -0.7], [0.5, 0], [1.2, 0.7], [0.7, 1.2], [0, 0.5], [-0.7, 1.2], [-1.2, 0.7], [-0.5, 0]);
  if (symbol === "star") return poly(...[...Array(10).keys()].map((i) => [Math.sin((i * Math.PI) / 5), -Math.cos((i * Math.PI) / 5)].map((v) => v * (i % 2 ? 0.6 : 1.4))));
  if (symbol === "line-ew") return poly([-1.3, -0.35], [1.3, -0.35], [1.3, 0.35], [-1.3, 0.35]);
  return `M${x - r},${y}a${r},${r} 0 1 0 ${2 * r},0a${r},${r} 0 1 0 ${-2 * r},0Z`;
}

/** A measure in words, with its interval where there is one. */
export function doseWords(measure, [value, low, high]) {
  const say1 = measure.share ? percent : num;
  if (value === null) return DOSE_CHART_TEXT.none;
  return low === null ? say1(value) : say(DOSE_CHART_TEXT.interval, { value: say1(value), low: say1(low), high: say1(high) });
}

/**
 * A chart of one measure. `points` are rows as payload.dose_points makes them, `kinds` {kind: {name, color, symbol}},
 * `measure` {column, name, log, share, bound}, `shade` the usable window or null; pick(key) is called with a point's key.
 */
export function doseChart({ points, kinds, measure, shade, pick }) {
  const plot = h("div", { class: "saew-chart" });
  const el = h("figure", { class: "saew-dose" }, h("figcaption", {}, measure.name), plot);
  const scale = measure.log ? Math.log10 : (v) => v;
  const good = (v) => v !== null && (!measure.log || v > 0);
  const values = points.flatMap((p) => p[measure.column]).filter(good);
  if (measure.bound !== null) values.push(measure.bound);
  const strengths = points.map((p) => p.multiple);
  const [first, last] = [Math.min(0, ...strengths), Math.max(1, ...strengths)];
  let [low, high] = values.reduce(([a, b], v) => [Math.min(a, scale(v)), Math.max(b, scale(v))], [Infinity, -Infinity]);
  if (measure.share) [low, high] = [0, 1];
  else if (!measure.log) low = Math.min(low, 0);
  if (!(high - low > 1e-9)) [low, high] = [Number.isFinite(low) ? low : 0, (Number.isFinite(low) ? low : 0) + 1];
  let width = 0;
  let chosen = null; // the row in hand

  const draw = () => {
    const height = 180;
    const [left, right, top, bottom] = [46, 12, 8, 24];
    const x = (m) => left + ((width - left - right) * (root(m) - root(first))) / (root(last) - root(first));
    const y = (v) => top + (height - top - bottom) * (1 - (scale(v) - low) / (high - low));
    const words = chosen ? say(DOSE_CHART_TEXT.label, { name: measure.name, kind: kinds[chosen.kind].name, multiple: num(chosen.multiple), value: doseWords(measure, chosen[measure.column]) }) : measure.name;
    const svg = s("svg", { width, height, role: "img", "aria-label": words });
    const levels = measure.share ? [0, 0.5, 1] : measure.log ? LEVELS.filter((v) => scale(v) >= low - 1e-9 && scale(v) <= high + 1e-9) : evenly(high);
    if (shade) svg.append(s("rect", { class: "saew-dose-window", x: x(shade[0]) - 4, width: x(shade[1]) - x(shade[0]) + 8, y: top, height: height - top - bottom, rx: 3 }));
    const decades = levels.filter((v) => /^1/.test(v.toExponential()));
    const thin = decades.filter((_, i) => i % Math.ceil(decades.length / 5) === 0);
    for (const v of measure.log && levels.length > 6 ? thin : levels) {
      svg.append(s("line", { class: "saew-grid", x1: left, x2: width - right, y1: y(v), y2: y(v) }), s("text", { class: "saew-tick", x: left - 6, y: y(v) + 4, "text-anchor": "end" }, measure.share ? percent(v) : v >= 1e4 ? v.toExponential().replace("e+", "e") : num(v, 2)));
    }
    for (const m of STEPS.filter((v) => v >= first && v <= last)) svg.append(s("text", { class: "saew-tick", x: x(m), y: height - 6, "text-anchor": "middle" }, `${num(m)}×`));
    if (measure.bound !== null) svg.append(s("line", { class: "saew-dose-bound", x1: left, x2: width - right, y1: y(measure.bound), y2: y(measure.bound) }));
    if (chosen) svg.append(s("line", { class: "saew-dose-cursor", x1: x(chosen.multiple), x2: x(chosen.multiple), y1: top, y2: height - bottom }));
    const marks = [];
    for (const kind of [...Object.keys(kinds)].sort((a, b) => (a === chosen?.kind) - (b === chosen?.kind))) {
      const rows = points.filter((p) => p.kind === kind);
      const level = rows.length === 1;
      const style = { "--c": `var(${kinds[kind].color})` };
      const line = (cls, path) => svg.append(s("path", { class: `saew-dose-${cls}`, d: path, style }));
      if (level && good(rows[0][measure.column][0])) line("line saew-dose-level", `M${left},${y(rows[0][measure.column][0])}H${width - right}`);
      if (!level) {
        const solid = rows.filter((p) => good(p[measure.column][1]) && good(p[measure.column][2]));
        if (solid.length > 1) line("band", `M${[...solid.map((p) => [p, 2]), ...solid.toReversed().map((p) => [p, 1])].map(([p, i]) => `${x(p.multiple).toFixed(1)},${y(p[measure.column][i]).toFixed(1)}`).join("L")}Z`);
        let [path, pen] = ["", "M"];
        for (const p of rows) {
          const v = p[measure.column][0];
          if (good(v)) [path, pen] = [`${path}${pen}${x(p.multiple).toFixed(1)},${y(v).toFixed(1)}`, "L"];
          else pen = "M";
        }
        line(kind === chosen?.kind ? "line saew-dose-strong" : "line", path);
      }
      for (const p of rows) {
        const v = p[measure.column][0];
        if (!good(v)) continue;
        const here = p === chosen;
        const mark = s("path", { class: here ? "saew-dose-mark saew-dose-chosen" : "saew-dose-mark", d: markPath(kinds[kind].symbol, x(p.multiple), y(v), here ? 6 : 4), style, "data-tip": "" });
        mark.saewTip = [[kinds[kind].name, ""], [DOSE_CHART_TEXT.strength, `${num(p.multiple)}×`], [measure.name, doseWords(measure, p[measure.column])]];
        svg.append(mark);
        marks.push([x(p.multiple), y(v), p.key]);
      }
    }
    svg.append(s("line", { class: "saew-axis", x1: left, x2: width - right, y1: height - bottom + 0.5, y2: height - bottom + 0.5 }));
    svg.addEventListener("click", (event) => {
      const box = svg.getBoundingClientRect();
      const far = ([a, b]) => Math.hypot(a - event.clientX + box.left, b - event.clientY + box.top);
      if (marks.length) pick(marks.reduce((best, mark) => (far(mark) <= far(best) ? mark : best))[2]); // the one drawn on top
    });
    plot.replaceChildren(svg);
  };
  const stop = responsive(plot, (w) => {
    width = w;
    draw();
  });
  return {
    el,
    stop,
    update(row) {
      chosen = row;
      if (width) draw();
    },
  };
}
