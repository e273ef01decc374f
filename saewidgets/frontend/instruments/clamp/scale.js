// The scale of a slider: −10× to 10× have its ends, and 0 to 3×, where clamps work, have three fifths of its length.

export const LIMIT = 10; // multiples of the maximum at the ends

/** Between two of these the scale is even: [multiple, share of the length]. */
const KNOTS = [
  [-LIMIT, 0],
  [-3, 0.08],
  [0, 0.18],
  [3, 0.78],
  [5, 0.87],
  [LIMIT, 1],
];
export const TICKS = [-LIMIT, 0, 1, 2, 3, 5, LIMIT];

/**
 * @param {number} x
 * @param {0 | 1} from
 * @param {0 | 1} to the other column of the knots
 */
function between(x, from, to) {
  const at = Math.max(
    1,
    KNOTS.findIndex((knot) => knot[from] >= x),
  );
  const [low, high] = [KNOTS[at - 1], KNOTS[at]];
  const share = (x - low[from]) / (high[from] - low[from]);
  return share === 1 ? high[to] : low[to] + share * (high[to] - low[to]);
}

/**
 * Where a multiple lies on the slider, from 0 to 1; what is beyond an end lies at that end.
 *
 * @param {number} multiple
 */
export function placeOf(multiple) {
  return between(Math.max(-LIMIT, Math.min(LIMIT, multiple)), 0, 1);
}

/**
 * The multiple at a place of the slider: the inverse of `placeOf`.
 *
 * @param {number} place from 0 to 1
 */
export function multipleAt(place) {
  return between(Math.max(0, Math.min(1, place)), 1, 0);
}

const onGrid = (/** @type {number} */ multiple, /** @type {number} */ step) =>
  Math.round(Math.round(multiple / step) * step * 1000) / 1000 + 0; // + 0: no negative zero

/**
 * The multiple that a hand means: the nearest on a grid about as fine as a hand can place it.
 *
 * @param {number} multiple
 */
export function snapped(multiple) {
  return onGrid(multiple, multiple >= 0 && multiple <= 3 ? 0.05 : 0.1);
}

/**
 * The next multiple for a key: fine where clamps work (0 to 3×, and the window that was measured), coarser outside.
 *
 * @param {number} multiple
 * @param {1 | -1} direction
 * @param {boolean} far a page, not a line
 * @param {[number, number] | null} window
 */
export function stepped(multiple, direction, far = false, window = null) {
  const inside = (/** @type {number} */ low, /** @type {number} */ high) =>
    direction > 0 ? multiple >= low && multiple < high : multiple > low && multiple <= high;
  const fine = inside(0, 3) || (window !== null && inside(window[0], window[1]));
  const step = far ? (fine ? 0.5 : 1) : fine ? 0.05 : 0.25;
  const units = multiple / step;
  const next = direction > 0 ? Math.floor(units + 1e-6) + 1 : Math.ceil(units - 1e-6) - 1;
  const to = onGrid(next * step, step);
  if (Math.abs(multiple) > LIMIT)
    return to * multiple > 0 && Math.abs(to) > Math.abs(multiple) ? multiple : clipped(to);
  return clipped(to);
}

const clipped = (/** @type {number} */ multiple) => Math.max(-LIMIT, Math.min(LIMIT, multiple));

/**
 * The middle of a window, as a person would type it.
 *
 * @param {[number, number]} window
 */
export function middleOf([low, high]) {
  return onGrid((low + high) / 2, high - low < 0.2 ? 0.01 : 0.05);
}
