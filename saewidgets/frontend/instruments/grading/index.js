// GradingSheet: a person as a judge, blind: passages one by one, in no order, scored 0 to 3 by keyboard or button.

import { codeFold } from "../../shared/code.js";
import { h } from "../../shared/elements.js";
import { isShortcut } from "../../shared/keys.js";
import { mount } from "../../shared/mount.js";
import { say } from "../../shared/words.js";
import { donePart, progressPart } from "./answers.js";
import { askingPart } from "./asking.js";
import { notes } from "./notes.js";
import { answered, asked } from "./state.js";
import { words } from "./words.js";

/** @import { Context } from "../../types/host.js" */
/** @import { GradingSheetTraits } from "../../types/model.js" */
/** @import { Compared, Grade, Sheet } from "./state.js" */
/** @typedef {typeof words.en} Words */

/** @param {Context<GradingSheetTraits, Words>} context */
function draw({ model, root, link, words, banner, still, add, on }) {
  const sheet = /** @type {Sheet} */ (model.get("_sheet"));
  const grades = () => /** @type {Grade[]} */ (model.get("grades"));
  let [since, drawn] = [performance.now(), -1];
  /** @param {number | null} score */
  const answer = (score) =>
    link.put({ grades: answered(grades(), sheet.passages.length, score, (performance.now() - since) / 1000) });
  const undo = () => link.put({ grades: grades().slice(0, -1) });

  const progress = progressPart(sheet, words);
  const asking = askingPart(sheet, words, answer, undo);
  const done = donePart(sheet, words, still);
  const kept = still ? words.still : say(sheet.kept ? words.kept : words.lost, { path: sheet.kept });
  const says = say(words.blind, { n: sheet.passages.length, name: sheet.name });
  root.append(
    h(
      "div",
      { class: "saew-grading-head" },
      h("h2", {}, say(words.title, sheet)),
      h("p", { class: "saew-note" }, says),
    ),
    banner,
    add(progress),
    ...(still ? [] : [add(asking)]),
    add(done),
    h("p", { class: "saew-note" }, kept),
    h("p", { class: "saew-note saew-shows" }, words.shows),
    codeFold(words.code, model.get("_code")),
  );
  const update = () => {
    const [n, before] = [grades().length, drawn];
    progress.update(grades());
    done.update(grades(), /** @type {Compared[]} */ (model.get("_compared")));
    if (n === before) return;
    drawn = n;
    const within = root.contains(document.activeElement); // what had the focus may be hidden now
    asking.update(n);
    since = performance.now();
    if (within && n === sheet.passages.length) done.focus();
    else if (within && before === sheet.passages.length) asking.focus();
  };
  on(["grades", "_compared"], update);
  update();

  return (/** @type {KeyboardEvent} */ event) => {
    const wanted = still || event.repeat || isShortcut(event) ? undefined : asked(event.key);
    if (wanted === undefined) return false;
    event.preventDefault();
    if (wanted === "undo") undo();
    else answer(wanted);
    return true;
  };
}

export default mount({ name: "grading", words, notes, draw });
