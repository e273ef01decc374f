// What is drawn anew when the kernel, a person or the theme changes something.

/** @import { Context } from "../../types/host.js" */
/** @import { FeatureMapTraits } from "../../types/model.js" */
/** @import { chosenPart, detailsPart } from "./details.js" */
/** @import { findPart } from "./find.js" */
/** @import { mapPicture } from "./picture.js" */
/** @import { Scene } from "./scene.js" */

/**
 * @typedef {{ picture: ReturnType<typeof mapPicture>, details: ReturnType<typeof detailsPart>,
 *   chosen: ReturnType<typeof chosenPart>, find: ReturnType<typeof findPart>, relight: () => void }} Parts
 */

/**
 * @param {Context<FeatureMapTraits>} context
 * @param {Scene} scene
 * @param {Parts} parts
 */
export function wire({ model, root, on, ends }, scene, { picture, details, chosen, find, relight }) {
  const { points, look } = scene;
  const { canvas } = picture;
  const home = model.get("_home");
  const pointMoved = () => {
    const i = model.get("point") ?? -1;
    scene.selected = i;
    if (i >= 0) picture.reveal(i);
    details.update(i, i >= 0 && points.sae[i] !== home && model.get("_shared"));
    canvas.draw(false);
  };
  /** Without a kernel nobody else finds the point of a feature that came from another instrument. */
  const featureMoved = () => {
    const wanted = model.get("feature");
    const i = model.get("point");
    if (wanted === null || wanted === undefined) return;
    if (i !== null && points.sae[i] === home && points.feature[i] === wanted) return;
    const there = points.at(wanted, home);
    if (there >= 0) model.set("point", there);
  };
  const choiceMoved = () => {
    scene.chosen = model.get("chosen");
    chosen.update(scene.chosen);
    canvas.draw(false);
  };
  const settingsMoved = () => {
    look.only = null;
    look.arrange(model.get("color"), model.get("size"));
    relight();
  };
  const linksMoved = () => {
    scene.links = model.get("links");
    canvas.draw();
  };
  const shownMoved = () => {
    scene.shown = new Set(model.get("shown"));
    if (look.found) find.update();
    relight();
  };
  const themes = new MutationObserver(() => canvas.repaint());
  themes.observe(root, { attributes: true, attributeFilter: ["data-theme"] });
  ends(() => themes.disconnect());
  on(["point", "_names"], pointMoved);
  on(["feature"], featureMoved);
  on(["chosen"], choiceMoved);
  on(["color", "size"], settingsMoved);
  on(["links"], linksMoved);
  on(["shown"], shownMoved);
  scene.shown = new Set(model.get("shown"));
  scene.links = model.get("links");
  settingsMoved();
  picture.begin();
  pointMoved();
  featureMoved();
  choiceMoved();
}
