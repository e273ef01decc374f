// Unexplained variance against L0: one numbered point per run, and the Pareto front.

import { tick } from "../../shared/axes.js";
import { h, placed, s } from "../../shared/elements.js";
import { num } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { levels, rule } from "./axes.js";

/** @import { Run, Words } from "./runs.js" */
/** @typedef {Run & { l0: number, fvu: number }} Known a run whose place is known */

const HEIGHT = 280; // px
const [LEFT, RIGHT, TOP, BOTTOM] = [56, 18, 14, 40]; // margins, px

/**
 * @param {Words} words
 * @param {(name: string) => void} pick is called with the name of a run that was clicked
 */
export function frontierChart(words, pick) {
  const own = words.frontier;
  /** @type {Known[]} */
  let known = [];
  const plot = placed((width) => {
    const told = known.map((run) =>
      say(own.point, { name: run.name, l0: num(run.l0), fvu: num(run.fvu), front: run.front ? own.front : "" }),
    );
    const label = say(own.label, { points: told.join(" ") });
    const svg = s("svg", { width, height: HEIGHT, role: "img", "aria-label": label });
    if (known.length) svg.append(...points(known, width, words, pick));
    const middle = (TOP + HEIGHT - BOTTOM) / 2;
    svg.append(tick((LEFT + width - RIGHT) / 2, HEIGHT - 6, own.l0));
    const turned = { transform: `translate(13,${middle}) rotate(-90)`, class: "saew-tick", "text-anchor": "middle" };
    svg.append(s("text", turned, own.fvu));
    return svg;
  });
  const el = h("figure", { class: "saew-frontier" }, plot.el);
  /** @param {Run[]} runs */
  const update = (runs) => {
    known = /** @type {Known[]} */ (runs.filter((run) => run.l0 !== null && run.fvu !== null));
    plot.redraw();
  };
  return { el, update, stop: plot.stop };
}

/**
 * The grid, the front and the points, the chosen one on top.
 *
 * @param {Known[]} known
 * @param {number} width px
 * @param {Words} words
 * @param {(name: string) => void} pick
 */
function points(known, width, words, pick) {
  const wide = Math.max(...known.map(({ l0 }) => l0)) * 1.12 || 1;
  const most = Math.max(...known.map(({ fvu }) => fvu)) * 1.12 || 1;
  const x = (/** @type {number} */ l0) => LEFT + ((width - LEFT - RIGHT) * l0) / wide;
  const y = (/** @type {number} */ fvu) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - fvu / most);
  /** @type {Element[]} */
  const parts = levels(0, most, 4).flatMap((level) => rule(y(level), [LEFT, width - RIGHT], num(level, 2)));
  for (const level of levels(0, wide, 5)) {
    parts.push(s("line", { x1: x(level), x2: x(level), y1: TOP, y2: HEIGHT - BOTTOM, class: "saew-grid" }));
    parts.push(tick(x(level), HEIGHT - BOTTOM + 16, num(level)));
  }
  const front = known.filter((run) => run.front).sort((a, b) => a.l0 - b.l0 || a.fvu - b.fvu);
  if (front.length > 1) {
    const d = `M${front.map((run) => `${x(run.l0).toFixed(1)},${y(run.fvu).toFixed(1)}`).join("L")}`;
    parts.push(s("path", { d, class: "saew-line saew-front" }));
  }
  const order = [...known.filter((run) => !run.chosen), ...known.filter((run) => run.chosen)];
  return [...parts, ...order.map((run) => point(run, x(run.l0), y(run.fvu), words, pick))];
}

/**
 * @param {Known} run
 * @param {number} x px
 * @param {number} y px
 * @param {Words} words
 * @param {(name: string) => void} pick
 */
function point(run, x, y, words, pick) {
  const filled = run.front && !run.failed;
  const looks = ["saew-point", run.chosen ? "saew-chosen" : "", run.failed ? "saew-failed" : ""];
  const text = run.failed ? words.runs.failedMark : String(run.number);
  return s(
    "g",
    {
      class: looks.filter(Boolean).join(" "),
      transform: `translate(${x.toFixed(1)},${y.toFixed(1)})`,
      onclick: () => pick(run.name),
    },
    s("circle", { r: run.chosen ? 11 : 9, style: { fill: filled ? run.color : "var(--card)", stroke: run.color } }),
    s(
      "text",
      {
        y: 4,
        "text-anchor": "middle",
        class: filled ? "saew-in" : "",
        style: { "--on": run.color.replace("--saew-d", "--saew-on") },
      },
      text,
    ),
    s("title", {}, say(words.frontier.tip, { name: run.name, l0: num(run.l0), fvu: num(run.fvu) })),
  );
}
