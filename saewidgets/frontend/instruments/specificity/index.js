// SpecificityLab: is a feature active where its concept is, and nowhere else? Scores by strength, and the examples.

import { codeFold } from "../../shared/code.js";
import { h } from "../../shared/elements.js";
import { binKeys } from "../../shared/histograms.js";
import { mount } from "../../shared/mount.js";
import { tooltip, walk } from "../../shared/tokens.js";
import { legend, sharesChart } from "./chart.js";
import { curves } from "./curves.js";
import { judgeOf } from "./data.js";
import { examplesPart } from "./examples.js";
import { notes } from "./notes.js";
import { judgesTable, scoresTable, sharesTable } from "./tables.js";
import { words } from "./words.js";

/** @import { Context } from "../../types/host.js" */
/** @import { SpecificityLabTraits } from "../../types/model.js" */
/** @import { Lab, Shown } from "./data.js" */

/** @typedef {typeof words.en} Words */

/** @param {Context<SpecificityLabTraits, Words>} context */
function draw({ model, root, link, words, common, banner, add, on }) {
  const lab = /** @type {Lab} */ (model.get("_lab"));
  const chart = sharesChart(lab, words.chart, (level) => link.put({ level }));
  const lines = curves(lab, words);
  const examples = examplesPart(lab, words, common.tokens, (score) => link.put({ score }));
  const judges = judgesTable(lab, words, (judge) => link.put({ judge }));
  const table = sharesTable(lab, words);
  /** @param {string} title @param {string} note @param {(Element | null)[]} parts */
  const section = (title, note, ...parts) =>
    h("section", { class: "saew-section" }, h("h3", {}, title), h("p", { class: "saew-note" }, note), ...parts);
  root.append(
    h("div", { class: "saew-spec-head" }, h("h2", {}, lab.title), h("p", { class: "saew-note" }, lab.note)),
    banner,
    legend(lab),
    h(
      "div",
      { class: "saew-spec-charts" },
      section(words.shares, words.sharesNote, add(chart)),
      section(words.curves, words.curvesNote, add(lines)),
    ),
    add(examples),
    h("div", { class: "saew-spec-tables" }, ...[add(judges), scoresTable(lab, words)].filter((el) => el !== null)),
    add(table),
    h("p", { class: "saew-note saew-shows" }, words.shows),
    codeFold(words.code, model.get("_code")),
  );
  const hide = tooltip(root);
  const read = () => {
    hide();
    const judge = judgeOf(lab, model.get("judge"));
    examples.update(/** @type {Shown} */ (model.get("_shown")), lab.judges.indexOf(judge), model.get("score"));
  };
  const mark = () => {
    const judge = judgeOf(lab, model.get("judge"));
    chart.update(judge, model.get("level"));
    lines.update(judge);
    judges.update(judge);
    table.update(judge);
  };
  on(["judge", "level"], mark);
  on(["judge", "score", "_shown"], read);
  mark();
  read();
  return (/** @type {KeyboardEvent} */ event) => binKeys(event) || walk(event);
}

export default mount({ name: "specificity", words, notes, draw });
