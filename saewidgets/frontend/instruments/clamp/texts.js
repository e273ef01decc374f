// The texts of a clamp panel side by side: without the clamps, with them, and under what they are compared with.

import { h, responsive } from "../../shared/elements.js";
import { say } from "../../shared/words.js";
import { pane } from "./pane.js";
import { clampWords } from "./state.js";

/** @import { Multiples, Texts, Token } from "./state.js" */
/** @typedef {typeof import("./words.js").words.en.texts} Words */
/**
 * @typedef {object} Now
 * @property {Multiples} asked what is clamped now; the text may still be that of a moment ago
 * @property {number} n_tokens
 * @property {string} compare
 * @property {boolean} writing
 * @property {boolean} logprobs each token's log-probability is drawn
 * @property {boolean} stale the texts are those of an earlier setting
 */

/**
 * Index of the first token at which two texts part, -1 where one is a beginning of the other.
 *
 * @param {Token[]} a
 * @param {Token[]} b
 */
export function parting(a, b) {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i += 1) if (a[i][0] !== b[i][0]) return i;
  return -1;
}

/**
 * What the clamped text was written under, in words.
 *
 * @param {Texts} texts
 * @param {Multiples} asked
 * @param {boolean} nearest it is the nearest that a recording holds
 * @param {Words} words
 */
export function underWords(texts, asked, nearest, words) {
  if (texts.missing) return words.missing;
  if (!asked.length && !texts.under.length) return words.nothing;
  const [at, wanted] = [clampWords(texts.under, words), clampWords(asked, words)];
  if (nearest) return say(at === wanted ? words.recordedAt : words.nearest, { at, asked: wanted });
  return texts.under.length ? say(words.diceAt, { at }) : words.dice;
}

/**
 * @param {Words} words
 * @param {boolean} recorded a recording writes them
 * @param {(logprobs: boolean) => void} shade
 */
export function textsPart(words, recorded, shade) {
  const before = pane(words.default, "", words);
  const after = pane(words.clamped, "saew-pane-clamped", words);
  const third = pane(words.compare, "saew-pane-other", words);
  const panes = h("div", { class: "saew-panes" }, before.el, after.el, third.el);
  const legend = h("div", { class: "saew-legend" });
  const tick = h("input", { type: "checkbox", onchange: () => shade(tick.checked) });
  const el = h(
    "div",
    { class: "saew-texts" },
    panes,
    legend,
    h("label", { class: "saew-tick-box" }, tick, words.logprobs),
  );
  const height = steadyHeight(panes, [before.text, after.text, third.text]);

  /** @param {Texts} texts @param {Now} now */
  const update = (texts, { asked, n_tokens, compare, writing, stale, logprobs }) => {
    tick.checked = logprobs;
    panes.classList.toggle("saew-logprobs", logprobs);
    const [a, b, c] = [texts.default, texts.clamped, texts.other];
    const being = (/** @type {Token[]} */ tokens, /** @type {string} */ note) => {
      const full = texts.done && texts.room !== null && n_tokens > texts.room && tokens.length >= texts.room;
      return { busy: writing && !stale, done: texts.done, full, note, logprobs };
    };
    const at = parting(a, b);
    before.update(a, being(a, words.defaultNote));
    after.update(b, being(b, underWords(texts, asked, recorded && !writing, words)));
    before.point(at);
    after.point(at);
    third.el.hidden = !c;
    if (c) {
      third.rename(compare || words.compare);
      third.update(c, being(c, texts.instead || words.instead));
      third.point(parting(a, c));
    }
    panes.classList.toggle("saew-stale", stale);
    height.keep(n_tokens);
    /** @type {[swatch: string, words: string][]} */
    const parts = [];
    if (stale && !writing) parts.push(["", words.stale]);
    else if (at >= 0) parts.push(["saew-swatch-diff", words.different]);
    else if (a.length && b.length && !writing && texts.under.length) parts.push(["", words.same]);
    if (b.length && texts.under.length) parts.push(["saew-swatch-moved", words.moved]);
    if (logprobs) parts.push(["saew-swatch-unlikely", words.unlikely]);
    legend.replaceChildren(
      ...parts.map(([swatch, said]) => h("span", {}, swatch ? h("span", { class: swatch }) : null, said)),
    );
  };
  return { el, update, stop: height.stop };
}

/**
 * Texts that are written anew keep the height that they had, so that nothing below them jumps; until the width or the
 * number of tokens changes.
 *
 * @param {HTMLElement} host
 * @param {HTMLElement[]} texts
 */
function steadyHeight(host, texts) {
  let [least, length] = [0, 0];
  const forget = () => {
    least = 0;
    host.style.removeProperty("--least");
  };
  /** @param {number} n_tokens */
  const keep = (n_tokens) => {
    if (n_tokens !== length) forget();
    length = n_tokens;
    const tallest = Math.max(...texts.map((text) => text.offsetHeight));
    if (tallest > least) host.style.setProperty("--least", `${tallest}px`);
    least = Math.max(least, tallest);
  };
  return { keep, stop: responsive(host, forget) };
}
