// Find a feature by number, label or the tokens that it promotes.

import { h } from "./elements.js";
import { percent } from "./numbers.js";
import { glyphs } from "./tokens.js";
import { say, sent } from "./words.js";

/**
 * A row of the index. `given` is the label that the feature came with, where its reader calls it otherwise.
 *
 * @typedef {{ feature: number, label: string, promoted: string[], density: number, given?: string,
 *   input?: number | null, output?: number | null }} Row input and output: scores, where they were given
 */
/** @typedef {{ row: Row, token: string | null }} Match `token`: the promoted token for which it matches */

const MOST = 60; // rows that are drawn
const NAMING = 3; // promoted tokens that stand for a label
let pickers = 0;

/**
 * Rows of the index that match, best first: number, then label, then promoted tokens.
 *
 * @param {Row[]} index
 * @param {string} query
 * @returns {Match[]}
 */
export function matches(index, query) {
  const asked = query.trim().toLowerCase();
  if (!asked) return index.slice(0, MOST).map((row) => ({ row, token: null }));
  /** @type {(Match & { rank: number })[]} */
  const found = [];
  for (const row of index) {
    const [rank, token] = ranked(row, asked);
    if (rank < NO_MATCH) found.push({ row, token, rank });
  }
  found.sort((a, b) => a.rank - b.rank);
  return found.slice(0, MOST).map(({ row, token }) => ({ row, token }));
}

const NO_MATCH = 9;

/** @param {Row} row @param {string} asked @returns {[rank: number, token: string | null]} */
function ranked(row, asked) {
  const labels = [row.label, row.given ?? ""].map((label) => label.toLowerCase());
  const number = asked.replace(/^#/, "");
  if (String(row.feature) === number) return [0, null];
  if (labels.some((label) => label.startsWith(asked))) return [1, null];
  if (labels.some((label) => label.includes(asked))) return [2, null];
  if (String(row.feature).startsWith(number)) return [3, null];
  const whole = row.promoted.find((token) => token.toLowerCase().trim() === asked);
  if (whole !== undefined) return [4, whole];
  const part = row.promoted.find((token) => token.toLowerCase().includes(asked));
  return part === undefined ? [NO_MATCH, null] : [5, part];
}

/**
 * A search box with a list. `pick(feature)` is called with the choice. `key(event)` must see the instrument's keys.
 *
 * @param {() => Row[]} getIndex
 * @param {(feature: number) => void} pick
 * @param {{ label?: string, placeholder?: string, told?: (row: Row) => string }} text `told`: what ends a row
 * @param {typeof sent.picker} words
 */
export function picker(getIndex, pick, text = {}, words = sent.picker) {
  pickers += 1;
  const id = `saew-list-${pickers}-${Math.random().toString(36).slice(2, 8)}`;
  // The keys stay with the input: a list that scrolls would else be a tab stop of its own.
  const list = h("ul", {
    class: "saew-list",
    role: "listbox",
    id,
    hidden: true,
    tabindex: -1,
    "aria-label": words.results,
  });
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
  /** @type {Match[]} */
  let found = [];
  let active = -1;

  /** @param {Match} match */
  const choose = ({ row }) => {
    close();
    input.value = "";
    pick(row.feature);
  };
  /** @param {number} next */
  const highlight = (next) => {
    active = next;
    for (const [i, item] of [...list.children].entries()) {
      item.setAttribute("aria-selected", String(i === active));
      if (i === active) item.scrollIntoView({ block: "nearest" });
    }
    if (active >= 0) input.setAttribute("aria-activedescendant", `${id}-${active}`);
    else input.removeAttribute("aria-activedescendant");
  };
  const open = () => {
    found = matches(getIndex(), input.value);
    list.replaceChildren(...found.map((one, i) => option(one, `${id}-${i}`, words, text.told, () => choose(one))));
    if (!found.length) list.append(h("li", { class: "saew-faint", role: "presentation" }, words.none));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    highlight(found.length && input.value ? 0 : -1);
  };
  const close = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  for (const event of ["input", "focus", "click"]) input.addEventListener(event, open);
  input.addEventListener("blur", close);
  /** @param {KeyboardEvent} event */
  const key = (event) => {
    if (event.target !== input) return false;
    const match = found[Math.max(active, 0)];
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) open();
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (found.length) highlight((active + step + found.length) % found.length);
    } else if (event.key === "Enter" && !list.hidden && match) {
      event.preventDefault();
      choose(match);
    } else if (event.key === "Escape") {
      input.value = "";
      close();
    } else return false;
    return true;
  };
  return { el, key };
}

/**
 * One row of the list: the feature, why it matches where its name does not show it, and a figure: how often it is on.
 *
 * @param {Match} match
 * @param {string} id
 * @param {typeof sent.picker} words
 * @param {((row: Row) => string) | undefined} told
 * @param {() => void} choose
 */
function option({ row, token }, id, words, told, choose) {
  const naming = row.promoted.slice(0, NAMING);
  const given = row.given && row.given !== row.label ? h("span", { class: "saew-faint" }, ` · ${row.given}`) : null;
  const named = row.label ? false : token !== null && naming.includes(token);
  return h(
    "li",
    {
      role: "option",
      id,
      "aria-selected": "false",
      onmousedown: (/** @type {Event} */ event) => {
        event.preventDefault(); // the focus stays in the box
        choose();
      },
    },
    h("span", { class: "saew-id" }, `#${row.feature}`),
    h("span", { class: "saew-list-label" }, row.label || naming.map((one) => glyphs(one, 14)).join("  "), given),
    token === null || named ? null : h("span", { class: "saew-why" }, say(words.why, { token: glyphs(token, 20) })),
    h("span", { class: "saew-faint" }, told ? told(row) : percent(row.density)),
  );
}
