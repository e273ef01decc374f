// The features of a text, or of one token of it, as a table that sorts, pins and picks.

import { h } from "../../shared/elements.js";
import { aligned, num, percent, whole } from "../../shared/numbers.js";
import { glyphs } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";

const TABLE_TEXT = {
  pin: "Pin #{feature}: color its tokens",
  unpin: "Unpin #{feature}",
  pinned: "Pin",
  feature: "Feature",
  unlabelled: "no label",
  activation: "Activation",
  share: "Of max.",
  quantile: "Quantile",
  shareTitle:
    "Share of its largest activation over the corpus; above 100 % where this text is stronger than all of that",
  quantileTitle: "Share of the feature's own activations in the corpus that are no stronger",
  attribution: "Attribution",
  attributionTitle: "Activation × (decoder direction · gradient of the logit difference)",
  ablation: "Ablation",
  ablationTitle: "How much the logit difference falls without it",
  loss_effect: "Loss effect",
  loss_effectTitle:
    "What leaving it out adds to the loss of the token after this one; of the whole text, to that of all tokens together (nats)",
  where: "Strongest at",
  tokens: "{n} tokens",
  one: "1 token",
  sort: "Sort by {name}",
  all: "Show all {n}",
  fewer: "Show fewer",
  none: "No feature is active here.",
};
const ROWS = 12; // before "Show all"
export const PIN_LETTERS = "ABCDE";
export const SIGNED = ["attribution", "ablation", "loss_effect"]; // columns whose numbers have a sign

/** A label, or else the tokens that the feature promotes. */
export function nameOf(row) {
  return (
    row.label ||
    row.promoted
      .slice(0, 3)
      .map((token) => glyphs(token, 14))
      .join("  ") ||
    TABLE_TEXT.unlabelled
  );
}

/** A number for a column of numbers with their signs. */
function signed(x) {
  return x === null ? "–" : x > 0 ? `+${num(x, 2)}` : num(x, 2);
}

/**
 * The rows of a table: one a feature, at one token or, where `position` is null, over the whole text. Activation and share are then the
 * largest, attribution and ablation the sums over its tokens; the loss effect is that of all tokens, at one token that of the next.
 */
export function rowsOf(prompt, position) {
  const rows = [];
  for (const f of prompt.features) {
    const here = position === null ? f.p.map((_, i) => i) : f.p.flatMap((p, i) => (p === position ? [i] : []));
    if (!here.length) continue;
    const peak = here.reduce((best, i) => (f.a[i] > f.a[best] ? i : best), here[0]);
    // A sum of which a part was not measured is not known.
    const sum = (values) =>
      values && here.every((i) => values[i] !== null) ? here.reduce((total, i) => total + values[i], 0) : null;
    const losses = prompt.losses[String(f.feature)];
    rows.push({
      ...f,
      loss_effect: losses
        ? position === null
          ? losses.reduce((total, v) => total + (v ?? 0), 0)
          : (losses[position + 1] ?? null)
        : null,
      activation: f.a[peak],
      share: f.maximum ? f.a[peak] / f.maximum : null,
      quantile: f.quantile ? f.quantile[peak] : null,
      attribution: sum(f.attribution),
      ablation: sum(f.ablation),
      peak: f.p[peak],
      n: here.length,
    });
  }
  return rows;
}

/** Largest first; what has a sign by its size. Ties in the order of the features. */
export function sorted(rows, sort) {
  const signless = SIGNED.includes(sort);
  const key = (row) => (row[sort] === null ? -1 : signless ? Math.abs(row[sort]) : row[sort]);
  return [...rows].sort((a, b) => key(b) - key(a) || a.feature - b.feature);
}

function bar(share, kind) {
  const width = `${(100 * Math.min(1, Math.abs(share))).toFixed(1)}%`;
  return h("span", { class: "saew-track" }, h("span", { class: `saew-fill ${kind}`, style: { width } }));
}

/**
 * `act` holds pick(feature), pin(feature), sort(column), look(feature or null) and open(all rows or not).
 * Columns of what was not measured are left out.
 */
export function featureTable(prompt, state, act) {
  const rows = sorted(rowsOf(prompt, state.position), state.sort);
  if (!rows.length) return h("p", { class: "saew-note" }, TABLE_TEXT.none);
  const most = Math.max(...rows.map((row) => row.activation));
  const largest = (column) => Math.max(...rows.map((row) => Math.abs(row[column] ?? 0)), 1e-12);
  const columns = ["activation"];
  for (const name of ["share", "quantile", ...SIGNED]) if (rows.some((row) => row[name] !== null)) columns.push(name);
  const head = h(
    "tr",
    {},
    h("th", { scope: "col", class: "saew-words" }, TABLE_TEXT.pinned),
    h("th", { scope: "col", class: "saew-words" }, TABLE_TEXT.feature),
    ...columns.map((name) =>
      h(
        "th",
        { scope: "col", title: TABLE_TEXT[`${name}Title`], "aria-sort": state.sort === name ? "descending" : "none" },
        h(
          "button",
          {
            type: "button",
            class: "saew-sort",
            "aria-label": say(TABLE_TEXT.sort, { name: TABLE_TEXT[name].toLowerCase() }),
            "data-key": `sort ${name}`,
            onclick: () => act.sort(name),
          },
          TABLE_TEXT[name],
          h("span", { "aria-hidden": "true" }, state.sort === name ? " ↓" : ""),
        ),
      ),
    ),
    state.position === null ? h("th", { scope: "col", class: "saew-words saew-where" }, TABLE_TEXT.where) : null,
  );
  const cell = (row, name) => {
    const value = row[name];
    if (name === "activation")
      return h(
        "td",
        {},
        h("span", { class: "saew-meter" }, bar(row.share ?? value / most, ""), h("span", {}, aligned(value))),
      );
    if (name === "share" || name === "quantile") return h("td", {}, value === null ? "–" : percent(value));
    return h(
      "td",
      {},
      h(
        "span",
        { class: "saew-meter" },
        bar((value ?? 0) / largest(name), value < 0 ? "saew-minus" : "saew-plus"),
        h("span", {}, signed(value)),
      ),
    );
  };
  const shown = state.open ? rows : rows.slice(0, ROWS);
  const body = shown.map((row) => {
    const at = state.pinned.indexOf(row.feature);
    const pinned = at >= 0;
    const label = say(pinned ? TABLE_TEXT.unpin : TABLE_TEXT.pin, row);
    return h(
      "tr",
      {
        "aria-selected": String(row.feature === state.feature),
        onmouseenter: () => act.look(row.feature),
        onmouseleave: () => act.look(null),
      },
      h(
        "td",
        { class: "saew-words" },
        h(
          "button",
          {
            type: "button",
            class: `saew-pin ${pinned ? `saew-pin-${at + 1}` : ""}`.trim(),
            "aria-pressed": String(pinned),
            "aria-label": label,
            title: label,
            "data-key": `pin ${row.feature}`,
            onclick: () => act.pin(row.feature),
          },
          pinned ? PIN_LETTERS[at] : "+",
        ),
      ),
      h(
        "th",
        { scope: "row", class: "saew-words" },
        h(
          "button",
          {
            type: "button",
            class: "saew-feature",
            "aria-pressed": String(row.feature === state.feature),
            "data-key": `pick ${row.feature}`,
            onclick: () => act.pick(row.feature),
            onfocus: () => act.look(row.feature),
            onblur: () => act.look(null),
          },
          h("span", { class: "saew-id" }, `#${row.feature}`),
          h("span", { class: row.label ? "saew-list-label" : "saew-list-label saew-faint" }, nameOf(row)),
        ),
      ),
      ...columns.map((name) => cell(row, name)),
      state.position === null
        ? h(
            "td",
            { class: "saew-words saew-where" },
            h("code", { class: "saew-code" }, glyphs(prompt.tokens[row.peak][1], 16)),
            h(
              "span",
              { class: "saew-faint" },
              row.n === 1 ? TABLE_TEXT.one : say(TABLE_TEXT.tokens, { n: whole(row.n) }),
            ),
          )
        : null,
    );
  });
  const table = h(
    "div",
    { class: "saew-scroll" },
    h(
      "table",
      { class: `saew-table saew-probe-table${columns.length > 4 ? " saew-many" : ""}` },
      h("thead", {}, head),
      h("tbody", {}, ...body),
    ),
  );
  if (rows.length <= ROWS) return table;
  const more = h(
    "button",
    {
      type: "button",
      class: "saew-link",
      "aria-expanded": String(state.open),
      "data-key": "more",
      onclick: () => act.open(!state.open),
    },
    state.open ? TABLE_TEXT.fewer : say(TABLE_TEXT.all, { n: whole(rows.length) }),
  );
  return h("div", {}, table, more);
}
