// Pictures of one toy model: arrows in one, two or three dimensions, matrices, bars; and of several: dimensionality, loss.

import { s } from "../../shared/elements.js";
import { num, whole } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { direction, measures, rotation } from "./math.js";

const PICTURE_TEXT = {
  arrows: "{n} feature directions in {m} dimensions; longer than a half: {list}",
  none: "none",
  bars: "Length of each feature's direction: {list}",
  bar: "feature {i}: |W| {norm}, superposition {shared}, D {dimension}, bias {bias}",
  strip: "Feature dimensionality D of every feature, model by model; median {list}",
  stripTip: "feature {i} of model {model}: D = {value}",
  loss: "Loss by training step; at the end {list}",
  bill: "What the loss is made of, by the number of active features: {list}",
  billTip: "{k} active: {value} of the loss, {share} %",
  billOne: "1 active: {own} for features that do not come back whole, {others} for what they stir up in others",
  active: "active features",
};
const BOX = 200; // viewBox of the arrows, px
const FRACTIONS = [
  [1, "1"],
  [3 / 4, "3/4"],
  [2 / 3, "2/3"],
  [1 / 2, "1/2"],
  [2 / 5, "2/5"],
  [3 / 8, "3/8"],
];
const SEQUENCE = ["#43349c", "#7a4fb5", "#b5628f", "#d98a5a", "#e8b73f"]; // dark to light
const LABELED = 12; // with more features the arrows carry no numbers

/** The color of feature i of a model: that of its set; one of eight where these suffice; else a place on a scale. */
function featureColor(i, { n, setOf }) {
  if (setOf) return setOf[i] < 0 ? "var(--saew-d7)" : `var(--saew-d${(setOf[i] % 6) + 1})`;
  if (n <= 8) return `var(--saew-d${i + 1})`;
  const at = ((SEQUENCE.length - 1) * i) / (n - 1);
  const low = Math.min(SEQUENCE.length - 2, Math.floor(at));
  return `color-mix(in srgb, ${SEQUENCE[low + 1]} ${Math.round(100 * (at - low))}%, ${SEQUENCE[low]})`;
}

/** How far others share a direction, as a color: 0 is calm, 1 and more is hot. */
export const sharedColor = (value) =>
  `color-mix(in srgb, var(--up) ${Math.round(100 * Math.min(1, value))}%, var(--down))`;

/** Arrows of a model with one to three hidden dimensions. `turn` {yaw, pitch} is how a space is looked at. */
export function arrowPicture(model, { reach, turn, big }) {
  const { m, n } = model;
  const { norms } = measures(model);
  const c = BOX / 2;
  const scale = (c - 14) / reach;
  const around = rotation(turn.yaw, turn.pitch);
  const place = (v, i) => {
    if (m === 1)
      return [c + scale * v[0], c + (n > 1 ? (i / (n - 1) - 0.5) * Math.min(0.5 * BOX, 22 * (n - 1)) : 0), 0];
    if (m === 2) return [c + scale * v[0], c - scale * v[1], 0];
    const [x, y, z] = around.map((row) => row[0] * v[0] + row[1] * v[1] + row[2] * v[2]);
    return [c + scale * x, c - scale * y, z];
  };
  const seen = Array.from({ length: n }, (_, i) => i).filter((i) => norms[i] > 0.5);
  const svg = s("svg", {
    viewBox: `0 0 ${BOX} ${BOX}`,
    class: "saew-arrows",
    role: "img",
    "aria-label": say(PICTURE_TEXT.arrows, { n, m, list: seen.join(", ") || PICTURE_TEXT.none }),
  });
  const line = (a, b, attributes) =>
    s("line", { x1: a[0].toFixed(2), y1: a[1].toFixed(2), x2: b[0].toFixed(2), y2: b[1].toFixed(2), ...attributes });
  if (m === 1) {
    for (const at of [-1, 0, 1])
      svg.append(line([c + scale * at, 26], [c + scale * at, BOX - 26], { class: "saew-grid" }));
  } else svg.append(s("circle", { cx: c, cy: c, r: scale, class: "saew-unit" }));
  if (m === 2)
    svg.append(line([0, c], [BOX, c], { class: "saew-grid" }), line([c, 0], [c, BOX], { class: "saew-grid" }));
  if (m === 3)
    for (const axis of [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ])
      svg.append(line(place(axis.map((x) => -x)), place(axis), { class: "saew-grid" }));
  const tips = Array.from({ length: n }, (_, i) => place(direction(model, i), i));
  // A space is easier to see with the edges of its polytope: lines between the nearest tips.
  if (m === 3) for (const [i, j] of edges(model, seen)) svg.append(line(tips[i], tips[j], { class: "saew-edge" }));
  const order = tips.map((_, i) => i).sort((a, b) => tips[a][2] - tips[b][2]);
  for (const i of order) {
    const from = m === 1 ? [c, tips[i][1], 0] : [c, c, 0];
    const [dx, dy] = [tips[i][0] - from[0], tips[i][1] - from[1]];
    const length = Math.hypot(dx, dy);
    const far = m === 3 ? 0.55 + 0.45 * Math.max(0, Math.min(1, (tips[i][2] / reach + 1) / 2)) : 1;
    const style = { "--c": featureColor(i, model), opacity: far.toFixed(2) };
    const g = s("g", { class: "saew-feature", "data-feature": i, style });
    const width = big ? 2.2 : 3;
    g.append(line(from, tips[i], { "stroke-width": width, class: "saew-shaft" }));
    if (length > 8) {
      const [ux, uy] = [dx / length, dy / length];
      const k = big ? 8 : 10;
      const at = (a, b) => `${(tips[i][0] - a * ux - b * uy).toFixed(2)},${(tips[i][1] - a * uy + b * ux).toFixed(2)}`;
      g.append(s("path", { d: `M${at(-2, 0)}L${at(k, k / 2)}L${at(k, -k / 2)}Z`, class: "saew-head-of" }));
    } else g.append(s("circle", { cx: tips[i][0], cy: tips[i][1], r: big ? 2.4 : 3, class: "saew-head-of" }));
    if (n <= (big ? LABELED : 8) && length > 16) {
      const push = (big ? 9 : 11) / length;
      g.append(
        s(
          "text",
          {
            x: (tips[i][0] + dx * push).toFixed(1),
            y: (tips[i][1] + dy * push + (big ? 3.5 : 4.5)).toFixed(1),
            class: big ? "saew-arrow-number" : "saew-arrow-number saew-small-number",
            "text-anchor": "middle",
          },
          String(i),
        ),
      );
    }
    svg.append(g);
  }
  return svg;
}

/** Pairs of features whose tips are nearest neighbors, or nearly so. */
function edges(model, seen) {
  const at = seen.map((i) => direction(model, i));
  const gap = at.map((a) => at.map((b) => Math.hypot(...a.map((x, k) => x - b[k]))));
  const pairs = [];
  for (let i = 0; i < seen.length; i += 1) {
    const nearest = Math.min(...gap[i].filter((_, j) => j !== i));
    for (let j = 0; j < seen.length; j += 1)
      if (j !== i && gap[i][j] < 1.25 * nearest) pairs.push([Math.min(i, j), Math.max(i, j)].join());
  }
  return [...new Set(pairs)].map((pair) => pair.split(",").map((k) => seen[Number(k)]));
}

/** Lengths of a model's directions as bars, colored by how far others share them. */
export function barPicture(model, width, { reach, tell }) {
  const { n } = model;
  const { norms, superposition, dimensionality } = measures(model);
  const tall = Math.max(4, Math.min(22, Math.floor(320 / n)));
  const [left, right] = [26, 44];
  const height = n * tall + 16;
  const x = (value) => left + ((width - left - right) * value) / reach;
  const svg = s("svg", {
    width,
    height,
    role: "img",
    "aria-label": say(PICTURE_TEXT.bars, { list: Array.from(norms, (v) => num(v, 2)).join(", ") }),
  });
  svg.append(
    s("line", { x1: x(1), x2: x(1), y1: 0, y2: n * tall, class: "saew-grid" }),
    s("text", { x: x(1), y: height - 3, class: "saew-tick", "text-anchor": "middle" }, "1"),
    s("text", { x: x(0), y: height - 3, class: "saew-tick", "text-anchor": "middle" }, "0"),
  );
  for (let i = 0; i < n; i += 1) {
    const y = i * tall;
    const bar = s("g", {});
    bar.append(
      s("rect", { x: 0, width, y, height: tall, fill: "transparent" }),
      s("rect", {
        x: left,
        width: Math.max(1, x(norms[i]) - left),
        y: y + tall * 0.14,
        height: tall * 0.72,
        rx: 2,
        style: { fill: sharedColor(superposition[i]) },
      }),
    );
    if (tall >= 11) {
      bar.append(
        s("text", { x: left - 6, y: y + tall / 2 + 4, class: "saew-tick", "text-anchor": "end" }, String(i)),
        s(
          "text",
          { x: width - right + 40, y: y + tall / 2 + 4, class: "saew-tick", "text-anchor": "end" },
          norms[i].toFixed(2),
        ),
      );
    }
    bar.addEventListener("pointerenter", () =>
      tell(
        say(PICTURE_TEXT.bar, {
          i,
          norm: num(norms[i]),
          shared: num(superposition[i]),
          dimension: num(dimensionality[i]),
          bias: num(model.b[i]),
        }),
      ),
    );
    bar.addEventListener("pointerleave", () => tell(""));
    svg.append(bar);
  }
  return svg;
}

/** Feature dimensionality of several models side by side; the dashed lines are the shares of a dimension in known polytopes. */
export function stripPicture(models, names, selected, width, { tell, choose }) {
  const [left, right, top, bottom, height] = [34, 34, 10, 26, 250];
  const y = (value) => top + (height - top - bottom) * (1 - Math.min(1.08, value) / 1.08);
  const band = (width - left - right) / models.length;
  const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
  const all = models.map((model) => measures(model));
  const svg = s("svg", {
    width,
    height,
    role: "img",
    "aria-label": say(PICTURE_TEXT.strip, { list: all.map((one) => num(median(one.dimensionality), 2)).join(", ") }),
  });
  for (const [value, label] of FRACTIONS) {
    svg.append(
      s("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: "saew-fraction" }),
      s(
        "text",
        { x: width - right + 5, y: y(value) + (value === 3 / 8 ? 10 : value === 2 / 3 ? 7 : 4), class: "saew-tick" },
        label,
      ),
    );
  }
  for (const value of [0, 0.5, 1])
    svg.append(s("text", { x: left - 6, y: y(value) + 4, class: "saew-tick", "text-anchor": "end" }, String(value)));
  svg.append(s("line", { x1: left, x2: width - right, y1: y(0), y2: y(0), class: "saew-axis" }));
  all.forEach(({ dimensionality, perFeature }, j) => {
    const middle = left + band * (j + 0.5);
    const n = dimensionality.length;
    const column = s("g", { class: j === selected ? "saew-strip-column saew-chosen" : "saew-strip-column" });
    column.append(
      s("rect", {
        x: middle - band / 2 + 1,
        width: band - 2,
        y: top - 4,
        height: height - top - bottom + 8,
        class: "saew-strip-back",
      }),
    );
    if (perFeature <= 1.08)
      column.append(
        s("line", {
          x1: middle - band * 0.42,
          x2: middle + band * 0.42,
          y1: y(perFeature),
          y2: y(perFeature),
          class: "saew-star",
        }),
      );
    dimensionality.forEach((value, i) => {
      const dot = s("circle", {
        cx: middle + (n > 1 ? (i / (n - 1) - 0.5) * band * 0.6 : 0),
        cy: y(value),
        r: n > 24 ? 2.2 : 3.6,
        class: "saew-strip-dot",
        style: { "--c": featureColor(i, models[j]) },
      });
      dot.addEventListener("pointerenter", () =>
        tell(say(PICTURE_TEXT.stripTip, { i, model: names[j], value: num(value) })),
      );
      dot.addEventListener("pointerleave", () => tell(""));
      column.append(dot);
    });
    column.append(
      s(
        "text",
        { x: middle, y: height - 8, class: "saew-tick", "text-anchor": "middle" },
        names.length > 5 ? names[j].replace(/^0\./, ".") : names[j],
      ),
    );
    column.addEventListener("click", () => choose(j));
    svg.append(column);
  });
  return svg;
}

/** Loss of each model by step, both axes logarithmic; `seek(snapshot)` is called where the person clicks or drags. */
export function lossPicture(steps, losses, selected, snapshot, width, { seek }) {
  const [left, right, top, bottom, height] = [46, 10, 10, 24, 250];
  const log = (value) => Math.log10(Math.max(value, 1e-9));
  const flat = losses.flat().filter((value) => value > 0);
  const [low, high] = [log(Math.min(...flat)), Math.max(log(Math.max(...flat)), log(Math.min(...flat)) + 0.1)];
  const y = (value) => top + (height - top - bottom) * (1 - (log(value) - low) / (high - low));
  const end = Math.log10(1 + steps.at(-1)) || 1;
  const x = (step) => left + ((width - left - right) * Math.log10(1 + step)) / end;
  const svg = s("svg", {
    width,
    height,
    class: "saew-seek",
    role: "img",
    "aria-label": say(PICTURE_TEXT.loss, {
      list: losses
        .at(-1)
        .map((v) => num(v, 2))
        .join(", "),
    }),
  });
  for (let decade = Math.ceil(low); decade <= high; decade += 1) {
    svg.append(
      s("line", { x1: left, x2: width - right, y1: y(10 ** decade), y2: y(10 ** decade), class: "saew-grid" }),
      s("text", { x: left - 6, y: y(10 ** decade) + 4, class: "saew-tick", "text-anchor": "end" }, num(10 ** decade)),
    );
  }
  for (let step = 1; step <= steps.at(-1); step *= 10)
    svg.append(s("text", { x: x(step), y: height - 6, class: "saew-tick", "text-anchor": "middle" }, whole(step)));
  const count = losses[0].length;
  for (let i = 0; i < count; i += 1) {
    const path = losses.map((row, t) => `${t ? "L" : "M"}${x(steps[t]).toFixed(1)},${y(row[i]).toFixed(1)}`).join("");
    svg.append(
      s("path", {
        d: path,
        class: i === selected ? "saew-line saew-chosen" : "saew-line",
        style: { stroke: "var(--ink)", opacity: i === selected ? 1 : 0.28, "stroke-width": i === selected ? 2.4 : 1.2 },
      }),
    );
  }
  svg.append(
    s("line", { x1: x(steps[snapshot]), x2: x(steps[snapshot]), y1: top, y2: height - bottom, class: "saew-now" }),
    s("circle", { cx: x(steps[snapshot]), cy: y(losses[snapshot][selected]), r: 4.5, class: "saew-now-dot" }),
  );
  const nearest = (event) => {
    const at = event.clientX - svg.getBoundingClientRect().left;
    seek(steps.reduce((best, step, t) => (Math.abs(x(step) - at) < Math.abs(x(steps[best]) - at) ? t : best), 0));
  };
  svg.addEventListener("pointerdown", nearest);
  svg.addEventListener("pointermove", (event) => event.buttons === 1 && nearest(event));
  return svg;
}

/** What one model's loss is made of: bars over the number of active features, that of a single one in two parts. */
export function billPicture(bill, width, { tell }) {
  const total = bill.flat().reduce((a, b) => a + b, 0) || 1;
  let last = bill.length - 1; // leave out the tail that cannot be seen
  while (last > 2 && bill[last][0] + bill[last][1] < 0.002 * total) last -= 1;
  const shown = bill.slice(0, last + 1);
  const [left, right, top, bottom, height] = [34, 8, 10, 36, 250];
  const most = Math.max(...shown.map(([a, b]) => a + b)) || 1;
  const y = (value) => top + (height - top - bottom) * (1 - value / most);
  const band = (width - left - right) / shown.length;
  const sum = (k) => bill[k][0] + bill[k][1];
  const svg = s("svg", {
    width,
    height,
    role: "img",
    "aria-label": say(PICTURE_TEXT.bill, { list: shown.map((_, k) => num(sum(k), 2)).join(", ") }),
  });
  for (const value of [0, most / 2, most])
    svg.append(
      s("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: "saew-grid" }),
      s("text", { x: left - 5, y: y(value) + 4, class: "saew-tick", "text-anchor": "end" }, num(value, 2)),
    );
  shown.forEach(([own, others], k) => {
    const x = left + band * (k + 0.15);
    const column = s(
      "g",
      {},
      s("rect", { x: left + band * k, width: band, y: top, height: height - top - bottom, fill: "transparent" }),
    );
    column.append(
      s("rect", { x, width: band * 0.7, y: y(own), height: y(0) - y(own), style: { fill: "var(--down)" } }),
      s("rect", { x, width: band * 0.7, y: y(own + others), height: y(0) - y(others), style: { fill: "var(--up)" } }),
    );
    if (band > 14 || k % 2 === 0)
      column.append(
        s(
          "text",
          { x: left + band * (k + 0.5), y: height - bottom + 14, class: "saew-tick", "text-anchor": "middle" },
          String(k),
        ),
      );
    const words =
      k === 1
        ? say(PICTURE_TEXT.billOne, { own: num(own), others: num(others) })
        : say(PICTURE_TEXT.billTip, { k, value: num(own + others), share: num((100 * (own + others)) / total, 2) });
    column.addEventListener("pointerenter", () => tell(words));
    column.addEventListener("pointerleave", () => tell(""));
    svg.append(column);
  });
  svg.append(
    s(
      "text",
      { x: left + (width - left - right) / 2, y: height - 4, class: "saew-tick", "text-anchor": "middle" },
      PICTURE_TEXT.active,
    ),
  );
  return svg;
}
