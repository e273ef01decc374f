// The hidden vectors of training inputs, by hand.

import assert from "node:assert/strict";
import { test } from "node:test";
import { hiddenOf } from "../../saewidgets/frontend/instruments/superposition/examples.js";
import { measures } from "../../saewidgets/frontend/instruments/superposition/math.js";

const model = { m: 2, n: 3, setOf: null, W: [1, 0, 2, 0, 1, -1], b: [0, 0, 0], D: null, neurons: false };

test("hidden vectors are W x, input by input", () => {
  const inputs = /** @type {[number, number][][]} */ ([
    [[0, 2]],
    [
      [0, 1],
      [2, 0.5],
    ],
    [],
  ]);
  const { m, n, W } = hiddenOf(model, inputs);
  assert.deepEqual([m, n], [2, 3]);
  assert.deepEqual([...W], [2, 2, 0, 0, -0.5, 0]);
  assert.deepEqual([...hiddenOf({ ...model, neurons: true }, inputs).W], [2, 2, 0, 0, 0, 0]);
});

test("two inputs that lie opposite share a dimension, a third at a right angle has one", () => {
  const inputs = /** @type {[number, number][][]} */ ([[[0, 1]], [[0, -1]], [[1, 3]]]);
  assert.deepEqual(
    measures(hiddenOf(model, inputs)).dimensionality.map((x) => Number(x.toFixed(6))),
    [0.5, 0.5, 1],
  );
});
