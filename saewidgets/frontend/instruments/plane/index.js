// FeaturePlane: an activation is a point, a feature is a direction, and a read-out is how far along it the point lies.

import { h } from "../../shared/elements.js";
import { isShortcut } from "../../shared/keys.js";
import { mount } from "../../shared/mount.js";
import { MOST, REACH, roomiest, turned, unit } from "./geometry.js";
import { notes } from "./notes.js";
import { planePicture } from "./picture.js";
import { directionRows } from "./rows.js";
import { interferenceTable, readoutTable } from "./tables.js";
import { words } from "./words.js";

/** @import { Context } from "../../types/host.js" */
/** @import { FeaturePlaneTraits } from "../../types/model.js" */
/** @import { Place } from "./geometry.js" */

const KEYS = /** @type {Record<string, Place>} */ ({
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
});

/** @typedef {typeof words.en} Words */

/** @param {Context<FeaturePlaneTraits, Words>} context */
function draw({ model, root, link, words, banner, on }) {
  const length = () => model.get("unit"); // of an arrow, in units of the activation
  const angles = () => model.get("angles");
  const far = () => REACH * length(); // the plane's edge
  const within = (/** @type {number} */ v) => Math.max(-far(), Math.min(far(), Number(v.toPrecision(8))));
  const move = (/** @type {number} */ x, /** @type {number} */ y) => link.put({ point: [within(x), within(y)] });
  const turn = (/** @type {number} */ i, /** @type {number} */ degrees) =>
    link.put({ angles: angles().with(i, degrees) });
  const turnTo = (/** @type {number} */ i, /** @type {number} */ degrees) =>
    turn(i, Number(turned(degrees).toFixed(1)) % 360);
  const snap = (/** @type {number} */ i) => {
    const [x, y] = unit(angles()[i]);
    move(x * length(), y * length());
  };
  const remove = (/** @type {number} */ i) => link.put({ angles: angles().toSpliced(i, 1) });
  const evenly = () => {
    const [first] = angles();
    link.put({ angles: angles().map((_, i, all) => Number(turned(first + (360 * i) / all.length).toFixed(6))) });
  };
  const one = () => link.put({ angles: [...angles(), roomiest(angles())] });

  const picture = planePicture(words, { move: (x, y) => move(x * length(), y * length()), turn: turnTo });
  const rows = directionRows(words, { turn, snap, remove });
  const reads = readoutTable(words);
  const interference = interferenceTable(words);
  const caption = h("p", { class: "saew-note saew-plane-caption" });
  const add = h("button", { type: "button", class: "saew-pill", onclick: one }, words.add);
  const spread = h("button", { type: "button", class: "saew-pill", onclick: evenly }, words.spread);
  picture.el.append(caption, h("p", { class: "saew-note" }, words.help));
  const section = (/** @type {string} */ title, /** @type {Node[]} */ ...parts) =>
    h("section", { class: "saew-section" }, h("h3", {}, title), ...parts);
  const note = h("p", { class: "saew-note" }, words.readoutsNote);
  root.append(
    banner,
    h(
      "div",
      { class: "saew-plane-body" },
      h("div", { class: "saew-plane-left" }, picture.el, interference.el),
      h(
        "div",
        { class: "saew-plane-side" },
        section(words.directions, rows.el, h("div", { class: "saew-buttons" }, add, spread)),
        section(words.readouts, note, reads.el),
      ),
    ),
  );
  const update = () => {
    const [x, y] = model.get("point");
    const [now, labels, scale] = [angles(), model.get("labels"), length()];
    const units = now.map(unit);
    /** @type {Place} */
    const point = [x / scale, y / scale];
    picture.update({ point, angles: now, labels, length: scale });
    rows.update(now, labels);
    reads.update(point, units, labels, scale);
    interference.update(units, labels);
    add.hidden = now.length >= MOST;
    spread.hidden = now.length < 2;
    caption.textContent = model.get("note");
    caption.hidden = !model.get("note");
  };
  on(["point", "angles", "unit", "note", "labels"], update);
  update();
  return (/** @type {KeyboardEvent} */ event) => {
    const step = KEYS[event.key];
    const i = picture.tipOf(event.target);
    if (!step || isShortcut(event)) return false;
    if (event.target !== picture.handle && i < 0) return false;
    event.preventDefault();
    const [right, up] = step;
    const by = (event.shiftKey ? 0.25 : 0.05) * length();
    const [x, y] = model.get("point");
    if (i >= 0)
      turnTo(i, angles()[i] + (up - right) * (event.shiftKey ? 15 : 1)); // up and left: counterclockwise
    else move(x + by * right, y + by * up);
    return true;
  };
}

export default mount({ name: "plane", words, notes, draw });
