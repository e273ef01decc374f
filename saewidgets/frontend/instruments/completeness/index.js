// CompletenessLab: which concepts of a family have a feature, against how frequent they are and how large the SAE is.

import { codeFold } from "../../shared/code.js";
import { h } from "../../shared/elements.js";
import { mount } from "../../shared/mount.js";
import { num } from "../../shared/numbers.js";
import { tooltip } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";
import { sharesChart } from "./chart.js";
import { saeOf } from "./lab.js";
import { notes } from "./notes.js";
import { conceptsPart, madeOfPart, saesTable } from "./tables.js";
import { words } from "./words.js";

/** @import { Context } from "../../types/host.js" */
/** @import { CompletenessLabTraits } from "../../types/model.js" */
/** @import { Lab } from "./lab.js" */
/** @typedef {typeof words.en} Words */

/** @param {Context<CompletenessLabTraits, Words>} context */
function draw({ model, root, link, words, banner, add, on }) {
  const lab = /** @type {Lab} */ (model.get("_lab"));
  const pick = (/** @type {string} */ sae, /** @type {string} */ concept) => link.put({ sae, concept });
  const charts = [false, true].map((rescaled) => sharesChart(lab, rescaled, words.chart, pick));
  const saes = saesTable(lab, words, (sae) => link.put({ sae }));
  const concepts = conceptsPart(words, (concept) => link.put({ concept }));
  const made = madeOfPart(words, lab.bound);
  const section = (/** @type {string} */ title, /** @type {string} */ note, /** @type {Element} */ chart) =>
    h("section", { class: "saew-section" }, h("h3", {}, title), h("p", { class: "saew-note" }, note), chart);
  const losses = say(words.losses, { plain: num(lab.plain[2], 2), rescaled: num(lab.rescaled[2], 2) });
  root.append(
    h("div", { class: "saew-whole-head" }, h("h2", {}, lab.title), h("p", { class: "saew-note" }, lab.note)),
    banner,
    h(
      "div",
      { class: "saew-whole-charts" },
      section(words.frequency, words.frequencyNote, add(charts[0])),
      section(words.rescaled, words.rescaledNote, add(charts[1])),
    ),
    h("p", { class: "saew-note" }, losses),
    add(saes),
    h("div", { class: "saew-whole-both" }, add(concepts), add(made)),
    h("p", { class: "saew-note saew-shows" }, words.shows),
    codeFold(words.code, model.get("_code")),
  );
  const hide = tooltip(root);
  const update = () => {
    hide();
    const [sae, concept] = [saeOf(lab, model.get("sae")), model.get("concept")];
    for (const chart of charts) chart.update(sae.name, concept);
    saes.update(sae);
    concepts.update(sae, concept);
    made.update(sae, concept);
  };
  on(["sae", "concept"], update);
  update();
}

export default mount({ name: "completeness", words, notes, draw });
