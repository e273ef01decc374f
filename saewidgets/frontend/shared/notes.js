// "What am I looking at?": short notes that are laid over an instrument, each on the part that it explains.

import { h } from "./elements.js";

/** @import { Note } from "../types/host.js" */

const GAP = 8; // px between a note and the edges, and between two notes
const WIDEST = 380; // px of a note
const NARROWEST = 170;

/**
 * The button that lays the notes over `root`, and the layer itself. A note whose part is not shown is left out. Escape,
 * the button and a click beside the notes take them away; meanwhile the instrument beneath is inert.
 *
 * @param {HTMLElement} root
 * @param {Note[]} table
 * @param {{ ask: string, close: string }} words
 */
export function notes(root, table, words) {
  const button = h("button", { type: "button", class: "saew-rim", onclick: open }, words.ask);
  const close = h("button", { type: "button", class: "saew-shut", onclick: shut }, words.close);
  const layer = h("div", { class: "saew-notes", role: "dialog", "aria-modal": "true", "aria-label": words.ask });
  /** @type {ResizeObserver | undefined} */
  let observer;
  /** @type {HTMLElement[]} */
  let silenced = [];

  layer.addEventListener("click", (event) => {
    if (event.target instanceof Element && !event.target.closest(".saew-laid, .saew-notes-close")) shut();
  });
  layer.addEventListener("keydown", (event) => {
    if (event.key !== "Tab") return; // the button is all that can be focused: the focus stays on it
    event.preventDefault();
    close.focus();
  });

  function open() {
    if (layer.isConnected) return;
    silenced = [...root.children].filter((el) => el instanceof HTMLElement).filter((el) => !el.inert);
    for (const el of silenced) el.inert = true;
    root.append(layer);
    place();
    observer = new ResizeObserver(place);
    observer.observe(root);
    close.focus();
  }

  function shut() {
    if (!layer.isConnected) return;
    observer?.disconnect();
    layer.remove();
    root.style.removeProperty("min-height");
    for (const el of silenced) el.inert = false;
    silenced = [];
    button.focus();
  }

  function place() {
    const frame = root.getBoundingClientRect();
    const parts = table.flatMap(({ at, say }) => {
      const box = root.querySelector(at)?.getBoundingClientRect();
      return box && box.width > 0 && box.height > 0 ? [{ say, box: within(box, frame) }] : [];
    });
    const list = h("ol", { class: "saew-notes-list" }, ...parts.map(({ say }) => h("li", { class: "saew-laid" }, say)));
    const rings = parts.map(({ box }) => h("div", { class: "saew-ring", style: pixels(box) }));
    layer.replaceChildren(h("div", { class: "saew-notes-close" }, close), ...rings, list);
    if (!layer.contains(document.activeElement)) close.focus();
    const laid = [within(close.getBoundingClientRect(), frame)]; // no note lies under the button
    parts.forEach(({ box }, i) => {
      const note = /** @type {HTMLElement} */ (list.children[i]);
      const width = Math.min(WIDEST, Math.max(NARROWEST, box.width - 2 * GAP), frame.width - 2 * GAP);
      note.style.setProperty("width", `${width}px`);
      const height = note.offsetHeight;
      // A low, wide part shows its beginning and its end; its note stands in the middle.
      const low = box.height < height + 2 * GAP && box.width > 2 * width;
      const left = low ? box.left + (box.width - width) / 2 - GAP : box.left;
      const free = freePlace({ left, top: box.top, width, height }, laid, frame.width);
      laid.push(free);
      note.style.setProperty("left", `${free.left}px`);
      note.style.setProperty("top", `${free.top}px`);
    });
    root.style.setProperty("min-height", `${Math.max(0, ...laid.map(({ top, height }) => top + height + 2 * GAP))}px`);
  }

  return {
    el: button,
    keys(/** @type {KeyboardEvent} */ event) {
      if (!layer.isConnected) return false;
      if (event.key === "Escape") shut();
      return true; // nothing beneath hears a key
    },
    stop: shut,
  };
}

/** @typedef {{ left: number, top: number, width: number, height: number }} Box px, from the corner of the instrument */

/**
 * Where a note of this size goes that wants the corner of `box`: inside the width, and below the notes that are there.
 *
 * @param {Box} box
 * @param {Box[]} laid
 * @param {number} width of the instrument
 * @returns {Box}
 */
export function freePlace(box, laid, width) {
  const left = Math.max(GAP, Math.min(box.left + GAP, width - box.width - GAP));
  let top = Math.max(GAP, box.top + GAP);
  const meets = (/** @type {Box} */ other) =>
    left < other.left + other.width + GAP &&
    other.left < left + box.width + GAP &&
    top < other.top + other.height + GAP &&
    other.top < top + box.height + GAP;
  for (let other = laid.find(meets); other; other = laid.find(meets)) top = other.top + other.height + GAP;
  return { left, top, width: box.width, height: box.height };
}

/** @param {DOMRect} box @param {DOMRect} frame @returns {Box} */
function within(box, frame) {
  return { left: box.left - frame.left, top: box.top - frame.top, width: box.width, height: box.height };
}

/** @param {Box} box */
function pixels(box) {
  return Object.fromEntries(Object.entries(box).map(([name, value]) => [name, `${value}px`]));
}
