// The examples of a feature: tokens with their heat, their underlines, and what is known of each.

import { h } from "../../shared/elements.js";
import { aligned, num, percent } from "../../shared/numbers.js";
import { chip, glyphs, heat } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";

const EXAMPLE_TEXT = {
  token: "token",
  id: "id",
  bytes: "bytes",
  activation: "activation",
  share: "of its maximum",
  loss: "its loss without the feature",
  nats: "{sign}{n} nats",
  less: "less likely without it",
  more: "likelier without it",
  adds: "makes likelier next",
  takes: "makes less likely next",
  where: "document {context}, token {position}",
};
const SEEN = 0.02; // nats from which an effect is underlined
const STRONG = 0.3; // and from which it is underlined twice as thick
const LISTED = 3; // moved logits in a tooltip; the details of a chosen token show all

/** What stands where an example says `place`: {id, text, bytes}, bytes as hex or null where nobody knows. */
export function tokenAt(pool, place, bytesKnown) {
  const [id, text, odd] = pool[place];
  const bytes =
    odd ??
    (bytesKnown && text.length <= 64
      ? [...new TextEncoder().encode(text)].map((b) => b.toString(16).padStart(2, "0")).join("")
      : null);
  return { id, text, bytes };
}

/** "f0 9f a4 97" of "f09fa497"; long ones are cut. */
export function spaced(hex) {
  const pairs = hex.toUpperCase().match(/../g) ?? ["none"];
  return pairs.length > 16 ? `${pairs.slice(0, 16).join(" ")} …` : pairs.join(" ");
}

function signed(x) {
  return `${x > 0 ? "+" : ""}${num(x)}`;
}

function effects(flat, pool, most) {
  const out = [];
  for (let i = 0; i < flat.length && out.length < most; i += 2) out.push([glyphs(pool[flat[i]][1], 14), flat[i + 1]]);
  return out;
}

/** The loss effect of token i of an example in nats, null where it is not known. */
export function lossEffect(item, i) {
  const effect = item.l?.[i];
  return effect === null || effect === undefined ? null : effect / 1000;
}

/** All that is known of token i of an example: the rows of its tooltip, or with all moved logits, of its details. */
export function facts(item, i, pool, maximum, bytesKnown, most = LISTED) {
  const { id, text, bytes } = tokenAt(pool, item.t[i], bytesKnown);
  const loss = lossEffect(item, i);
  const moved = item.m?.find(([at]) => at === i);
  const list = (flat) =>
    effects(flat, pool, most)
      .map(([token, logit]) => `${token} ${signed(logit)}`)
      .join(", ");
  return [
    [EXAMPLE_TEXT.token, glyphs(text, 200)],
    [EXAMPLE_TEXT.id, String(id)],
    bytes === null ? null : [EXAMPLE_TEXT.bytes, spaced(bytes)],
    [EXAMPLE_TEXT.activation, num(item.a[i])],
    item.a[i] > 0 ? [EXAMPLE_TEXT.share, percent(item.a[i] / maximum)] : null,
    loss === null ? null : [EXAMPLE_TEXT.loss, say(EXAMPLE_TEXT.nats, { sign: loss > 0 ? "+" : "", n: num(loss) })],
    moved ? [EXAMPLE_TEXT.adds, list(moved[1])] : null,
    moved ? [EXAMPLE_TEXT.takes, list(moved[2])] : null,
    ["", say(EXAMPLE_TEXT.where, { context: item.c, position: item.s + i })],
  ].filter(Boolean);
}

/** Underline a token by what its loss becomes without the feature: solid where it gets less likely, dashed where likelier. */
function underline(el, loss) {
  const size = Math.abs(loss ?? 0);
  el.classList.toggle("saew-helped", size >= SEEN && loss > 0);
  el.classList.toggle("saew-hurt", size >= SEEN && loss < 0);
  el.classList.toggle("saew-strong", size >= STRONG);
}

/** One example as a row. `view` is {pool, maximum, bytes}. */
export function exampleRow(item, view) {
  const strip = h(
    "div",
    { class: "saew-strip", dir: "auto" },
    ...item.t.map((place, i) => {
      const el = chip(view.pool[place][1], heat(item.a[i], view.maximum), null, i === item.p ? "saew-peak" : "");
      el.saewPlace = [item.c, item.s + i];
      return el;
    }),
  );
  const row = h("li", { class: "saew-example" }, h("span", { class: "saew-number" }, aligned(item.a[item.p])), strip);
  row.saewTokens = item.t.map((place) => view.pool[place][1]); // what the filter looks through
  describe(row, item, view);
  return row;
}

/** Give the tokens of a row their tooltips and underlines, again where more has become known. */
export function describe(row, item, view) {
  row.saewItem = item;
  row.saewView = view;
  [...row.querySelectorAll(".saew-token")].forEach((el, i) => {
    // Worked out when it is looked at: there are thousands of tokens on a page.
    Object.defineProperty(el, "saewTip", {
      get: () => facts(item, i, view.pool, view.maximum, view.bytes),
      configurable: true,
    });
    underline(el, lossEffect(item, i));
  });
}

/** What the underlines mean. */
export function underlineLegend() {
  const sample = (kind, text) =>
    h("span", {}, h("span", { class: `saew-token ${kind}` }, h("span", { class: "saew-word" }, "abc")), text);
  return h(
    "p",
    { class: "saew-note saew-underlines" },
    sample("saew-helped", EXAMPLE_TEXT.less),
    sample("saew-hurt", EXAMPLE_TEXT.more),
  );
}
