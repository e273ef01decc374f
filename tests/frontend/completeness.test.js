import assert from "node:assert/strict";
import { test } from "node:test";
import { at, conceptsWith, decades, saeOf, shiftOf } from "../../saewidgets/frontend/instruments/completeness/lab.js";

test("a sigmoid is one half at its middle, and none where it has no middle", () => {
  assert.equal(at([4, -2, 0.1], -2), 0.5);
  assert.ok(Math.abs(at([2, -2, 0.1], -1.5) - 1 / (1 + Math.exp(-1))) < 1e-12);
  assert.equal(at([0, null, 0], -2), null);
});

test("counted in live features, a threshold of one in as many stands at one", () => {
  const sae = { alive: 200 };
  assert.ok(Math.abs(Math.log10(1 / 200) + shiftOf(sae)) < 1e-12);
  assert.equal(shiftOf({ alive: 0 }), 0);
});

test("concepts without a feature, the most frequent first", () => {
  const concepts = [
    { name: "a", has: false, x: -4 },
    { name: "b", has: true, x: -1 },
    { name: "c", has: false, x: -2 },
    { name: "d", has: false, x: null },
  ];
  assert.deepEqual(
    conceptsWith({ concepts }, false).map(({ name }) => name),
    ["c", "a", "d"],
  );
  assert.deepEqual(
    conceptsWith({ concepts }, true).map(({ name }) => name),
    ["b"],
  );
});

test("decades of an axis", () => {
  assert.deepEqual(decades(-3.2, -0.9), [-3, -2, -1]);
  assert.deepEqual(decades(-2, 0), [-2, -1, 0]);
  assert.deepEqual(decades(-1.8, -1.2), []);
});

test("an SAE is found by its name", () => {
  const lab = { saes: [{ name: "small" }, { name: "large" }] };
  assert.equal(saeOf(lab, "large").name, "large");
  assert.equal(saeOf(lab, "gone").name, "small");
});
