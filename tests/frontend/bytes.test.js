import assert from "node:assert/strict";
import { test } from "node:test";
import { pieces } from "../../saewidgets/frontend/shared/bytes.js";

const shown = (...texts) => pieces(texts).map(({ text, slim }) => (slim ? null : text));
/** The display texts of a text that is cut into its bytes. */
const bytes = (text) => [...new TextEncoder().encode(text)].map((b) => `<0x${b.toString(16).toUpperCase()}>`);

test("the first token of a run carries the character", () => {
  assert.deepEqual(shown("a", "<0xF0>", "<0x9F>", "<0x8C>", "<0x89>", " b"), ["a", "🌉", null, null, null, " b"]);
  assert.deepEqual(shown(...bytes("你好")), ["你", null, null, "好", null, null]);
  assert.deepEqual(shown(...bytes("שלום")), ["ש", null, "ל", null, "ו", null, "ם", null]);
});

test("pieces that are cut anywhere, as those of a byte-level tokenizer are", () => {
  // GPT-2 has the space and two bytes of an emoji in one token; other tokens end one character and begin the next
  assert.deepEqual(shown(" <0xF0><0x9F>", "<0x8C>", "<0x89>"), [" 🌉", null, null]);
  assert.deepEqual(shown("<0xE4><0xBD>", "<0xA0><0xE5>", "<0xA5><0xBD>!"), ["你", "好", "!"]);
  assert.deepEqual(shown("caf<0xC3>", "<0xA9> au"), ["café", " au"]);
});

test("bytes that make no character stay what they are", () => {
  assert.deepEqual(shown("<0xF0>", "<0x9F>", "x"), ["<0xF0>", "<0x9F>", "x"]); // cut by other text
  assert.deepEqual(shown("<0xF0>", "<0x9F>"), ["<0xF0>", "<0x9F>"]); // by the end
  assert.deepEqual(shown("<0x89>", "é"), ["<0x89>", "é"]); // begins none
  assert.deepEqual(shown("<0xED>", "<0xA0>", "<0xBD>"), ["<0xED>", "<0xA0>", "<0xBD>"]); // a surrogate
  assert.deepEqual(shown("<0xF0>", "<0xE4>", "<0xBD>", "<0xA0>"), ["<0xF0>", "你", null, null]);
  assert.deepEqual(shown("<0x41>", "<0xZZ>", "", "<0x0A>"), ["<0x41>", "<0xZZ>", "", "<0x0A>"]);
});

test("each token of a run knows its own bytes and the character", () => {
  const [space, one, two, three] = pieces(["x", " <0xF0><0x9F>", "<0x8C>", "<0x89>"]);
  assert.equal(space.share, null);
  assert.deepEqual(one, {
    text: " 🌉",
    raw: " <0xF0><0x9F>",
    slim: false,
    share: { character: "🌉", at: 1, of: 3 },
  });
  assert.deepEqual([two.raw, two.share], ["<0x8C>", { character: "🌉", at: 2, of: 3 }]);
  assert.deepEqual([three.slim, three.share?.at], [true, 3]);
  assert.equal(pieces(["<0xC3><0xA9>"])[0].share, null); // a whole character in one token
});

test("the text of all pieces is the text that the bytes were", () => {
  const text = "🌉 café 你好 שלום 👩‍👩‍👧";
  for (const step of [1, 2, 3, 5]) {
    const all = bytes(text);
    const tokens = Array.from({ length: Math.ceil(all.length / step) }, (_, i) =>
      all
        .slice(step * i, step * (i + 1))
        .map((b) => (parseInt(b.slice(3, 5), 16) < 0x80 ? String.fromCharCode(parseInt(b.slice(3, 5), 16)) : b))
        .join(""),
    );
    assert.equal(
      pieces(tokens)
        .map((piece) => piece.text)
        .join(""),
      text,
    );
  }
});
