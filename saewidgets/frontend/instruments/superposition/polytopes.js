// The graph of features, the polytopes among its parts, and the dimensions in which each of them lives.

import { h, placed, s } from "../../shared/elements.js";
import { matrixPicture } from "../../shared/matrix.js";
import { num } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { dimensionColor } from "./colors.js";
import { halo } from "./drawing.js";
import { dot, graphOf, orthonormal } from "./graph.js";
import { layoutOf } from "./layout.js";
import { measures } from "./math.js";
import { orMarked, picking } from "./pick.js";
import { section } from "./section.js";
import { FRACTIONS, HIGHEST } from "./strip.js";

/** @import { Scene, Toy } from "./math.js" */
/** @import { Graph, Part } from "./graph.js" */
/** @import { Spot } from "./layout.js" */
/** @import { Room, View } from "./views.js" */
/** @typedef {typeof import("./words.js").words.en} Words */

const TALL = 330; // px that the graph may take
const NAMED = 40; // features up to which nodes carry their numbers
const SHADES = 4; // weights of edges that are told apart
const ROWS = 40; // parts whose dimensions are drawn
const listed = (/** @type {number[]} */ features) =>
  features.length > 8 ? `${features.slice(0, 6).join(", ")}, …` : features.join(", ");

/**
 * What a part is called: "tetrahedron", or "7 in 3".
 *
 * @param {Part} part
 * @param {Words["polytopes"]} words
 */
function nameOf({ kind, features, rank }, words) {
  const names = /** @type {Record<string, string>} */ (words.kinds);
  return say(names[kind] ?? words.other, { k: features.length, r: rank });
}

/** All features, part by part, those that are left out last. @param {Graph} graph */
const partByPart = ({ parts, left }) => [...parts.flatMap(({ features }) => features), ...left];

/**
 * What is told of a feature.
 *
 * @param {Toy} one
 * @param {number} i
 * @param {Words["polytopes"]} words
 */
export function told(one, i, words) {
  const { norms, dimensionality } = measures(one);
  const { parts, of } = graphOf(one);
  const part = parts[of[i]];
  const facts = { i, norm: num(norms[i]), share: num(dimensionality[i]) };
  if (!part) return say(words.tells.left, facts);
  const others = part.features.filter((j) => j !== i);
  const name = nameOf(part, words);
  return say(others.length ? words.tells.part : words.tells.single, { ...facts, name, others: listed(others) });
}

/** @param {Room} room @returns {View} */
export function graphView(room) {
  const words = room.words.polytopes;
  /** @type {Scene | null} */
  let scene = null;
  /** @type {Drawn | null} */
  let drawn = null;
  const chart = placed((width) => {
    if (!scene) return h("div");
    const { data, chosen } = scene;
    const last = data.model(data.snapshots - 1, chosen); // places stay while the training plays
    const graph = graphOf(last);
    const layout = layoutOf(last, graph, width, TALL);
    drawn = graphPicture(scene, layout, width);
    pick.update(scene, partByPart(graph), layout.spots, drawn.svg);
    point([]);
    return drawn.svg;
  });
  const pick = picking(chart.el, words.graph, room, (i) => (scene ? told(scene.one, i, words) : ""));
  const shades = FRACTIONS.map(([value, label]) =>
    h("span", {}, h("span", { class: "saew-shade", style: { background: dimensionColor(value) } }), label),
  );
  const legend = h("div", { class: "saew-shades saew-shares" }, h("span", {}, "D ="), ...shades);
  const { el, note } = section({ title: words.graph, look: "saew-wide" }, chart.el, legend);
  /** @param {Scene} now */
  const update = (now) => {
    scene = now;
    note.textContent = graphOf(now.one).parts.length ? words.graphNote : words.nothing;
    chart.redraw();
  };
  /** @param {number[]} features */
  const point = (features) => drawn?.point(orMarked(features, scene));
  return { el, update, stop: chart.stop, keys: pick.keys, point };
}

/** @typedef {ReturnType<typeof graphPicture>} Drawn */

/**
 * Edges in a few weights, nodes in the color of their dimensionality; `point` marks features and their edges.
 *
 * @param {Scene} scene
 * @param {{ spots: Spot[], height: number, scale: number }} layout
 * @param {number} width
 */
function graphPicture({ one }, { spots, height, scale }, width) {
  const { inner, dimensionality } = measures(one);
  const { edges, of } = graphOf(one);
  const size = Math.max(2, Math.min(7.5, 4.6 * scale, 45 / Math.sqrt(spots.length)));
  const faint = Math.max(0.15, Math.min(1, 300 / edges.length)); // many edges hide one another
  const line = (/** @type {number} */ i, /** @type {number} */ j) =>
    `M${spots[i].map((x) => x.toFixed(1)).join()}L${spots[j].map((x) => x.toFixed(1)).join()}`;
  const lines = Array.from({ length: SHADES }, () => "");
  for (const [i, j, weight] of edges) lines[Math.min(SHADES - 1, Math.floor(weight * SHADES))] += line(i, j);
  const nodes = spots.map(([cx, cy], i) =>
    s("circle", {
      ...{ cx, cy, r: of[i] < 0 ? 2 : size, class: of[i] < 0 ? "saew-node saew-left" : "saew-node" },
      style: { "--c": dimensionColor(dimensionality[i]) },
    }),
  );
  const names = spots.length > NAMED ? [] : spots.map(([x, y], i) => label(i, x, y - size - 3));
  const above = s("g", {});
  const svg = s(
    "svg",
    { width, height: height + 4, "aria-hidden": "true", class: "saew-graph" },
    ...lines.map((d, k) =>
      s("path", { d, class: "saew-graph-edge", style: { opacity: (faint * (0.25 + 0.2 * k)).toFixed(2) } }),
    ),
    ...nodes,
    ...(scale < 0.9 ? [] : names),
    above,
  );
  /** @param {number[]} features */
  const point = (features) => {
    const own = edges.filter(([i, j]) => features.includes(i) || features.includes(j));
    const weights = own.length > 8 ? [] : own;
    above.replaceChildren(
      s("path", { d: own.map(([i, j]) => line(i, j)).join(""), class: "saew-graph-edge saew-on" }),
      ...weights.map(([i, j]) => {
        const [x, y] = [0, 1].map((a) => (spots[i][a] + spots[j][a]) / 2);
        return label(num(inner[i * one.n + j], 2), x, y + 3, "saew-weight");
      }),
      ...features.map((i) => halo(spots[i], size + 3)),
    );
  };
  return { svg, point };
}

/** @param {string | number} text @param {number} x @param {number} y */
const label = (text, x, y, look = "") =>
  s("text", { x, y, class: `saew-arrow-number ${look}`, "text-anchor": "middle" }, String(text));

/** @param {Room} room @returns {View} */
export function sharesView(room) {
  const words = room.words.polytopes;
  /** @type {Scene | null} */
  let scene = null;
  let rings = s("g", {});
  /** @type {Spot[]} */
  let spots = [];
  const point = (/** @type {number[]} */ features) =>
    rings.replaceChildren(...orMarked(features, scene).map((i) => halo(spots[i])));
  const chart = placed((width) => {
    if (!scene) return h("div");
    const graph = graphOf(scene.one);
    const order = partByPart(graph);
    const drawn = sharesPicture(scene.one, order, order.length - graph.left.length, width, words);
    ({ spots, rings } = drawn);
    point([]);
    pick.update(scene, order, spots, drawn.svg);
    return drawn.svg;
  });
  const pick = picking(chart.el, words.shares, room, (i) => (scene ? told(scene.one, i, words) : ""));
  const { el } = section({ title: words.shares, note: words.sharesNote }, chart.el);
  /** @param {Scene} now */
  const update = (now) => {
    scene = now;
    chart.redraw();
  };
  return { el, update, stop: chart.stop, keys: pick.keys, point };
}

/**
 * Dimensionality of every feature, part by part.
 *
 * @param {Toy} one
 * @param {number[]} order
 * @param {number} there how many of them are represented: the first ones
 * @param {number} width
 * @param {Words["polytopes"]} words
 */
function sharesPicture(one, order, there, width, words) {
  const { dimensionality } = measures(one);
  const [left, right, top, height] = [6, 92, 8, 300];
  const y = (/** @type {number} */ value) => top + (height - top - 20) * (1 - Math.min(HIGHEST, value) / HIGHEST);
  // The room of one that is left out, as a share of that of the others.
  const rest = there ? Math.min(1, there / (3 * (one.n - there) || 1)) : 1;
  const each = (width - left - right) / (there + rest * (one.n - there));
  const x = (/** @type {number} */ k) => left + each * (Math.min(k, there) + rest * Math.max(0, k - there) + rest / 2);
  const rings = s("g", {});
  /** @type {Spot[]} */
  const spots = Array(one.n);
  for (const [k, i] of order.entries()) spots[i] = [x(k), y(dimensionality[i])];
  const ends = { x1: left, x2: width - right };
  const svg = s(
    "svg",
    { width, height, "aria-hidden": "true" },
    ...[...FRACTIONS, /** @type {const} */ ([0, "0", 4, "left"])].flatMap(([value, share, down, kind]) => [
      s("line", { ...ends, y1: y(value), y2: y(value), class: value ? "saew-fraction" : "saew-axis" }),
      s(
        "text",
        { x: width - right + 5, y: y(value) + down, class: "saew-tick" },
        `${share} ${/** @type {Record<string, string>} */ (words.lines)[kind]}`,
      ),
    ]),
    ...order.map((i) =>
      s("circle", {
        ...{ cx: spots[i][0], cy: spots[i][1], r: one.n > 60 ? 2.4 : 3.6, class: "saew-strip-dot" },
        style: { "--c": dimensionColor(dimensionality[i]) },
      }),
    ),
    rings,
  );
  return { svg, spots, rings };
}

/** @param {Room} room @returns {View} */
export function polytopesView({ words: { polytopes: words }, put }) {
  const body = h("tbody", {});
  const heads = [words.kind, words.count, words.share, words.features].map((text, k) =>
    h("th", { scope: "col", class: k % 3 ? "" : "saew-words" }, text),
  );
  const table = h("table", { class: "saew-table saew-polytopes" }, h("thead", {}, h("tr", {}, ...heads)), body);
  const { el } = section({ title: words.found, note: words.foundNote, look: "saew-wide" }, table);
  /** @param {Scene} scene */
  const update = ({ one, marked }) => {
    const graph = graphOf(one);
    body.replaceChildren(
      ...found(graph, words).map(({ name, parts, share }) => {
        const sets = parts.slice(0, 6).map(({ features }) => {
          const [first] = features;
          const on = marked !== null && features.includes(marked);
          const set = { type: "button", class: "saew-set", "aria-pressed": String(on) };
          return h("button", { ...set, onclick: () => put("marked", on ? null : first) }, listed(features));
        });
        const more = parts.length > 6 ? say(words.more, { count: parts.length - 6 }) : "";
        const cells = [String(parts.length), share].map((text) => h("td", {}, text));
        return h("tr", {}, h("th", { scope: "row" }, name), ...cells, h("td", { class: "saew-words" }, ...sets, more));
      }),
    );
    const { length } = graph.left;
    if (length)
      body.append(
        h(
          "tr",
          {},
          h("th", { scope: "row" }, words.kinds.left),
          h("td", {}, String(length)),
          h("td", {}, "0"),
          h("td"),
        ),
      );
  };
  return { el, update };
}

/**
 * Parts by their kind, those with the largest share of a dimension first; share as they have it among themselves.
 *
 * @param {Graph} graph
 * @param {Words["polytopes"]} words
 */
function found({ parts }, words) {
  /** @type {Map<string, Part[]>} */
  const groups = new Map();
  for (const part of parts) {
    const name = nameOf(part, words);
    groups.set(name, [...(groups.get(name) ?? []), part]);
  }
  const rows = [...groups].map(([name, members]) => {
    const shares = members.flatMap((part) => part.shares);
    return { name, parts: members, share: rangeOf(shares, words), at: shares[0] };
  });
  return rows.sort((a, b) => b.at - a.at);
}

/** @param {number[]} shares @param {Words["polytopes"]} words */
function rangeOf(shares, words) {
  const [low, high] = [Math.min(...shares), Math.max(...shares)].map((x) => num(x, 2));
  return low === high ? low : say(words.range, { low, high });
}

/** @param {Room} room @returns {View} */
export function dimensionsView({ root, words: { polytopes: words }, tell, point, put }) {
  const place = h("div", { class: "saew-lives" });
  const { el, note } = section({ title: words.lives }, place);
  /** @param {Scene} scene */
  const update = ({ one, marked }) => {
    const { parts, of } = graphOf(one);
    const shown = parts.slice(0, ROWS);
    const basis = one.neurons ? null : orthonormal(parts.flatMap(({ axes }) => axes));
    const lies = (/** @type {number[]} */ axis, /** @type {number} */ a) =>
      basis ? (a < basis.length ? dot(basis[a], axis) : 0) : axis[a];
    const values = shown.flatMap(({ axes }) =>
      Array.from({ length: one.m }, (_, a) => axes.reduce((sum, axis) => sum + lies(axis, a) ** 2, 0)),
    );
    const own = marked === null ? undefined : parts[of[marked]];
    const facts = own && {
      ...{ name: nameOf(own, words), r: own.rank, m: one.m, features: listed(own.features) },
      share: rangeOf(own.shares, words),
    };
    note.textContent = facts ? say(words.livesMarked, facts) : one.neurons ? words.livesNeurons : words.livesNote;
    const says = (/** @type {number} */ row) =>
      say(words.livesTip, { name: nameOf(shown[row], words), features: listed(shown[row].features) });
    const picture = matrixPicture(root, words.lives, values, shown.length, one.m, {
      most: 1,
      small: true,
      words: { label: words.livesLabel, cell: "" },
      at: (row) => {
        point(row < 0 ? [] : shown[row].features);
        tell(row < 0 ? "" : says(row));
      },
      press: (row) => put("marked", shown[row].features[0]),
    });
    place.style.setProperty("--rows", String(shown.length));
    place.replaceChildren(shown.length ? picture : "");
  };
  return { el, update };
}
