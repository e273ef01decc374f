// The examples of the chosen bar of the histogram, above the others.

import { h } from "../../shared/elements.js";
import { num, whole } from "../../shared/numbers.js";
import { enterable } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";
import { barOf } from "./data.js";
import { exampleRow } from "./examples.js";
import { boxHead } from "./section.js";

/** @import { Bin, Shown, View, Words } from "./data.js" */

/**
 * @param {Shown} shown
 * @param {Words} words
 * @param {() => void} close
 */
export function binPart(shown, words, close) {
  const text = words.bin;
  const el = h("section", { class: "saew-section saew-bin", hidden: true });
  /**
   * @param {Bin | null} found
   * @param {number[] | null} interval the chosen one
   * @param {View} view
   */
  const update = (found, interval, view) => {
    el.replaceChildren();
    el.hidden = !found || found.interval[0] !== shown.feature;
    if (!found || el.hidden) return;
    const [, low, high] = found.interval;
    const rows = found.items.map((item) => exampleRow(item, view, words));
    const at = barOf(shown, interval);
    const sentence = !rows.length
      ? text.empty
      : found.around
        ? say(text.around, { low: num(found.around[0]), high: num(found.around[1]) })
        : at < 0
          ? ""
          : say(text.note, { n: whole(rows.length), all: whole(shown.histogram.counts[at]) });
    el.append(
      boxHead(say(text.title, { low: num(low), high: num(high) }), text.close, close),
      h("p", { class: "saew-note", role: "status" }, sentence),
      enterable(h("ol", { class: "saew-examples saew-walk" }, ...rows)),
    );
  };
  return { el, update };
}
