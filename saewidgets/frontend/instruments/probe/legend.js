// What color and underlines stand for.

import { h } from "../../shared/elements.js";
import { say } from "../../shared/words.js";
import { keeping } from "./keeping.js";
import { ablated, costOf, nameOf, PIN_LETTERS, shownOf, spoken } from "./reading.js";

/** @import { View, Words } from "./reading.js" */

/** @param {Words} words @param {(feature: number) => void} pin */
export function legendPart(words, pin) {
  const el = h("div", { class: "saew-legend saew-probe-legend" });
  /** @param {View} view */
  const update = (view) => {
    /** @param {number} feature */
    const named = (feature) => {
      const f = view.known.get(feature);
      return spoken(feature, f ? nameOf(f, words) : (view.names[String(feature)] ?? ""));
    };
    const parts = [chosenPart(view, named, words)];
    if (view.pinned.length) parts.push(h("span", {}, words.legend.pins));
    for (const [i, feature] of view.pinned.entries()) {
      parts.push(pinPart(i, feature, named(feature), words, () => pin(feature)));
    }
    if (ablated(view)) {
      const sentence = costOf(view) ? words.legend.ablated : words.legend.notAblated;
      const told = say(sentence, { feature: shownOf(view) ?? "" });
      parts.push(h("span", { class: "saew-probe-one" }, h("span", {}, told)));
    }
    keeping(el, parts);
  };
  return { el, update };
}

/** @param {View} view @param {(feature: number) => string} named @param {Words} words */
function chosenPart(view, named, { legend }) {
  const chosen = shownOf(view);
  if (chosen === null) return h("span", { class: "saew-probe-one" }, h("span", {}, legend.pick));
  const on = view.known.has(chosen);
  const swatch = h("span", { class: on ? "saew-probe-swatch" : "saew-probe-swatch saew-probe-off" });
  const sentence = say(on ? legend.picked : legend.off, { feature: named(chosen) });
  return h("span", { class: "saew-probe-one" }, swatch, h("span", {}, sentence));
}

/**
 * @param {number} i
 * @param {number} feature
 * @param {string} name
 * @param {Words} words
 * @param {() => void} unpin
 */
function pinPart(i, feature, name, words, unpin) {
  const label = say(words.legend.unpin, { feature });
  const look = { type: "button", class: "saew-icon saew-quiet", "aria-label": label, title: label, onclick: unpin };
  return h(
    "span",
    {},
    h("span", { class: `saew-pin saew-pin-${i + 1}`, "aria-hidden": "true" }, PIN_LETTERS[i]),
    h("span", {}, name),
    h("button", { ...look, "data-key": `unpin ${feature}` }, "×"),
  );
}
