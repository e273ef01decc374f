// All curves of a training, in an order that stays as it is from the first step on.

import { h } from "../../shared/elements.js";
import { percent, whole } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { curveChart } from "./curve.js";
import { densityChart } from "./density.js";
import { COLUMNS } from "./runs.js";

/** @import { Look } from "./curve.js" */
/** @import { Run, Words } from "./runs.js" */
/** @typedef {{ key: "loss" | "fvu" | "l0" | "dead" | "rate" | "sparsity", color: string, look: Look }} Curve */

/** @type {Curve[]} */
const MEASURES = [
  { key: "loss", color: "var(--saew-c1)", look: { log: true } },
  { key: "fvu", color: "var(--saew-c2)", look: { log: true } },
  { key: "l0", color: "var(--saew-c3)", look: {} },
  { key: "dead", color: "var(--saew-c4)", look: { format: percent } },
];
/** @type {Curve[]} */
const SETTINGS = [
  { key: "rate", color: "var(--saew-c5)", look: {} },
  { key: "sparsity", color: "var(--saew-d6)", look: {} },
];

/** @param {Words} words */
export function curvesPart(words) {
  const make = (/** @type {Curve} */ curve) => ({
    ...curve,
    ...curveChart(words.curves[curve.key], words, curve.look),
  });
  const [measures, settings] = [MEASURES.map(make), SETTINGS.map(make)];
  const density = densityChart(words);
  const charts = [...measures, density, ...settings];
  const el = h("div", { class: "saew-curves" }, ...charts.map((chart) => chart.el));
  /** @param {Run[]} runs */
  const update = (runs) => {
    const front = runs.find((run) => run.chosen);
    for (const { key, color, el: figure, update: draw } of [...measures, ...settings]) {
      const own = runs.map((run) => ({
        name: run.name,
        color: runs.length > 1 ? run.color : color,
        chosen: run.chosen,
        points: run.points.map((point) => /** @type {[number, number | null]} */ ([point[0], point[COLUMNS[key]]])),
      }));
      figure.hidden = key === "sparsity" && !own.some(({ points }) => points.some(([, value]) => value));
      draw(own, print(key, front, words));
    }
    density.el.hidden = !front?.density;
    density.update(front?.density ?? null, runs.length > 1 ? (front?.color ?? "") : "var(--saew-d1)");
  };
  const stop = () => {
    for (const chart of charts) chart.stop();
  };
  return { el, update, stop };
}

/**
 * The small print of a curve: its scale, and what belongs to its number.
 *
 * @param {Curve["key"]} key
 * @param {Run | undefined} front
 * @param {Words} words
 */
export function print(key, front, { notes }) {
  const fvu = front?.points.at(-1)?.[COLUMNS.fvu] ?? null;
  const window = front?.dead_window ?? 0;
  if (key === "fvu" && fvu !== null) return say(notes.explained, { share: percent(1 - fvu) });
  if (key === "dead" && window) return say(notes.deadWindow, { n: whole(window) });
  return {
    loss: notes.log,
    fvu: notes.log,
    l0: notes.l0,
    dead: notes.dead,
    rate: notes.rate,
    sparsity: notes.sparsity,
  }[key];
}
