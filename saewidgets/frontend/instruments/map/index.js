// FeatureMap: decoder directions as points in a plane.

import { h } from "../../shared/elements.js";
import { mount } from "../../shared/mount.js";
import { say } from "../../shared/words.js";
import { settings, zoomButtons } from "./controls.js";
import { chosenPart, detailsPart, pointRow } from "./details.js";
import { findPart } from "./find.js";
import { legendPart } from "./legend.js";
import { mapLook } from "./look.js";
import { notes } from "./notes.js";
import { mapPicture, pictureKeys, wheelKey } from "./picture.js";
import { unpackMap } from "./points.js";
import { mapScene } from "./scene.js";
import { mapView } from "./view.js";
import { wire } from "./wire.js";
import { words } from "./words.js";

/** @import { Context } from "../../types/host.js" */
/** @import { FeatureMapTraits } from "../../types/model.js" */
/** @import { Tool } from "./pointer.js" */

/** @param {Context<FeatureMapTraits, typeof words.en>} context */
function draw(context) {
  const { model, root, link, words, banner, add } = context;
  const points = unpackMap(model.get("_map"), () => model.get("_names") ?? {});
  const home = model.get("_home");
  const look = mapLook(points);
  const { scene, ...test } = mapScene(points, look, mapView());
  /** @type {Tool} */
  let tool = "pan";
  const select = (/** @type {number} */ i) =>
    link.put(points.sae[i] === home ? { point: i, feature: points.feature[i] } : { point: i });
  const choose = (/** @type {number[]} */ chosen) => link.put({ chosen });
  const go = (/** @type {number} */ i) => {
    select(i);
    picture.reveal(i);
  };
  const relight = () => {
    look.light();
    legend.update(model.get("color"), scene.shown);
    picture.canvas.relight();
  };
  const side = h("div", { class: "saew-map-side" });
  const inset = () => (getComputedStyle(side).position === "absolute" ? picture.el.offsetWidth - side.offsetLeft : 0);
  const picture = mapPicture(scene, test, words, { tool: () => tool, select, choose, inset });
  const details = detailsPart(points, words, go);
  const chosen = chosenPart(points, words, go, () => choose([]));
  const light = (/** @type {string | null} */ key) => {
    look.only = key;
    relight();
  };
  const found = (/** @type {Set<number> | null} */ set) => {
    look.found = set;
    relight();
  };
  const legend = legendPart(scene, words, { light, show: (shown) => link.put({ shown }) });
  const find = findPart(points, words, test.shown, { row: (i) => pointRow(points, i, go), go, found });
  const pick = (/** @type {Tool} */ picked) => {
    tool = picked;
  };
  picture.el.append(zoomButtons(words, picture.zoom, picture.whole));
  side.append(find.results, details.el, chosen.el);
  const help = `${say(words.help, { key: wheelKey() })} ${points.regions.length ? words.named : ""}`;
  root.append(
    banner,
    h("div", { class: "saew-settings saew-map-settings" }, ...settings(context, points, look, pick), find.el),
    h("div", { class: "saew-map-body" }, add(picture), side),
    legend.el,
    h("p", { class: "saew-note saew-map-help" }, help),
    h("p", { class: "saew-note saew-shows" }, points.output ? `${words.shows} ${words.scoresShow}` : words.shows),
    h("div", { class: "saew-footer" }, h("p", {}, model.get("_passport"))),
  );
  wire(context, scene, { picture, details, chosen, find, relight });
  const keys = pictureKeys(scene, test, picture, { go, choose });
  return (/** @type {KeyboardEvent} */ event) => {
    const used = find.key(event) || keys(event);
    if (used) event.preventDefault();
    return used;
  };
}

export default mount({ name: "map", words, notes, draw });
