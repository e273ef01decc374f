// The chosen model, and the others beside it: one view per question, see views.js.

import { h } from "../../shared/elements.js";
import { VIEWS } from "./views.js";

/** @import { Scene } from "./math.js" */
/** @import { Room, View } from "./views.js" */

/** @param {Room} room */
export function detailPart(room) {
  const views = VIEWS.map((make) => make(room));
  const el = h("div", { class: "saew-views" }, ...views.map((view) => view.el));
  /** @param {Scene} scene */
  const update = (scene) => {
    for (const view of views) view.update(scene);
    el.setAttribute("data-count", String(views.filter((view) => !view.el.hidden).length));
  };
  /** @param {KeyboardEvent} event */
  const keys = (event) => views.some((view) => view.keys?.(event) ?? false);
  const stop = () => {
    for (const view of views) view.stop?.();
  };
  return { el, update, keys, stop };
}
