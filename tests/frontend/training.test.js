import assert from "node:assert/strict";
import { test } from "node:test";
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
