import assert from "node:assert/strict";
import { test } from "node:test";
import { doseWords } from "../../saewidgets/frontend/instruments/dose_response/chart.js";
import { nearest, ofKind, pointAt } from "../../saewidgets/frontend/instruments/dose_response/sweep.js";
import { words } from "../../saewidgets/frontend/instruments/dose_response/words.js";

const sweep = {
  points: [
    { key: "none 0", kind: "none", multiple: 0 },
    { key: "clamp 1", kind: "clamp", multiple: 1 },
    { key: "clamp 3", kind: "clamp", multiple: 3 },
  ],
};

test("one finds a point by its key, its kind and its strength", () => {
  assert.equal(pointAt(sweep, "clamp 3").multiple, 3);
  assert.equal(pointAt(sweep, "gone").key, "none 0");
  assert.deepEqual(
    ofKind(sweep, "clamp").map(({ multiple }) => multiple),
    [1, 3],
  );
  assert.equal(nearest(sweep, "clamp", 2.1).key, "clamp 3");
  assert.equal(nearest(sweep, "clamp", 2).key, "clamp 1");
});

test("a measure in words", () => {
  const share = { share: true };
  const ratio = { share: false };
  const { chart } = words.en;
  assert.equal(doseWords(share, [0.5, 0.25, 0.75], chart), "50 % (25 % to 75 %)");
  assert.equal(doseWords(ratio, [1.234, null, null], chart), "1.23");
  assert.equal(doseWords(ratio, [null, null, null], chart), "not measured");
});
