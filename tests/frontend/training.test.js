import assert from "node:assert/strict";
import { test } from "node:test";
import { bestOf, curvesOf, lawWords, powerLaw } from "../../saewidgets/frontend/instruments/training/scaling.js";
import { levels, logLevels } from "../../saewidgets/frontend/instruments/training/axes.js";
import { path } from "../../saewidgets/frontend/instruments/training/curve.js";
import { print } from "../../saewidgets/frontend/instruments/training/curves.js";
import { power } from "../../saewidgets/frontend/instruments/training/density.js";
import { done, duration, numbered } from "../../saewidgets/frontend/instruments/training/runs.js";
import { words } from "../../saewidgets/frontend/instruments/training/words.js";

const run = { points: [[40, 4000, 1, 0.25, 8, 0.1, 1e-3, 0]], dead_window: 500_000 };

test("seconds in words", () => {
  const told = [12, 200, 3599, 3600, 7500, 7190].map((seconds) => duration(seconds, words.en));
  assert.deepEqual(told, ["12 s", "3 min 20 s", "59 min 59 s", "1 h 0 min", "2 h 5 min", "2 h 0 min"]);
  assert.equal(duration(null, words.en), "–");
});

test("levels are round and inside", () => {
  assert.deepEqual(levels(0, 10, 2), [0, 5, 10]);
  assert.deepEqual(levels(0.3, 1.1, 4), [0.4, 0.6000000000000001, 0.8, 1]);
  assert.deepEqual(logLevels(-1, 1), [0.1, 0.5, 2, 10]);
  assert.equal(power(-12), "10⁻¹²");
});

test("a line breaks where a value is missing", () => {
  const points = [
    [1, 5],
    [2, null],
    [3, 7],
    [4, 8],
  ];
  const same = (x) => x;
  assert.equal(
    path(points, ([, value]) => value !== null, same, same),
    "M1.0,5.0M3.0,7.0L4.0,8.0",
  );
});

test("one run is in front: the selected one, or else the first", () => {
  const two = [
    { name: "a", points: run.points },
    { name: "b", points: [] },
  ];
  assert.deepEqual(
    numbered(two, "b").map(({ chosen, number }) => [chosen, number]),
    [
      [false, 1],
      [true, 2],
    ],
  );
  assert.equal(numbered(two, "gone")[0].chosen, true);
  assert.deepEqual(done(two), { step: 40, tokens: 4000 });
  assert.deepEqual(done([]), { step: 0, tokens: 0 });
});

test("the small print says the explained variance and the dead window", () => {
  assert.equal(print("fvu", run, words.en), "log scale; 75 % explained");
  assert.equal(print("dead", run, words.en), "off for the last 500,000 tokens");
  assert.equal(print("dead", { ...run, dead_window: 0 }, words.en), "share of all features");
  assert.equal(print("fvu", undefined, words.en), "log scale");
});

test("a power law by hand, and none through a single place", () => {
  const law = powerLaw([
    [1, 8],
    [10, 4],
    [100, 2],
  ]);
  assert.ok(law && Math.abs(law.a - 8) < 1e-9 && Math.abs(law.b + Math.log10(2)) < 1e-9);
  assert.equal(powerLaw([[3, 1]]), null);
});

test("the best at each compute changes where the curves cross", () => {
  const at = (/** @type {number} */ a, /** @type {number} */ b) =>
    Array.from({ length: 9 }, (_, i) => [10 ** i, a * 10 ** (i * b)]);
  const curves = /** @type {any} */ ([
    { run: { name: "small", d_sae: 16 }, at: at(1, -0.1) },
    { run: { name: "large", d_sae: 256 }, at: at(4, -0.3) },
  ]);
  const best = bestOf(curves); // 1 C^-0.1 = 4 C^-0.3 at C = 4^5 = 1024
  assert.equal(best.length, 8);
  for (const { compute, fvu, run } of best) {
    assert.equal(run.name, compute < 1024 ? "small" : "large");
    assert.ok(Math.abs(fvu - Math.min(compute ** -0.1, 4 * compute ** -0.3)) < 1e-9);
  }
  assert.match(
    lawWords(best, words.en),
    /as compute to the \u22120\.\d+, the number of features as compute to the 0\.\d/,
  );
  assert.deepEqual(bestOf(curves.slice(0, 1)), []);
  assert.equal(lawWords([], words.en), words.en.scaling.none);
});

test("compute is 12 d_in d_sae a token, and a curve is smoothed over five points", () => {
  const points = [1, 2, 3, 4, 5, 6].map((v) => [v, 100 * v, 1, v, 1, 0, 1e-3, null]);
  const run = /** @type {any} */ ({ name: "a", d_in: 2, d_sae: 4, points });
  const [{ at }] = curvesOf([run, { ...run, d_sae: 0 }]);
  assert.deepEqual(at[0], [9600, 1]);
  assert.deepEqual(at[5], [57600, 4]); // the mean of 2 to 6
});
