// Sentences with values in them.

/**
 * A sentence with `{name}` replaced.
 *
 * @param {string} sentence
 * @param {Record<string, string | number>} values
 */
export const filled = (sentence, values) =>
  sentence.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
