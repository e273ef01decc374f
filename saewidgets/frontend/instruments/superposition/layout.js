// Where the nodes of a graph of features stand: its connected parts side by side, each polytope in its own shape.

import { dot, EDGE } from "./graph.js";
import { cosine, direction } from "./math.js";

/** @import { Toy } from "./math.js" */
/** @import { Graph, Part } from "./graph.js" */
/** @typedef {[x: number, y: number]} Spot */

// At scale 1.
const RADII = { single: 4, digon: 10, triangle: 14, tetrahedron: 20, pentagon: 18, "square antiprism": 25 };
const [GAP, WIDER] = [7, 9]; // px between two parts, and more of it per scale
const PULL = 0.35; // of an edge, against the push of two features
const DOT = 9; // px from one feature that is left out to the next
const [LARGEST, SMALLEST] = [6.5, 0.35]; // scale
const around = (/** @type {number} */ k, /** @type {number} */ n, offset = 0, r = 1) =>
  /** @type {Spot} */ ([
    r * Math.sin((2 * Math.PI * (k + offset)) / n),
    -r * Math.cos((2 * Math.PI * (k + offset)) / n),
  ]);

/**
 * The place of every feature, and the height of the whole: as large as `most` px allow. The same graph and width give
 * the same places.
 *
 * @param {Toy} model
 * @param {Graph} graph
 * @param {number} width
 * @param {number} most
 * @returns {{ spots: Spot[], height: number, scale: number }}
 */
export function layoutOf(model, graph, width, most) {
  const shapes = graph.parts.map((part) => ({
    spots: shapeOf(model, part),
    radius: radiusOf(part),
    part,
    flat: part.rank < 2,
  }));
  const columns = Math.max(1, Math.floor(width / DOT));
  const below = graph.left.length ? DOT * (1 + Math.ceil(graph.left.length / columns)) : 0;
  /** @type {Spot[]} */
  const spots = Array(model.n).fill([0, 0]);
  let scale = LARGEST;
  let height = 0;
  for (; ; scale *= 0.92) {
    const gap = GAP + WIDER * scale;
    /** @type {{ parts: typeof shapes, x: number, tall: number }[]} */
    const rows = [];
    for (const shape of shapes) {
      const side = 2 * shape.radius * scale + gap;
      let row = rows.at(-1);
      if (!row || row.x + side > width) {
        row = { parts: [], x: 0, tall: 0 };
        rows.push(row);
      }
      row.parts.push(shape);
      row.x += side;
      row.tall = Math.max(row.tall, shape.flat ? (side + gap) / 2 : side);
    }
    height = 0;
    for (const { parts, tall } of rows) {
      let x = 0;
      for (const { spots: own, radius, part } of parts) {
        const side = 2 * radius * scale + gap;
        for (const [k, i] of part.features.entries())
          spots[i] = [x + side / 2 + own[k][0] * radius * scale, height + tall / 2 + own[k][1] * radius * scale];
        x += side;
      }
      height += tall;
    }
    if ((height + below <= most && rows.every(({ x }) => x <= width)) || scale < SMALLEST) break;
  }
  for (const [k, i] of graph.left.entries())
    spots[i] = [DOT * ((k % columns) + 0.5), height + DOT * (1 + Math.floor(k / columns))];
  return { spots, height: height + below, scale };
}

/** @param {Part} part */
const radiusOf = ({ kind, features }) =>
  kind in RADII ? RADII[/** @type {keyof typeof RADII} */ (kind)] : 10 * Math.sqrt(features.length);

/**
 * Places of a part's features, in a circle of radius 1.
 *
 * @param {Toy} model
 * @param {Part} part
 * @returns {Spot[]}
 */
function shapeOf(model, part) {
  const before = known.get(part);
  const spots = before ?? shaped(model, part);
  if (!before) known.set(part, spots);
  return spots;
}

/** @type {WeakMap<Part, Spot[]>} */
const known = new WeakMap();

/** @param {Toy} model @param {Part} part @returns {Spot[]} */
function shaped(model, { kind, features, axes }) {
  const between = (/** @type {number} */ a, /** @type {number} */ b) => cosine(model, features[a], features[b]);
  const all = [...features.keys()];
  if (kind === "single") return [[0, 0]];
  if (kind === "tetrahedron") return all.map((k) => (k ? around(k - 1, 3) : [0, 0]));
  if (kind === "square antiprism") return antiprism(all, between);
  if (kind === "other" || kind.endsWith("simplex")) return springs(all, between);
  const angles = features.map((i) => {
    const [x, y = 0] = axes.map((axis) => dot(direction(model, i), axis));
    return Math.atan2(y, x);
  });
  const order = [...all].sort((i, j) => angles[i] - angles[j]);
  return all.map((k) => around(order.indexOf(k), all.length, all.length === 2 ? 0.5 : 0));
}

/**
 * A square inside another that is turned by an eighth. Each feature is far (cosine -0.80) from two of the other square,
 * three eighths of a turn away to either side: a walk from one far one to the next comes by all eight.
 *
 * @param {number[]} all
 * @param {(i: number, j: number) => number} between the cosine of two
 * @returns {Spot[]}
 */
function antiprism(all, between) {
  const walk = [0];
  while (walk.length < all.length) {
    const rest = all.filter((i) => !walk.includes(i));
    const costs = rest.map((i) => between(walk[walk.length - 1], i));
    walk.push(rest[costs.indexOf(Math.min(...costs))]);
  }
  return all.map((i) => around(3 * walk.indexOf(i), 8, 0, walk.indexOf(i) % 2 ? 1 : 0.5));
}

/**
 * Features that interfere draw together, all push apart: from a spiral, with a fixed number of steps (Fruchterman and
 * Reingold 1991).
 *
 * @param {number[]} all
 * @param {(i: number, j: number) => number} between the cosine of two
 * @returns {Spot[]}
 */
function springs(all, between) {
  const n = all.length;
  const rest = 2 / Math.sqrt(n);
  const pull = new Float64Array(n * n);
  for (const i of all) for (const j of all) pull[i * n + j] = Math.abs(between(i, j)) > EDGE ? PULL / rest : 0;
  const start = all.map((i) => around(i, 1 / 0.381966, 0, Math.sqrt((i + 0.5) / n))); // a golden angle each
  const [x, y] = [0, 1].map((a) => Float64Array.from(start, (spot) => spot[a]));
  const [fx, fy] = [new Float64Array(n), new Float64Array(n)];
  const steps = Math.max(20, Math.min(100, Math.floor(2e6 / n ** 2)));
  for (let step = 0; step < steps; step += 1) {
    fx.fill(0);
    fy.fill(0);
    for (let i = 0; i < n; i += 1)
      for (let j = i + 1; j < n; j += 1) {
        const [dx, dy] = [x[i] - x[j], y[i] - y[j]];
        const squared = Math.max(1e-6, dx * dx + dy * dy);
        const pulled = pull[i * n + j];
        const push = (rest * rest) / squared - (pulled ? pulled * Math.sqrt(squared) : 0);
        fx[i] += push * dx;
        fy[i] += push * dy;
        fx[j] -= push * dx;
        fy[j] -= push * dy;
      }
    const most = (0.2 * (steps - step)) / steps; // it cools down
    for (let i = 0; i < n; i += 1) {
      const size = Math.max(1e-9, Math.hypot(fx[i], fy[i]));
      x[i] += (fx[i] * Math.min(size, most)) / size;
      y[i] += (fy[i] * Math.min(size, most)) / size;
    }
  }
  const [mx, my] = [x, y].map((list) => list.reduce((sum, value) => sum + value, 0) / n);
  const reach = Math.max(...all.map((i) => Math.hypot(x[i] - mx, y[i] - my))) || 1;
  return all.map((i) => [(x[i] - mx) / reach, (y[i] - my) / reach]);
}
