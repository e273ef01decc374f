// The form: by what one searches, and the boxes of that way.

import { h } from "../../shared/elements.js";
import { WAYS } from "./question.js";

/** @import { Choice, Entry, Limit, Mode, Question, Tick, Words } from "./question.js" */
/** @typedef {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} Box */

const PAUSE = 300; // ms without a key before a search begins
let forms = 0;

/**
 * `update(mode, values, concepts)` lays out the boxes of a way; `fill(values)` puts values into those that nobody types
 * in.
 *
 * @param {Mode[]} modes
 * @param {Words} words
 * @param {{ pick: (mode: Mode) => void, ask: (question: Partial<Question>) => void }} act
 */
export function searchForm(modes, words, act) {
  forms += 1;
  const id = `saew-concepts-${forms}-${Math.random().toString(36).slice(2, 8)}`;
  const options = modes.map((mode) => h("option", { value: mode }, words.modes[mode].name));
  const pick = () => act.pick(/** @type {Mode} */ (way.value));
  const way = h("select", { class: "saew-input", onchange: pick }, ...options);
  const list = h("datalist", { id });
  const fields = h("div", { class: "saew-search-fields" });
  const ticks = h("div", { class: "saew-search-ticks" });
  /** @type {Partial<Record<Entry | Choice | Limit, Box> & Record<Tick, HTMLInputElement>>} */
  let boxes = {};
  let [timer, asks, known] = [0, WAYS.text, /** @type {string[]} */ ([])];
  const stop = () => {
    clearTimeout(timer);
    timer = 0;
  };
  const send = () => {
    stop();
    act.ask(Object.fromEntries(Object.entries(boxes).map(([name, box]) => [name, entered(box)])));
  };
  // Half a number, a token or a pattern is a question that nobody asked: those wait for Enter.
  const typed = () => {
    stop();
    if (asks.concepts && known.includes(boxes.query?.value ?? "")) send();
    else if (asks.live && !boxes.regex?.checked) timer = setTimeout(send, PAUSE);
  };
  const submit = h("button", { type: "button", class: "saew-button saew-plain", onclick: send }, words.search);
  const choice = h("label", { class: "saew-field saew-search-way" }, h("span", {}, words.mode), way);
  const el = h("div", { class: "saew-search-form" }, choice, fields, submit, ticks, list);

  /** @param {Mode} mode @param {Question} values @param {string[]} concepts */
  const update = (mode, values, concepts) => {
    stop();
    way.value = mode;
    [asks, known, boxes] = [WAYS[mode], concepts, {}];
    const own = words.modes[mode];
    const entries = /** @type {Entry[]} */ (own.other ? ["query", "other"] : ["query"]).map((name) => {
      const box = entry(Boolean(asks.lines), asks.concepts && name === "query" ? id : null, typed);
      box.value = values[name];
      boxes[name] = box;
      return h("label", { class: `saew-field saew-search-${name}` }, h("span", {}, own[name]), box);
    });
    fields.replaceChildren(...entries);
    const marks = (asks.ticks ?? []).map((name) => {
      const box = h("input", { type: "checkbox", onchange: send });
      box.checked = values[name];
      boxes[name] = box;
      return h("label", { class: "saew-tick-box" }, box, words.ticks[name]);
    });
    const selects = (asks.choices ?? []).map((name) => {
      const { el: field, box } = choiceField(words.choices[name]);
      choose(box, String(values[name]));
      boxes[name] = box;
      return field;
    });
    const limits = (asks.limits ?? []).map((name) => {
      const { el: field, box } = limitField(words.limits[name], values[name], send);
      boxes[name] = box;
      return field;
    });
    ticks.replaceChildren(...selects, ...limits, ...marks);
    ticks.hidden = !ticks.children.length;
    list.replaceChildren(...concepts.map((name) => h("option", { value: name })));
  };
  /** @param {Question} values */
  const fill = (values) => {
    for (const name of /** @type {(Entry | Tick | Choice | Limit)[]} */ (Object.keys(boxes))) {
      const box = /** @type {Box} */ (boxes[name]);
      const value = values[name];
      if (box instanceof HTMLSelectElement) choose(box, String(value));
      else if (typeof value === "boolean") /** @type {HTMLInputElement} */ (box).checked = value;
      else if (!timer && document.activeElement !== box) box.value = String(value);
    }
  };
  /** Whether Enter in `target` asks. @param {EventTarget | null} target */
  const enters = (target) => target !== null && target === boxes.query && !asks.lines;
  /** Whether the arrow down leads from `target` into the list. @param {EventTarget | null} target */
  const leads = (target) => enters(target) && !asks.concepts;
  return { el, update, fill, send, enters, leads, focus: () => boxes.query?.focus(), stop };
}

/** A number of 0 or more. @param {string} name @param {number} value @param {() => void} onchange */
function limitField(name, value, onchange) {
  const box = h("input", { type: "number", class: "saew-input saew-search-limit", min: 0, step: "any", onchange });
  box.value = String(value);
  return { box, el: h("label", { class: "saew-field" }, h("span", {}, name), box) };
}

/** A choice among a few. @param {{ name: string, options: Record<string, string> }} words */
function choiceField({ name, options }) {
  const box = h(
    "select",
    { class: "saew-input" },
    ...Object.entries(options).map(([value, said]) => option(value, said)),
  );
  return { box, el: h("label", { class: "saew-field" }, h("span", {}, name), box) };
}

/** @param {string} value @param {string} said */
const option = (value, said) => h("option", { value }, said);

/** Choose what may not be among the choices: a position, say. @param {HTMLSelectElement} box @param {string} value */
function choose(box, value) {
  if (![...box.options].some((one) => one.value === value)) box.append(option(value, value));
  box.value = value;
}

/** @param {Box} box */
function entered(box) {
  if (box instanceof HTMLInputElement && box.type === "number") return Math.max(box.valueAsNumber || 0, 0);
  return box instanceof HTMLInputElement && box.type === "checkbox" ? box.checked : box.value;
}

/** @param {boolean} lines @param {string | null} list @param {() => void} typed */
function entry(lines, list, typed) {
  const look = { class: "saew-input", spellcheck: "false", oninput: typed };
  if (lines) return h("textarea", { ...look, class: "saew-input saew-prompt", rows: 3 });
  return h("input", { ...look, type: "text", autocomplete: "off", list });
}
