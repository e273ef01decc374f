// The picture: arrows and a point that can be dragged, and what the point projects on each direction.

import { h, s } from "../../shared/elements.js";
import { num } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { dot, drawingOrder, head, namePlaces, px, REACH, readouts, SCALE, SIZE, turned, unit } from "./geometry.js";

/** @import { Place } from "./geometry.js" */
/** @typedef {typeof import("./words.js").words.en} Words */
/**
 * @typedef {{ point: Place, angles: number[], labels: string[], length: number }} Plane `point` in units of the picture
 * @typedef {{ move: (x: number, y: number) => void, turn: (i: number, degrees: number) => void }} Asks
 */

const LONGEST = 22; // letters of a name

/** @param {number} i */
export const colorOf = (i) => `var(--saew-d${i + 1})`;
/** @param {string} name */
const shorten = (name) => (name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name);

/**
 * @param {Words} words
 * @param {Asks} asks
 */
export function planePicture(words, asks) {
  const layer = s("g", {});
  const tips = s("g", {});
  const handle = s("circle", {
    r: 9,
    class: "saew-handle",
    tabindex: 0,
    role: "slider",
    "aria-label": words.point,
    "aria-valuenow": 0,
  });
  const svg = s(
    "svg",
    { viewBox: `0 0 ${SIZE} ${SIZE}`, class: "saew-plane-picture", role: "group" },
    layer,
    tips,
    handle,
  );
  /** @type {Plane | null} */
  let plane = null;
  let lit = -1; // the direction whose projections on the others are drawn
  const tipOf = (/** @type {EventTarget | null} */ target) =>
    [...tips.children].indexOf(/** @type {Element} */ (/** @type {Element} */ (target).closest?.(".saew-plane-tip")));
  const light = (/** @type {number} */ i) => {
    if (i === lit) return;
    lit = i;
    if (plane) redraw(plane);
  };
  dragging(svg, asks, {
    tipOf,
    light,
    focus: (i) => /** @type {SVGElement} */ (i < 0 ? handle : tips.children[i]).focus(),
  });

  /** @param {Plane} now */
  const redraw = (now) => {
    const units = now.angles.map(unit);
    layer.replaceChildren(...groundOf(now.length, words), ...projections(now.point, units, lit));
    drawTips(tips, now, units, words);
    const [qx, qy] = px(now.point);
    handle.setAttribute("cx", String(qx));
    handle.setAttribute("cy", String(qy));
    const [x, y] = now.point.map((v) => num(v * now.length));
    handle.setAttribute("aria-valuetext", say(words.pointAt, { x, y }));
    svg.setAttribute("aria-label", say(words.picture, { n: now.angles.length }));
  };
  /** @param {Plane} now */
  const update = (now) => {
    const anew = now.angles.length !== plane?.angles.length || now.labels.some((name, i) => name !== plane?.labels[i]);
    if (anew) {
      lit = -1;
      tips.replaceChildren(...now.angles.map((_, i) => arrow(i, now.labels[i], words)));
    }
    plane = { ...now, labels: [...now.labels] };
    redraw(plane);
  };
  return { el: h("div", {}, svg), update, handle, tipOf };
}

/**
 * @param {SVGSVGElement} svg
 * @param {Asks} asks
 * @param {{ tipOf: (target: EventTarget | null) => number, light: (i: number) => void,
 *   focus: (i: number) => void }} parts
 */
function dragging(svg, asks, { tipOf, light, focus }) {
  let held = -1; // the direction that is dragged; -1 for the point
  const follow = (/** @type {PointerEvent} */ event) => {
    const box = svg.getBoundingClientRect();
    const there = (/** @type {number} */ share) => (2 * share - 1) * REACH;
    const [x, y] = [there((event.clientX - box.left) / box.width), -there((event.clientY - box.top) / box.height)];
    if (held < 0) asks.move(x, y);
    else if (x || y) asks.turn(held, (Math.atan2(y, x) * 180) / Math.PI);
  };
  svg.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    held = tipOf(event.target);
    svg.setPointerCapture(event.pointerId);
    focus(held);
    if (held < 0) follow(event); // an arrow does not jump to where it was touched
  });
  svg.addEventListener("pointermove", (event) => {
    if (svg.hasPointerCapture(event.pointerId)) follow(event);
    else light(tipOf(event.target));
  });
  svg.addEventListener("pointerleave", () => light(-1));
  svg.addEventListener("focusin", (event) => light(tipOf(event.target)));
  svg.addEventListener("focusout", () => light(-1));
}

/** @param {Place} from @param {Place} to @param {Record<string, any>} attributes */
function line(from, to, attributes) {
  const [[x1, y1], [x2, y2]] = [px(from), px(to)];
  return s("line", { x1, y1, x2, y2, ...attributes });
}

/** @param {number} length of the circle's radius @param {Words} words */
function groundOf(length, words) {
  const [cx, cy] = px([0, 0]);
  const said = say(words.circle, { unit: num(length) });
  return [
    s("circle", { cx, cy, r: SCALE, class: "saew-unit" }),
    line([-REACH, 0], [REACH, 0], { class: "saew-grid" }),
    line([0, -REACH], [0, REACH], { class: "saew-grid" }),
    s("text", { x: SIZE - 8, y: SIZE - 8, class: "saew-tick", "text-anchor": "end" }, said),
  ];
}

/** @param {Place} point @param {Place[]} units @param {number} lit */
function projections(point, units, lit) {
  const reads = readouts(point, units);
  return drawingOrder(reads).flatMap((i) => {
    const [u, read] = [units[i], reads[i]];
    const color = { stroke: colorOf(i), fill: colorOf(i) };
    /** @type {Place} */
    const foot = [u[0] * read, u[1] * read];
    const [cx, cy] = px(foot);
    const parts = [
      line([-2 * REACH * u[0], -2 * REACH * u[1]], [2 * REACH * u[0], 2 * REACH * u[1]], {
        class: "saew-ray",
        style: color,
      }),
      line(point, foot, { class: read > 0 ? "saew-drop" : "saew-drop saew-negative", style: color }),
      line([0, 0], foot, { class: read > 0 ? "saew-read" : "saew-read saew-negative", style: color }),
      s("circle", { cx, cy, r: 4.5, class: "saew-foot", style: color }),
      line([0, 0], u, { class: "saew-arrow", style: color }),
    ];
    if (lit >= 0 && i !== lit && units[lit]) {
      const lent = dot(units[lit], u);
      parts.push(line(units[lit], [u[0] * lent, u[1] * lent], { class: "saew-lent", style: color }));
    }
    return parts;
  });
}

/**
 * The head of an arrow, which can be dragged, with its name.
 *
 * @param {number} i
 * @param {string} name
 * @param {Words} words
 */
function arrow(i, name, words) {
  return s(
    "g",
    {
      class: "saew-plane-tip",
      tabindex: 0,
      role: "slider",
      "aria-label": say(words.arrow, { name }),
      "aria-valuemin": 0,
      "aria-valuemax": 360,
      style: { "--c": colorOf(i) },
    },
    s("circle", { r: 13, class: "saew-plane-grip" }),
    s("path", {}),
    s("text", { class: "saew-arrow-name", "text-anchor": "middle", "dominant-baseline": "central" }, shorten(name)),
  );
}

/** @param {SVGGElement} tips @param {Plane} plane @param {Place[]} units @param {Words} words */
function drawTips(tips, { point, angles, labels }, units, words) {
  const places = namePlaces(units, labels.slice(0, units.length).map(shorten), point);
  for (const [i, tip] of [...tips.children].entries()) {
    const [grip, path, name] = tip.children;
    const [x, y] = px(units[i]);
    grip.setAttribute("cx", String(x));
    grip.setAttribute("cy", String(y));
    path.setAttribute("d", head(units[i]));
    name.setAttribute("x", String(places[i][0]));
    name.setAttribute("y", String(places[i][1]));
    tip.setAttribute("aria-valuenow", num(turned(angles[i]), 4));
    tip.setAttribute("aria-valuetext", say(words.degrees, { value: num(angles[i], 4) }));
  }
}
