// The numbers behind the pictures of toy models: what Python sends, unpacked, and the measures of the paper.

/**
 * What Python sends, see payloads/toys.py.
 *
 * @typedef {{
 *   snapshots: number, instances: number, hidden: number, features: number, untied: boolean, privileged: boolean,
 *  scale: number,
 *   values: DataView, steps: number[], losses: number[][], labels: string[], label_name: string, reach: number, bias:
 *  number,
 *   sets: number[][], loss_parts: [own: number, others: number][][],
 *   density: number[][], importance: number[][], attackable: boolean, vulnerability: number[],
 *   examples: import("./examples.js").Sparse[], sizes: number[], coordinates: import("./examples.js").Coordinates[],
 *   total: number, about: string, code: string, curves: import("./curves.js").Curves | null
 * }} Picture
 */

/**
 * One model: W [m x n] row by row, D [n x m] or null where it is W transposed; `setOf` is which set each feature
 *  belongs to, -1 for
 * none, and null where there are no sets; `neurons` says that the hidden dimensions have a ReLU.
 *
 * @typedef {{
 *   m: number, n: number, setOf: number[] | null, W: ArrayLike<number>, b: ArrayLike<number>, D: ArrayLike<number> |
 *  null,
 *   neurons: boolean, measures?: Measures
 * }} Toy
 */

/**
 * @typedef {{ inner: Float32Array, read: Float32Array, norms: Float32Array, superposition: number[],
 *   dimensionality: number[], perFeature: number }} Measures
 */

/** @typedef {Picture & { model: (snapshot: number, instance: number) => Toy }} Models */

/** @typedef {{ marked: number | null, attack: number, sample: number }} Choices `marked`: a feature */

/**
 * What all parts draw: the snapshot and the model that are chosen, all models at that snapshot, how a space is looked
 *  at, and whether
 * the training goes on.
 *
 * @typedef {{
 *   data: Models, at: number, chosen: number, all: Toy[], one: Toy, turn: { yaw: number, pitch: number }, training:
 *  boolean,
 *   sae: { recovered: import("./recovery.js").Recovered | null, features: number, architecture: string }
 * } & Choices} Scene
 */

/**
 * The models of a picture: `model(snapshot, instance)` is {W, b, D}, W [hidden x features] row by row, D [features x
 *  hidden] or
 * null where it is W transposed. Values come as 16-bit integers, all weights, then all biases, then all decoders.
 *
 * @param {Picture} picture
 * @returns {Models}
 */
export function unpack(picture) {
  const { snapshots, instances, hidden, features, untied, scale } = picture;
  const view = picture.values;
  const values = new Float32Array(view.byteLength / 2);
  for (let k = 0; k < values.length; k += 1) values[k] = view.getInt16(2 * k, true) * scale;
  const size = hidden * features;
  const biases = snapshots * instances * size;
  const decoders = biases + snapshots * instances * features;
  /** @type {Map<number, Toy>} */
  const cache = new Map();
  const setOf = picture.sets?.length
    ? Array.from({ length: features }, (_, i) => picture.sets.findIndex((members) => members.includes(i)))
    : null;
  const model = (/** @type {number} */ snapshot, /** @type {number} */ instance) => {
    const at = snapshot * instances + instance;
    let one = cache.get(at);
    if (!one) {
      one = {
        m: hidden,
        n: features,
        setOf,
        W: values.subarray(at * size, (at + 1) * size),
        b: values.subarray(biases + at * features, biases + (at + 1) * features),
        neurons: picture.privileged,
        D: untied ? values.subarray(decoders + at * size, decoders + (at + 1) * size) : null,
      };
      cache.set(at, one);
    }
    return one;
  };
  return { ...picture, model };
}

/**
 * @param {Models} data
 * @param {number} snapshot -1, or one that is not there, is the last
 * @param {number} selected
 * @param {{ yaw: number, pitch: number }} turn
 * @param {boolean} training
 * @param {Choices} choices
 * @returns {Omit<Scene, "sae">}
 */
export function sceneOf(data, snapshot, selected, turn, training, choices) {
  const at = snapshot < 0 || snapshot >= data.snapshots ? data.snapshots - 1 : snapshot;
  const chosen = Math.min(selected, data.instances - 1);
  const all = Array.from({ length: data.instances }, (_, i) => data.model(at, i));
  const marked = choices.marked !== null && choices.marked < data.features ? choices.marked : null;
  return { data, at, chosen, all, one: all[chosen], turn, training, ...choices, marked };
}

/**
 * Densities, or importances, of one model, one per feature: `rows` has a single number where all are alike.
 *
 * @param {number[][]} rows
 * @param {Scene} scene
 */
export const perFeature = (rows, { chosen, data: { features } }) =>
  rows[chosen].length > 1 ? rows[chosen] : Array(features).fill(rows[chosen][0]);

/**
 * Whether the directions of the features can be drawn as arrows: in up to three dimensions, where these may be turned.
 *
 * @param {Models} data
 */
export const asArrows = (data) => data.hidden <= 3 && !data.privileged;

/**
 * The length that fills the picture of one model's arrows: the same for all, so that they compare, but where models
 *  trained on data sets, between which some are many times as long.
 *
 * @param {Models} data
 * @param {number} i
 */
export const reachOf = (data, i) =>
  data.sizes.some((size) => size > 0) ? Math.max(1, ...measures(data.model(data.snapshots - 1, i)).norms) : data.reach;

/**
 * Densities from the first to the last, evenly on a logarithmic scale, to two digits.
 *
 * @param {number} first
 * @param {number} last
 * @param {number} count
 */
export function spread(first, last, count) {
  const at = (/** @type {number} */ t) => Number((first * (last / first) ** t).toPrecision(2));
  return Array.from({ length: count }, (_, i) => at(count > 1 ? i / (count - 1) : 1));
}

/**
 * Measures of one model, computed once. `inner` is W'W. `read` [i, j] is what output i gets when feature j alone is at
 * 1, bias and last ReLU left out: W'W, or W2 W1, or W2 ReLU(W1). The others are over features: norms, superposition,
 * dimensionality.
 *
 * @param {Toy} model
 * @returns {Measures}
 */
export function measures(model) {
  if (model.measures) return model.measures;
  const { W, D, m, n, neurons } = model;
  const inner = new Float32Array(n * n);
  for (let i = 0; i < n; i += 1)
    for (let j = i; j < n; j += 1) {
      let a = 0;
      for (let k = 0; k < m; k += 1) a += W[k * n + i] * W[k * n + j];
      inner[i * n + j] = inner[j * n + i] = a;
    }
  const read = D || neurons ? readOut(model) : inner;
  const norms = Float32Array.from({ length: n }, (_, i) => Math.sqrt(inner[i * n + i]));
  const shared = Array.from({ length: n }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < n; j += 1) sum += inner[i * n + j] ** 2;
    return sum; // sum over j of (W_i . W_j)^2, i itself included
  });
  const own = Array.from(norms, (x) => x * x);
  model.measures = {
    inner,
    read,
    norms,
    superposition: shared.map((sum, i) => (own[i] > 1e-9 ? (sum - own[i] ** 2) / own[i] : 0)),
    dimensionality: shared.map((sum, i) => (own[i] > 1e-9 ? own[i] ** 2 / sum : 0)),
    perFeature: m / (own.reduce((a, b) => a + b, 0) || Infinity),
  };
  return model.measures;
}

/**
 * What output i gets when feature j alone is at 1, where that is not W'W.
 *
 * @param {Toy} model
 */
function readOut({ W, D, m, n, neurons }) {
  const read = new Float32Array(n * n);
  for (let i = 0; i < n; i += 1)
    for (let j = 0; j < n; j += 1)
      for (let k = 0; k < m; k += 1)
        read[i * n + j] += (D ? D[i * m + k] : W[k * n + i]) * (neurons ? Math.max(0, W[k * n + j]) : W[k * n + j]);
  return read;
}

/**
 * Column i of W: the direction of feature i.
 *
 * @param {Pick<Toy, "W" | "m" | "n">} model
 * @param {number} i
 */
export function direction({ W, m, n }, i) {
  return Array.from({ length: m }, (_, k) => W[k * n + i]);
}

/**
 * The cosine of the angle between the directions of two features.
 *
 * @param {Toy} model
 * @param {number} i
 * @param {number} j
 */
export function cosine(model, i, j) {
  const { inner, norms } = measures(model);
  return inner[i * model.n + j] / (norms[i] * norms[j]);
}

/**
 * A cell of a grid, or the one nearest to it.
 *
 * @param {[row: number, column: number]} cell
 * @param {number} rows
 * @returns {[row: number, column: number]}
 */
export const bounded = ([row, column], rows, columns = rows) => [
  Math.max(0, Math.min(rows - 1, row)),
  Math.max(0, Math.min(columns - 1, column)),
];

/**
 * Where a value lies on a logarithmic axis: the number of the value that ends its piece, and the share of the piece
 * before it. Beyond the ends as in the piece there.
 *
 * @param {number[]} values ascending, at least two
 * @param {number} value
 */
export function pieceOf(values, value) {
  const after = values.findIndex((v) => v >= value);
  const k = Math.max(1, after < 0 ? values.length - 1 : after);
  return { k, share: Math.log(value / values[k - 1]) / Math.log(values[k] / values[k - 1]) };
}

/**
 * A rotation as rows of three, from two angles in radians.
 *
 * @param {number} yaw
 * @param {number} pitch
 */
export function rotation(yaw, pitch) {
  const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  return [
    [cy, 0, sy],
    [sp * sy, cp, -sp * cy],
    [-cp * sy, sp, cp * cy],
  ];
}
