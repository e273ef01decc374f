// Matrix products in plain JavaScript, and what is done to one row at a time.

/**
 * y = x W' + b: rows x [n, m] by the matrix W [k, m], whose rows lie as they are multiplied. Sums are of 64 bits.
 *
 * @param {Float64Array} x
 * @param {number} n
 * @param {Float32Array} W
 * @param {Float32Array} b
 * @param {Float64Array} y [n, k]
 */
export function product(x, n, W, b, y) {
  const k = b.length;
  const m = W.length / k;
  let row = 0;
  for (; row + 1 < n; row += 2) twoRows(x, row, m, W, b, y, k);
  if (row < n) oneRow(x, row, m, W, b, y, k);
}

/**
 * Four sums at a time: each number of x is read once for four of W.
 *
 * @param {Float64Array} x @param {number} row @param {number} m @param {Float32Array} W @param {Float32Array} b
 * @param {Float64Array} y @param {number} k
 */
function oneRow(x, row, m, W, b, y, k) {
  const begin = row * m;
  let o = 0;
  for (; o + 3 < k; o += 4) {
    const w = o * m;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let i = 0; i < m; i += 1) {
      const u = x[begin + i];
      const j = w + i;
      s0 += u * W[j];
      s1 += u * W[j + m];
      s2 += u * W[j + 2 * m];
      s3 += u * W[j + 3 * m];
    }
    const to = row * k + o;
    y[to] = s0 + b[o];
    y[to + 1] = s1 + b[o + 1];
    y[to + 2] = s2 + b[o + 2];
    y[to + 3] = s3 + b[o + 3];
  }
  for (; o < k; o += 1) y[row * k + o] = sum(x, begin, W, o * m, m) + b[o];
}

/**
 * Eight sums at a time, four for each of two rows: each number of W is read once for both.
 *
 * @param {Float64Array} x @param {number} row @param {number} m @param {Float32Array} W @param {Float32Array} b
 * @param {Float64Array} y @param {number} k
 */
function twoRows(x, row, m, W, b, y, k) {
  const first = row * m;
  const second = first + m;
  const to = row * k;
  let o = 0;
  for (; o + 3 < k; o += 4) {
    const w = o * m;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    let t0 = 0;
    let t1 = 0;
    let t2 = 0;
    let t3 = 0;
    for (let i = 0; i < m; i += 1) {
      const u = x[first + i];
      const v = x[second + i];
      const j = w + i;
      const w0 = W[j];
      const w1 = W[j + m];
      const w2 = W[j + 2 * m];
      const w3 = W[j + 3 * m];
      s0 += u * w0;
      s1 += u * w1;
      s2 += u * w2;
      s3 += u * w3;
      t0 += v * w0;
      t1 += v * w1;
      t2 += v * w2;
      t3 += v * w3;
    }
    const at = to + o;
    y[at] = s0 + b[o];
    y[at + 1] = s1 + b[o + 1];
    y[at + 2] = s2 + b[o + 2];
    y[at + 3] = s3 + b[o + 3];
    y[at + k] = t0 + b[o];
    y[at + k + 1] = t1 + b[o + 1];
    y[at + k + 2] = t2 + b[o + 2];
    y[at + k + 3] = t3 + b[o + 3];
  }
  for (; o < k; o += 1) {
    y[to + o] = sum(x, first, W, o * m, m) + b[o];
    y[to + k + o] = sum(x, second, W, o * m, m) + b[o];
  }
}

/** @param {Float64Array} x @param {number} at @param {Float32Array} W @param {number} w @param {number} m */
function sum(x, at, W, w, m) {
  let found = 0;
  for (let i = 0; i < m; i += 1) found += x[at + i] * W[w + i];
  return found;
}

/**
 * (x - mean x) / sqrt(var x + eps) * gain + bias of each row of x [n, d].
 *
 * @param {Float64Array} x
 * @param {number} n
 * @param {Float32Array} gain
 * @param {Float32Array} bias
 * @param {number} eps
 * @param {Float64Array} y [n, d]
 */
export function normed(x, n, gain, bias, eps, y) {
  const d = gain.length;
  for (let begin = 0; begin < n * d; begin += d) {
    let mean = 0;
    let square = 0;
    for (let i = 0; i < d; i += 1) mean += x[begin + i];
    mean /= d;
    for (let i = 0; i < d; i += 1) square += (x[begin + i] - mean) ** 2;
    const scale = 1 / Math.sqrt(square / d + eps);
    for (let i = 0; i < d; i += 1) y[begin + i] = (x[begin + i] - mean) * scale * gain[i] + bias[i];
  }
}

const ROOT = Math.sqrt(2 / Math.PI);
// Coefficients of a Chebyshev fit to erfc, good to 1e-7 of it everywhere (Numerical Recipes, 6.2).
const ERFC = [
  1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277,
];

/** @param {number} x */
function erf(x) {
  const t = 1 / (1 + Math.abs(x) / 2);
  const sum = ERFC.reduceRight((total, c) => total * t + c, 0);
  const erfc = t * Math.exp(-x * x - 1.26551223 + t * sum);
  return x >= 0 ? 1 - erfc : erfc - 1;
}

/** What the neurons of an MLP do, by the names of the Python side. @type {Record<string, (x: number) => number>} */
export const ACTIVATIONS = {
  gelu_tanh: (x) => 0.5 * x * (1 + Math.tanh(ROOT * (x + 0.044715 * x * x * x))),
  gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  relu: (x) => Math.max(x, 0),
  silu: (x) => x / (1 + Math.exp(-x)),
};
