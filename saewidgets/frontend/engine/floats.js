// The weights as they travel in a page, and as they are computed with.

const BITS = 1 << 16;

/** Every number of 16 bits as one of 32. */
function table() {
  const words = new Uint32Array(BITS);
  const found = new Float32Array(words.buffer);
  for (let i = 0; i < BITS; i += 1) {
    const [sign, exponent, fraction] = [(i & 0x8000) << 16, (i >> 10) & 0x1f, i & 0x3ff];
    if (exponent === 0) {
      found[i] = fraction * 2 ** -24;
      words[i] |= sign;
    } else words[i] = sign | (exponent === 31 ? 0x7f800000 : (exponent + 112) << 23) | (fraction << 13);
  }
  return found;
}

/**
 * Numbers of 16 bits, all low bytes before all high ones, as numbers of 32.
 *
 * @param {Uint8Array} bytes
 */
export function widened(bytes) {
  const [n, of] = [bytes.length >> 1, table()];
  const found = new Float32Array(n);
  for (let i = 0; i < n; i += 1) found[i] = of[bytes[i] | (bytes[n + i] << 8)];
  return found;
}

/**
 * Base64 of a deflated text or of deflated bytes, as bytes.
 *
 * @param {string} text
 */
export async function inflated(text) {
  const packed = atob(text);
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i += 1) bytes[i] = packed.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * The tensors of a carried model by name, views of one array; `shapes` in the order in which they lie.
 *
 * @param {Float32Array} all
 * @param {Record<string, number[]>} shapes
 */
export function named(all, shapes) {
  /** @type {Record<string, Float32Array>} */
  const found = {};
  let at = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    const size = shape.reduce((a, b) => a * b, 1);
    found[name] = all.subarray(at, at + size);
    at += size;
  }
  return found;
}
