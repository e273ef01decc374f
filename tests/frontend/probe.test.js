import assert from "node:assert/strict";
import { test } from "node:test";
import { mostWords } from "../../saewidgets/frontend/instruments/probe/beside.js";
import {
  costOf,
  nameOf,
  rowsOf,
  sorted,
  sortOf,
  spoken,
  tipOf,
} from "../../saewidgets/frontend/instruments/probe/reading.js";
import { words } from "../../saewidgets/frontend/instruments/probe/words.js";

const plain = { label: "", promoted: [], density: 0.01, quantile: null, attribution: null };
const prompt = {
  tokens: [
    [1, " a"],
    [2, " b"],
    [3, " c"],
  ],
  features: [
    { ...plain, feature: 31, label: "bridge", maximum: 10, p: [1, 2], a: [5, 2], ablation: [-4, 1] },
    { ...plain, feature: 42, maximum: null, promoted: [" owl", " oak"], p: [1], a: [6], ablation: [null] },
  ],
  losses: { 31: [null, 0.5, 0.25] },
};

test("a row holds the largest activation and the sums over the tokens", () => {
  const [first, second] = rowsOf(prompt, null);
  assert.deepEqual(
    [first.activation, first.share, first.ablation, first.loss_effect, first.peak, first.n],
    [5, 0.5, -3, 0.75, 1, 2],
  );
  assert.deepEqual([second.share, second.ablation, second.loss_effect], [null, null, null]);
  assert.equal(rowsOf(prompt, 1)[0].loss_effect, 0.25, "at one token that of the next");
  assert.deepEqual(
    rowsOf(prompt, 2).map(({ feature }) => feature),
    [31],
  );
});

test("rows with a sign are sorted by their size, and what was not measured orders nothing", () => {
  const order = (sort) => sorted(rowsOf(prompt, null), sort).map(({ feature }) => feature);
  assert.deepEqual(order("activation"), [42, 31]);
  assert.deepEqual(order("ablation"), [31, 42]);
  assert.equal(sortOf(prompt, "attribution"), "activation");
  assert.equal(sortOf(prompt, "share"), "share");
  assert.equal(sortOf({ ...prompt, losses: {} }, "loss_effect"), "activation");
});

test("a feature in words", () => {
  assert.equal(spoken(31, "bridge"), "#31 bridge");
  assert.equal(spoken(1465), "#1465");
  assert.equal(nameOf(prompt.features[1], words.en), "·owl  ·oak");
});

test("the tooltip of a token has its strongest features and the cost of leaving the shown one out", () => {
  const known = new Map(prompt.features.map((f) => [f.feature, f]));
  const view = { prompt, known, names: {}, feature: 31, looked: null, pinned: [], position: null, sort: "activation" };
  const names = tipOf(view, 1, words.en).map(([name, value]) => `${name} ${value}`);
  assert.deepEqual(names.slice(3), ["#42 ·owl  ·oak 6.00", "#31 bridge 5.00", "loss without #31 +0.5"]);
  assert.equal(costOf({ ...view, looked: 42 }), null);
  assert.deepEqual(tipOf({ ...view, looked: 42 }, 0, words.en).at(-1), ["", "no feature"]);
});

test("how strong a feature gets in another text, and of its maximum where that is known", () => {
  const f = { ...plain, feature: 31, maximum: 12.5, p: [3, 4], a: [5, 10] };
  assert.equal(mostWords(f, 31, words.en), "#31: at most 10, 80 % of its maximum");
  assert.equal(mostWords({ ...f, maximum: null }, 31, words.en), "#31: at most 10");
  assert.equal(mostWords(undefined, 31, words.en), "#31 is not on");
});
