// The search: a box, and the points that it finds.

import { h } from "../../shared/elements.js";
import { whole } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { findPoints } from "./points.js";

/** @import { Allowed, Points } from "./points.js" */

const LISTED = 12; // rows of the list

/**
 * @param {Points} points
 * @param {typeof import("./words.js").words.en} words
 * @param {Allowed} shown
 * @param {{ row: (i: number) => HTMLElement, go: (i: number) => void, found: (set: Set<number> | null) => void }} asks
 */
export function findPart(points, words, shown, { row, go, found }) {
  const box = h("input", {
    type: "search",
    class: "saew-input",
    "aria-label": words.search,
    placeholder: words.placeholder,
    autocomplete: "off",
    spellcheck: "false",
  });
  const count = h("span", { class: "saew-faint", role: "status" });
  const results = h("div", { class: "saew-map-list", role: "group", "aria-label": words.results, hidden: true });
  /** @type {number[]} */
  let list = [];

  const update = () => {
    const asked = box.value.trim() !== "";
    list = asked ? findPoints(points, box.value, shown) : [];
    const said = list.length ? say(words.found, { n: whole(list.length) }) : words.notFound;
    count.textContent = asked ? said : "";
    results.replaceChildren(...list.slice(0, LISTED).map(row));
    results.hidden = !list.length;
    found(asked ? new Set(list) : null);
  };
  box.addEventListener("input", update);

  /** Whether the key was used: in the box, or in a list of points, in which the arrows go up and down. */
  const key = (/** @type {KeyboardEvent} */ event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    const rows = [...(target.closest?.(".saew-map-list")?.querySelectorAll("button") ?? [])];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (target === box && event.key === "Enter") {
      if (list.length) go(list[0]);
    } else if (target === box && event.key === "ArrowDown") results.querySelector("button")?.focus();
    else if (target === box && event.key === "Escape") {
      box.value = "";
      update();
    } else if (rows.length && step) {
      const next = rows.indexOf(/** @type {HTMLButtonElement} */ (target)) + step;
      if (next < 0 && results.contains(target)) box.focus();
      else rows[next]?.focus();
    } else return false;
    return true;
  };
  return { el: h("div", { class: "saew-map-find" }, box, count), results, update, key };
}
