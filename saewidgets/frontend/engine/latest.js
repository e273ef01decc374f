// A memory of the latest few things.

/**
 * Puts a value under its key, as the latest; of more than `most` the one that was put longest ago goes.
 *
 * @template K, V
 * @param {Map<K, V>} known
 * @param {K} key
 * @param {V} value
 * @param {number} most
 */
export function keep(known, key, value, most) {
  known.delete(key);
  known.set(key, value); // a map is in the order in which its keys came
  if (known.size > most) known.delete(/** @type {K} */ (known.keys().next().value));
}
