// Which experiment of the paper is shown: a list to choose from, its question, what to look for, and what has been
// changed since.

import { h } from "../../shared/elements.js";
import { num } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";

/** @typedef {typeof import("./words.js").words.en.chooser} Words */
/**
 * What Python sends of each experiment; `settings` are those that it sets.
 *
 * @typedef {{
 *   name: string, part: string, title: string, question: string, look_for: string, outcome: string,
 *   settings: Record<string, unknown>
 * }} Preset
 */
/** @typedef {{ choose: (name: string) => void, again: () => void, back: () => void }} Heard */

/**
 * @param {Words} words
 * @param {boolean} still whether there is nobody to choose for
 * @param {Preset[]} presets
 * @param {Heard} heard
 */
export function chooserPart(words, still, presets, { choose, again, back }) {
  const select = h(
    "select",
    { class: "saew-input", "aria-label": words.label, onchange: () => choose(select.value) },
    h("option", { value: "" }, words.own),
    ...parts(presets).map(([part, own]) =>
      h(
        "optgroup",
        { label: part },
        ...own.map(({ name, title }) => h("option", { value: name }, say(words.option, { name, title }))),
      ),
    ),
  );
  const pill = (/** @type {string} */ text, /** @type {() => void} */ onclick) =>
    h("button", { type: "button", class: "saew-pill", onclick }, text);
  const restore = pill(words.again, again);
  const undo = pill(words.back, back);
  const question = h("p", { class: "saew-question" });
  const look = h("p", { class: "saew-note" });
  const changed = h("p", { class: "saew-note saew-changed", role: "status" });
  const outcome = h("p", { class: "saew-note" });
  const answer = h("details", { class: "saew-details" }, h("summary", {}, words.outcome), outcome);
  const said = h("div", { class: "saew-lesson-said" }, question, look, answer, changed);
  const title = h("h3", {});
  const set = [select, h("div", { class: "saew-lesson-do" }, restore, undo)];
  const el = h("div", { class: still ? "saew-lesson saew-still" : "saew-lesson" }, ...(still ? [title] : set), said);
  /**
   * @param {string} name of the chosen one, empty where none is
   * @param {Record<string, any>} settings
   * @param {boolean} before whether there is a choice to take back
   */
  const update = (name, settings, before) => {
    const preset = presets.find((one) => one.name === name);
    select.value = preset ? name : "";
    answer.hidden = !preset;
    el.hidden = still && !preset;
    undo.hidden = !before;
    restore.hidden = true;
    if (!preset) {
      question.textContent = "";
      look.textContent = words.none;
      changed.textContent = "";
      return;
    }
    title.textContent = say(words.option, { name, title: preset.title });
    if (question.textContent !== preset.question) answer.open = false;
    question.textContent = preset.question;
    look.textContent = say(words.look, { what: preset.look_for });
    outcome.textContent = preset.outcome;
    const list = changes(preset, settings, words);
    restore.hidden = !list.length;
    changed.textContent = list.length ? say(words.changed, { name, list: list.join(words.between) }) : "";
  };
  return { el, update };
}

/**
 * The presets by the part of the paper that they are of, both in the order given.
 *
 * @param {Preset[]} presets
 * @returns {[part: string, presets: Preset[]][]}
 */
export function parts(presets) {
  /** @type {Map<string, Preset[]>} */
  const out = new Map();
  for (const preset of presets) out.set(preset.part, [...(out.get(preset.part) ?? []), preset]);
  return [...out];
}

/**
 * What is set otherwise than in the preset, in words: the name of the setting, what it is, what it was.
 *
 * @param {Preset} preset
 * @param {Record<string, any>} settings
 * @param {Words} words
 */
export function changes({ settings: own }, settings, words) {
  return Object.entries(own)
    .filter(([name, value]) => text(value) !== text(settings[name]))
    .map(([name, value]) =>
      say(words.change, {
        name: words.settings[name] ?? name,
        now: text(settings[name]),
        before: text(value),
      }),
    );
}

/** @param {any} value @returns {string} */
function text(value) {
  if (Array.isArray(value)) return value.map(text).join(", ");
  return typeof value === "number" ? num(value) : String(value);
}
