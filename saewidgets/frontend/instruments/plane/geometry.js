// Directions, projections, and where the names of the arrows stand. No drawing.

export const MOST = 8; // directions
export const REACH = 1.5; // the plane shows -REACH to REACH units on both axes
export const SIZE = 420; // of the picture, px of its own
export const SCALE = SIZE / 2 / REACH; // px per unit
const LETTER = 7.6; // px that a letter of a name takes, at most on average
const LINE = 16; // px of its height
const GAP = 15; // px from the head of an arrow to its name: the point fits between them
const HEAD = 14; // px around the end of an arrow, and around the point, that no name covers

/** @typedef {[x: number, y: number]} Place */
/** @typedef {[left: number, top: number, right: number, bottom: number]} Box px */

/** The direction of an angle, as a vector of length 1. @param {number} degrees @returns {Place} */
export const unit = (degrees) => {
  const a = (degrees * Math.PI) / 180;
  return [Math.cos(a), Math.sin(a)];
};
/** @param {Place} place in units of the picture, upward @returns {Place} px, downward */
export const px = ([x, y]) => [SIZE / 2 + SCALE * x, SIZE / 2 - SCALE * y];
/** @param {Place} a @param {Place} b */
export const dot = (a, b) => a[0] * b[0] + a[1] * b[1];
/** @param {number} degrees */
export const turned = (degrees) => ((degrees % 360) + 360) % 360;
/** What a point reads on each direction; a rounding error is 0. @param {Place} point @param {Place[]} units */
export const readouts = (point, units) => units.map((u) => (Math.abs(dot(point, u)) < 5e-7 ? 0 : dot(point, u)));

/**
 * The order in which projections are drawn: those that are off first, and the strongest last. Of two opposite
 * directions, whose projections lie at one place, the one that is on is seen.
 *
 * @param {number[]} reads
 */
export const drawingOrder = (reads) => reads.map((_, i) => i).sort((a, b) => reads[a] - reads[b] || a - b);

/**
 * Where one more direction is farthest from the lines of all others: the middle of the widest gap between them.
 *
 * @param {number[]} angles degrees
 */
export function roomiest(angles) {
  const lines = [...new Set(angles.map((a) => turned(a) % 180))].sort((a, b) => a - b);
  const gaps = lines.map((a, i) => (lines[i + 1] ?? lines[0] + 180) - a);
  const widest = gaps.reduce((best, gap, i) => (gap > gaps[best] + 1e-9 ? i : best), 0);
  return turned(lines[widest] + gaps[widest] / 2);
}

/** The head of an arrow of length 1 along `u`, as the path of an SVG. @param {Place} u */
export function head(u) {
  const [x, y] = px(u);
  const [dx, dy] = [u[0], -u[1]];
  const at = (/** @type {number} */ along, /** @type {number} */ across) =>
    `${x - along * dx - across * dy},${y - along * dy + across * dx}`;
  return `M${x},${y}L${at(14, 6)}L${at(14, -6)}Z`;
}

/** How much two boxes overlap, px². @param {Box} a @param {Box} b */
function overlap(a, b) {
  return (
    Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0])) * Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]))
  );
}

/** @param {Place} middle px @param {number} width @param {number} height @returns {Box} */
const around = ([x, y], width, height) => [x - width / 2, y - height / 2, x + width / 2, y + height / 2];

/**
 * The middles, px, at which a name may stand: beyond the head of its arrow, then beside it, above and below.
 *
 * @param {Place} u
 * @param {number} width of the name, px
 * @returns {Place[]}
 */
function candidates(u, width) {
  const [x, y] = px(u);
  const beyond = GAP + (Math.abs(u[0]) * width) / 2 + (Math.abs(u[1]) * LINE) / 2;
  /** @type {Place[]} */
  const places = [[x + beyond * u[0], y - beyond * u[1]]];
  const beside = GAP + LINE / 2;
  for (const side of u[1] >= 0 ? [-1, 1] : [1, -1]) {
    for (const shift of [0, 0.4, -0.4]) places.push([x + shift * width, y + side * beside]);
    for (const far of [1.8, 2.6]) places.push([x, y + side * far * beside]);
  }
  return places.map(([cx, cy]) => [
    Math.max(width / 2 + 2, Math.min(SIZE - width / 2 - 2, cx)),
    Math.max(LINE / 2 + 2, Math.min(SIZE - LINE / 2 - 2, cy)),
  ]);
}

/**
 * Where the names of the arrows stand, px of their middles: on no arrow's head, not on the point, on no other name; the
 * first place of `candidates` that is free, or the one that covers least.
 *
 * @param {Place[]} units
 * @param {string[]} names
 * @param {Place} point in units of the picture
 * @returns {Place[]}
 */
export function namePlaces(units, names, point) {
  const heads = [...units, point].map((place) => around(px(place), 2 * HEAD, 2 * HEAD));
  /** @type {Box[]} */
  const taken = [];
  return units.map((u, i) => {
    const width = LETTER * names[i].length;
    const cost = (/** @type {Place} */ place) =>
      [...heads, ...taken].reduce((sum, box) => sum + overlap(around(place, width, LINE), box), 0);
    const places = candidates(u, width);
    const best = places.reduce((found, place) => (cost(place) < cost(found) - 1e-9 ? place : found));
    taken.push(around(best, width, LINE));
    return best;
  });
}
