import assert from "node:assert/strict";
import { test } from "node:test";
import { inside, toward } from "../../saewidgets/frontend/instruments/map/points.js";
import { edges } from "../../saewidgets/frontend/instruments/superposition/arrows.js";
import { featureColor } from "../../saewidgets/frontend/instruments/superposition/colors.js";
import {
  direction,
  measures,
  rotation,
  sceneOf,
  spread,
  unpack,
} from "../../saewidgets/frontend/instruments/superposition/math.js";

test("a place is inside a polygon, or in its bay", () => {
  const bay = [
    [0, 0],
    [4, 0],
    [4, 4],
    [2, 1],
    [0, 4],
  ];
  assert.ok(inside(bay, 0.5, 1));
  assert.ok(inside(bay, 2, 0.5));
  assert.ok(!inside(bay, 2, 3));
  assert.ok(!inside(bay, 5, 1));
});

test("an arrow key goes to the nearest point on its side", () => {
  const points = { n: 4, x: [0, 2, 1, -1], y: [0, 0, 3, 0] };
  const all = () => true;
  assert.equal(toward(points, 0, 1, 0, all), 1);
  assert.equal(toward(points, 0, -1, 0, all), 3);
  assert.equal(toward(points, 0, 0, 1, all), 2);
  assert.equal(toward(points, 0, 0, -1, all), -1);
  assert.equal(
    toward(points, 0, 1, 0, (i) => i !== 1),
    -1,
  );
});

test("a picture unfolds into weights and biases of each model", () => {
  const numbers = [10, 0, 0, 20, 30, -10]; // W [2 x 2] row by row, then b
  const values = new DataView(new ArrayBuffer(12));
  for (const [k, value] of numbers.entries()) values.setInt16(2 * k, value, true);
  const shape = { snapshots: 1, instances: 1, hidden: 2, features: 2, untied: false, scale: 0.1 };
  const model = unpack({ ...shape, values }).model(0, 0);
  assert.deepEqual(
    [...model.W].map((w) => Math.round(w)),
    [1, 0, 0, 2],
  );
  assert.deepEqual(
    [...model.b].map((b) => Math.round(b)),
    [3, -1],
  );
  assert.deepEqual(direction({ W: [1, 2, 3, 4], m: 2, n: 2 }, 1), [2, 4]);
});

test("two opposite features share one dimension, half of it each", () => {
  const found = measures({ W: [1, -1], D: null, m: 1, n: 2, neurons: false });
  assert.deepEqual([...found.norms], [1, 1]);
  assert.deepEqual(found.superposition, [1, 1]);
  assert.deepEqual(found.dimensionality, [0.5, 0.5]);
  assert.deepEqual([...found.read], [1, -1, -1, 1]);
});

test("a rotation keeps lengths and right angles", () => {
  const rows = rotation(0.7, -0.3);
  for (const [i, a] of rows.entries()) {
    for (const [j, b] of rows.entries()) {
      const dot = a.reduce((sum, x, k) => sum + x * b[k], 0);
      assert.ok(Math.abs(dot - Number(i === j)) < 1e-12);
    }
  }
});

test("densities are spread evenly on a logarithmic scale", () => {
  assert.deepEqual(spread(1, 0.01, 3), [1, 0.1, 0.01]);
  assert.deepEqual(spread(0.5, 0.05, 1), [0.05]); // the sparsest
  assert.deepEqual(spread(1, 0.05, 2), [1, 0.05]);
});

test("a scene shows the last snapshot where none, or one that is gone, is chosen", () => {
  const data = { snapshots: 3, instances: 2, features: 4, model: (at, i) => `${at} ${i}` };
  const scene = (at, selected, marked = null) => sceneOf(data, at, selected, {}, false, { marked });
  assert.deepEqual(scene(-1, 1).all, ["2 0", "2 1"]);
  assert.equal(scene(7, 9).one, "2 1");
  assert.equal(scene(1, 0).one, "1 0");
  assert.equal(scene(1, 0, 3).marked, 3);
  assert.equal(scene(1, 0, 4).marked, null); // of a larger model, before
});

test("the edges of a square are its sides, not its diagonals", () => {
  const square = { m: 2, n: 4, W: [1, 0, -1, 0, 0, 1, 0, -1] };
  const found = edges(square, [0, 1, 2, 3]).map((pair) => pair.join());
  assert.deepEqual(found.sort(), ["0,1", "0,3", "1,2", "2,3"]);
});

test("features of one set have one color, and those of none are grey", () => {
  const model = { n: 5, setOf: [0, 0, 1, 1, -1] };
  assert.equal(featureColor(0, model), featureColor(1, model));
  assert.notEqual(featureColor(1, model), featureColor(2, model));
  assert.equal(featureColor(4, model), "var(--saew-d7)");
  assert.equal(featureColor(0, { n: 9, setOf: null }), "color-mix(in srgb, #7a4fb5 0%, #43349c)");
});
