import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest, unpacked } from "../../saewidgets/frontend/instruments/clamp/recording.js";

const recording = {
  units: { 31: 10 },
  maxima: { 31: 10 },
  pool: [
    [5, " a"],
    [6, " b"],
  ],
  texts: [
    { seed: 0, clamps: [], t: [0, -1, 0], code: "none" },
    { seed: 0, clamps: [[31, 10, "all"]], t: [], code: "weak" },
    { seed: 0, clamps: [[31, 30, "all"]], t: [], code: "strong" },
    { seed: 1, clamps: [[31, 20, "all"]], t: [], code: "other seed" },
  ],
};

test("the nearest recorded text, of two as near the weaker", () => {
  assert.equal(nearest(recording, [[31, 24, "all"]], 0).code, "strong");
  assert.equal(nearest(recording, [[31, 20, "all"]], 0).code, "weak");
  assert.equal(nearest(recording, [[31, 20, "all"]], 1).code, "other seed");
  assert.equal(nearest(recording, [[31, 20, "last"]], 0), null);
  assert.equal(nearest(recording, [], 0).code, "none");
});

test("tokens unfold by their places in the pool", () => {
  assert.deepEqual(unpacked(recording, { t: [1, -0.5, 0.25, 0, -2, null] }), [
    [6, " b", -0.5, 0.25],
    [5, " a", -2, null],
  ]);
});
