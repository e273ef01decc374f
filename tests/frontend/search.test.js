import assert from "node:assert/strict";
import { test } from "node:test";
import { clicked, inOrder } from "../../saewidgets/frontend/instruments/search/order.js";
import { stale } from "../../saewidgets/frontend/instruments/search/question.js";
import { countWords } from "../../saewidgets/frontend/instruments/search/results.js";
import { words } from "../../saewidgets/frontend/instruments/search/words.js";

const results = { mode: "text", rows: [{}, {}], most: 50, relative: false, query: "golden\n gate", other: "" };

test("an answer to another kind of question says whose it is", () => {
  assert.equal(countWords(results, "text", words.en), "2 features");
  assert.equal(
    countWords(results, "token", words.en),
    "Still shown: 2 features, by text in its examples: “golden gate”. Ask anew to replace it.",
  );
  assert.equal(countWords({ ...results, most: 2 }, "text", words.en), "the first 2 features");
  assert.equal(countWords({ ...results, mode: "" }, "token", words.en), "");
  assert.equal(stale({ ...results, mode: "" }, "token"), false);
});

test("rows stand as they came, or by a column, those without a value last", () => {
  const row = (/** @type {number} */ feature, /** @type {number | null} */ density, /** @type {number} */ recall) =>
    /** @type {any} */ ({ feature, score: -feature, density, extra: { recall } });
  const rows = [row(7, 0.1, 0.5), row(3, null, 0.5), row(5, 0.4, 0.2)];
  const told = (/** @type {any} */ sort) => inOrder(rows, sort).map(({ feature }) => feature);
  assert.deepEqual(told(null), [7, 3, 5]);
  assert.deepEqual(told(clicked(null, "feature")), [3, 5, 7]);
  assert.deepEqual(told(clicked(null, "density")), [5, 7, 3]);
  assert.deepEqual(told(clicked({ column: "density", up: false }, "density")), [7, 5, 3]);
  assert.deepEqual(told({ column: "recall", up: false }), [7, 3, 5]); // of equal ones the better stays first
  assert.deepEqual(told({ column: "auroc", up: false }), [7, 3, 5]); // nobody has it
});

test("an answer of a classifier says how much it tells right that it has not seen", () => {
  const said = countWords({ ...results, held_out: 0.75 }, "text", words.en);
  assert.equal(said, "2 features. Of texts that it has not seen, the classifier tells 75 % right; 50 % is chance.");
});
