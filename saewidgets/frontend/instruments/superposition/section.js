// What every view of the chosen model has: a title, a note below it, and what is drawn.

import { h, placed } from "../../shared/elements.js";

/** @import { Scene } from "./math.js" */
/** @typedef {{ title: string, note?: string, look?: string }} Head `look`: classes beside that of a view */

/** @param {Head} head @param {(Node | string)[]} inside */
export function section({ title, note: text = "", look = "" }, ...inside) {
  const note = h("p", { class: "saew-note" }, text);
  const el = h("div", { class: `saew-view ${look}`.trim() }, h("h3", {}, title), note, h("div", {}, ...inside));
  return { el, note };
}

/**
 * A view of one chart that needs to know its width.
 *
 * @param {Head} head
 * @param {(scene: Scene, width: number) => Element} draw
 * @param {Node[]} legend
 */
export function chartView(head, draw, ...legend) {
  /** @type {Scene | null} */
  let scene = null;
  const chart = placed((width) => (scene ? draw(scene, width) : h("div")));
  const { el, note } = section(head, chart.el, ...legend);
  /** @param {Scene} now */
  const update = (now) => {
    scene = now;
    chart.redraw();
  };
  return { el, note, update, stop: chart.stop };
}
