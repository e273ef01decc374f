// The picture with its pointer, the lines that it shows of a point, and its keys.

import { h, responsive } from "../../shared/elements.js";
import { isShortcut } from "../../shared/keys.js";
import { whole } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { mapCanvas } from "./canvas.js";
import { tipLines } from "./details.js";
import { mapPointer } from "./pointer.js";
import { inside, toward } from "./points.js";
import { AT_ONCE } from "./regions.js";

/** @import { Scene } from "./scene.js" */
/** @import { Tool } from "./pointer.js" */
/** @import { Allowed } from "./points.js" */

const REACH = 14; // px around the pointer in which a point is found
const [LEAST, MOST, SHAPE] = [340, 680, 0.62]; // px of the height, and its share of the width
const STEPS = /** @type {Record<string, [number, number]>} */ ({
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
});
/** The key that zooms together with the wheel, as its cap says. */
export const wheelKey = () => (/Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘" : "Ctrl");

/**
 * `select(i)` and `choose(points)` say what a person wants; `inset()` how many px at the right edge are covered.
 *
 * @param {Scene} scene
 * @param {{ shown: Allowed, allowed: Allowed }} test
 * @param {typeof import("./words.js").words.en} words
 * @param {{ tool: () => Tool, select: (i: number) => void, choose: (points: number[]) => void,
 *   inset: () => number }} asks
 */
export function mapPicture(scene, { shown, allowed }, words, { tool, select, choose, inset }) {
  const { points, view } = scene;
  const el = h("div", { class: "saew-map-frame" });
  const canvas = mapCanvas(el, scene, shown);
  const tip = pointTip(scene, words);
  const names = points.regions.slice(0, AT_ONCE).map(([name]) => name);
  const parts = names.length ? ` ${say(words.parts, { names: names.join(words.between) })}` : "";
  canvas.above.setAttribute("tabindex", "0");
  canvas.above.setAttribute("role", "application");
  canvas.above.setAttribute("aria-label", say(words.picture, { n: whole(points.n) }) + parts);

  const under = (/** @type {number} */ x, /** @type {number} */ y) =>
    points.near(...view.place(x, y), REACH / view.unit(), allowed);
  const point = (/** @type {number} */ i) => {
    if (i === scene.hover) return;
    scene.hover = i;
    canvas.above.style.setProperty("cursor", i >= 0 ? "pointer" : "");
    tip.show(i);
    canvas.draw(false);
  };
  const lasso = (/** @type {number[][] | null} */ line) => {
    scene.lasso = line;
    canvas.draw(false);
  };
  const lassoed = (/** @type {number[][] | null} */ line) => {
    lasso(null);
    if (!line) return;
    const border = line.map(([x, y]) => view.place(x, y));
    const all = Array.from({ length: points.n }, (_, i) => i);
    choose(all.filter((i) => allowed(i) && inside(border, points.x[i], points.y[i])));
  };
  const zoom = (/** @type {[factor: number, x?: number, y?: number]} */ ...about) => {
    view.zoom(...about);
    canvas.moved();
  };
  const pan = (/** @type {number} */ dx, /** @type {number} */ dy) => {
    view.pan(dx, dy);
    canvas.moved();
  };
  const pointer = mapPointer(canvas.above, say(words.wheel, { key: wheelKey() }), {
    tool,
    hover: (x, y) => point(under(x, y)),
    leave: () => point(-1),
    click(x, y) {
      const i = under(x, y);
      if (i >= 0) select(i);
    },
    pan,
    zoom,
    lasso,
    lassoed,
    whole: () => view.at.zoom <= 1,
  });
  el.append(tip.el, pointer.el);
  /** @type {() => void} */
  let stop = () => {};
  return {
    el,
    canvas,
    zoom,
    pan,
    whole() {
      view.whole();
      canvas.draw();
    },
    reveal: (/** @type {number} */ i) => view.reveal(points.x[i], points.y[i]) && canvas.draw(),
    /** Once it stands in the page. */
    begin() {
      stop = responsive(el, (wide) =>
        canvas.size(wide, Math.round(Math.max(LEAST, Math.min(MOST, SHAPE * wide))), inset()),
      );
    },
    stop() {
      stop();
      pointer.stop();
      canvas.stop();
    },
  };
}

/**
 * What is said of the point below the pointer.
 *
 * @param {Scene} scene
 * @param {typeof import("./words.js").words.en} words
 */
function pointTip({ points, view }, words) {
  const el = h("div", { class: "saew-tip", role: "tooltip", hidden: true });
  const show = (/** @type {number} */ i) => {
    el.hidden = i < 0;
    if (i < 0) return;
    el.replaceChildren(...tipLines(points, i, words));
    const [x, y] = [view.right(points.x[i]), view.down(points.y[i])];
    const below = y + 16 + el.offsetHeight <= view.box.height;
    el.style.setProperty("left", `${Math.max(4, Math.min(view.box.width - el.offsetWidth - 4, x + 14))}px`);
    el.style.setProperty("top", `${below ? y + 14 : y - el.offsetHeight - 12}px`);
  };
  return { el, show };
}

/**
 * The keys of the picture: says whether it used the key.
 *
 * @param {Scene} scene
 * @param {{ shown: Allowed, allowed: Allowed }} test
 * @param {ReturnType<typeof mapPicture>} picture
 * @param {{ go: (i: number) => void, choose: (points: number[]) => void }} asks
 */
export function pictureKeys(scene, { shown, allowed }, picture, { go, choose }) {
  const { points, view } = scene;
  const walk = (/** @type {[number, number]} */ step) => {
    const from = scene.selected;
    const next =
      from < 0 || !shown(from) ? points.near(view.at.x, view.at.y, 3, allowed) : toward(points, from, ...step, allowed);
    if (next >= 0) go(next);
  };
  const toggle = () => {
    const { chosen, selected } = scene;
    if (selected < 0) return;
    const without = chosen.filter((i) => i !== selected);
    choose(without.length < chosen.length ? without : [...chosen, selected].sort((a, b) => a - b));
  };
  /** @type {Record<string, () => void>} */
  const keys = {
    "+": () => picture.zoom(1.4),
    "=": () => picture.zoom(1.4),
    "-": () => picture.zoom(1 / 1.4),
    0: picture.whole,
    " ": toggle,
    Escape: () => choose([]),
  };
  return (/** @type {KeyboardEvent} */ event) => {
    if (event.target !== picture.canvas.above || isShortcut(event)) return false;
    const step = STEPS[event.key];
    if (step && event.shiftKey) picture.pan(-60 * step[0], 60 * step[1]);
    else if (step) walk(step);
    else if (event.key in keys) keys[event.key]();
    else return false;
    return true;
  };
}
