import assert from "node:assert/strict";
import { test } from "node:test";
import { heldWords } from "../../saewidgets/frontend/instruments/clamp/answers.js";
import { keyed } from "../../saewidgets/frontend/instruments/clamp/dial.js";
import { saidOf } from "../../saewidgets/frontend/instruments/clamp/history.js";
import { fewSites } from "../../saewidgets/frontend/instruments/clamp/measured.js";
import { countWords } from "../../saewidgets/frontend/instruments/clamp/pane.js";
import { same } from "../../saewidgets/frontend/instruments/clamp/presets.js";
import { middleOf, multipleAt, placeOf, snapped, stepped } from "../../saewidgets/frontend/instruments/clamp/scale.js";
import { clampWords, scopeOf, scopeParts } from "../../saewidgets/frontend/instruments/clamp/state.js";
import { underWords } from "../../saewidgets/frontend/instruments/clamp/texts.js";
import { words } from "../../saewidgets/frontend/instruments/clamp/words.js";
import { matches } from "../../saewidgets/frontend/shared/picker.js";

const near = (a, b, tolerance = 1e-9) => assert.ok(Math.abs(a - b) < tolerance, `${a} is not ${b}`);
const all = Array.from({ length: 401 }, (_, i) => i / 20 - 10); // -10 to 10 in steps of .05

test("the ends and 0 of the scale are exact, and 0 to 3 times the maximum have three fifths of it", () => {
  assert.equal(placeOf(-10), 0);
  assert.equal(placeOf(10), 1);
  near(placeOf(0), 0.18);
  near(placeOf(1), 0.38); // a third of the way from 0 to 3
  near(placeOf(3) - placeOf(0), 0.6);
  assert.deepEqual([multipleAt(0), multipleAt(1), multipleAt(placeOf(0))], [-10, 10, 0]);
  assert.deepEqual([placeOf(99), placeOf(-99), multipleAt(2)], [1, 0, 10]); // beyond an end
});

test("a multiple comes back from its place, and a greater one lies farther right", () => {
  for (const [i, multiple] of all.entries()) {
    near(multipleAt(placeOf(multiple)), multiple);
    if (i) assert.ok(placeOf(multiple) > placeOf(all[i - 1]));
  }
});

test("a hand sets what can be read off the scale", () => {
  assert.equal(snapped(1.3637), 1.35);
  assert.equal(snapped(4.2637), 4.3);
  assert.equal(snapped(-0.02), 0);
  assert.ok(Object.is(snapped(-0.02), 0), "not minus zero");
});

test("keys step finely where clamps work, and coarser outside", () => {
  assert.equal(stepped(1.35, 1), 1.4);
  assert.equal(stepped(1.35, -1), 1.3);
  assert.equal(stepped(1.33, 1), 1.35); // onto the grid, not beside it
  assert.equal(stepped(3, 1), 3.25);
  assert.equal(stepped(3, -1), 2.95);
  assert.equal(stepped(0, -1), -0.25);
  assert.equal(stepped(4, 1, false, [4, 6]), 4.05); // its own window
  assert.equal(stepped(1, 1, true), 1.5);
  assert.equal(stepped(4, 1, true), 5);
  assert.equal(stepped(10, 1), 10);
  assert.equal(stepped(99, 1), 99); // a typed value beyond the end is left alone,
  assert.equal(stepped(99, -1), 10); // and comes back to it
});

test("every multiple of the working range is reached by keys alone", () => {
  let at = 0;
  for (let i = 1; i <= 60; i += 1) {
    at = stepped(at, 1);
    assert.equal(at, i / 20);
  }
});

test("keys: ends, 0, off, and those that are not the slider's", () => {
  assert.deepEqual(
    ["Home", "End", "0", "Delete", "Backspace", "a"].map((key) => keyed(key, 1, null)),
    [-10, 10, 0, null, null, undefined],
  );
});

test("the middle of a window is a number that one would type", () => {
  assert.equal(middleOf([1.2, 1.7]), 1.45);
  assert.equal(middleOf([1.3, 1.45]), 1.38);
  assert.equal(middleOf([2, 2]), 2);
  assert.equal(middleOf([2, 5]), 3.5);
});

test("scopes are words, a token, or a token and what follows", () => {
  assert.deepEqual(scopeParts("prompt"), { kind: "prompt", t: "" });
  assert.deepEqual(scopeParts(7), { kind: "from", t: "7" });
  assert.deepEqual(scopeParts("token -1"), { kind: "only", t: "-1" });
  for (const scope of ["all", 7, "token 7"]) {
    const { kind, t } = scopeParts(scope);
    assert.equal(scopeOf(kind, t), scope);
  }
});

const settings = (changed = {}) => {
  const traits = {
    features: [31, 42],
    multiples: { 31: 1.5, 42: null },
    scope: "all",
    seed: 2,
    temperature: 0.5,
    n_tokens: 60,
    prompt: "Human: Who are you?\nAssistant:",
    ...changed,
  };
  return { get: (name) => traits[name] };
};
const tried = (changed = {}) => ({
  multiples: [[31, 1.5]],
  scope: "all",
  seed: 2,
  temperature: 0.5,
  n_tokens: 60,
  prompt: "Human: Who are you?\nAssistant:",
  text: "",
  ...changed,
});
const said = (entry, now = settings()) =>
  saidOf(entry, now, words.en.history).map(({ words, differs }) => (differs ? `*${words}*` : words));

test("a try says what differs from now, and nothing else", () => {
  assert.deepEqual(said(tried()), ["#31 at 1.5×"]);
  assert.deepEqual(said(tried({ seed: 3, multiples: [[31, 2]] })), ["*#31 at 2×*", "*seed 3*"]);
  assert.deepEqual(said(tried({ scope: "token 4", n_tokens: 9 })), ["#31 at 1.5×", "*token 4 only*", "*9 tokens*"]);
  assert.deepEqual(said(tried({ multiples: [], scope: "prompt" })), ["*no clamp*"]);
});

test("a prompt that differs shows its last line that differs", () => {
  assert.deepEqual(said(tried({ prompt: "Human: Sing!\nAssistant:" })), ["#31 at 1.5×", "*prompt: Human: Sing!*"]);
  assert.deepEqual(said(tried({ prompt: "Yesterday" })), ["#31 at 1.5×", "*prompt: Yesterday*"]);
  assert.deepEqual(said(tried({ prompt: "" })), ["#31 at 1.5×", "*an empty prompt*"]);
});

test("the order of rows makes no other clamp", () => {
  const both = settings({ multiples: { 31: 1.5, 42: 2 } });
  assert.deepEqual(
    said(
      tried({
        multiples: [
          [42, 2],
          [31, 1.5],
        ],
      }),
      both,
    ),
    ["#42 at 2× + #31 at 1.5×"],
  );
});

test("of many sites six are shown, and what was set is always one of the rows", () => {
  const site = (i) => ({ feature: 7, site: `blocks.${i}`, measure: i ? "projection" : "activation" });
  const rows = [{ feature: 7, site: "", measure: "set" }, ...Array.from({ length: 18 }, (_, i) => site(i))];
  const shown = fewSites(rows);
  assert.equal(shown.length, 7);
  assert.deepEqual(
    [shown[0].measure, shown[1].site, shown[2].site, shown[6].site],
    ["set", "blocks.0", "blocks.1", "blocks.17"],
  );
  assert.equal(fewSites(rows.slice(0, 7)).length, 7);
});

test("what a text was written under is what it says, not where the slider is by now", () => {
  const texts = (under, more = {}) => ({ under, ...more });
  const under = (...given) => underWords(...given, words.en.texts);
  assert.equal(under(texts([[31, 2]]), [[31, 3]], false), "#31 at 2×, same random numbers");
  assert.equal(under(texts([[31, 2]]), [[31, 3]], true), "nearest recorded: #31 at 2×; you asked for #31 at 3×");
  assert.equal(under(texts([[31, 2]]), [[31, 2]], true), "recorded at #31 at 2×");
  assert.equal(under(texts([]), [], false), "nothing is clamped: the same text");
  assert.equal(under(texts([], { missing: true }), [[31, 2]], true), "this was not recorded");
});

test("a search says for which token a row matches, where its name does not", () => {
  const row = (feature, label, promoted) => ({ feature, label, promoted, density: 0.1 });
  const index = [
    row(1, "guitar", [" string", " howl"]),
    row(2, "owl", [" owl"]),
    row(31, "", [" OWL", " bird"]),
    row(4, "cat", [" purr"]),
  ];
  const found = (query) => matches(index, query).map(({ row, token }) => [row.feature, token]);
  assert.deepEqual(found("owl"), [
    [2, null],
    [31, " OWL"],
    [1, " howl"],
  ]);
  assert.deepEqual(found("3"), [[31, null]]);
  assert.deepEqual(found("#4"), [[4, null]]);
  assert.deepEqual(
    found(" "),
    index.map(({ feature }) => [feature, null]),
  );
});

test("a preset is what is set where the same features have the same multiples, in whatever order", () => {
  assert.ok(same([[3, 1.5], [7, -1]], [[7, -1], [3, 1.5]])); // biome-ignore format: pairs
  assert.ok(same([], []));
  assert.ok(!same([[3, 1.5]], []));
  assert.ok(!same([[3, 1.5]], [[3, 1.45]]));
  assert.ok(!same([[3, 1.5]], [[4, 1.5]]));
});

test("how many answers hold the words is counted of all that are listed, and not where none are looked for", () => {
  const answer = (holds) => ({ parts: [], holds, perplexity: null, stopped: "" });
  const rows = [true, false, true].map((holds, seed) => ({ seed, default: answer(!holds), clamped: answer(holds) }));
  assert.equal(
    heldWords(rows, "fog", words.en.answers),
    "“fog”: in 2 of 3 clamped answers, and in 1 of 3 default ones",
  );
  const plain = rows.map((row) => ({ ...row, clamped: null }));
  assert.equal(heldWords(plain, "fog", words.en.answers), "“fog”: in 1 of 3 answers");
  assert.equal(heldWords([{ seed: 1, default: answer(null), clamped: null }], "", words.en.answers), "");
  assert.equal(heldWords([{ seed: 1, default: null, clamped: null }], "fog", words.en.answers), "");
});

test("the mean log probability is of the tokens that have one", () => {
  const tokens = [-0.5, -1.5, null].map((logprob, id) => [id, "a", logprob, 0]);
  assert.equal(countWords(tokens, false, true, words.en.texts), "3 tokens, −1 nats per token");
  assert.equal(countWords(tokens, false, false, words.en.texts), "3 tokens");
  assert.equal(countWords([[0, "a", null, 0]], true, true, words.en.texts), "1 tokens, the context is full");
});

test("a multiple is said as it was typed, not rounded to a neighbor", () => {
  const { at } = words.en.texts;
  assert.equal(at, words.en.history.at);
  assert.equal(clampWords([[96, 1.35]], { at }), "#96 at 1.35×");
  const two = [
    [31, 0.7021],
    [57, -7.0125],
  ];
  assert.equal(clampWords(two, { at }), "#31 at 0.7021× + #57 at \u22127.0125×");
});
