// The order of what was found: as the source gave it, or by a column.

/** @import { Found } from "./question.js" */
/** @typedef {{ column: string, up: boolean }} Sort */

/** What a row has in a column; null where it has nothing. @param {Found} row @param {string} column */
function cellOf(row, column) {
  if (column === "feature" || column === "score" || column === "density" || column === "maximum") return row[column];
  return row.extra[column] ?? null;
}

/**
 * The rows by a column, those without a value last; of equal ones the better stays first. Null: as they came.
 *
 * @param {Found[]} rows the best first
 * @param {Sort | null} sort
 */
export function inOrder(rows, sort) {
  if (!sort || rows.every((row) => cellOf(row, sort.column) === null)) return rows;
  const { column, up } = sort;
  return [...rows].sort((a, b) => {
    const [x, y] = [cellOf(a, column), cellOf(b, column)];
    if (x === null || y === null) return Number(x === null) - Number(y === null);
    return up ? x - y : y - x;
  });
}

/** What a click on the head of a column asks for: the largest first, of numbers the first; then the other way. */
export const clicked = (/** @type {Sort | null} */ sort, /** @type {string} */ column) =>
  sort?.column === column ? { column, up: !sort.up } : { column, up: column === "feature" };
