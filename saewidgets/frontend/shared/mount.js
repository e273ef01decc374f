// How every instrument comes into a page and leaves it: once, for all of them.

/** @import { Context, Instrument, Keys, Model, Note } from "../types/host.js" */

import { banner } from "./banner.js";
import { h } from "./elements.js";
import { listen } from "./events.js";
import { explained } from "./explained.js";
import { ownKeys } from "./keys.js";
import { kernelLink } from "./link.js";
import { followTheme } from "./theme.js";
import { attempt } from "./life.js";
import { inLanguage, words as common } from "./words.js";

/**
 * An instrument for `export default`. `name` is its class in the style sheet, `words` its tables {en: {widget, ...}},
 * where `widget` names it for a screen reader. `draw(context)` lays out and wires it, and may return a handler of keys.
 *
 * `told(context)` is called when the kernel begins or ceases to owe an answer.
 *
 * @template {Record<string, any>} T the traits
 * @template {{ widget: string }} W the words
 * @param {{ name: string, words: { en: W } & Record<string, W>, notes?: { en: Note[] } & Record<string, Note[]>,
 *   draw: (context: Context<T, W>) => Keys, told?: (context: Context<T, W>) => void }} instrument
 * @returns {Instrument}
 */
export function mount({ name, words, notes, draw, told = () => {} }) {
  /** @param {{ model: Model<T>, el: HTMLElement }} host */
  function render({ model, el }) {
    const own = inLanguage(words, model);
    const shared = inLanguage(common, model);
    const root = h("div", {
      class: `saew saew-${name}`,
      role: "group",
      lang: shared.lang,
      "aria-label": own.widget,
      "data-lm-suppress-shortcuts": "true",
    });
    /** @type {(() => void)[]} */
    const stops = [];
    /** @type {(fn: (() => void) | undefined) => void} */
    const ends = (fn) => {
      if (fn) stops.push(fn);
    };
    const link = kernelLink(model, () => told(context));
    const error = banner(model, shared.dismiss);
    const help = explained(root, model, notes);
    /** @type {Context<T, W>} */
    const context = {
      model,
      root,
      link,
      words: own,
      common: shared,
      banner: error.el,
      term: help.term,
      explain: help.explain,
      still: Boolean(model.get("_static")),
      add(part) {
        ends(part.stop);
        return part.el;
      },
      on: (names, fn) => ends(listen(model, names, fn)),
      ends,
    };
    ends(followTheme(root));
    const keys = draw(context);
    help.begin();
    // Brings back what the notebook made, or what the page began with.
    const reset = () => attempt(model, () => model.send({ kind: "reset" }));
    if (model.get("_resets") !== false)
      root.prepend(h("button", { class: "saew-rim saew-reset", onclick: reset }, shared.reset));
    ends(ownKeys(root, help.keys(keys)));
    ends(help.stop);
    ends(error.stop);
    ends(link.stop);
    el.classList.add("saew-host");
    el.append(root);
    return () => {
      for (const stop of stops) stop();
    };
  }
  return { render };
}
