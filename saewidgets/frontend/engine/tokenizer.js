// A byte-level BPE as GPT-2's: texts to ids, and ids to texts.

/**
 * @typedef {{ tokens: string[], merges: [string, string][], added: [id: number, text: string][] }} Vocabulary `tokens`
 *   by id, in GPT-2's printable alphabet
 */

// Unicode's, which is not \s.
const SPACE = "\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const PIECES = new RegExp(
  `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${SPACE}\\p{L}\\p{N}]+|[${SPACE}]+(?![^${SPACE}])|[${SPACE}]+`,
  "gu",
);

/** GPT-2's printable characters, by byte: printable bytes stand for themselves, the others for U+0100 and up. */
function alphabet() {
  const plain = (/** @type {number} */ b) => (b >= 0x21 && b < 0x7f) || (b >= 0xa1 && b < 0xad) || b >= 0xae;
  let more = 256;
  return Array.from({ length: 256 }, (_, b) => String.fromCharCode(plain(b) ? b : more++));
}

/** @param {Vocabulary} vocabulary */
export function tokenizerOf({ tokens, merges, added }) {
  const letters = alphabet();
  const bytes = new Map(letters.map((letter, b) => [letter, b]));
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const ranks = new Map(merges.map(([a, b], rank) => [`${a} ${b}`, rank]));
  const markers = new Map(added);
  /** @type {Map<string, number[]>} */
  const known = new Map(); // pieces that were encoded
  const utf8 = new TextEncoder();

  /** Pairs are joined, the one that was joined first in training first. @param {string} piece */
  const merged = (piece) => {
    const parts = Array.from(utf8.encode(piece), (b) => letters[b]);
    while (parts.length > 1) {
      let [best, at] = [Infinity, -1];
      for (let i = 0; i + 1 < parts.length; i += 1) {
        const rank = ranks.get(`${parts[i]} ${parts[i + 1]}`) ?? Infinity;
        if (rank < best) [best, at] = [rank, i];
      }
      if (at < 0) break;
      const [a, b] = [parts[at], parts[at + 1]];
      for (let i = 0; i + 1 < parts.length; i += 1) if (parts[i] === a && parts[i + 1] === b) parts.splice(i, 2, a + b);
    }
    return parts.flatMap((part) => ids.get(part) ?? []);
  };

  /** @param {string} text no marker in it */
  const plain = (text) =>
    (text.match(PIECES) ?? []).flatMap((piece) => {
      const found = known.get(piece) ?? merged(piece);
      if (known.size > 10_000) known.clear();
      known.set(piece, found);
      return found;
    });

  /** @param {string} text @returns {number[]} */
  const encode = (text) => {
    let [at, marker, found] = [Infinity, "", -1];
    for (const [id, own] of markers) {
      const place = own ? text.indexOf(own) : -1;
      if (place >= 0 && (place < at || (place === at && own.length > marker.length)))
        [at, marker, found] = [place, own, id];
    }
    if (found < 0) return plain(text);
    return [...plain(text.slice(0, at)), found, ...encode(text.slice(at + marker.length))];
  };

  /** The bytes of one token. @param {number} id */
  const raw = (id) => {
    const text = markers.get(id);
    if (text !== undefined) return utf8.encode(text);
    return Uint8Array.from(tokens[id] ?? "", (letter) => bytes.get(letter) ?? 0);
  };

  /**
   * A function to call with each next token; gives the text to append, "" while a character is incomplete.
   *
   * @param {number[]} [after] the tokens that it follows
   */
  const reader = (after = []) => {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    const read = (/** @type {number} */ id) => decoder.decode(raw(id), { stream: true });
    for (const id of after.slice(-8)) read(id);
    return read;
  };
  return { encode, reader, raw };
}

/** @typedef {ReturnType<typeof tokenizerOf>} Tokenizer */
