// The points of a map: their columns, an index of where they lie, and the geometry of choosing among them. No drawing.

import { glyphs } from "../../shared/tokens.js";

const CELLS = 96; // of the index, a side

/** @typedef {{ n: number, x: ArrayLike<number>, y: ArrayLike<number> }} Places */
/** @typedef {(i: number) => boolean} Allowed */
/** @typedef {[name: string, x: number, y: number, n: number]} Region a named part, the best named first */
/** @typedef {ReturnType<typeof unpackMap>} Points */

/**
 * Bytes as an array of numbers, wherever in their buffer they begin.
 *
 * @template T
 * @param {ArrayBufferView} bytes
 * @param {new (buffer: ArrayBuffer) => T} Kind
 */
function column(bytes, Kind) {
  const { buffer, byteOffset, byteLength } = bytes;
  return new Kind(/** @type {ArrayBuffer} */ (buffer.slice(byteOffset, byteOffset + byteLength)));
}

/**
 * The columns of `payloads.map_points` as typed arrays, and what follows from them. `names()` gives the reader's labels
 *  by
 * point, which come first.
 *
 * @param {Record<string, any>} map
 * @param {() => Record<string, string>} names
 */
export function unpackMap(map, names = () => ({})) {
  const n = /** @type {number} */ (map.n);
  const place = column(map.place, Uint16Array);
  const x = Float32Array.from(place.subarray(0, n), (v) => v / 32767.5 - 1);
  const y = Float32Array.from(place.subarray(n), (v) => v / 32767.5 - 1);
  const sae = column(map.sae, Uint8Array);
  const feature = column(map.feature, Int32Array);
  const concept = column(map.concept, Int16Array);
  const parent = column(map.parent, Int32Array);
  const child = column(map.child, Int32Array);
  const cosine = column(map.cosine, Float32Array);
  const none = new Int32Array(n).fill(-1); // of a page of an older version
  const cluster = map.cluster ? column(map.cluster, Int32Array) : none;
  const tokens = column(map.tokens, Int32Array);
  const each = n ? tokens.length / n : 0;
  const concepts = /** @type {string[]} */ (map.concepts);
  return {
    n,
    x,
    y,
    sae,
    feature,
    concept,
    cluster,
    order: map.order ? column(map.order, Int32Array) : none, // place in a row of near ones; all -1 without one
    parent,
    child,
    concepts,
    saes: /** @type {{ name: string, d_sae: number }[]} */ (map.saes),
    threshold: /** @type {number} */ (map.threshold),
    regions: /** @type {Region[]} */ (map.regions ?? []), // a page of an older version has none
    density: column(map.density, Float32Array),
    maximum: column(map.maximum, Float32Array),
    precision: column(map.precision, Float32Array),
    output: map.output ? column(map.output, Float32Array) : null, // scores, where they were given
    input: map.input ? column(map.input, Float32Array) : null,
    label: (/** @type {number} */ i) =>
      names()[String(i)] ?? /** @type {string} */ (Object.hasOwn(map.labels, String(i)) ? map.labels[String(i)] : ""),
    tokens: (/** @type {number} */ i) =>
      [...tokens.subarray(i * each, (i + 1) * each)]
        .filter((word) => word >= 0)
        .map((word) => /** @type {string} */ (map.words[word])),
    about: (/** @type {number} */ i) => (concept[i] < 0 ? "" : concepts[concept[i]].replaceAll("_", " ")),
    /** The point of a feature of an SAE, or -1. */
    at: (/** @type {number} */ wanted, /** @type {number} */ of) =>
      feature.findIndex((own, i) => own === wanted && sae[i] === of),
    /** The points that a point is linked to: those that it comes from, then those that it splits into, by cosine. */
    linked(/** @type {number} */ i) {
      const found = [];
      for (let k = 0; k < parent.length; k += 1) {
        if (parent[k] === i) found.push({ point: child[k], cosine: cosine[k], child: true });
        else if (child[k] === i) found.push({ point: parent[k], cosine: cosine[k], child: false });
      }
      return found.sort((a, b) => Number(a.child) - Number(b.child) || b.cosine - a.cosine);
    },
    near: index({ n, x, y }),
  };
}

/**
 * near(x, y, reach, allowed): the nearest allowed point within `reach` of a place, or -1. A grid of cells, looked up
 * from the middle.
 *
 * @param {Places} places
 */
function index({ n, x, y }) {
  const cell = (/** @type {number} */ v) => Math.max(0, Math.min(CELLS - 1, Math.floor(((v + 1) / 2) * CELLS)));
  const start = new Int32Array(CELLS * CELLS + 1);
  for (let i = 0; i < n; i += 1) start[cell(y[i]) * CELLS + cell(x[i]) + 1] += 1;
  for (let c = 0; c < CELLS * CELLS; c += 1) start[c + 1] += start[c];
  const listed = new Int32Array(n);
  const next = start.slice();
  for (let i = 0; i < n; i += 1) listed[next[cell(y[i]) * CELLS + cell(x[i])]++] = i;
  /** @type {(px: number, py: number, reach: number, allowed: Allowed) => number} */
  return (px, py, reach, allowed) => {
    let best = -1;
    let least = reach * reach;
    const [x0, x1, y0, y1] = [cell(px - reach), cell(px + reach), cell(py - reach), cell(py + reach)];
    for (let row = y0; row <= y1; row += 1) {
      for (let k = start[row * CELLS + x0]; k < start[row * CELLS + x1 + 1]; k += 1) {
        const i = listed[k];
        const d = (x[i] - px) ** 2 + (y[i] - py) ** 2;
        if (d <= least && allowed(i)) [best, least] = [i, d];
      }
    }
    return best;
  };
}

/**
 * Whether a place is inside a polygon [[x, y], ...]: a ray to the right crosses its border an odd number of times.
 *
 * @param {number[][]} polygon
 * @param {number} px
 * @param {number} py
 */
export function inside(polygon, px, py) {
  let within = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i, i += 1) {
    const [xi, yi] = polygon[i];
    const [xj, yj] = polygon[j];
    if (yi > py !== yj > py && px < ((xj - xi) * (py - yi)) / (yj - yi) + xi) within = !within;
  }
  return within;
}

/**
 * The nearest allowed point that lies more to one side (dx, dy: a unit step along an axis) of point `from` than across;
 * or -1.
 *
 * @param {Places} places
 * @param {number} from
 * @param {number} dx
 * @param {number} dy
 * @param {Allowed} allowed
 */
export function toward({ n, x, y }, from, dx, dy, allowed) {
  let best = -1;
  let least = Infinity;
  for (let i = 0; i < n; i += 1) {
    if (i === from) continue;
    const along = (x[i] - x[from]) * dx + (y[i] - y[from]) * dy;
    const across = Math.abs((x[i] - x[from]) * dy - (y[i] - y[from]) * dx);
    if (along <= 0 || across > along) continue;
    const d = along * along + across * across;
    if (d < least && allowed(i)) [best, least] = [i, d];
  }
  return best;
}

/**
 * The points that a search finds, best first: a number, the start of a label or concept, then any part of these or of
 * a token.
 *
 * @param {Points} points
 * @param {string} query
 * @param {Allowed} allowed
 */
export function findPoints(points, query, allowed) {
  const asked = query.trim().toLowerCase();
  if (!asked) return [];
  const number = /^#?(\d+)$/.exec(asked);
  const ranked = [];
  for (let i = 0; i < points.n; i += 1) {
    if (!allowed(i)) continue;
    const names = [points.label(i), points.about(i)].map((name) => name.toLowerCase());
    let rank = 9;
    if (number && points.feature[i] === Number(number[1])) rank = 0;
    else if (names.some((name) => name.startsWith(asked))) rank = 1;
    else if (names.some((name) => name.includes(asked))) rank = 2;
    else {
      const tokens = points.tokens(i).map((token) => token.toLowerCase());
      const place = tokens.findIndex((token) => token.trim() === asked);
      if (place >= 0) rank = 3 + place / 10;
      else if (tokens.some((token) => token.includes(asked))) rank = 4;
    }
    if (rank < 9) ranked.push([rank, i]);
  }
  return ranked.sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, i]) => i);
}

/**
 * What a point is called in few words: its label, its concept, or the token that it promotes most.
 *
 * @param {Points} points
 * @param {number} i
 */
export function nameOfPoint(points, i, limit = 30) {
  const number = `#${points.feature[i]}`;
  const name = points.label(i) || points.about(i) || points.tokens(i)[0] || number;
  return glyphs(name, limit).replaceAll("·", " ").trim() || number;
}
