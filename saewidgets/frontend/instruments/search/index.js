// FeatureSearch: one box, several ways to find a feature, one table.

import { h } from "../../shared/elements.js";
import { mount } from "../../shared/mount.js";
import { say } from "../../shared/words.js";
import { searchForm } from "./form.js";
import { notes } from "./notes.js";
import { quoted } from "./question.js";
import { resultsPart, saidPart } from "./results.js";
import { words } from "./words.js";

/** @import { Context } from "../../types/host.js" */
/** @import { FeatureSearchTraits } from "../../types/model.js" */
/** @import { Mode, Question, Results } from "./question.js" */
/** @typedef {typeof words.en} Words */

/** @param {Context<FeatureSearchTraits, Words>} context */
function draw({ model, root, link, words, common, banner, still, add, on }) {
  const mode = () => /** @type {Mode} */ (model.get("mode"));
  const found = () => /** @type {Results} */ (model.get("_results"));
  /** @returns {Question} */
  const question = () => ({
    query: model.get("query"),
    other: model.get("other"),
    regex: model.get("regex"),
    case: model.get("case"),
    relative: model.get("relative"),
    words: model.get("words"),
    scope: model.get("scope"),
    combine: model.get("combine"),
    at_least: model.get("at_least"),
    at_most: model.get("at_most"),
  });
  const form = searchForm(/** @type {Mode[]} */ (model.get("_modes")), words, {
    pick: (way) => link.put({ mode: way }),
    ask: (asked) => link.ask("search", asked),
  });
  const said = saidPart(words, still, () => link.ask("stop"));
  const results = resultsPart(words, common.sideways, (feature) => link.put({ feature }));
  const passport = model.get("_passport");
  root.append(
    still ? h("p", { class: "saew-note" }, savedWords(mode(), question(), words)) : add(form),
    banner,
    add(said),
    add(results),
    ...(passport ? [h("div", { class: "saew-footer" }, h("p", {}, passport))] : []),
  );

  const fields = () => form.update(mode(), question(), model.get("_concepts"));
  const told = () => said.told(model.get("status"), model.get("waiting") ?? "", model.get("_share"));
  const fade = () => {
    said.update(found(), mode());
    results.fade(found(), mode());
  };
  const list = () => {
    results.update(found(), model.get("feature"));
    fade();
  };
  for (const first of [...(still ? [] : [fields]), list, told]) first();
  on(["_results"], list);
  on(["feature"], () => results.mark(model.get("feature")));
  on(["mode", "_concepts"], fields);
  on(["mode"], fade);
  const asked = /** @type {(keyof Question & string)[]} */ (Object.keys(question()));
  on(asked, () => form.fill(question()));
  on(["status", "waiting", "_share"], told);

  return (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && form.enters(event.target)) {
      event.preventDefault();
      form.send();
      return true;
    }
    return walks(event, form, results.buttons());
  };
}

/**
 * The arrows walk down the list and up again, from the box and back to it.
 *
 * @param {KeyboardEvent} event
 * @param {{ leads: (target: EventTarget | null) => boolean, focus: () => void }} form
 * @param {HTMLElement[]} buttons
 */
function walks(event, form, buttons) {
  const down = event.key === "ArrowDown";
  if (!down && event.key !== "ArrowUp") return false;
  const from = /** @type {Element | null} */ (event.target);
  const at = buttons.findIndex((button) => button.contains(from));
  if (at < 0 && !(down && form.leads(event.target))) return false;
  event.preventDefault();
  if (!down && at === 0) form.focus();
  else buttons[Math.max(0, Math.min(buttons.length - 1, at + (down ? 1 : -1)))]?.focus();
  return true;
}

/** @param {Mode} mode @param {Question} question @param {Words} words */
function savedWords(mode, question, words) {
  return say(words.saved, { mode: `${words.modes[mode].name} ${quoted(question, words)}` });
}

export default mount({ name: "search", words, notes, draw });
