// Find a feature by number, label or the tokens that it promotes.

import { h } from "./elements.js";
import { percent } from "./numbers.js";
import { glyphs } from "./tokens.js";
import { words as common } from "./words.js";

/** @typedef {{ feature: number, label: string, density: number, promoted: string[] }} Row of `payloads.index` */

const MOST = 60; // rows that are drawn
let pickers = 0;

/**
 * Rows of the index that match, best first: number, then label, then promoted tokens.
 *
 * @template {Row} R
 * @param {R[]} index
 * @param {string} query
 * @returns {R[]}
 */
export function matches(index, query) {
  const asked = query.trim().toLowerCase();
  if (!asked) return index.slice(0, MOST);
  /** @param {Row} row */
  const rank = (row) => {
    const label = row.label.toLowerCase();
    if (String(row.feature) === asked.replace(/^#/, "")) return 0;
    if (label.startsWith(asked)) return 1;
    if (label.includes(asked)) return 2;
    if (String(row.feature).startsWith(asked.replace(/^#/, ""))) return 3;
    if (row.promoted.some((token) => token.toLowerCase().trim() === asked)) return 4;
    if (row.promoted.some((token) => token.toLowerCase().includes(asked))) return 5;
    return 9;
  };
  return index
    .map((row) => ({ row, rank: rank(row) }))
    .filter((one) => one.rank < 9)
    .sort((a, b) => a.rank - b.rank)
    .slice(0, MOST)
    .map(({ row }) => row);
}

/**
 * A search box with a list. `pick(feature)` is called with the choice. `key(event)` must see the instrument's keys.
 *
 * @param {() => Row[]} getIndex
 * @param {(feature: number) => void} pick
 * @param {{ label?: string, placeholder?: string }} text of the box, in place of the shared words
 */
export function picker(getIndex, pick, text = {}, words = common.en.picker) {
  pickers += 1;
  const id = `saew-list-${pickers}-${Math.random().toString(36).slice(2, 8)}`;
  const list = h("ul", { class: "saew-list", role: "listbox", id, hidden: true, tabindex: -1, "aria-label": words.results });
  const input = h("input", {
    type: "text",
    class: "saew-input",
    role: "combobox",
    "aria-expanded": "false",
    "aria-controls": id,
    "aria-autocomplete": "list",
    "aria-label": text.label ?? words.search,
    placeholder: text.placeholder ?? words.placeholder,
    autocomplete: "off",
    spellcheck: "false",
  });
  const el = h("div", { class: "saew-picker" }, input, list);
  /** @type {Row[]} */
  let rows = [];
  let active = -1;

  /** @param {Row} row */
  const choose = (row) => {
    close();
    input.value = "";
    pick(row.feature);
  };
  /** @param {number} next */
  const highlight = (next) => {
    active = next;
    [...list.children].forEach((item, i) => {
      item.setAttribute("aria-selected", String(i === active));
      if (i === active) item.scrollIntoView({ block: "nearest" });
    });
    if (active >= 0) input.setAttribute("aria-activedescendant", `${id}-${active}`);
    else input.removeAttribute("aria-activedescendant");
  };
  const open = () => {
    rows = matches(getIndex(), input.value);
    list.replaceChildren(
      ...rows.map((row, i) =>
        h(
          "li",
          {
            role: "option",
            id: `${id}-${i}`,
            "aria-selected": "false",
            onmousedown: (/** @type {Event} */ event) => {
              event.preventDefault();
              choose(row);
            },
          },
          h("span", { class: "saew-id" }, `#${row.feature}`),
          h(
            "span",
            { class: "saew-list-label" },
            row.label ||
              row.promoted
                .slice(0, 3)
                .map((token) => glyphs(token, 14))
                .join("  "),
          ),
          h("span", { class: "saew-faint" }, percent(row.density)),
        ),
      ),
    );
    if (!rows.length) list.append(h("li", { class: "saew-faint", role: "presentation" }, words.none));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    highlight(rows.length && input.value ? 0 : -1);
  };
  const close = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  input.addEventListener("input", open);
  input.addEventListener("focus", open);
  input.addEventListener("click", open);
  input.addEventListener("blur", close);
  /** @param {KeyboardEvent} event */
  const key = (event) => {
    if (event.target !== input) return false;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) open();
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (rows.length) highlight((active + step + rows.length) % rows.length);
    } else if (event.key === "Enter" && !list.hidden && rows[Math.max(active, 0)]) {
      event.preventDefault();
      choose(rows[Math.max(active, 0)]);
    } else if (event.key === "Escape") {
      input.value = "";
      close();
    } else return false;
    return true;
  };
  return { el, key };
}
