// The charts of a training as small SVG: curves of several runs, how often features fire, and L0 against unexplained variance.

import { h, responsive, s } from "../../shared/elements.js";
import { edgesOf } from "../../shared/histograms.js";
import { num, whole } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";

const RUN_TEXT = {
  curve: "{name}: {value} at step {step}",
  curves: "{name}, {n} runs; {run}: {value} at step {step}",
  none: "{name}: no steps yet",
  step: "step",
  density:
    "How often features fire: {n} features fired, most of them at between {a} and {b} of tokens; {silent} never did.",
  densityNone: "How often features fire: not known yet",
  densityTitle: "How often features fire",
  silent: "{n} silent",
  features: "features",
  share: "share of tokens (log scale)",
  frontier: "Unexplained variance against active features. {points}",
  point: "{name}: {l0} active, {fvu} unexplained{front}.",
  front: ", on the front",
  l0: "active features per token",
  fvu: "variance unexplained",
};

/** Round levels between `low` and `high`, about `n` of them. */
function levels(low, high, n = 3) {
  const rough = (high - low) / n || 1;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((m) => m * size >= rough) * size;
  const first = Math.ceil(low / step - 1e-9);
  return [...Array(Math.max(0, Math.floor(high / step + 1e-9) - first + 1)).keys()].map((i) => (first + i) * step);
}

function logLevels(low, high) {
  const every = [...Array(25).keys()].map((d) => d - 12).flatMap((d) => [1, 2, 5].map((m) => m * 10 ** d));
  const inside = every.filter((v) => v >= 10 ** low * 0.999 && v <= 10 ** high * 1.001);
  const stride = Math.ceil(inside.length / 4);
  return inside.filter((_, i) => i % stride === 0);
}

/** Live curves of one number: update([{name, color, points: [[step, value], ...], chosen}]). A null value is a gap. */
export function runChart(name, { format = num, log = false, height = 128 } = {}) {
  const value = h("span", { class: "saew-curve-value" }, "–");
  const plot = h("div", { class: "saew-chart" });
  const el = h("figure", { class: "saew-curve" }, h("figcaption", {}, h("span", {}, name), value), plot);
  let runs = [];
  let width = 0;
  const draw = () => {
    const [left, right, top, bottom] = [46, 10, 8, 20];
    const good = ([, v]) => v !== null && v !== undefined && (!log || v > 0);
    const front = runs.find((run) => run.chosen) ?? runs[0];
    const last = front?.points.filter(good).at(-1);
    const seen = runs.flatMap((run) => run.points.filter(good));
    value.textContent = last ? format(last[1]) : "–";
    const label = last
      ? say(runs.length > 1 ? RUN_TEXT.curves : RUN_TEXT.curve, {
          name,
          n: runs.length,
          run: front.name,
          value: format(last[1]),
          step: whole(last[0]),
        })
      : say(RUN_TEXT.none, { name });
    const svg = s("svg", { width, height, role: "img", "aria-label": label });
    if (seen.length) {
      const scale = log ? Math.log10 : (v) => v;
      let [low, high] = seen.reduce(
        ([a, b], [, v]) => [Math.min(a, scale(v)), Math.max(b, scale(v))],
        [Infinity, -Infinity],
      );
      if (!log) low = Math.min(low, 0);
      if (high - low < 1e-12) high = low + (log ? 0.1 : Math.abs(low) || 1);
      const steps = seen.map(([step]) => step);
      const [first, end] = [Math.min(...steps), Math.max(...steps, Math.min(...steps) + 1)];
      const x = (step) => left + ((width - left - right) * (step - first)) / (end - first);
      const y = (v) => top + (height - top - bottom) * (1 - (scale(v) - low) / (high - low));
      for (const level of log ? logLevels(low, high) : levels(low, high)) {
        svg.append(
          s("line", { x1: left, x2: width - right, y1: y(level), y2: y(level), class: "saew-grid" }),
          s("text", { x: left - 6, y: y(level) + 4, class: "saew-tick", "text-anchor": "end" }, format(level, 2)),
        );
      }
      for (const run of [...runs.filter((r) => r !== front), front]) {
        let path = "";
        let pen = "M";
        for (const point of run.points) {
          if (!good(point)) pen = "M";
          else {
            path += `${pen}${x(point[0]).toFixed(1)},${y(point[1]).toFixed(1)}`;
            pen = "L";
          }
        }
        svg.append(
          s("path", {
            d: path,
            class: run === front ? "saew-line" : "saew-line saew-behind",
            style: { stroke: run.color },
          }),
        );
      }
      if (last) svg.append(s("circle", { cx: x(last[0]), cy: y(last[1]), r: 3.5, style: { fill: front.color } }));
      svg.append(
        s("text", { x: left, y: height - 4, class: "saew-tick" }, whole(first)),
        s(
          "text",
          { x: width - right, y: height - 4, class: "saew-tick", "text-anchor": "end" },
          `${RUN_TEXT.step} ${whole(end)}`,
        ),
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
      runs = next;
      if (width) draw();
    },
  };
}

/** How many features fire how often: update(density, color) with {edges, counts, silent} in log10 of the share of tokens. */
export function densityChart() {
  const value = h("span", { class: "saew-curve-value" }, "–");
  const plot = h("div", { class: "saew-chart" });
  const el = h(
    "figure",
    { class: "saew-curve" },
    h("figcaption", {}, h("span", {}, RUN_TEXT.densityTitle), value),
    plot,
  );
  let [width, density, color] = [0, null, ""];
  const power = (e) =>
    e === 0 ? "1" : `10${[...String(e)].map((c) => ({ "-": "⁻" })[c] ?? "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]).join("")}`;
  const draw = () => {
    const [left, right, top, bottom, height] = [46, 10, 8, 20, 128];
    value.textContent = density ? say(RUN_TEXT.silent, { n: whole(density.silent) }) : "–";
    let label = RUN_TEXT.densityNone;
    const svg = s("svg", { width, height, role: "img" });
    if (density) {
      const { counts, silent } = density;
      const edges = edgesOf(density);
      const n = counts.reduce((a, b) => a + b, 0);
      const mode = counts.indexOf(Math.max(...counts));
      label = say(RUN_TEXT.density, {
        n: whole(n),
        a: num(10 ** edges[mode], 2),
        b: num(10 ** edges[mode + 1], 2),
        silent: whole(silent),
      });
      const most = Math.max(1, ...counts);
      const x = (e) => left + ((width - left - right) * (e - edges[0])) / (edges.at(-1) - edges[0]);
      const y = (count) => top + (height - top - bottom) * (1 - count / most);
      for (const level of levels(0, most, 2)) {
        svg.append(
          s("line", { x1: left, x2: width - right, y1: y(level), y2: y(level), class: "saew-grid" }),
          s("text", { x: left - 6, y: y(level) + 4, class: "saew-tick", "text-anchor": "end" }, whole(level)),
        );
      }
      counts.forEach((count, i) => {
        if (!count) return;
        const [a, b] = [x(edges[i]), x(edges[i + 1])];
        const bar = s("rect", {
          x: a + 0.5,
          width: Math.max(1, b - a - 1),
          y: y(count),
          height: height - bottom - y(count),
          rx: 1,
          style: { fill: color },
        });
        bar.append(
          s(
            "title",
            {},
            `${whole(count)} ${RUN_TEXT.features}: ${num(10 ** edges[i], 2)} – ${num(10 ** edges[i + 1], 2)}`,
          ),
        );
        svg.append(bar);
      });
      svg.append(
        s("line", {
          x1: left,
          x2: width - right,
          y1: height - bottom + 0.5,
          y2: height - bottom + 0.5,
          class: "saew-axis",
        }),
      );
      for (let e = edges[0]; e <= edges.at(-1); e += 2) {
        svg.append(
          s(
            "text",
            { x: x(e), y: height - 5, class: "saew-tick", "text-anchor": e === edges.at(-1) ? "end" : "middle" },
            power(e),
          ),
        );
      }
    }
    svg.setAttribute("aria-label", label);
    plot.replaceChildren(svg);
  };
  const stop = responsive(plot, (w) => {
    width = w;
    draw();
  });
  return {
    el,
    stop,
    update(next, fill) {
      [density, color] = [next, fill];
      if (width) draw();
    },
  };
}

/** L0 against unexplained variance, one numbered point a run and the Pareto front; pick(name) is called with a clicked one. */
export function frontierChart(pick) {
  const plot = h("div", { class: "saew-chart" });
  const el = h("figure", { class: "saew-frontier" }, plot);
  let [width, runs] = [0, []];
  const draw = () => {
    const [left, right, top, bottom, height] = [56, 18, 14, 40, 280];
    const known = runs.filter((run) => run.l0 !== null && run.fvu !== null);
    const points = known.map((run) =>
      say(RUN_TEXT.point, {
        name: run.name,
        l0: num(run.l0),
        fvu: num(run.fvu),
        front: run.front ? RUN_TEXT.front : "",
      }),
    );
    const svg = s("svg", {
      width,
      height,
      role: "img",
      "aria-label": say(RUN_TEXT.frontier, { points: points.join(" ") }),
    });
    if (known.length) {
      const xs = known.map((run) => run.l0);
      const ys = known.map((run) => run.fvu);
      const wide = Math.max(...xs) * 1.12 || 1;
      const most = Math.max(...ys) * 1.12 || 1;
      const x = (v) => left + ((width - left - right) * v) / wide;
      const y = (v) => top + (height - top - bottom) * (1 - v / most);
      for (const level of levels(0, most, 4)) {
        svg.append(
          s("line", { x1: left, x2: width - right, y1: y(level), y2: y(level), class: "saew-grid" }),
          s("text", { x: left - 6, y: y(level) + 4, class: "saew-tick", "text-anchor": "end" }, num(level, 2)),
        );
      }
      for (const level of levels(0, wide, 5)) {
        svg.append(
          s("line", { x1: x(level), x2: x(level), y1: top, y2: height - bottom, class: "saew-grid" }),
          s("text", { x: x(level), y: height - bottom + 16, class: "saew-tick", "text-anchor": "middle" }, num(level)),
        );
      }
      const front = known.filter((run) => run.front).sort((a, b) => a.l0 - b.l0 || a.fvu - b.fvu);
      if (front.length > 1)
        svg.append(
          s("path", {
            d: `M${front.map((run) => `${x(run.l0).toFixed(1)},${y(run.fvu).toFixed(1)}`).join("L")}`,
            class: "saew-line saew-front",
          }),
        );
      const order = [...known.filter((run) => !run.chosen), ...known.filter((run) => run.chosen)];
      for (const run of order) {
        const mark = s(
          "g",
          {
            class: `saew-point${run.chosen ? " saew-chosen" : ""}${run.failed ? " saew-failed" : ""}`,
            transform: `translate(${x(run.l0).toFixed(1)},${y(run.fvu).toFixed(1)})`,
            onclick: () => pick(run.name),
          },
          s("circle", {
            r: run.chosen ? 11 : 9,
            style: { fill: run.front && !run.failed ? run.color : "var(--card)", stroke: run.color },
          }),
          s(
            "text",
            {
              y: 4,
              "text-anchor": "middle",
              class: run.front && !run.failed ? "saew-in" : "",
              style: { "--on": run.color.replace("--saew-d", "--saew-on") },
            },
            run.failed ? "×" : String(run.number),
          ),
          s("title", {}, `${run.name}: L0 ${num(run.l0)}, FVU ${num(run.fvu)}`),
        );
        svg.append(mark);
      }
    }
    svg.append(
      s(
        "text",
        { x: (left + width - right) / 2, y: height - 6, class: "saew-tick", "text-anchor": "middle" },
        RUN_TEXT.l0,
      ),
      s(
        "text",
        {
          transform: `translate(13,${(top + height - bottom) / 2}) rotate(-90)`,
          class: "saew-tick",
          "text-anchor": "middle",
        },
        RUN_TEXT.fvu,
      ),
    );
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
      runs = next;
      if (width) draw();
    },
  };
}
