// Numbers as text.

/**
 * Three significant digits, no exponent where it can be avoided, a true minus sign.
 *
 * @param {number | null | undefined} x a dash where there is none
 */
export function num(x, digits = 3) {
  if (x === null || x === undefined || Number.isNaN(x)) return "–";
  if (x === 0) return "0";
  const size = Math.abs(x);
  const text =
    size >= 1e6 || size < 1e-4
      ? String(Number(x.toPrecision(digits)).toExponential()).replace("e+", "e")
      : size >= 10 ** digits
        ? Math.round(x).toLocaleString("en-US")
        : String(Number(x.toPrecision(digits)));
  return text.replace("-", "\u2212");
}

/**
 * A number for a column: as few decimals as say something.
 *
 * @param {number} x
 */
export function fixed(x) {
  const size = Math.abs(x);
  return size >= 0.001 ? x.toFixed(size >= 0.1 ? 2 : 3).replace("-", "\u2212") : num(x, 2);
}

/**
 * Three significant digits, zeros kept: numbers of about the same size line up.
 *
 * @param {number} x
 */
export function aligned(x) {
  return Math.abs(x) >= 0.01 && Math.abs(x) < 1000 ? x.toPrecision(3).replace("-", "\u2212") : num(x);
}

/**
 * A whole number with its thousands apart.
 *
 * @param {number} x
 */
export function whole(x) {
  return Math.round(x).toLocaleString("en-US");
}

/**
 * A share as a percentage.
 *
 * @param {number} x from 0 to 1
 */
export function percent(x) {
  return `${num(100 * x, 3)} %`;
}
