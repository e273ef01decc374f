import assert from "node:assert/strict";
import { test } from "node:test";
import { glyphs, heat, running } from "../../saewidgets/frontend/shared/tokens.js";

test("everything in a token is visible", () => {
  assert.equal(glyphs(" a b"), "·a·b");
  assert.equal(glyphs("\n\t"), "⏎⇥");
  assert.equal(glyphs("\u0000"), "␀");
  assert.equal(glyphs("a\u200bb"), "a⟨U+200B⟩b");
  assert.equal(glyphs("\ud83d"), "⟨U+D83D⟩");
  assert.equal(glyphs(""), "⟨empty⟩");
});

test("a long token is cut, but no pair of surrogates in two", () => {
  assert.equal(glyphs("abcdef", 3), "abc…");
  assert.equal(glyphs("ab😀", 3), "ab…");
  assert.equal(glyphs("ab😀", 4), "ab😀");
});

test("in running text single spaces stay", () => {
  assert.equal(running(" a b"), " a b");
  assert.equal(running(" a  b"), " a··b");
  assert.equal(running("  "), "··");
});

test("heat is a share of the maximum, and weak is still seen", () => {
  assert.equal(heat(5, 10), 0.5);
  assert.equal(heat(0.1, 10), 0.1);
  assert.equal(heat(20, 10), 1);
  assert.equal(heat(-1, 10), 0);
  assert.equal(heat(1, 0), 0);
});
