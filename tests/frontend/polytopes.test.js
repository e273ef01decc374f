import assert from "node:assert/strict";
import { test } from "node:test";
import { attackOn, inputOf, meanLength } from "../../saewidgets/frontend/instruments/superposition/attack.js";
import { placesOf } from "../../saewidgets/frontend/instruments/superposition/attacked.js";
import { eigen, graphOf, orthonormal, subspace } from "../../saewidgets/frontend/instruments/superposition/graph.js";
import { layoutOf } from "../../saewidgets/frontend/instruments/superposition/layout.js";
import { projected } from "../../saewidgets/frontend/instruments/superposition/linked.js";
import { perFeature } from "../../saewidgets/frontend/instruments/superposition/math.js";

const near = (a, b, by = 1e-6) => assert.ok(Math.abs(a - b) < by, `${a} is not ${b}`);

/** A tied model from its directions, one list per feature. */
function toy(directions, bias = 0) {
  const [n, m] = [directions.length, directions[0].length];
  const W = Float32Array.from(Array.from({ length: m }, (_, k) => directions.map((d) => d[k])).flat());
  return { m, n, W, b: new Float32Array(n).fill(bias), D: null, neurons: false, setOf: null };
}

const turn = (k, n) => [Math.cos((2 * Math.PI * k) / n), Math.sin((2 * Math.PI * k) / n)];
const T = 1 / Math.sqrt(3);
const tetrahedron = [
  [T, T, T],
  [T, -T, -T],
  [-T, T, -T],
  [-T, -T, T],
];

/** A tetrahedron, a digon, a feature alone, and one that is left out: 8 features in 5 dimensions. */
const mixed = toy([
  ...tetrahedron.map((v) => [...v, 0, 0]),
  [0, 0, 0, 1, 0],
  [0, 0, 0, 0, 0.1],
  [0, 0, 0, -1, 0],
  [0, 0, 0, 0, 1],
]);

test("a tetrahedron, a digon and a single are told apart, with the dimensions that each fills", () => {
  const { parts, edges, of, left } = graphOf(mixed);
  assert.deepEqual(
    parts.map(({ kind, rank, features }) => [kind, rank, features]),
    [
      ["tetrahedron", 3, [0, 1, 2, 3]],
      ["digon", 1, [4, 6]],
      ["single", 1, [7]],
    ],
  );
  assert.deepEqual(of, [0, 0, 0, 0, 1, -1, 1, 2]);
  assert.deepEqual(left, [5]);
  assert.equal(edges.length, 7); // six of the tetrahedron, one of the digon
  for (const [i, j, weight] of edges) near(weight, i === 4 && j === 6 ? 1 : 1 / 3);
  for (const share of parts[0].shares) near(share, 3 / 4);
  near(parts[1].axes[0][3] ** 2, 1);
});

test("pentagon, triangle and square antiprism are found; what has their numbers only is not", () => {
  const kind = (directions) => graphOf(toy(directions)).parts.map((part) => part.kind);
  assert.deepEqual(kind([0, 1, 2, 3, 4].map((k) => turn(k, 5))), ["pentagon"]);
  assert.deepEqual(kind([0, 1, 2].map((k) => turn(k, 3))), ["triangle"]);
  const [low, high] = [Math.sqrt(1 / 3), Math.sqrt(2 / 3)];
  const square = (up, offset) => [0, 1, 2, 3].map((k) => [...turn(k + offset, 4).map((x) => high * x), up * low]);
  const antiprism = [...square(1, 0), ...square(-1, 0.5)];
  assert.deepEqual(kind(antiprism), ["square antiprism"]);
  for (const share of graphOf(toy(antiprism)).parts[0].shares) near(share, 3 / 8);
  assert.deepEqual(kind([[1], [1]]), ["other"]); // side by side
  const fan = [-20, 0, 20].map((degrees) => turn(degrees, 360));
  assert.deepEqual(kind(fan), ["other"]); // three in a plane, but no triangle
});

test("eigenvalues and axes of matrices known by hand", () => {
  const { values, vectors } = eigen([
    [2, 1],
    [1, 2],
  ]);
  near(values[0], 3);
  near(values[1], 1);
  near(vectors[0][0] * vectors[0][1], 0.5); // (1, 1) / sqrt 2
  near(vectors[1][0] * vectors[1][1], -0.5);
  assert.equal(subspace([0, 1, 2, 3, 4].map((k) => [...turn(k, 5), 0])).length, 2);
  const many = subspace(tetrahedron.map((v) => [0, ...v, 0]));
  assert.equal(many.length, 3);
  for (const axis of many) near(axis[0] ** 2 + axis[4] ** 2, 0);
  const axes = orthonormal([
    [2, 0, 0],
    [1, 1, 0],
    [3, 1, 0],
  ]);
  assert.deepEqual(axes, [
    [1, 0, 0],
    [0, 1, 0],
  ]);
});

test("parts stand apart inside the picture, and in the same places each time", () => {
  const graph = graphOf(mixed);
  const { spots, height } = layoutOf(mixed, graph, 400, 300);
  assert.deepEqual(layoutOf(mixed, graphOf(mixed), 400, 300).spots, spots);
  assert.ok(height <= 300);
  for (const [x, y] of spots) assert.ok(x > 0 && x < 400 && y > 0 && y < height);
  const gap = (i, j) => Math.hypot(spots[i][0] - spots[j][0], spots[i][1] - spots[j][1]);
  for (const i of [0, 1, 2, 3]) for (const j of [4, 6, 7]) assert.ok(gap(i, j) > 16); // more than a node is wide
  near(gap(1, 2), gap(2, 3), 1e-3); // three around one
  near(gap(0, 1), gap(0, 3), 1e-3);
});

test("the corners of a pentagon follow its angles", () => {
  const order = [0, 2, 4, 1, 3]; // feature i at corner order[i]
  const model = toy(order.map((k) => turn(k, 5)));
  const { spots } = layoutOf(model, graphOf(model), 300, 300);
  const gap = (i, j) => Math.hypot(spots[i][0] - spots[j][0], spots[i][1] - spots[j][1]);
  const side = gap(order.indexOf(0), order.indexOf(1));
  for (const k of [1, 2, 3, 4]) near(gap(order.indexOf(k), order.indexOf((k + 1) % 5)), side, 1e-3);
  near(gap(order.indexOf(0), order.indexOf(2)) / side, (1 + Math.sqrt(5)) / 2, 1e-3); // the golden ratio
});

test("a square antiprism is a square in another, and what is opposite in space stands far apart", () => {
  const corner = (k, up) => [...turn(k, 4).map((x) => Math.sqrt(2 / 3) * x), up * Math.sqrt(1 / 3)];
  const [low, high] = [-1, 1].map((up) => [0, 1, 2, 3].map((k) => corner(k + (up < 0 ? 0 : 0.5), up)));
  const shuffled = [low[2], high[0], low[0], high[3], high[1], low[1], high[2], low[3]];
  const model = toy(shuffled.map((v) => v.map((x) => 1.1 * x))); // longer than 1, as trained ones are
  const { spots } = layoutOf(model, graphOf(model), 300, 300);
  const [mx, my] = [0, 1].map((a) => spots.reduce((sum, spot) => sum + spot[a], 0) / 8);
  const radii = spots.map(([x, y]) => Math.hypot(x - mx, y - my));
  for (const [i, v] of shuffled.entries()) near(radii[i] / Math.max(...radii), v[2] === low[2][2] ? 0.5 : 1, 1e-3);
  const angle = (i) => Math.atan2(spots[i][1] - my, spots[i][0] - mx);
  const apart = (a, b) => Math.abs(((a - b + 3 * Math.PI) % (2 * Math.PI)) - Math.PI);
  for (let i = 0; i < 8; i += 1)
    for (let j = 0; j < 8; j += 1) {
      const space = (k) => Math.atan2(shuffled[k][1], shuffled[k][0]);
      near(apart(angle(i), angle(j)), apart(space(i), space(j)), 1e-3); // seen from above
    }
});

test("two triangles that one weak edge joins stay near one another", () => {
  const corners = [0, 1, 2].map((k) => turn(k, 3).map((x) => 0.8 * x));
  const [a, ...others] = corners.map(([x, y]) => [x, y, 0, 0]);
  const joined = [a.map((x, k) => x + (k === 2 ? 0.19 : 0)), ...others, ...corners.map(([x, y]) => [0, 0, x, y])];
  const model = toy(joined); // the edge: a cosine of 0.23, a weight of 0.15
  const graph = graphOf(model);
  assert.deepEqual(
    graph.parts.map((part) => part.features.length),
    [6],
  );
  const { spots } = layoutOf(model, graph, 400, 300);
  const gaps = spots.flatMap((p, i) => spots.slice(i + 1).map((q) => Math.hypot(p[0] - q[0], p[1] - q[1])));
  assert.ok(Math.min(...gaps) > 0.12 * Math.max(...gaps), `${Math.min(...gaps)} of ${Math.max(...gaps)}`);
});

test("hundreds of entangled features find a place each", () => {
  const directions = Array.from({ length: 200 }, (_, i) => [...turn(7 * i, 200), ...turn(31 * i, 200)]);
  const model = toy(directions.map((v) => v.map((x) => x / Math.SQRT2)));
  const { spots, height } = layoutOf(model, graphOf(model), 420, 330);
  assert.equal(new Set(spots.map(String)).size, 200);
  for (const [x, y] of spots) assert.ok(x >= 0 && x <= 420 && y >= 0 && y <= height);
});

test("the attack on a digon moves both outputs, one of them behind its ReLU", () => {
  const found = attackOn(toy([[1], [-1]]), [1, 0], 0.1, [1, 1]);
  near(found.clean, 0);
  near(found.hit, 0.02); // (sqrt 2 / 10)^2: along (1, -1), each output by 0.1 sqrt 2
  near(Math.hypot(...found.step), 0.1);
  near(Math.abs(found.moved[0] - found.h[0]), 0.1 * Math.SQRT2);
  assert.deepEqual(found.y, [1, 0]);
  near(found.fooled[1], 0);
  const nobody = attackOn(toy([[0], [0]]), [1, 0], 0.1, [1, 1]);
  assert.equal(nobody.output, -1);
  near(nobody.hit, nobody.clean);
});

test("importance chooses what is attacked", () => {
  const apart = toy([
    [1, 0],
    [0, 1],
  ]);
  assert.equal(attackOn(apart, [0.5, 0.5], 0.1, [1, 4]).output, 1);
  near(attackOn(apart, [0.5, 0.5], 0.1, [1, 4]).hit, 0.04);
  assert.equal(attackOn(apart, [0.5, 0.5], 0.1, [4, 1]).output, 0);
});

test("an input of the sample is the same each time, and never empty", () => {
  const density = [0.01, 0, 0.02];
  for (let k = 1; k < 30; k += 1) {
    const x = inputOf(density, k);
    assert.deepEqual(inputOf(density, k), x);
    assert.ok(x[0] + x[2] > 0 && x[1] === 0 && x.every((value) => value >= 0 && value < 1));
  }
  assert.notDeepEqual(inputOf([1, 1], 1), inputOf([1, 1], 2));
  near(meanLength([1]), 0.5, 0.06);
  near(meanLength([0.5]), 0.25, 0.08);
});

test("models stand by their density on a logarithmic scale, or evenly", () => {
  const [first, middle, last] = placesOf([[1], [0.1], [0.01]]);
  near(first, 0);
  near(middle, 0.5);
  near(last, 1);
  assert.deepEqual(
    placesOf([
      [0.1, 0.2],
      [0.1, 0.3],
      [0.1, 0.4],
    ]),
    [0, 0.5, 1],
  );
  assert.deepEqual(placesOf([[0.5]]), [0]);
});

test("one number stands for all features where they are alike", () => {
  const scene = { chosen: 1, data: { features: 3 } };
  assert.deepEqual(perFeature([[0.5], [0.1]], scene), [0.1, 0.1, 0.1]);
  assert.deepEqual(perFeature([[0.5], [0.1, 0.2, 0.3]], scene), [0.1, 0.2, 0.3]);
});

test("many dimensions are projected on those of the marked feature's part first", () => {
  const own = projected({ one: mixed, marked: 4 });
  near(Math.abs(own.model.W[4]), 1); // the first row is the axis of the digon
  near(Math.abs(own.model.W[6]), 1);
  const part = projected({ one: mixed, marked: 0 });
  assert.equal(part.model.m, 3);
  near(part.share, 4 / 7.01, 1e-4); // four unit vectors of |W|^2 = 4 + 2 + 1 + 0.01
  const flat = toy([
    [1, 0],
    [0, 1],
  ]);
  assert.equal(projected({ one: flat, marked: null }).model, flat);
});
