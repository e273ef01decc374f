// The judged activations of one interval, to be read: score, activation, the text with its token framed, the reason.

import { pieces } from "../../shared/bytes.js";
import { h } from "../../shared/elements.js";
import { aligned, num } from "../../shared/numbers.js";
import { SCORES, scoreChip } from "../../shared/scores.js";
import { chip, enterable, heat, heatScale } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";
import { tally } from "./data.js";

/** @import { Lab, Shown } from "./data.js" */
/** @typedef {typeof import("./words.js").words.en} Words */
/** @typedef {[id: number, text: string]} Pooled what examples name by place */
/**
 * t tokens by place, a activations, p the judged token, s scores and r reasons, one per judge.
 *
 * @typedef {{ t: number[], a: number[], p: number, c: number, s: (number | null)[], r: string[] }} Example
 */

/**
 * @param {Lab} lab
 * @param {Words} words
 * @param {{ weak: string, strong: string }} scale
 * @param {(score: number | null) => void} pick
 */
export function examplesPart(lab, words, scale, pick) {
  const title = h("h3", {});
  const buttons = h("div", { class: "saew-spec-filter", role: "group", "aria-label": words.legend });
  const list = h("ol", { class: "saew-spec-list saew-walk", tabindex: 0, "aria-label": words.examples });
  const el = h(
    "section",
    { class: "saew-spec-reading" },
    h("div", { class: "saew-spec-top" }, title, buttons),
    h("p", { class: "saew-note" }, `${words.examplesNote} `, heatScale(scale)),
    list,
  );

  /** @param {Shown} shown @param {number} judge @param {number | null} score */
  const update = (shown, judge, score) => {
    const [low, high] = [lab.edges[shown.level], lab.edges[shown.level + 1]];
    title.textContent = say(words.examples, { low: num(low), high: num(high) });
    list.setAttribute("aria-label", title.textContent);
    const counts = tally(shown.items, judge);
    const one = (/** @type {number | null} */ value, /** @type {string} */ text, /** @type {string} */ look) =>
      h(
        "button",
        {
          type: "button",
          class: `saew-pill ${look}`,
          "aria-pressed": String(value === score),
          onclick: () => pick(value),
        },
        text,
      );
    buttons.replaceChildren(
      one(null, say(words.all, { n: shown.items.length }), ""),
      ...SCORES.map((value, i) => one(value, say(words.one, { score: value, n: counts.scores[i] }), "")),
    );
    const chosen = shown.items.filter((item) => score === null || item.s[judge] === score);
    list.replaceChildren(...chosen.map((item) => row(item, shown.pool, lab, judge, words)));
    if (!chosen.length) list.append(h("li", { class: "saew-note" }, words.none));
    list.scrollTop = 0;
    enterable(list);
  };
  return { el, update };
}

/**
 * @param {Example} item
 * @param {Pooled[]} pool
 * @param {Lab} lab
 * @param {number} judge
 * @param {Words} words
 */
function row(item, pool, lab, judge, words) {
  const shown = pieces(item.t.map((place) => pool[place][1]));
  const strip = h(
    "div",
    { class: "saew-strip", dir: "auto" },
    ...shown.map((piece, i) =>
      chip(
        piece,
        heat(item.a[i], lab.maximum),
        [[words.activation, num(item.a[i])]],
        i === item.p ? "saew-judged" : "",
      ),
    ),
  );
  const score = item.s[judge];
  const said = score === null ? words.refusedSays : say(words.score, { score });
  return h(
    "li",
    {},
    scoreChip(score, said),
    h("span", { class: "saew-number" }, aligned(item.a[item.p])),
    strip,
    h("span", { class: "saew-spec-why", dir: "auto" }, item.r[judge]),
  );
}
