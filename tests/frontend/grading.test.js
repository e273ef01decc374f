import assert from "node:assert/strict";
import { test } from "node:test";
import { answered, asked, tally } from "../../saewidgets/frontend/instruments/grading/state.js";

test("an answer is added while a passage is left, with at most two minutes", () => {
  assert.deepEqual(answered([], 2, 3, 1.234), [[3, 1.23]]);
  assert.deepEqual(answered([[3, 1]], 2, null, 9999), [
    [3, 1],
    [null, 120],
  ]);
  assert.deepEqual(answered([[3, 1]], 1, 2, 1), [[3, 1]]);
});

test("keys: 0 to 3, s, u and backspace, and no other", () => {
  assert.deepEqual(["0", "3", "s", "S"].map(asked), [0, 3, null, null]);
  assert.deepEqual(["u", "Backspace"].map(asked), ["undo", "undo"]);
  assert.deepEqual(["4", "-1", "Enter", " ", "", "ArrowLeft"].map(asked), Array(6).fill(undefined));
});

test("answers are counted from 3 to 0, those without a score apart, and their mean time", () => {
  const grades = [
    [3, 2],
    [0, 4],
    [null, 6],
    [3, 0],
  ];
  assert.deepEqual(tally(grades), { scores: [2, 0, 0, 1], refused: 1, each: 3 });
  assert.deepEqual(tally([]), { scores: [0, 0, 0, 0], refused: 0, each: 0 });
});
