// The passage that is asked about, and the buttons that answer.

import { h } from "../../shared/elements.js";
import { scoreChip } from "../../shared/scores.js";
import { say } from "../../shared/words.js";
import { passageText, unseen } from "./passage.js";

/** @import { Sheet } from "./state.js" */
/** @typedef {typeof import("./words.js").words.en} Words */

/**
 * @param {Sheet} sheet
 * @param {Words} words
 * @param {(score: number | null) => void} answer
 * @param {() => void} undo
 */
export function askingPart(sheet, words, answer, undo) {
  const look = "saew-strip saew-grading-text";
  const text = h("p", { class: look, dir: "auto", "aria-live": "polite", "aria-atomic": "true" });
  const passage = h(
    "div",
    { class: "saew-grading-passage", tabindex: 0, role: "group", "aria-label": words.passage },
    text,
  );
  const scores = sheet.rubric.map(([score, means]) =>
    h(
      "button",
      { type: "button", class: "saew-grading-score", "aria-keyshortcuts": score, onclick: () => answer(score) },
      scoreChip(score),
      h("span", {}, means),
    ),
  );
  const skip = h(
    "button",
    { type: "button", class: "saew-pill", "aria-keyshortcuts": "S", onclick: () => answer(null) },
    words.skip,
  );
  const back = h("button", { type: "button", class: "saew-pill", "aria-keyshortcuts": "U", onclick: undo }, words.undo);
  const question = h("h3", {}, say(words.question, { claim: sheet.claim }));
  const buttons = h("div", { class: "saew-grading-scores", role: "group", "aria-label": words.answers }, ...scores);
  const asking = h("div", { class: "saew-grading-asking" }, question, passage, buttons);
  const keys = h("span", { class: "saew-note" }, words.keys);
  const others = h("div", { class: "saew-grading-others" }, skip, back, keys);
  const el = h("section", { class: "saew-grading-ask" }, asking, others);

  /** @param {number} at passages that are answered */
  const update = (at) => {
    const done = at >= sheet.passages.length;
    asking.hidden = done;
    skip.hidden = done;
    keys.hidden = done;
    back.disabled = at === 0;
    if (done) return;
    const heard = say(words.at, { at: at + 1, of: sheet.passages.length });
    text.replaceChildren(unseen(heard), ...passageText(sheet.passages[at], sheet.pool));
  };
  return { el, update, focus: () => passage.focus({ preventScroll: true }) };
}
