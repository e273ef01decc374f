// What is known of a point: below the pointer in a few lines, in full for the selected one; and the chosen ones.

import { h } from "../../shared/elements.js";
import { num, percent, whole } from "../../shared/numbers.js";
import { glyphs } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";
import { nameOfPoint } from "./points.js";

/** @import { Points } from "./points.js" */
/** @typedef {typeof import("./words.js").words.en} Words */

const LINKED = 40; // rows of a list of links
const LISTED = 12; // of the chosen ones

/** @param {Points} points @param {number} i @param {Words} words */
const titleOf = (points, i, words) =>
  say(words.of, { feature: points.feature[i], sae: points.saes[points.sae[i]].name });

/**
 * A point as a button that goes to it.
 *
 * @param {Points} points
 * @param {number} i
 * @param {(i: number) => void} go
 */
export function pointRow(points, i, go, extra = "") {
  return h(
    "button",
    { type: "button", class: "saew-feature saew-map-row", "data-point": i, onclick: () => go(i) },
    h("span", { class: "saew-id" }, `#${points.feature[i]}`),
    h("span", { class: "saew-list-label" }, nameOfPoint(points, i, 40)),
    h("span", { class: "saew-faint" }, extra || (points.saes.length > 1 ? points.saes[points.sae[i]].name : "")),
  );
}

/**
 * The lines below the pointer.
 *
 * @param {Points} points
 * @param {number} i
 * @param {Words} words
 */
export function tipLines(points, i, words) {
  const name = points.label(i) || points.about(i);
  const tokens = points.tokens(i).slice(0, 3);
  const shown = tokens.map((token) => glyphs(token, 16)).join("  ");
  const lines = [
    [titleOf(points, i, words), ""],
    ...(name ? [[glyphs(name, 60).replaceAll("·", " "), ""]] : []),
    ...(tokens.length ? [[words.promotes, shown]] : []),
    ...(Number.isNaN(points.density[i]) ? [] : [[words.density, percent(points.density[i])]]),
    ...scoresOf(points, i, words),
  ];
  return lines.map(([left, right]) => h("div", {}, h("span", { class: "saew-tip-name" }, left), h("span", {}, right)));
}

/**
 * Its output and input score, where they are known.
 *
 * @param {Points} points
 * @param {number} i
 * @param {Words} words
 * @returns {[name: string, score: string][]}
 */
function scoresOf({ output, input }, i, words) {
  /** @type {[string, number][]} */
  const both = [
    [words.output, output?.[i] ?? NaN],
    [words.input, input?.[i] ?? NaN],
  ];
  return both.filter(([, score]) => !Number.isNaN(score)).map(([name, score]) => [name, num(score, 2)]);
}

/**
 * The selected point.
 *
 * @param {Points} points
 * @param {Words} words
 * @param {(i: number) => void} go
 */
export function detailsPart(points, words, go) {
  const title = h("h3", { class: "saew-map-title", hidden: true });
  const said = h("p", { class: "saew-map-said", role: "status" });
  const about = h("div", { class: "saew-map-about" });
  const el = h("section", { class: "saew-section", "aria-label": words.details }, title, said, about);

  /** @param {number} i a point, or -1 @param {boolean} away whether the views beside the map do not show it */
  const update = (i, away) => {
    title.hidden = i < 0;
    if (i < 0) {
      said.textContent = "";
      said.removeAttribute("aria-label");
      about.replaceChildren(h("p", { class: "saew-note" }, words.none));
      return;
    }
    title.textContent = titleOf(points, i, words);
    const label = glyphs(points.label(i), 120).replaceAll("·", " ");
    const density = Number.isNaN(points.density[i]) ? "" : `${words.density} ${percent(points.density[i])}`;
    said.textContent = (points.label(i) && label) || points.about(i) || words.unlabeled;
    said.setAttribute("aria-label", say(words.said, { name: title.textContent, label: said.textContent, density }));
    about.replaceChildren(
      ...factsOf(points, i, words),
      ...(away ? [h("p", { class: "saew-note" }, words.away)] : []),
      ...linksOf(points, i, words, go),
    );
  };
  return { el, update };
}

/** @param {Points} points @param {number} i @param {Words} words */
function factsOf(points, i, words) {
  /** @param {string} name @param {(string | HTMLElement)[]} value */
  const fact = (name, ...value) =>
    h("div", { class: "saew-map-fact" }, h("span", { class: "saew-faint" }, name), h("span", {}, ...value));
  const tokens = points.tokens(i).map((token) => h("code", { class: "saew-code" }, glyphs(token, 20)));
  const share = { name: points.about(i), share: percent(points.precision[i]) };
  return [
    ...(points.concept[i] >= 0 ? [fact(words.concept, say(words.conceptShare, share))] : []),
    ...(tokens.length ? [fact(words.promotes, h("span", { class: "saew-search-tokens" }, ...tokens))] : []),
    ...(points.cluster[i] >= 0 ? [fact(words.cluster, String(points.cluster[i]))] : []),
    ...(Number.isNaN(points.density[i]) ? [] : [fact(words.density, percent(points.density[i]))]),
    ...(Number.isNaN(points.maximum[i]) ? [] : [fact(words.maximum, num(points.maximum[i]))]),
    ...scoresOf(points, i, words).map(([name, score]) => fact(name, score)),
  ];
}

/** @param {Points} points @param {number} i @param {Words} words @param {(i: number) => void} go */
function linksOf(points, i, words, go) {
  const links = points.linked(i);
  /** @param {string} heading @param {boolean} child */
  const group = (heading, child) => {
    const own = links.filter((link) => link.child === child);
    const rows = own.slice(0, LINKED).map(({ point, cosine }) => {
      const extra = `${num(cosine, 2)} · ${points.saes[points.sae[point]].name}`;
      return pointRow(points, point, go, extra);
    });
    return rows.length ? [h("h4", {}, heading), h("div", { class: "saew-map-list" }, ...rows)] : [];
  };
  if (points.parent.length && !links.length)
    return [h("p", { class: "saew-note" }, say(words.noLinks, { threshold: num(points.threshold) }))];
  return [...group(words.parents, false), ...group(words.children, true)];
}

/**
 * The first of the chosen ones; near ones beside each other where the map knows a row.
 *
 * @param {Points} points
 * @param {number[]} chosen
 */
export const inRow = ({ order }, chosen) => [...chosen].sort((a, b) => order[a] - order[b] || a - b).slice(0, LISTED);

/**
 * The chosen points.
 *
 * @param {Points} points
 * @param {Words} words
 * @param {(i: number) => void} go
 * @param {() => void} clear
 */
export function chosenPart(points, words, go, clear) {
  const el = h("section", { class: "saew-section", hidden: true });
  const update = (/** @type {number[]} */ chosen) => {
    el.hidden = !chosen.length;
    el.replaceChildren(
      h(
        "div",
        { class: "saew-map-chosen" },
        h("h4", { role: "status" }, say(words.chosen, { n: whole(chosen.length) })),
        h("button", { type: "button", class: "saew-pill", onclick: clear }, words.clear),
      ),
      h("p", { class: "saew-note" }, words.chosenHow),
      h("div", { class: "saew-map-list" }, ...inRow(points, chosen).map((i) => pointRow(points, i, go))),
    );
  };
  return { el, update };
}
