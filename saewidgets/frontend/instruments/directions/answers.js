// Some questions of a relation, with what is meant and what the vectors answer.

import { h } from "../../shared/elements.js";
import { whole } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";

/** @import { Answer, Relation } from "./lab.js" */
/** @typedef {typeof import("./words.js").words.en.answers} Words */

/** @param {Words} words */
export function answersTable(words) {
  const says = h("p", { class: "saew-note" });
  const body = h("tbody", {});
  const head = words.columns.map((name, i) => h("th", { scope: "col", class: i ? "" : "saew-words" }, name));
  const table = h("table", { class: "saew-table" }, h("thead", {}, h("tr", {}, ...head)), body);
  const box = h("div", { class: "saew-scroll", tabindex: 0, role: "region", "aria-label": words.title }, table);
  const el = h("details", { class: "saew-details saew-directions-answers" }, h("summary", {}, words.title), says, box);

  /** @param {Relation} relation */
  const update = ({ answers, n }) => {
    says.textContent = say(words.some, { shown: whole(answers.length), n: whole(n) });
    body.replaceChildren(...answers.map((answer) => row(answer, words)));
    box.scrollTop = 0;
  };
  return { el, update };
}

/** @param {Answer} answer @param {Words} words */
function row([a, b, c, d, answer, kept, neighbor, rank], words) {
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, say(words.question, { a, b, c })),
    h("td", {}, d),
    ...[answer, kept, neighbor].map((said) => cell(said, said === d, words)),
    h("td", {}, whole(rank)),
  );
}

/** @param {string} said @param {boolean} right @param {Words} words */
function cell(said, right, words) {
  const mark = right ? h("span", { role: "img", "aria-label": words.right }, " ✓") : null;
  return h("td", { class: right ? "saew-directions-right" : "" }, said, mark);
}
