// Other texts beside the one in front: the heat of the same feature in each, and how strong it gets there.

import { pieces } from "../../shared/bytes.js";
import { h } from "../../shared/elements.js";
import { num, percent } from "../../shared/numbers.js";
import { chip, enterable } from "../../shared/tokens.js";
import { samePrompt } from "../../shared/turns.js";
import { say } from "../../shared/words.js";
import { shownOf, spoken } from "./reading.js";
import { reheat } from "./strip.js";

/** @import { Context } from "../../types/host.js" */
/** @import { FeatureProbeTraits } from "../../types/model.js" */
/** @import { Feature, Prompt, View, Words } from "./reading.js" */
/**
 * @typedef {{ prompt: Prompt, known: Map<number, Feature>, chips: Map<number, HTMLElement>, most: HTMLElement }} Row a
 *   text; `most`: how strong the feature gets there
 */

const MOST = 12; // other texts, as in Python

/**
 * `update(prompts, taken)` draws other texts, `paint(view)` the heat of another feature in them.
 *
 * @param {Words} words
 * @param {boolean} fixed nothing can be kept, dropped or brought to the front
 * @param {{ keep: () => void, drop: (at: number) => void, front: (at: number) => void }} act
 */
export function besidePart(words, fixed, act) {
  const own = words.beside;
  const list = h("div", { class: "saew-beside-list" });
  const keep = h("button", { type: "button", class: "saew-pill", hidden: fixed, onclick: act.keep }, own.keep);
  const note = h("p", { class: "saew-note" }, own.note);
  const el = h("div", { class: "saew-section saew-beside" }, h("h3", {}, own.title), note, list, keep);
  /** @type {Row[]} */
  let rows = [];

  /** @param {View} view */
  const paint = (view) => {
    const feature = shownOf(view);
    for (const { known, chips, most } of rows) {
      const f = feature === null ? undefined : known.get(feature);
      for (const [at, token] of chips) reheat(token, f, at);
      most.textContent = feature === null ? "" : mostWords(f, feature, words);
    }
  };
  /** @param {Prompt[]} prompts @param {boolean} full whether the text in front cannot be kept as well */
  const update = (prompts, full) => {
    rows = prompts.map((prompt) => rowOf(prompt));
    const focused = [...list.querySelectorAll("button")].indexOf(/** @type {any} */ (document.activeElement));
    list.replaceChildren(...rows.map((row, at) => lineOf(row, at, rows.length)));
    list.querySelectorAll("button")[Math.min(focused, list.querySelectorAll("button").length - 1)]?.focus();
    keep.disabled = full;
    el.hidden = fixed && !rows.length;
    note.hidden = !rows.length;
  };
  /** @param {Row} row @param {number} at @param {number} n */
  const lineOf = ({ chips, most }, at, n) => {
    const strip = h("div", { class: "saew-text saew-strip saew-walk", dir: "auto", role: "group" }, ...chips.values());
    strip.setAttribute("aria-label", say(own.strip, { at: at + 1, n }));
    const button = (/** @type {string} */ name, /** @type {string} */ label, /** @type {() => void} */ onclick) =>
      h("button", { type: "button", class: "saew-pill", "aria-label": say(label, { at: at + 1 }), onclick }, name);
    const buttons = fixed
      ? []
      : [button(own.front, own.frontLabel, () => act.front(at)), button("×", own.drop, () => act.drop(at))];
    return h("div", { class: "saew-beside-row" }, enterable(strip), most, h("span", {}, ...buttons));
  };
  return { el, update, paint };
}

/**
 * The part, told by what the kernel knows and telling it what a person keeps.
 *
 * @param {Context<FeatureProbeTraits, Words>} context
 * @param {() => View} view
 */
export function besideText({ model, link, words, still, on }, view) {
  const others = () => model.get("beside");
  const part = besidePart(words, still || !model.get("_can").includes("read"), {
    keep: () => link.put({ beside: [...others(), model.get("text")] }),
    drop: (at) => link.put({ beside: others().filter((_, i) => i !== at) }),
    front: (at) => link.put({ text: others()[at], beside: others().with(at, model.get("text")) }),
  });
  const update = () => {
    const full = others().length >= MOST || others().some((other) => samePrompt(other, model.get("text")));
    part.update(/** @type {Prompt[]} */ (model.get("_beside") ?? []), full);
    part.paint(view());
  };
  update();
  on(["text", "beside", "_beside"], update);
  return { el: part.el, paint: () => part.paint(view()) };
}

/** The chips of what was said, without the template's own. @param {Prompt} prompt @returns {Row} */
function rowOf(prompt) {
  const shown = pieces(prompt.tokens.map(([, text]) => text));
  /** @type {Map<number, HTMLElement>} */
  const chips = new Map();
  for (const [at, piece] of shown.entries()) {
    if (prompt.counted[at] && (!prompt.turn || prompt.turn[at] >= 0)) chips.set(at, chip(piece, 0, []));
  }
  const known = new Map(prompt.features.map((f) => [f.feature, f]));
  return { prompt, known, chips, most: h("span", { class: "saew-beside-most" }) };
}

/**
 * How strong a feature gets in a text: its largest activation, and the share of its maximum where that is known.
 *
 * @param {Feature | undefined} f
 * @param {number} feature
 * @param {Words} words
 */
export function mostWords(f, feature, words) {
  const name = spoken(feature);
  if (!f?.a.length) return say(words.beside.off, { name });
  const most = Math.max(...f.a);
  const share = f.maximum ? say(words.beside.share, { share: percent(most / f.maximum) }) : "";
  return say(words.beside.most, { name, most: num(most), share });
}
