import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeOf, stacked, tally } from "../../saewidgets/frontend/instruments/specificity/data.js";

test("the parts of a bar stand on one another, the 3 on the floor", () => {
  const row = [10, 0, [0.5, 0.2, 0.8], [0, 0, 0.3], [0.3, 0.1, 0.6], [0.2, 0.05, 0.5]];
  assert.deepEqual(stacked(row), [
    [0, 0.5],
    [0.5, 0.5],
    [0.5, 0.8],
    [0.8, 1],
  ]);
  const none = [null, null, null];
  assert.deepEqual(stacked([0, 0, none, none, none, none]), Array(4).fill([0, 0]));
});

test("examples are counted by the score of one judge, refusals apart", () => {
  const items = [{ s: [3, null] }, { s: [0, 3] }, { s: [3, 1] }];
  assert.deepEqual(tally(items, 0), { scores: [2, 0, 0, 1], refused: 0 });
  assert.deepEqual(tally(items, 1), { scores: [1, 0, 1, 0], refused: 1 });
});

test("a judge is found by its name", () => {
  const lab = { judges: [{ name: "a" }, { name: "b" }] };
  assert.equal(judgeOf(lab, "b").name, "b");
  assert.equal(judgeOf(lab, "gone").name, "a");
});
