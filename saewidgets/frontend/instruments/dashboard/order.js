// The order in which features are listed, and stepped through.

/** @import { Named } from "../../shared/labels.js" */
/** @typedef {"number" | "label" | "often" | "seldom" | "output" | "input"} Order */

/** @type {Record<Order, (a: Named, b: Named) => number>} */
const BY = {
  number: () => 0,
  // Those without a label come last.
  label: (a, b) => Number(!a.label) - Number(!b.label) || a.label.localeCompare(b.label),
  often: (a, b) => b.density - a.density,
  seldom: (a, b) => a.density - b.density,
  // Those without a score come last.
  output: (a, b) => (b.output ?? -1) - (a.output ?? -1),
  input: (a, b) => (b.input ?? -1) - (a.input ?? -1),
};
const ORDERS = /** @type {Order[]} */ (Object.keys(BY));

/**
 * The orders that there are: by a score only where some feature has one.
 *
 * @param {Named[]} rows
 */
export const ordersOf = (rows) =>
  ORDERS.filter((order) => (order !== "output" && order !== "input") || rows.some((row) => row[order] != null));

/**
 * The rows in an order; of equal ones the smaller number comes first.
 *
 * @param {Named[]} rows
 * @param {Order} order
 */
export const inOrder = (rows, order) => [...rows].sort((a, b) => BY[order](a, b) || a.feature - b.feature);
