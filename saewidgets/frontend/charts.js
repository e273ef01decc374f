// The charts inside the instruments, as small SVG: no library travels with a notebook.

import { fixed, h, num, percent, responsive, s, say, whole } from "./dom.js";
import { glyphs } from "./tokens.js";

const CHART_TEXT = {
  histogram: "Histogram of {n} non-zero activations, from {low} to {high}. Most lie between {a} and {b}.",
  bin: "activation",
  tokens: "tokens",
  countAxis: "tokens (log scale)",
  noPoints: "no steps yet",
};

/** Counts in bins, on a logarithmic axis; each bar has the heat of its activation. */
export function histogramChart(histogram) {
  const { edges, counts } = histogram;
  const total = counts.reduce((a, b) => a + b, 0);
  const mode = counts.indexOf(Math.max(...counts));
  const label = total
    ? say(CHART_TEXT.histogram, { n: whole(total), low: num(edges[0]), high: num(edges.at(-1)), a: num(edges[mode]), b: num(edges[mode + 1]) })
    : CHART_TEXT.noPoints;
  const host = h("div", { class: "saew-chart" });
  const draw = (width) => {
    const [left, right, top, bottom, height] = [38, 8, 8, 24, 150];
    const [w, tall] = [width - left - right, height - top - bottom];
    const most = Math.max(1, ...counts);
    const decades = Math.max(1, Math.log10(most + 1));
    const y = (count) => top + tall * (1 - Math.log10(count + 1) / decades);
    const [low, high] = [edges[0], edges.at(-1)];
    const x = (value) => left + (w * (value - low)) / (high - low || 1);
    const grid = [1, 10, 100, 1000, 1e4, 1e5, 1e6, 1e7].filter((count) => count <= most);
    const svg = s("svg", { width, height, role: "img", "aria-label": label });
    for (const count of grid) {
      svg.append(
        s("line", { x1: left, x2: width - right, y1: y(count), y2: y(count), class: "saew-grid" }),
        s("text", { x: left - 6, y: y(count) + 4, class: "saew-tick", "text-anchor": "end" }, short(count)),
      );
    }
    counts.forEach((count, i) => {
      if (!count) return;
      const [x0, x1] = [x(edges[i]), x(edges[i + 1])];
      const bar = s("rect", {
        x: x0 + 0.5,
        width: Math.max(1, x1 - x0 - 1),
        y: y(count),
        height: top + tall - y(count),
        rx: 1.5,
        class: "saew-bar",
        "data-tip": "",
        style: { "--h": (0.25 + (0.75 * (edges[i] + edges[i + 1])) / 2 / (high || 1)).toFixed(3) },
      });
      bar.saewTip = [
        [CHART_TEXT.bin, `${num(edges[i])} – ${num(edges[i + 1])}`],
        [CHART_TEXT.tokens, `${whole(count)} (${percent(count / total)})`],
      ];
      svg.append(bar);
    });
    svg.append(s("line", { x1: left, x2: width - right, y1: top + tall + 0.5, y2: top + tall + 0.5, class: "saew-axis" }));
    for (const [value, anchor] of [[low, "start"], [(low + high) / 2, "middle"], [high, "end"]]) {
      svg.append(s("text", { x: x(value), y: height - 6, class: "saew-tick", "text-anchor": anchor }, num(value)));
    }
    host.replaceChildren(svg);
  };
  return { el: host, stop: responsive(host, draw) };
}

function short(count) {
  return count >= 1e6 ? `${count / 1e6}M` : count >= 1000 ? `${count / 1000}k` : String(count);
}

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
