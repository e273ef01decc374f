// ArchitecturePanel: one token on its way through the two layers of an SAE, with its numbers.

import { h, responsive } from "../../shared/elements.js";
import { mount } from "../../shared/mount.js";
import { num } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { notes } from "./notes.js";
import { picksPart } from "./picks.js";
import { stagesPart } from "./stages.js";
import { words } from "./words.js";

/** @import { Context } from "../../types/host.js" */
/** @import { ArchitecturePanelTraits } from "../../types/model.js" */
/** @import { Shown } from "./stages.js" */

/** @typedef {typeof words.en} Words */

/** @param {Context<ArchitecturePanelTraits, Words>} context */
function draw({ model, root, link, words, banner, add, on, ends }) {
  const picks = picksPart(model.get("_tokens"), words, (position) => link.put({ position }));
  const tip = h("p", { class: "saew-note saew-tell" });
  const tell = (/** @type {string} */ text) => {
    tip.textContent = text;
  };
  const stages = stagesPart(root, words, { tell, select: (feature) => link.put({ feature }) });
  const check = h("p", { class: "saew-note" });
  root.append(banner, add(picks), add(stages), tip, check);
  const show = () => {
    const shown = /** @type {Shown} */ (model.get("_shown"));
    picks.update(model.get("position"));
    stages.update(shown);
    check.textContent = say(words.check, { value: num(shown.mismatch, 2) });
    mark();
  };
  const mark = () => stages.mark(model.get("feature"));
  show();
  on(["_shown"], show);
  on(["feature"], mark);
  // Canvas does not know style sheets, and before it belongs to a page it has no colors.
  const repaint = new MutationObserver(show);
  repaint.observe(root, { attributes: true, attributeFilter: ["data-theme"] });
  ends(() => repaint.disconnect());
  ends(responsive(root, show));
  return picks.keys;
}

export default mount({ name: "architecture", words, notes, draw });
