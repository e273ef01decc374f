// Where the words of the picture go: beside their points, none on another, none outside.

const LETTER = 7.6; // of a word's letter, about, px
const LINE = 13; // height of a word, px
const AWAY = 7; // from its point, px
const STEPS = [0, 1, -1]; // lines up or down from its point: farther away a word would seem to be of another

/** @typedef {{ text: string, x: number, y: number, side: 1 | -1 }} Word its point, px, and the side that suits it */
/** @typedef {{ left: number, top: number, right: number, bottom: number }} Box px */
/** @typedef {Box & { side: 1 | -1 }} Place */

/**
 * The place of each word, the first ones first; null for one that finds none, "same" for one that stands there
 * already.
 *
 * @param {Word[]} words
 * @param {number} width of the picture, px
 * @param {number} height
 * @returns {(Place | null | "same")[]}
 */
export function placed(words, width, height) {
  /** @type {Place[]} */
  const taken = [];
  const known = new Set();
  return words.map(({ text, x, y, side }) => {
    const key = `${Math.round(x)},${Math.round(y)},${text}`;
    if (known.has(key)) return "same";
    const boxes = STEPS.flatMap((step) => [
      boxOf(text, x, y, side, step),
      boxOf(text, x, y, side === 1 ? -1 : 1, step),
    ]);
    const inside = (/** @type {Box} */ box) =>
      box.left >= 0 && box.right <= width && box.top >= 0 && box.bottom <= height;
    const found = boxes.find((box) => inside(box) && !taken.some((other) => meets(box, other)));
    if (!found) return null;
    taken.push(found);
    known.add(key);
    return found;
  });
}

/**
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {1 | -1} side
 * @param {number} step lines
 * @returns {Place}
 */
function boxOf(text, x, y, side, step) {
  const long = LETTER * text.length;
  const left = side > 0 ? x + AWAY : x - AWAY - long;
  const top = y + step * (LINE - 1) - LINE / 2;
  return { left, top, right: left + long, bottom: top + LINE, side };
}

/**
 * Whether two boxes cover one another somewhere.
 *
 * @param {Box} a
 * @param {Box} b
 */
export function meets(a, b) {
  return a.left < b.right && a.right > b.left && a.top < b.bottom && a.bottom > b.top;
}
