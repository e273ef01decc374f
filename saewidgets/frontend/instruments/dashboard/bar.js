// The line at the top: to the feature before and after, to a feature by number, the search, and the order of both.

import { h } from "../../shared/elements.js";
import { num, percent, whole } from "../../shared/numbers.js";
import { picker } from "../../shared/picker.js";
import { say } from "../../shared/words.js";
import { inOrder, ordersOf } from "./order.js";

/** @import { Named } from "../../shared/labels.js" */
/** @import { Words } from "./data.js" */
/** @import { Order } from "./order.js" */

/**
 * @param {() => Named[]} index
 * @param {() => number} shown the feature that is selected
 * @param {Words["bar"]} words
 * @param {(feature: number, far?: boolean) => void} go `far`: from the search, so that the heading takes the focus
 */
export function topBar(index, shown, words, go) {
  /** @type {Order} */
  let order = "number";
  const reorder = () => {
    order = /** @type {Order} */ (orders.value);
    update();
  };
  const orders = h(
    "select",
    { class: "saew-input saew-order", "aria-label": words.order, title: words.order, onchange: reorder },
    ...ordersOf(index()).map((name) => h("option", { value: name }, words.orders[name])),
  );
  // A row's figure is the one that the list is ordered by.
  const told = (/** @type {import("../../shared/picker.js").Row} */ row) =>
    order === "output" || order === "input"
      ? say(words.scored[order], { n: num(row[order], 2) })
      : percent(row.density);
  const rowsNow = () => inOrder(index(), order);
  const step = (/** @type {number} */ by) => {
    const rows = rowsNow();
    const at = rows.findIndex((row) => row.feature === shown());
    go(rows[(at + by + rows.length) % rows.length].feature);
  };
  const button = (/** @type {string} */ name, /** @type {number} */ by, /** @type {string} */ sign) =>
    h("button", { type: "button", class: "saew-icon", "aria-label": name, title: name, onclick: () => step(by) }, sign);
  const box = h("input", {
    type: "number",
    class: "saew-input saew-box",
    "aria-label": words.number,
    min: 0,
    step: 1,
    onchange: () => {
      if (box.value !== "" && Number.isInteger(Number(box.value))) go(Number(box.value));
      box.value = String(shown());
    },
  });
  const find = picker(rowsNow, (/** @type {number} */ feature) => go(feature, true), { told });
  const position = h("span", { class: "saew-faint saew-position" });
  const el = h(
    "div",
    { class: "saew-bar-top" },
    button(words.previous, -1, "‹"),
    box,
    button(words.next, 1, "›"),
    find.el,
    orders,
    position,
  );
  const update = () => {
    box.value = String(shown());
    const rows = rowsNow();
    const at = rows.findIndex((row) => row.feature === shown());
    position.textContent = say(words.position, { i: whole(at + 1), n: whole(rows.length) });
  };
  return { el, update, key: find.key };
}
