import assert from "node:assert/strict";
import { test } from "node:test";
import { aligned, fixed, num, percent, whole } from "../../saewidgets/frontend/shared/numbers.js";
import { inLanguage, say } from "../../saewidgets/frontend/shared/words.js";

test("three significant digits, without an exponent where it can be avoided", () => {
  assert.equal(num(0), "0");
  assert.equal(num(1234.5), "1,235");
  assert.equal(num(0.012345), "0.0123");
  assert.equal(num(-0.5), "\u22120.5");
  assert.equal(num(1.5e7), "1.5e7");
  assert.equal(num(0.00001234), "1.23e\u22125");
  for (const nothing of [null, undefined, Number.NaN]) assert.equal(num(nothing), "–");
});

test("columns line up", () => {
  assert.equal(fixed(0.5), "0.50");
  assert.equal(fixed(0.0123), "0.012");
  assert.equal(fixed(-2), "\u22122.00");
  assert.equal(aligned(2), "2.00");
  assert.equal(aligned(0.5), "0.500");
  assert.equal(whole(1234567.8), "1,234,568");
  assert.equal(percent(0.0123456), "1.23 %");
});

test("a sentence takes its values by name", () => {
  assert.equal(say("{a} of {b}, {a}", { a: 1, b: "x" }), "1 of x, 1");
});

test("a language without a table is English", () => {
  const model = { get: () => "fr" };
  assert.deepEqual(inLanguage({ en: "one", de: "eins" }, model), "one");
  assert.deepEqual(inLanguage({ en: "one", fr: "un" }, model), "un");
});
