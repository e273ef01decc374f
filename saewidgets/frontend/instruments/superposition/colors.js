// Colors of features.

const SEQUENCE = ["#43349c", "#7a4fb5", "#b5628f", "#d98a5a", "#e8b73f"]; // dark to light

/**
 * The color of feature i of a model: that of its set; one of eight where these suffice; else a place on a scale.
 *
 * @param {number} i
 * @param {{ n: number, setOf: number[] | null }} model
 */
export function featureColor(i, { n, setOf }) {
  if (setOf) return setOf[i] < 0 ? "var(--saew-d7)" : `var(--saew-d${(setOf[i] % 6) + 1})`;
  if (n <= 8) return `var(--saew-d${i + 1})`;
  const at = ((SEQUENCE.length - 1) * i) / (n - 1);
  const low = Math.min(SEQUENCE.length - 2, Math.floor(at));
  return `color-mix(in srgb, ${SEQUENCE[low + 1]} ${Math.round(100 * (at - low))}%, ${SEQUENCE[low]})`;
}

/** How far others share a direction, as a color: 0 is calm, 1 and more is hot. */
export const sharedColor = (/** @type {number} */ value) =>
  `color-mix(in srgb, var(--up) ${Math.round(100 * Math.min(1, value))}%, var(--down))`;

/** A feature's share of a dimension as a color: 1 is calm, what shares much is hot. */
export const dimensionColor = (/** @type {number} */ value) =>
  `color-mix(in oklch, var(--down) ${Math.round(100 * Math.max(0, Math.min(1, (value - 0.25) / 0.75)))}%, var(--up))`;
