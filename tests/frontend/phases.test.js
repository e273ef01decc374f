// Phase diagrams, loss curves, recovery and the chooser: what is worked out before anything is drawn.

import assert from "node:assert/strict";
import { test } from "node:test";
import { changes, parts } from "../../saewidgets/frontend/instruments/superposition/chooser.js";
import {
  between,
  crossed,
  roundValues,
  settingName,
} from "../../saewidgets/frontend/instruments/superposition/curves.js";
import { fillOf, placeOf } from "../../saewidgets/frontend/instruments/superposition/phases.js";
import { matchedFirst, outcome } from "../../saewidgets/frontend/instruments/superposition/recovery.js";
import { words } from "../../saewidgets/frontend/instruments/superposition/words.js";

test("a value lies between its cells by its logarithm, and beyond the last by the same step", () => {
  const axis = [0.01, 0.1, 1];
  assert.equal(placeOf(axis, 0.1), 1);
  assert.ok(Math.abs(placeOf(axis, 0.0316227766) - 0.5) < 1e-6);
  assert.ok(Math.abs(placeOf(axis, Math.sqrt(10)) - 2.5) < 1e-9);
  assert.ok(Math.abs(placeOf(axis, 0.001) + 1) < 1e-9);
  assert.equal(placeOf([1, 2, 8], 4), 1.5); // steps of their own
});

test("a cell is filled by norm and superposition: its own, shared, or hardly at all", () => {
  assert.deepEqual(fillOf(1, 0), { kind: "own", amount: 1 });
  assert.deepEqual(fillOf(1.3, 1.2), { kind: "shared", amount: 1 });
  assert.equal(fillOf(0, 0).amount, 0);
  assert.equal(fillOf(1, 0.5).amount, 0);
  assert.deepEqual(fillOf(0.5, 1), { kind: "shared", amount: 0.5 });
});

test("a curve between two points is straight in the logarithm, and nowhere where one of them is none", () => {
  assert.equal(between([1, 4, 16], [8, 4, 0], 2), 6);
  assert.equal(between([1, 4, 16], [8, 4, 0], 16), 0);
  assert.equal(between([1, 4, 16], [null, 4, 0], 2), null);
  assert.equal(between([1, 4, 16], [8, 4, 0], 1), 8);
});

test("round values of an axis are as many as it has room for", () => {
  assert.deepEqual(roundValues(0.01, 0.1, 9), [0.01, 0.02, 0.03, 0.05, 0.1]);
  assert.deepEqual(roundValues(0.01, 1, 5), [0.01, 0.03, 0.1, 0.3, 1]);
  assert.deepEqual(roundValues(0.001, 100, 3), [0.001, 0.01, 0.1, 1, 10, 100]);
  assert.deepEqual(roundValues(0.012, 0.018, 5), []);
});

test("where curves cross is said in words, and whose setting it is", () => {
  const text = words.en.curves;
  const curves = { name: "density", features: [2], settings: [], found: [], x: [], lines: [], crossings: [] };
  assert.equal(settingName(curves, text), "density of 2");
  assert.equal(settingName({ ...curves, features: [] }, text), "density");
  assert.equal(crossed(curves, text), "");
  const crossings = [{ x: 0.0134, loss: 0.006, below: "digons", above: "pentagon" }];
  assert.equal(
    crossed({ ...curves, crossings }, text),
    "The lines cross at 0.013: to the left the cheaper one is two digons without the odd one, " +
      "to the right the pentagon.",
  );
});

test("matched SAE features stand first, in the order of the true ones", () => {
  assert.deepEqual(matchedFirst({ match: [3, -1, 0], size: 5 }), [3, 0, 1, 2, 4]);
});

test("what was recovered is said in a sentence that names what went wrong and nothing else", () => {
  const text = words.en.recovery;
  const one = {
    ...{
      model: 0,
      busy: false,
      share: 1,
      size: 4,
      found: 0.9,
      features: [0, 1, 4],
      match: [0, 1, 2],
      matched: [1, 1, 1],
    },
    ...{ best: [1, 1, 1], of: [0, 1, 2, -1], alive: [true, true, true, true], learned: [], cosines: [] },
    ...{ missed: 0, split: 0, mixtures: 0, dead: 0, l0: 1.04, fvu: 0.125 },
  };
  assert.equal(
    outcome(one, text),
    "All 3 true features were found (cosine 0.9 or more). L0 1; 12.5 % of the variance unexplained.",
  );
  const bad = outcome({ ...one, missed: 2, split: 1, mixtures: 3, dead: 4 }, text);
  assert.match(bad, /^1 of 3 true features were found \(cosine 0\.9 or more\), 2 missed\./);
  assert.match(
    bad,
    /Split among several SAE features: 1\. SAE features that are mixtures, near no true one: 3\. Dead: 4\./,
  );
});

test("what was changed since an experiment was chosen is said with what it was", () => {
  const settings = { n_features: 5, densities: [1, 0.2], relation: "independent", shows: "models" };
  const preset = { name: "M0", part: "", title: "", question: "", look_for: "", outcome: "", settings };
  const text = words.en.chooser;
  assert.deepEqual(changes(preset, { ...settings, densities: [1, 0.2] }, text), []);
  assert.deepEqual(changes(preset, { ...settings, n_features: 6, densities: [1, 0.1] }, text), [
    "Features n 6, was 5",
    "Densities 1, 0.1, was 1, 0.2",
  ]);
  assert.deepEqual(
    parts([preset, { ...preset, name: "M6", part: "b" }, { ...preset, name: "M7" }]).map(([part, own]) => [
      part,
      own.map(({ name }) => name),
    ]),
    [
      ["", ["M0", "M7"]],
      ["b", ["M6"]],
    ],
  );
});
