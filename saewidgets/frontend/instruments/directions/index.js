// DirectionsLab: whether relations between words are directions, in the embedding and in the middle of a model.

import { codeFold } from "../../shared/code.js";
import { h } from "../../shared/elements.js";
import { mount } from "../../shared/mount.js";
import { tooltip } from "../../shared/tokens.js";
import { answersTable } from "./answers.js";
import { relationOf, spaceOf } from "./lab.js";
import { notes } from "./notes.js";
import { offsetParts } from "./parts.js";
import { pairsPicture } from "./picture.js";
import { relationsTable } from "./table.js";
import { words } from "./words.js";

/** @import { Context } from "../../types/host.js" */
/** @import { DirectionsLabTraits } from "../../types/model.js" */
/** @import { Lab, Space } from "./lab.js" */
/** @typedef {typeof words.en} Words */

/** @param {Context<DirectionsLabTraits, Words>} context */
function draw({ model, root, link, words, banner, add, on }) {
  const lab = /** @type {Lab} */ (model.get("_lab"));
  const spaces = spaceControl(lab, words, (space) => link.put({ space }));
  const table = relationsTable(words, (relation) => link.put({ relation }));
  const picture = pairsPicture(words.picture);
  const parts = offsetParts(words.parts);
  const answers = answersTable(words.answers);
  root.append(
    h("div", { class: "saew-directions-title" }, h("h2", {}, lab.title), h("p", { class: "saew-note" }, lab.note)),
    banner,
    spaces.el,
    add(table),
    h("div", { class: "saew-directions-both" }, add(picture), add(parts)),
    add(answers),
    h("p", { class: "saew-note saew-shows" }, words.shows),
    codeFold(words.code, model.get("_code")),
  );
  const hide = tooltip(root);
  /** @type {Space | null} */
  let drawn = null;
  const update = () => {
    hide();
    const space = spaceOf(lab, model.get("space"));
    const relation = relationOf(space, model.get("relation"));
    if (space !== drawn) table.fill(space);
    drawn = space;
    spaces.update(space);
    table.update(space, relation);
    picture.update(relation);
    parts.update(space, relation);
    answers.update(relation);
  };
  on(["space", "relation"], update);
  update();
}

let controls = 0; // radio buttons of one group have a name of their own on the page

/**
 * @param {Lab} lab
 * @param {Words} words
 * @param {(space: string) => void} pick
 */
function spaceControl(lab, words, pick) {
  controls += 1;
  const name = `saew-space-${controls}-${Math.random().toString(36).slice(2, 9)}`;
  const radios = lab.spaces.map((space) => {
    const input = h("input", { type: "radio", name, value: space.name, onchange: () => pick(space.name) });
    return { space, input, label: h("label", { class: "saew-directions-space" }, input, space.label) };
  });
  const says = h("p", { class: "saew-note" });
  const group = h("fieldset", {}, h("legend", {}, words.spaces), ...radios.map(({ label }) => label));
  const el = h("div", { class: "saew-directions-spaces" }, group, says);
  /** @param {Space} chosen */
  const update = (chosen) => {
    for (const { space, input } of radios) input.checked = space === chosen;
    says.textContent = chosen.note;
  };
  return { el, update };
}

export default mount({ name: "directions", words, notes, draw });
