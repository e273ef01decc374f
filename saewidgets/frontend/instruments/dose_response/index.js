// DoseResponse: what a strength does to the text, for the clamp and for what it is compared with, and the texts.

import { codeFold } from "../../shared/code.js";
import { h } from "../../shared/elements.js";
import { mount } from "../../shared/mount.js";
import { num, percent } from "../../shared/numbers.js";
import { tooltip } from "../../shared/tokens.js";
import { promptView } from "../../shared/turns.js";
import { say } from "../../shared/words.js";
import { doseChart } from "./chart.js";
import { pointControl } from "./control.js";
import { notes } from "./notes.js";
import { pointAt } from "./sweep.js";
import { figuresTable } from "./table.js";
import { textsPart } from "./texts.js";
import { words } from "./words.js";
import { writingPart } from "./writing.js";

/** @import { Context } from "../../types/host.js" */
/** @import { DoseResponseTraits } from "../../types/model.js" */
/** @import { Live, Shown, Sweep } from "./sweep.js" */
/** @typedef {typeof words.en} Words */

/** @param {Context<DoseResponseTraits & Live, Words>} context */
function draw(context) {
  const { model, root, link, words, common, banner, add, on } = context;
  const sweep = /** @type {Sweep} */ (model.get("_sweep"));
  const pick = (/** @type {string} */ key) => link.put({ _point: key });
  const control = pointControl(sweep, words, pick);
  const charts = sweep.measures.map((measure) => doseChart(sweep, measure, words.chart, pick));
  const texts = textsPart(sweep, words);
  const writing = model.get("_writes") ? writingPart(sweep, context, words.writing) : null;
  const table = figuresTable(sweep, words, pick);
  root.append(
    h("div", { class: "saew-dose-head" }, h("h2", {}, sweep.title), h("p", { class: "saew-note" }, sweep.note)),
    promptView(sweep.prompt, common.turns),
    banner,
    add(control),
    h("p", { class: "saew-note saew-dose-says" }, boundsWords(sweep, words)),
    h("div", { class: "saew-dose-charts" }, ...charts.map(add)),
    add(texts),
    writing?.el ?? "",
    add(table),
    codeFold(words.code, model.get("_code")),
  );
  const hide = tooltip(root);
  const mark = () => {
    hide();
    const point = pointAt(sweep, model.get("_point"));
    for (const part of [control, ...charts, table]) part.update(point);
    writing?.choose(point);
  };
  const read = () => texts.update(/** @type {Shown} */ (model.get("_shown")));
  on(["_point"], mark);
  on(["_shown"], read);
  mark();
  read();
}

/**
 * Where it is usable, what the bounds are, and what the bands mean.
 *
 * @param {Sweep} sweep
 * @param {Words} words
 */
function boundsWords({ window, bounds }, words) {
  const [low, high] = window ? window.map((multiple) => num(multiple)) : ["", ""];
  const usable = !window ? words.noWindow : low === high ? words.oneWindow : words.window;
  const { concept_rate: rate, repeats, perplexity_ratio: ratio } = bounds;
  const limits = say(words.bounds, { rate: percent(rate), repeats: num(repeats), ratio: num(ratio) });
  return [say(usable, { low, high }), limits, words.bands].join(" ");
}

export default mount({ name: "dose-response", words, notes, draw });
