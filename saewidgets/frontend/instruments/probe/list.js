// The features of the whole text, or of one token of it: a heading, the table, and the way back.

import { h } from "../../shared/elements.js";
import { whole } from "../../shared/numbers.js";
import { scroller } from "../../shared/scroller.js";
import { glyphs } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";
import { keeping } from "./keeping.js";
import { rowsOf, sorted } from "./reading.js";
import { featureTable } from "./table.js";

/** @import { View, Words } from "./reading.js" */
/** @import { Acts } from "./table.js" */

const ROWS = 12; // before "Show all"

/**
 * @param {Words} words
 * @param {string} sideways says that the table is wider than the page
 * @param {Acts & { open: (all: boolean) => void, back: () => void }} act
 */
export function featureList(words, sideways, act) {
  const own = words.list;
  const title = h("h3", { "aria-live": "polite" }, own.whole);
  const count = h("span", { class: "saew-faint" });
  const back = h("button", { type: "button", class: "saew-pill", "data-key": "back", onclick: act.back }, own.back);
  const note = h("p", { class: "saew-note" });
  const none = h("p", { class: "saew-note" }, own.none);
  const table = scroller(sideways);
  let open = false;
  const more = h("button", { type: "button", class: "saew-link", "data-key": "more", onclick: () => act.open(!open) });
  const head = h("div", { class: "saew-probe-head" }, title, count, back);
  const el = h("div", { class: "saew-probe-list" }, head, note, none, table.el, more);
  /** @param {View} view */
  const update = (view) => {
    const { prompt, position, sort } = view;
    open = view.open;
    const rows = sorted(rowsOf(prompt, position), sort);
    const at = position === null ? null : { position, token: glyphs(prompt.tokens[position][1], 24) };
    const heading = at ? say(own.one, at) : own.whole;
    if (title.textContent !== heading) title.textContent = heading;
    count.textContent = say(own.count, { n: whole(rows.length) });
    back.hidden = !at;
    note.textContent = at ? own.oneNote : own.wholeNote;
    none.hidden = rows.length > 0;
    table.el.hidden = !rows.length;
    const shown = open ? rows : rows.slice(0, ROWS);
    keeping(table.el, [], () => table.update(words.table.label, featureTable(shown, rows, view, words, act)));
    more.hidden = rows.length <= ROWS;
    more.textContent = open ? own.fewer : say(own.all, { n: whole(rows.length) });
    more.setAttribute("aria-expanded", String(open));
  };
  return { el, update, stop: table.stop };
}
