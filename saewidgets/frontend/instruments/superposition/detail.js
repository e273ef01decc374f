// The chosen model, and the others beside it: one view per question, in groups of which one is open, see views.js.

import { h } from "../../shared/elements.js";
import { GROUPS } from "./views.js";

/** @import { Scene } from "./math.js" */
/** @import { Room, View } from "./views.js" */
/** @typedef {keyof typeof GROUPS} Group */

/** @param {Omit<Room, "point">} room */
export function detailPart(room) {
  const { words, put } = room;
  const names = /** @type {Group[]} */ (Object.keys(GROUPS));
  let open = names[0];
  const point = (/** @type {number[]} */ features) => {
    for (const view of all[open]) view.point?.(features);
  };
  const all = /** @type {Record<Group, View[]>} */ (
    Object.fromEntries(names.map((name) => [name, GROUPS[name].map((make) => make({ ...room, point }))]))
  );
  const tabs = names.map((name) =>
    h(
      "button",
      { type: "button", role: "tab", class: "saew-tab", onclick: () => put("view", name) },
      words.views[name],
    ),
  );
  const panels = names.map((name) =>
    h(
      "div",
      { class: "saew-views", role: "tabpanel", "aria-label": words.views[name] },
      ...all[name].map(({ el }) => el),
    ),
  );
  const list = h("div", { class: "saew-tabs", role: "tablist", "aria-label": words.viewsName }, ...tabs);
  const el = h("div", {}, list, ...panels);
  /**
   * @param {Scene} scene
   * @param {string} group
   */
  const update = (scene, group) => {
    open = names.find((name) => name === group) ?? names[0];
    for (const [k, name] of names.entries()) {
      tabs[k].setAttribute("aria-selected", String(name === open));
      tabs[k].tabIndex = name === open ? 0 : -1;
      panels[k].hidden = name !== open;
    }
    for (const view of all[open]) view.update(scene);
    panels[names.indexOf(open)].setAttribute("data-count", String(all[open].filter((view) => !view.el.hidden).length));
  };
  /** @param {KeyboardEvent} event */
  const keys = (event) => {
    const at = tabs.indexOf(/** @type {HTMLButtonElement} */ (event.target));
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (at < 0 || to === undefined) return all[open].some((view) => view.keys?.(event) ?? false);
    event.preventDefault();
    const next = (to + tabs.length) % tabs.length;
    put("view", names[next]);
    tabs[next].focus();
    return true;
  };
  const stop = () => {
    for (const view of Object.values(all).flat()) view.stop?.();
  };
  return { el, update, keys, stop };
}
