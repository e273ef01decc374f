// How the points look: color, size, which are asked for, and in which order they are drawn. No drawing.

/** @import { Points } from "./points.js" */

export const NAMED_CONCEPTS = 7; // of the most common ones, in colors of their own
export const RAMP = 5; // colors of the ramp, --saew-r1 the least
const SIZES = { density: 1.4, maximum: 1.4, same: 2.1 }; // px, the smallest radius
const FORWARD = 0.6; // px that a point with a color of its own has more
const GROWTH = 3; // px that the largest has more
const REST = "--saew-rest";
const LIT = "--up"; // what the legend or the search asks for

/** @param {string} letter @param {number} n */
const numbered = (letter, n) => Array.from({ length: n }, (_, k) => `--saew-${letter}${k + 1}`);
/** Names of the colors. */
export const INKS = [...numbered("k", NAMED_CONCEPTS), ...numbered("r", RAMP), REST, LIT];
const REST_INK = INKS.indexOf(REST);
const LIT_INK = INKS.indexOf(LIT);

/** @typedef {ReturnType<typeof mapLook>} Look */

/** @param {Points} points */
export function mapLook(points) {
  const { n } = points;
  const commonest = topConcepts(points);
  const largestClusters = commonestOf(points.cluster);
  const scales = scalesOf(points);
  const scale = scales.density;
  const rankOf = new Map(commonest.map(([concept], rank) => [concept, rank]));
  const largest = points.saes.map((_, sae) =>
    points.maximum.reduce((most, v, i) => (points.sae[i] === sae && v > most ? v : most), 0),
  );
  let mode = "concept";

  /** The legend's entry of a point: what is lit together. */
  const entryOf = (/** @type {number} */ i) => {
    if (mode === "cluster") return points.cluster[i] < 0 ? "rest" : `cluster ${points.cluster[i]}`;
    if (mode === "sae") return `sae ${points.sae[i]}`;
    if (mode === "concept") return rankOf.has(points.concept[i]) ? `concept ${points.concept[i]}` : "rest";
    const told = mode === "output" || mode === "input" ? mode : "density";
    const value = points[told]?.[i] ?? NaN;
    const level = scales[told].of(value);
    if (level === null) return value === 0 ? "silent" : "rest";
    return `level ${Math.min(RAMP - 1, Math.floor(level * RAMP))}`;
  };
  const colorOf = (/** @type {string} */ entry) => colorAt(entry, (concept) => rankOf.get(concept) ?? 0);
  const shareOf = (/** @type {number} */ i, /** @type {string} */ size) => {
    if (size === "density") return scale.of(points.density[i]) ?? 0;
    const most = size === "maximum" ? largest[points.sae[i]] : 0;
    return most ? Math.max(0, points.maximum[i] / most) || 0 : 0;
  };

  const look = {
    commonest,
    largestClusters,
    edges: (/** @type {"density" | "output" | "input"} */ told) => scales[told].edges,
    entryOf,
    colorOf,
    ink: new Uint8Array(n), // of each point, index into INKS
    radius: new Float32Array(n), // px
    recedes: new Uint8Array(n), // 1 for those that have no color of their own
    bright: new Uint8Array(n).fill(1), // 1 for those that are asked for, and for all where nothing is asked
    order: new Uint32Array(n), // in which they are drawn
    /** The legend's entry that alone is lit. @type {string | null} */
    only: null,
    /** While there is a search, what it found. @type {Set<number> | null} */
    found: null,
    asked: () => look.only !== null || look.found !== null,
    /** Colors, sizes and order for what the settings say; once for all the frames that follow. */
    arrange(/** @type {string} */ color, /** @type {"density" | "maximum" | "same"} */ size) {
      mode = color;
      for (let i = 0; i < n; i += 1) {
        look.recedes[i] = Number(colorOf(entryOf(i)) === REST);
        const back = look.recedes[i] === 1;
        look.radius[i] = SIZES[size] + (back ? 0 : FORWARD) + (back ? 0.5 : 1) * GROWTH * shareOf(i, size);
      }
      look.light();
    },
    /** Which are lit, after `only` or `found` has changed. */
    light() {
      const asked = look.asked();
      for (let i = 0; i < n; i += 1) {
        const entry = entryOf(i);
        const lit = (!look.found || look.found.has(i)) && (look.only === null || entry === look.only);
        look.bright[i] = Number(lit);
        // The answer to a question has one strong color, unless the color tells a second thing.
        const strong = asked && lit && (mode === "concept" || look.recedes[i]);
        look.ink[i] = strong ? LIT_INK : look.recedes[i] ? REST_INK : INKS.indexOf(colorOf(entry));
      }
      // Gray below, so that what has a color is seen; small above large, so that nothing is covered; what is asked for
      // on top.
      const key = Float32Array.from(
        look.radius,
        (r, i) => (asked && look.bright[i] ? 200 : look.recedes[i] ? 0 : 100) - r,
      );
      look.order = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => key[a] - key[b] || a - b);
    },
  };
  return look;
}

/** @param {string} entry of the legend @param {(concept: number) => number} rank among the most common ones */
function colorAt(entry, rank) {
  const [kind, number] = entry.split(" ");
  if (kind === "sae" || kind === "cluster") return `--saew-k${(Number(number) % NAMED_CONCEPTS) + 1}`;
  if (kind === "concept") return `--saew-k${rank(Number(number)) + 1}`;
  return kind === "level" ? `--saew-r${Number(number) + 1}` : REST;
}

/**
 * [concept, number of points] of the most common ones.
 *
 * @param {{ concept: ArrayLike<number> }} points
 */
export const topConcepts = (points) => commonestOf(points.concept);

/**
 * [number, how often] of the most common ones, those below 0 left out.
 *
 * @param {ArrayLike<number>} column
 */
function commonestOf(column) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const one of Array.from(column)) {
    if (one >= 0) counts.set(one, (counts.get(one) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, NAMED_CONCEPTS);
}

/** Of every figure that colors tell. @param {Points} points */
const scalesOf = ({ density, output }) => ({
  density: logScale(density),
  output: logScale(output ?? []),
  input: evenScale(),
});

/** A share as it is; null where it is not known. */
export function evenScale() {
  return {
    of: (/** @type {number} */ v) => (v >= 0 ? v : null),
    edges: Array.from({ length: RAMP + 1 }, (_, k) => k / RAMP),
  };
}

/**
 * Density, or a score, on a logarithmic scale: 0 for the smallest there is, 1 for the largest; null where it is 0 or
 * not known.
 *
 * @param {Float32Array | number[]} density
 */
export function logScale(density) {
  let [least, most] = [Infinity, 0];
  for (const v of density) {
    if (v > 0 && v < least) least = v;
    if (v > most) most = v;
  }
  const span = Math.log(most / least) || 1;
  return {
    of: (/** @type {number} */ v) => (v > 0 ? Math.log(v / least) / span : null),
    edges: Array.from({ length: RAMP + 1 }, (_, k) => least * Math.exp((span * k) / RAMP)),
  };
}
