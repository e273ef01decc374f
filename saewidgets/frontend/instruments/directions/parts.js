// What the mean offset of a relation is made of: the features with the largest shares, the others, and the error.

import { h } from "../../shared/elements.js";
import { num, percent } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";

/** @import { Part, Relation, Space } from "./lab.js" */
/** @typedef {typeof import("./words.js").words.en.parts} Words */

/** @param {Words} words */
export function offsetParts(words) {
  const says = h("p", { class: "saew-note" });
  const list = h("ul", {});
  const title = h("h3", {}, words.title);
  const el = h("section", { class: "saew-section saew-directions-parts" }, title, says, list);

  /** @param {Space} space @param {Relation} relation */
  const update = (space, relation) => {
    const { parts, error } = relation;
    says.textContent = error === null ? words.none : say(words.says, { sae: space.sae });
    const most = Math.max(error ?? 0, ...parts.map(([, , share]) => Math.abs(share)));
    const rest = 1 - (error ?? 0) - parts.reduce((sum, [, , share]) => sum + share, 0);
    const scale = Math.max(most, Math.abs(rest), 1e-9);
    list.replaceChildren(
      ...parts.map((part) => featureRow(part, scale, words)),
      ...(error === null ? [] : [plainRow(words.rest, rest, scale), plainRow(words.error, error, scale)]),
    );
  };
  return { el, update };
}

/**
 * @param {Part} part
 * @param {number} scale share of the longest bar
 * @param {Words} words
 */
function featureRow([feature, label, share, before, after], scale, words) {
  const row = h(
    "li",
    { "data-tip": "" },
    h("span", { class: "saew-id" }, say(words.feature, { feature })),
    h("span", { class: "saew-directions-label" }, label),
    bar(share, scale),
    h("span", { class: "saew-number" }, percent(share)),
  );
  row.saewTip = [
    [words.share, percent(share)],
    [words.before, num(before)],
    [words.after, num(after)],
  ];
  return row;
}

/**
 * @param {string} name
 * @param {number} share
 * @param {number} scale
 */
function plainRow(name, share, scale) {
  return h(
    "li",
    { class: "saew-directions-rest" },
    h("span", { class: "saew-faint" }, name),
    bar(share, scale),
    h("span", { class: "saew-number" }, percent(share)),
  );
}

/** @param {number} share @param {number} scale */
function bar(share, scale) {
  const fill = h("span", { class: "saew-fill", style: { width: `${(100 * Math.abs(share)) / scale}%` } });
  return h("span", { class: share < 0 ? "saew-down" : "saew-up" }, h("span", { class: "saew-track" }, fill));
}
