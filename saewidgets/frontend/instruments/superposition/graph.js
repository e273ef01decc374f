// The graph of a model's features: one node per represented feature, an edge where two of them interfere, and which
// polytope each connected part is. What analysis.toys.geometry.feature_graph does in Python.

import { cosine, direction, measures } from "./math.js";

/** @import { Toy } from "./math.js" */
/**
 * A connected part. `shares` are the dimensionalities of its features in the whole model; `axes` are unit vectors that
 * span its subspace, the one that holds most first.
 *
 * @typedef {{ features: number[], rank: number, kind: string, shares: number[], axes: number[][] }} Part
 */
/** @typedef {{ edges: [i: number, j: number, weight: number][], parts: Part[], left: number[], of: number[] }} Graph */

export const EDGE = 0.2; // two features with a smaller |cosine| count as orthogonal
const REPRESENTED = 0.5; // a feature with a smaller norm is left out
const SHARE = 0.1; // of a dimension: a feature of a polytope has that of the regular one, give or take this
const ANGLE = 0.2; // cosine: and so with each pair of its features
const SPANNED = 0.1; // a unit vector that adds less than this lies in the space of those before it
const FLAT = 0.1; // of the largest eigenvalue: a dimension that holds less does not count

/**
 * Features and dimensions of a part -> its polytope, and the cosines of its pairs, each with how often it is there.
 *
 * @type {Record<string, [kind: string, ...cosines: [cosine: number, count: number][]]>}
 */
const KINDS = {
  "1/1": ["single"],
  "2/1": ["digon", [-1, 1]],
  "3/2": ["triangle", [-1 / 2, 3]],
  "4/3": ["tetrahedron", [-1 / 3, 6]],
  "5/2": ["pentagon", [-0.809, 5], [0.309, 5]],
  "8/3": ["square antiprism", [-0.805, 8], [-1 / 3, 4], [0.138, 8], [1 / 3, 8]],
  "5/4": ["4-simplex", [-1 / 4, 10]],
  "6/5": ["5-simplex", [-1 / 5, 15]],
};

/** @type {WeakMap<Toy, Graph>} */
const known = new WeakMap();

/**
 * Edges have weight |W_i . W_j|, between represented features that are not at right angles. `of` is the part of each
 * feature, -1 for one that is left out; parts with more features come first.
 *
 * @param {Toy} model
 * @returns {Graph}
 */
export function graphOf(model) {
  const before = known.get(model);
  if (before) return before;
  const { inner, norms } = measures(model);
  const { n } = model;
  const there = Array.from({ length: n }, (_, i) => i).filter((i) => norms[i] > REPRESENTED);
  /** @type {Graph["edges"]} */
  const edges = [];
  const up = Array.from({ length: n }, (_, i) => i); // toward the first feature of its part
  const root = (/** @type {number} */ i) => {
    let at = i;
    while (up[at] !== at) at = up[at];
    up[i] = at;
    return at;
  };
  for (let k = 0; k < there.length; k += 1)
    for (let l = k + 1; l < there.length; l += 1) {
      const [i, j] = [there[k], there[l]];
      const weight = Math.abs(inner[i * n + j]);
      if (weight <= EDGE * norms[i] * norms[j]) continue;
      edges.push([i, j, weight]);
      const [a, b] = [root(i), root(j)];
      up[Math.max(a, b)] = Math.min(a, b);
    }
  /** @type {Map<number, number[]>} */
  const groups = new Map();
  for (const i of there) {
    const first = root(i);
    const group = groups.get(first);
    if (group) group.push(i);
    else groups.set(first, [i]);
  }
  const parts = [...groups.values()].map((features) => partOf(model, features));
  parts.sort((a, b) => b.features.length - a.features.length || a.features[0] - b.features[0]);
  const of = Array(n).fill(-1);
  for (const [k, part] of parts.entries()) for (const i of part.features) of[i] = k;
  const graph = { edges, parts, of, left: up.filter((_, i) => of[i] < 0) };
  known.set(model, graph);
  return graph;
}

/**
 * @param {Toy} model
 * @param {number[]} features
 * @returns {Part}
 */
function partOf(model, features) {
  const axes = subspace(features.map((i) => direction(model, i)));
  const { dimensionality } = measures(model);
  const shares = features.map((i) => dimensionality[i]);
  const [size, rank] = [features.length, axes.length];
  const [kind, ...cosines] = KINDS[`${size}/${rank}`] ?? ["other"];
  const expected = cosines.flatMap(([value, count]) => Array(count).fill(value));
  const pairs =
    kind === "other" ? [] : features.flatMap((i, k) => features.slice(k + 1).map((j) => cosine(model, i, j)));
  const regular =
    shares.every((share) => Math.abs(share - rank / size) <= SHARE) &&
    pairs.sort((a, b) => a - b).every((value, k) => Math.abs(value - expected[k]) <= ANGLE);
  return { features, rank, kind: regular ? kind : "other", shares, axes };
}

/**
 * Orthonormal axes of the subspace that vectors fill, that which holds most first.
 *
 * @param {number[][]} vectors
 * @returns {number[][]}
 */
export function subspace(vectors) {
  const [k, m] = [vectors.length, vectors[0].length];
  const wide = k < m; // the smaller of two matrices with the same eigenvalues
  const rows = wide ? vectors : Array.from({ length: m }, (_, a) => vectors.map((v) => v[a]));
  const product = rows.map((a) => rows.map((b) => dot(a, b)));
  const { values, vectors: found } = eigen(product);
  const used = found.filter((_, c) => values[c] > FLAT * values[0]);
  if (!wide) return used;
  return used.map((v, c) =>
    Array.from({ length: m }, (_, a) => vectors.reduce((sum, w, i) => sum + w[a] * v[i], 0) / Math.sqrt(values[c])),
  );
}

/**
 * Unit vectors at right angles that span what `vectors` do, each by what it adds to those before it.
 *
 * @param {number[][]} vectors
 * @returns {number[][]}
 */
export function orthonormal(vectors) {
  /** @type {number[][]} */
  const axes = [];
  for (const vector of vectors) {
    const rest = axes.reduce((v, axis) => {
      const along = dot(v, axis);
      return v.map((x, a) => x - along * axis[a]);
    }, vector);
    const size = Math.sqrt(dot(rest, rest));
    if (size > SPANNED) axes.push(rest.map((x) => x / size));
  }
  return axes;
}

/** @param {number[]} a @param {number[]} b */
export const dot = (a, b) => a.reduce((sum, x, k) => sum + x * b[k], 0);

/**
 * Eigenvalues of a symmetric matrix, the largest first, and a unit vector for each: Jacobi's rotations.
 *
 * @param {number[][]} matrix
 */
export function eigen(matrix) {
  const n = matrix.length;
  const a = matrix.map((row) => [...row]);
  const v = a.map((_, i) => a.map((_, j) => Number(i === j))); // row i: eigenvector i
  for (let sweep = 0; sweep < 30; sweep += 1) {
    let off = 0;
    for (let p = 0; p < n; p += 1)
      for (let q = p + 1; q < n; q += 1) {
        off = Math.max(off, Math.abs(a[p][q]));
        if (Math.abs(a[p][q]) > 1e-12) rotate(a, v, p, q);
      }
    if (off < 1e-10) break;
  }
  const order = a.map((_, i) => i).sort((i, j) => a[j][j] - a[i][i]);
  return { values: order.map((i) => a[i][i]), vectors: order.map((i) => v[i]) };
}

/**
 * One rotation in the plane of p and q, after which a[p][q] is 0.
 *
 * @param {number[][]} a
 * @param {number[][]} v
 * @param {number} p
 * @param {number} q
 */
function rotate(a, v, p, q) {
  const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const c = 1 / Math.hypot(t, 1);
  const turn = (/** @type {number} */ x, /** @type {number} */ y) => [c * x - t * c * y, t * c * x + c * y];
  for (const row of a) [row[p], row[q]] = turn(row[p], row[q]);
  for (let k = 0; k < a.length; k += 1) {
    [a[p][k], a[q][k]] = turn(a[p][k], a[q][k]);
    [v[p][k], v[q][k]] = turn(v[p][k], v[q][k]);
  }
}
