// What a reader calls features, over the labels that they came with.

/** @typedef {{ feature: number, label: string, density: number, promoted: string[], input?: number | null,
 *   output?: number | null }} Row of an index; input and output: scores, where they were given */
/** @typedef {Row & { given: string, own: boolean }} Named `label` is the reader's own where there is one */

/**
 * The rows of an index by the names of its reader.
 *
 * @param {Row[]} index
 * @param {Record<string, string> | null | undefined} names feature -> label
 * @returns {Named[]}
 */
export function named(index, names) {
  return index.map((row) => {
    const own = names?.[String(row.feature)] ?? "";
    return { ...row, label: own || row.label, given: row.label, own: own !== "" };
  });
}

/**
 * A reader's names with another label for one feature, or, where it is "", without that feature's.
 *
 * @param {Record<string, string> | null | undefined} names
 * @param {number} feature
 * @param {string} label
 * @returns {Record<string, string>}
 */
export function renamed(names, feature, label) {
  const { [String(feature)]: _, ...others } = names ?? {};
  return label ? { ...others, [feature]: label } : others;
}
