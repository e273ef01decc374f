// Characters that several tokens share. A tokenizer of bytes may cut "🌉" into three or four tokens, none of which is
// text; their display texts name the bytes, <0xF0> <0x9F> ... Here the run of tokens gets its character back.

/**
 * How one token of a list is shown. `text` is what it shows: a character that several tokens share is shown by the
 * first of them, and one that holds nothing but later bytes is `slim` and shows nothing. `raw` is its own display
 * text. `share` tells of a shared character: which, and which of its tokens this is (the last such, where a token has
 * a part of two).
 *
 * @typedef {{ text: string, raw: string, slim: boolean,
 *   share: { character: string, at: number, of: number } | null }} Piece
 */

const BYTE = /<0x([89A-Fa-f][0-9A-Fa-f])>/g; // of a character of several; those below 80 are characters themselves
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** @param {number} lead @returns {number} bytes of the character that begins so; 0 for a byte that begins none */
function lengthOf(lead) {
  if (lead >= 0xc2 && lead < 0xe0) return 2;
  if (lead >= 0xe0 && lead < 0xf0) return 3;
  return lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
}

/** @param {number[]} bytes @returns {string} the character that they are; "" where they are none */
function characterOf(bytes) {
  try {
    return utf8.decode(Uint8Array.from(bytes));
  } catch {
    return "";
  }
}

/**
 * The parts of a list of display texts: bytes apart from the text around them, each with its token.
 *
 * @param {string[]} texts
 */
function unitsOf(texts) {
  /** @type {{ token: number, text: string, byte: number }[]} */
  const units = [];
  texts.forEach((text, token) => {
    let from = 0;
    for (const found of text.matchAll(BYTE)) {
      if (found.index > from) units.push({ token, text: text.slice(from, found.index), byte: -1 });
      units.push({ token, text: found[0], byte: parseInt(found[1], 16) });
      from = found.index + found[0].length;
    }
    if (from < text.length || !text) units.push({ token, text: text.slice(from), byte: -1 });
  });
  return units;
}

/**
 * How each token of a run of text is shown: see `Piece`. Bytes that make no character stay as they are.
 *
 * @param {string[]} texts display texts, in order
 * @returns {Piece[]}
 */
export function pieces(texts) {
  /** @type {Piece[]} */
  const out = texts.map((raw) => ({ text: "", raw, slim: false, share: null }));
  const units = unitsOf(texts);
  for (let i = 0; i < units.length; ) {
    const { token, text, byte } = units[i];
    const n = byte < 0 ? 0 : lengthOf(byte);
    const own = units.slice(i, i + n);
    const character = n && own.length === n && own.every((u) => u.byte >= 0) ? characterOf(own.map((u) => u.byte)) : "";
    out[token].text += character || text;
    if (character) {
      const tokens = [...new Set(own.map((u) => u.token))];
      tokens.forEach((t, at) => {
        out[t].share = { character, at: at + 1, of: tokens.length };
      });
    }
    i += character ? n : 1;
  }
  for (const piece of out) {
    piece.slim = piece.text === "" && piece.raw !== "";
    if (piece.share?.of === 1) piece.share = null;
  }
  return out;
}
