// Characters that nobody sees, or that turn the text around them, as marks that one sees.

/** @type {Map<string, string>} */
const NAMED = new Map([
  ["\n", "⏎"],
  ["\r", "␍"],
  ["\t", "⇥"],
  ["\u00a0", "⍽"],
  ["\u2028", "⟨LS⟩"],
  ["\u2029", "⟨PS⟩"],
  ["\u007f", "␡"],
]);
// Controls, lone surrogates, and characters that have no width or that turn the direction of the text around them.
const UNSEEN = new RegExp(
  "[\\u0000-\\u001f\\u007f-\\u00a0\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180e\\u2000-\\u200f" +
    "\\u2028-\\u202f\\u205f-\\u206f\\u3000\\u3164\\ufeff\\ufff9-\\ufffb\\p{Cs}\\p{Cn}\\p{Co}\\u{e0000}-\\u{e0fff}]",
  "gu",
);
// What may stand in no text of a page: it would turn what follows it round, or be nothing at all. Line breaks, tabs and
// wide spaces stay, which a text area, a block of code and our own sentences need.
const NEVER = new RegExp(
  "[\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f\\u061c\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e" +
    "\\u2060-\\u206f\\ufeff\\p{Cs}]",
  "gu",
);

/** @param {string} character one code point */
function named(character) {
  const known = NAMED.get(character);
  if (known) return known;
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCodePoint(0x2400 + code); // the control pictures ␀ to ␟
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
}

/**
 * A token's text with everything in it that is not seen named; spaces stay.
 *
 * @param {string} text
 */
export const marked = (text) => text.replace(UNSEEN, named);

/**
 * Text of a label or a sentence, as it may enter a page: what would turn the direction of what follows is named.
 *
 * @param {string} text
 */
export const safe = (text) => text.replace(NEVER, named);
