// The SAEs as a table, the concepts of one of them, and what a concept is made of.

import { h } from "../../shared/elements.js";
import { num, percent, whole } from "../../shared/numbers.js";
import { table } from "../../shared/tables.js";
import { say } from "../../shared/words.js";
import { conceptsWith, inWords } from "./lab.js";

/** @import { Concept, Lab, Sae, Step } from "./lab.js" */
/** @typedef {typeof import("./words.js").words.en} Words */

/**
 * The SAEs; the name chooses one.
 *
 * @param {Lab} lab
 * @param {Words} words
 * @param {(sae: string) => void} pick
 */
export function saesTable(lab, words, pick) {
  const rows = lab.saes.map((sae, i) => {
    const dot = h("span", { class: `saew-dot saew-whole-c${i % 4}` });
    const button = h("button", { type: "button", class: "saew-link", onclick: () => pick(sae.name) }, dot, sae.name);
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, button),
      h("td", {}, whole(sae.alive)),
      h("td", {}, say(words.someOf, { n: whole(Math.round(sae.share * sae.n)), of: whole(sae.n) })),
      h("td", {}, percent(sae.share)),
      h("td", {}, sae.half === null ? "–" : percent(sae.half)),
      h("td", {}, percent(1 / Math.max(1, sae.alive))),
    );
  });
  const el = h("section", { class: "saew-whole-saes" }, table(words.saeColumns, rows, words.saes));
  /** @param {Sae} now */
  const update = (now) => {
    for (const [i, row] of rows.entries()) row.setAttribute("aria-selected", String(lab.saes[i] === now));
  };
  return { el, update };
}

/**
 * The concepts of the chosen SAE: those without a feature, then those with one.
 *
 * @param {Words} words
 * @param {(concept: string) => void} pick
 */
export function conceptsPart(words, pick) {
  const parts = [false, true].map((has) => ({
    has,
    title: h(has ? "summary" : "h3", {}),
    list: h("div", { class: "saew-whole-concepts", role: "group" }),
  }));
  const [missing, there] = parts;
  const el = h(
    "section",
    { class: "saew-whole-lists" },
    missing.title,
    h("p", { class: "saew-note" }, words.missingNote),
    missing.list,
    h("details", { class: "saew-details" }, there.title, there.list),
  );
  /** @type {Sae | null} */
  let drawn = null;
  /** @param {Sae} sae @param {string} concept */
  const update = (sae, concept) => {
    if (drawn !== sae) {
      drawn = sae;
      for (const { has, title, list } of parts) {
        const own = conceptsWith(sae, has);
        title.textContent = say(has ? words.there : words.missing, { n: whole(own.length), sae: sae.name });
        list.setAttribute("aria-label", title.textContent);
        list.replaceChildren(...own.map((one) => pill(one, pick)));
      }
    }
    for (const one of el.querySelectorAll("[data-concept]"))
      one.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (one).dataset.concept === concept));
  };
  return { el, update };
}

/** @param {Concept} one @param {(concept: string) => void} pick */
function pill(one, pick) {
  return h(
    "button",
    { type: "button", class: "saew-pill", "data-concept": one.name, onclick: () => pick(one.name) },
    inWords(one.name),
    h("span", { class: "saew-faint" }, ` ${num(one.f1, 2)}`),
  );
}

/**
 * What makes a concept up: what is active on it, and what tells it together.
 *
 * @param {Words} words
 * @param {number} bound
 */
export function madeOfPart(words, bound) {
  const title = h("h3", {});
  const says = h("p", { class: "saew-note" });
  const steps = h("ol", { class: "saew-whole-steps" });
  const stepsTitle = h("h4", {}, words.together);
  const parts = h("div", {});
  const show = [title, says, stepsTitle, steps, h("h4", {}, words.active), parts];
  const el = h("section", { class: "saew-section saew-whole-made", "aria-live": "polite" }, ...show);
  /** @param {Sae} sae @param {string} name */
  const update = (sae, name) => {
    const one = sae.concepts.find((concept) => concept.name === name);
    for (const part of show.slice(2)) /** @type {HTMLElement} */ (part).hidden = !one;
    title.textContent = say(words.madeOf, { name: inWords(name), sae: sae.name });
    if (!one) {
      says.textContent = say(words.notLooked, { name: inWords(name) });
      return;
    }
    const told = { share: percent(10 ** (one.x ?? 0)), feature: one.feature, f1: num(one.f1, 2), bound };
    const sentence = one.feature < 0 ? words.noFeature : one.has ? words.hasOne : words.hasNone;
    says.textContent = say(sentence, told);
    stepsTitle.hidden = !one.steps.length;
    steps.replaceChildren(...one.steps.map((step, i) => stepRow(step, i, words)));
    const rows = one.parts.map(([feature, recall, precision, mean]) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, `#${feature}`),
        h("td", {}, percent(recall)),
        h("td", {}, percent(precision)),
        h("td", {}, num(mean)),
      ),
    );
    parts.replaceChildren(rows.length ? table(words.partColumns, rows, words.active) : words.nothing);
  };
  return { el, update };
}

/** @param {Step} step @param {number} i @param {Words} words */
function stepRow([feature, f1], i, words) {
  const fill = h("span", { class: "saew-fill", style: { width: `${(100 * f1).toFixed(1)}%` } });
  return h(
    "li",
    {},
    h("span", { class: "saew-id" }, say(i ? words.with : words.first, { feature })),
    h("span", { class: "saew-track", "aria-hidden": "true" }, fill),
    h("span", { class: "saew-number" }, say(words.f1, { f1: num(f1, 2) })),
  );
}
