// A phase diagram as it trains: the trained map, theory's borders over it, and the model that won in the cell at hand.

import { tick } from "../../shared/axes.js";
import { h, placed, s } from "../../shared/elements.js";
import { isShortcut } from "../../shared/keys.js";
import { num, percent } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { arrowPicture } from "./arrows.js";
import { bounded, direction, pieceOf } from "./math.js";

/** @typedef {typeof import("./words.js").words.en} Words */
/** @typedef {[x0: number, y0: number, x1: number, y1: number]} Piece of a border, in units of the axes */
/**
 * What Python sends, see payloads/phases.py: numbers of the model with the lowest loss of each cell, [y][x], bottom
 * row first; `same` is how many models of the cell are in its phase, `weights` its W row by row; phases are 0 not
 * learned, 1 in superposition, 2 a dimension of its own.
 *
 * @typedef {{
 *   share: number, m: number, n: number, models: number, x: number[], y: number[], norms: number[][],
 *   shared: number[][], losses: number[][], phases: number[][], same: number[][], weights: number[][][],
 *   code: string, theory: number[][], borders: Piece[], agree: number,
 *   candidates: { name: string, losses: number[][] }[]
 * }} Diagram
 */
/** @typedef {[row: number, column: number]} Cell */

const [LEFT, TOP, BOTTOM, RIGHT] = [46, 8, 38, 10];
const TICKS = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30];
const KINDS = /** @type {const} */ (["unlearned", "shared", "own"]);
/** @type {Record<string, Cell>} */
const KEYS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 0], ArrowDown: [-1, 0] };

/** @param {Words} all */
export function phasesPart(all) {
  const words = all.phases;
  /** @type {Diagram | null} */
  let diagram = null;
  /** @type {Cell} */
  let cell = [0, 0];
  let touched = false;
  const title = h("h3", {});
  const says = h("p", { class: "saew-note" });
  const picture = placed((width) => (diagram ? map(diagram, cell, width, words, look) : h("div")));
  const field = h("div", { class: "saew-phases-map", tabindex: 0, role: "group", "aria-label": words.map }, picture.el);
  const winner = h("div", { class: "saew-phases-winner" });
  const swatch = (/** @type {string} */ kind) =>
    h(
      "span",
      { class: "saew-swatch-words" },
      h("span", { class: `saew-shade saew-phase-${kind}` }),
      words.kinds[/** @type {"own"} */ (kind)],
    );
  const border = h("span", { class: "saew-swatch-words" }, h("span", { class: "saew-line-mark" }), words.border);
  const legend = h("div", { class: "saew-shades" }, ...KINDS.map(swatch), border);
  const el = h("div", { class: "saew-phases", hidden: true }, title, says, field, winner, legend);
  /** @param {Cell} where */
  function look(where) {
    touched = true;
    cell = where;
    picture.redraw();
    show();
  }
  const show = () => {
    if (diagram) winner.replaceChildren(...winnerOf(diagram, cell, all));
  };
  /** @param {Diagram | null} next @param {boolean} training */
  const update = (next, training) => {
    diagram = next;
    el.hidden = !next;
    if (!next) return;
    const { x, y, n, m, models, agree, share } = next;
    if (!touched) cell = [Math.floor(y.length / 2), Math.floor(x.length / 2)];
    cell = bounded(cell, y.length, x.length);
    title.textContent = say(words.title, { n, m });
    const cells = x.length * y.length;
    const state = training ? say(words.under, { share: percent(share) }) : say(words.agree, { agree, cells });
    says.textContent = `${say(words.about, { cells, models, total: cells * models })} ${state}`;
    picture.redraw();
    show();
  };
  /** @param {KeyboardEvent} event */
  const keys = (event) => {
    if (event.target !== field || !diagram || !(event.key in KEYS) || isShortcut(event)) return false;
    event.preventDefault();
    const [up, right] = KEYS[event.key];
    look(bounded([cell[0] + up, cell[1] + right], diagram.y.length, diagram.x.length));
    return true;
  };
  return { el, update, keys, stop: picture.stop };
}

/**
 * Where a value lies on an axis of cells, whose middles are 0, 1, 2, ...: straight in its logarithm between two of
 * them, and beyond the ends as between the last two.
 *
 * @param {number[]} values ascending
 * @param {number} value
 */
export function placeOf(values, value) {
  if (values.length < 2) return 0;
  const { k, share } = pieceOf(values, value);
  return k - 1 + share;
}

/**
 * How a cell is filled: its color, and how much of it. A feature that was not learned has none.
 *
 * @param {number} norm
 * @param {number} shared
 */
export function fillOf(norm, shared) {
  const score = Math.min(norm, 1) * (2 * Math.min(shared, 1) - 1);
  return { kind: score < 0 ? "own" : "shared", amount: Math.abs(score) };
}

/**
 * @param {Diagram} diagram
 * @param {Cell} chosen
 * @param {number} width
 * @param {Words["phases"]} words
 * @param {(cell: Cell) => void} look
 */
function map(diagram, chosen, width, words, look) {
  const { x, y, norms, shared, phases, theory, borders } = diagram;
  const across = (width - LEFT - RIGHT) / x.length;
  const tall = Math.min(across, 34);
  const height = TOP + tall * y.length + BOTTOM;
  const left = (/** @type {number} */ column) => LEFT + across * column;
  const top = (/** @type {number} */ row) => TOP + tall * (y.length - 1 - row);
  const cells = y.flatMap((_, i) =>
    x.map((_, j) => {
      const { kind, amount } = fillOf(norms[i][j], shared[i][j]);
      const at = { x: left(j), y: top(i), width: across, height: tall };
      const g = s(
        "g",
        { onpointerenter: () => look([i, j]), onpointerdown: () => look([i, j]) },
        s("rect", { ...at, class: "saew-phase-unlearned" }),
        s("rect", { ...at, class: `saew-phase-${kind}`, "fill-opacity": amount.toFixed(3) }),
      );
      if (theory.length && theory[i][j] !== phases[i][j])
        g.append(s("circle", { cx: left(j + 0.5), cy: top(i) + tall / 2, r: 2.2, class: "saew-phase-apart" }));
      return g;
    }),
  );
  const ends = (/** @type {Piece} */ [x0, y0, x1, y1]) => {
    const px = (/** @type {number} */ v) => left(placeOf(x, v) + 0.5).toFixed(1);
    const py = (/** @type {number} */ v) => (top(placeOf(y, v)) + tall / 2).toFixed(1);
    return `M${px(x0)},${py(y0)}L${px(x1)},${py(y1)}`;
  };
  const line = { d: borders.map(ends).join(""), class: "saew-phase-border" };
  const [row, column] = chosen;
  const within = (/** @type {number[]} */ values) =>
    TICKS.filter((v) => v >= values[0] * 0.99 && v <= values[values.length - 1] * 1.01);
  return s(
    "svg",
    { width, height, role: "img", "aria-label": sentence(diagram, chosen, words) },
    ...cells,
    s("path", { ...line, class: "saew-phase-halo" }),
    s("path", line),
    ...["saew-phase-here saew-phase-halo", "saew-phase-here"].map((name) =>
      s("rect", { x: left(column), y: top(row), width: across, height: tall, class: name }),
    ),
    ...within(x).map((v) => tick(left(placeOf(x, v) + 0.5), height - BOTTOM + 15, num(v))),
    ...within(y).map((v) => tick(LEFT - 6, top(placeOf(y, v)) + tall / 2 + 4, num(v), "end")),
    tick(LEFT + (width - LEFT - RIGHT) / 2, height - 5, words.x),
    s(
      "text",
      {
        transform: `translate(11 ${TOP + (height - TOP - BOTTOM) / 2}) rotate(-90)`,
        class: "saew-tick",
        "text-anchor": "middle",
      },
      words.y,
    ),
  );
}

/** @param {Diagram} diagram @param {Cell} cell @param {Words["phases"]} words */
function sentence({ x, y, phases, losses, same, models }, [i, j], words) {
  const kind = words.kinds[KINDS[phases[i][j]]];
  return say(words.cell, { x: num(x[j], 2), y: num(y[i], 2), kind, loss: num(losses[i][j]), same: same[i][j], models });
}

/**
 * The model with the lowest loss of a cell: its arrows, and what it costs beside what theory's candidates cost.
 *
 * @param {Diagram} diagram
 * @param {Cell} cell
 * @param {Words} all
 */
function winnerOf(diagram, cell, { phases: words, portrait }) {
  const [i, j] = cell;
  const { m, n, weights, losses, candidates, norms, shared } = diagram;
  const W = weights[i][j];
  const toy = { m, n, W, setOf: null, b: new Array(n).fill(0), D: null, neurons: false };
  const reach = 1.12 * Math.max(1, ...Array.from({ length: n }, (_, f) => Math.hypot(...direction(toy, f))));
  return [
    h("h4", {}, words.winner),
    h("p", { class: "saew-note", role: "status" }, sentence(diagram, cell, words)),
    arrowPicture(toy, { reach, turn: { yaw: 0, pitch: 0 }, big: true }, portrait),
    h(
      "p",
      { class: "saew-note" },
      say(words.extra, { i: n - 1, norm: norms[i][j].toFixed(2), shared: shared[i][j].toFixed(2) }),
    ),
    candidateRows(candidates, cell, losses[i][j], words),
  ];
}

/**
 * @param {Diagram["candidates"]} candidates
 * @param {Cell} cell
 * @param {number} found
 * @param {Words["phases"]} words
 */
function candidateRows(candidates, [i, j], found, words) {
  if (!candidates.length) return h("div");
  const rows = [
    { name: words.found, loss: found, own: true },
    ...candidates.map((one) => ({ name: words.candidates[one.name] ?? one.name, loss: one.losses[i][j], own: false })),
  ];
  const most = Math.max(...rows.map(({ loss }) => loss)) || 1;
  const least = Math.min(...candidates.map((one) => one.losses[i][j]));
  return h(
    "dl",
    { class: "saew-candidates" },
    ...rows.flatMap(({ name, loss, own }) => [
      h("dt", {}, name),
      h(
        "dd",
        { class: own ? "saew-own" : loss === least ? "saew-least" : "" },
        h("span", { class: "saew-candidate", style: { width: `${((100 * loss) / most).toFixed(1)}%` } }),
        h("span", { class: "saew-number" }, num(loss, 2)),
      ),
    ]),
  );
}
