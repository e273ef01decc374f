// The order in which features are listed, and stepped through.

/** @import { Named } from "../../shared/labels.js" */
/** @typedef {"number" | "label" | "often" | "seldom"} Order */

/** @type {Record<Order, (a: Named, b: Named) => number>} */
const BY = {
  number: () => 0,
  // Those without a label come last.
  label: (a, b) => Number(!a.label) - Number(!b.label) || a.label.localeCompare(b.label),
  often: (a, b) => b.density - a.density,
  seldom: (a, b) => a.density - b.density,
};
export const ORDERS = /** @type {Order[]} */ (Object.keys(BY));

/**
 * The rows in an order; of equal ones the smaller number comes first.
 *
 * @param {Named[]} rows
 * @param {Order} order
 */
export const inOrder = (rows, order) => [...rows].sort((a, b) => BY[order](a, b) || a.feature - b.feature);
