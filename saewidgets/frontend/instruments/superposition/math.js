// The numbers behind the pictures of toy models: what Python sends, unpacked, and the measures of the paper.

/**
 * The models of a picture: `model(snapshot, instance)` is {W, b, D}, W [hidden x features] row by row, D [features x hidden] or
 * null where it is W transposed. Values come as 16-bit integers, all weights, then all biases, then all decoders.
 */
export function unpack(picture) {
  const { snapshots, instances, hidden, features, untied, scale } = picture;
  const view = picture.values;
  const values = new Float32Array(view.byteLength / 2);
  for (let k = 0; k < values.length; k += 1) values[k] = view.getInt16(2 * k, true) * scale;
  const size = hidden * features;
  const biases = snapshots * instances * size;
  const decoders = biases + snapshots * instances * features;
  const cache = new Map();
  const setOf = picture.sets?.length
    ? Array.from({ length: features }, (_, i) => picture.sets.findIndex((members) => members.includes(i)))
    : null;
  const model = (snapshot, instance) => {
    const at = snapshot * instances + instance;
    if (!cache.has(at)) {
      cache.set(at, {
        m: hidden,
        n: features,
        setOf, // which set each feature belongs to, -1 for none; null where there are none
        W: values.subarray(at * size, (at + 1) * size),
        b: values.subarray(biases + at * features, biases + (at + 1) * features),
        neurons: picture.privileged, // a ReLU on the hidden dimensions
        D: untied ? values.subarray(decoders + at * size, decoders + (at + 1) * size) : null,
      });
    }
    return cache.get(at);
  };
  return { ...picture, model };
}

/**
 * Measures of one model, computed once. `read` [i, j] is what output i gets when feature j alone is at 1, bias and last ReLU left out:
 * W'W, or W2 W1, or W2 ReLU(W1). The others are over features: norms, superposition, dimensionality.
 */
export function measures(model) {
  if (model.measures) return model.measures;
  const { W, D, m, n, neurons } = model;
  const inner = new Float32Array(n * n);
  const read = new Float32Array(n * n);
  for (let i = 0; i < n; i += 1)
    for (let j = 0; j < n; j += 1) {
      let a = 0;
      let r = 0;
      for (let k = 0; k < m; k += 1) {
        a += W[k * n + i] * W[k * n + j];
        r += (D ? D[i * m + k] : W[k * n + i]) * (neurons ? Math.max(0, W[k * n + j]) : W[k * n + j]);
      }
      inner[i * n + j] = a;
      read[i * n + j] = r;
    }
  const norms = Float32Array.from({ length: n }, (_, i) => Math.sqrt(inner[i * n + i]));
  const shared = Array.from({ length: n }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < n; j += 1) sum += inner[i * n + j] ** 2;
    return sum; // sum over j of (W_i . W_j)^2, i itself included
  });
  const own = Array.from(norms, (x) => x * x);
  model.measures = {
    read,
    norms,
    superposition: shared.map((sum, i) => (own[i] > 1e-9 ? (sum - own[i] ** 2) / own[i] : 0)),
    dimensionality: shared.map((sum, i) => (own[i] > 1e-9 ? own[i] ** 2 / sum : 0)),
    perFeature: m / (own.reduce((a, b) => a + b, 0) || Infinity),
  };
  return model.measures;
}

/** Column i of W: the direction of feature i. */
export function direction({ W, m, n }, i) {
  return Array.from({ length: m }, (_, k) => W[k * n + i]);
}

/** A rotation as rows of three, from two angles in radians. */
export function rotation(yaw, pitch) {
  const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  return [
    [cy, 0, sy],
    [sp * sy, cp, -sp * cy],
    [-cp * sy, sp, cp * cy],
  ];
}
