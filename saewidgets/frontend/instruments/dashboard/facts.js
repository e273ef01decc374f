// What is known of one token of an example: in its tooltip, and in the card of the chosen token.

import { h } from "../../shared/elements.js";
import { num, percent } from "../../shared/numbers.js";
import { glyphs } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";
import { lossEffect, tokenAt } from "./data.js";
import { boxHead } from "./section.js";

/** @import { TipLine } from "../../types/host.js" */
/** @import { Example, Pooled, View, Words } from "./data.js" */

/** @param {number} x */
const signed = (x) => `${x > 0 ? "+" : ""}${num(x)}`;

/** @param {string} hex "f09fa497" @param {string} none @returns {string} "F0 9F A4 97"; long ones are cut */
export function spaced(hex, none) {
  const pairs = hex.toUpperCase().match(/../g) ?? [none];
  return pairs.length > 16 ? `${pairs.slice(0, 16).join(" ")} …` : pairs.join(" ");
}

/**
 * The first moved logits.
 *
 * @param {number[]} flat pairs of place and logit
 * @param {Pooled[]} pool
 * @param {number} most
 */
function moves(flat, pool, most) {
  /** @type {[token: string, logit: string][]} */
  const out = [];
  for (let i = 0; i < flat.length && out.length < most; i += 2)
    out.push([glyphs(pool[flat[i]][1], 14), signed(flat[i + 1])]);
  return out;
}

/**
 * @param {Example} item
 * @param {number} i
 * @param {View} view
 * @param {Words["token"]} text
 * @param {number} most moved logits of either kind
 * @returns {TipLine[]}
 */
export function facts(item, i, view, text, most) {
  const { id, text: token, bytes } = tokenAt(view.pool, item.t[i], view.bytes);
  const loss = lossEffect(item, i);
  const moved = item.m?.find(([at]) => at === i);
  const list = (/** @type {number[]} */ flat) =>
    moves(flat, view.pool, most)
      .map((pair) => pair.join(" "))
      .join(", ");
  /** @type {TipLine[]} */
  const lines = [
    [text.token, glyphs(token, 200)],
    [text.id, String(id)],
  ];
  if (bytes !== null) lines.push([text.bytes, spaced(bytes, text.noBytes)]);
  lines.push([text.activation, num(item.a[i])]);
  if (item.a[i] > 0) lines.push([text.share, percent(item.a[i] / view.maximum)]);
  if (loss !== null) lines.push([text.loss, say(text.nats, { sign: loss > 0 ? "+" : "", n: num(loss) })]);
  if (moved) lines.push([text.adds, list(moved[1])], [text.takes, list(moved[2])]);
  lines.push(["", say(text.where, { context: item.c, position: item.s + i })]);
  return lines;
}

/**
 * The card of the chosen token: its figures in one line, what it does to the loss, and all moved logits as two lists.
 * Id and bytes stand in the tooltip.
 *
 * @param {Words["token"]} text
 * @param {() => void} close
 */
export function tokenCard(text, close) {
  const el = h("section", { class: "saew-section saew-chosen-token", hidden: true, "aria-live": "polite" });
  /**
   * @param {{ item: Example, i: number, view: View } | null} chosen
   */
  const update = (chosen) => {
    el.hidden = !chosen;
    el.replaceChildren();
    if (!chosen) return;
    const { item, i, view } = chosen;
    const token = tokenAt(view.pool, item.t[i], view.bytes).text;
    const loss = lossEffect(item, i);
    const moved = item.m?.find(([at]) => at === i);
    const fact = (/** @type {string} */ name, /** @type {string} */ value) =>
      h("div", {}, h("dt", {}, name), h("dd", {}, value));
    const facts = [fact(text.activation, num(item.a[i]))];
    if (item.a[i] > 0) facts.push(fact(text.share, percent(item.a[i] / view.maximum)));
    if (loss !== null) facts.push(fact(text.loss, say(text.nats, { sign: loss > 0 ? "+" : "", n: num(loss) })));
    const list = (/** @type {string} */ title, /** @type {number[]} */ flat) =>
      h(
        "div",
        {},
        h("h4", {}, title),
        h("ol", {}, ...moves(flat, view.pool, Infinity).map(([name, logit]) => effectRow(name, logit))),
      );
    el.append(
      boxHead(text.chosen, text.close, close),
      h("p", {}, h("code", { class: "saew-code saew-chosen-word" }, glyphs(token, 60)), " ", whereOf(item, i, text)),
      h("dl", { class: "saew-facts-list" }, ...facts),
    );
    if (moved) el.append(h("div", { class: "saew-two" }, list(text.adds, moved[1]), list(text.takes, moved[2])));
  };
  return { el, update };
}

/** @param {string} name @param {string} logit */
function effectRow(name, logit) {
  return h("li", {}, h("code", { class: "saew-code" }, name), h("span", { class: "saew-number" }, logit));
}

/** @param {Example} item @param {number} i @param {Words["token"]} text */
function whereOf(item, i, text) {
  return h("span", { class: "saew-faint" }, say(text.where, { context: item.c, position: item.s + i }));
}
