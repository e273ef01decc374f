import assert from "node:assert/strict";
import { test } from "node:test";
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
