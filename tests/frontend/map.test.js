import assert from "node:assert/strict";
import { test } from "node:test";
import { inRow } from "../../saewidgets/frontend/instruments/map/details.js";
import { AT_ONCE, placedNames, strength } from "../../saewidgets/frontend/instruments/map/regions.js";
import { crowding } from "../../saewidgets/frontend/instruments/map/shade.js";
import { entriesOf } from "../../saewidgets/frontend/instruments/map/legend.js";
import { mapLook } from "../../saewidgets/frontend/instruments/map/look.js";
import { mapView } from "../../saewidgets/frontend/instruments/map/view.js";

const ten = (name) => 10 * name.length;

test("zooming keeps the place under the pointer, also beside what covers the right edge", () => {
  const view = mapView();
  Object.assign(view.box, { width: 970, height: 600, inset: 300 });
  assert.deepEqual([view.right(0), view.down(0), view.unit()], [335, 300, 288]);
  const before = view.place(400, 250);
  view.zoom(3, 400, 250);
  assert.ok(Math.hypot(view.right(before[0]) - 400, view.down(before[1]) - 250) < 1e-9);
  assert.equal(view.reveal(before[0], before[1]), false);
  assert.equal(view.reveal(-1, -1), true);
  assert.deepEqual([view.right(-1), view.down(-1)], [335, 300]);
  view.whole();
  assert.equal(view.reveal(0.999, 0.999), false); // the whole map holds every place: it does not move
});

test("names of parts neither overlap nor leave the picture, and the better named part comes first", () => {
  const view = { right: (x) => 200 + 100 * x, down: (y) => 100 - 50 * y, zoom: 1, width: 400, height: 200 };
  const regions = [
    ["gate", 0, 0, 4],
    ["covered", 0.05, 0.05, 4], // 5 px away from the first
    ["edge", 2, 1, 1], // its place is the right edge: the name is drawn inward
    ["outside", 3, 0, 9],
  ];
  const placed = placedNames(regions, view, ten);
  assert.deepEqual(
    placed.map(({ name, x, y }) => [name, x, y]),
    [
      ["gate", 200, 100],
      ["edge", 376, 50],
    ],
  );
  assert.ok(placed[0].size > placed[1].size);
});

test("a few names are seen at once, the others fade in with the zoom, and all give way to the names of points", () => {
  assert.deepEqual([strength(0, 1), strength(AT_ONCE, 1), strength(AT_ONCE, 3), strength(0, 20)], [1, 0, 1, 0]);
  const half = strength(AT_ONCE, (1.25 + 2.2) / 2);
  assert.ok(Math.abs(half - 0.5) < 1e-12);
});

test("the shade is darkest where most points lie, and counts each point once", () => {
  const places = { n: 4, x: [-0.9, 0.5, 0.5, 0.5], y: [-0.9, 0.5, 0.5, -0.5] };
  const sharp = crowding(places, () => true, 8, 0); // cells of 2.3 / 8 = 0.2875; row 0 is at the top
  const at = (row, column) => sharp[8 * row + column];
  assert.deepEqual([at(2, 5), at(5, 5), at(7, 0)], [1, 0.5, 0.5]);
  assert.ok(Math.abs(sharp.reduce((a, b) => a + b) - 2) < 1e-6);
  const soft = crowding(places, (i) => i === 0, 32, 1); // cells of 0.071875; the point lies in row 28, column 3
  assert.equal(soft.indexOf(1), 32 * 28 + 3);
  assert.ok(soft[32 * 28 + 2] > 0 && soft[32 * 28 + 2] === soft[32 * 28 + 4] && soft[32 * 28 + 7] === 0);
  assert.ok(crowding(places, () => false, 8, 1).every((v) => v === 0));
});

test("what the legend asks for has one strong color and is drawn last; gray is drawn first", () => {
  const points = {
    n: 4,
    saes: [{ name: "a", d_sae: 4 }],
    sae: new Uint8Array(4),
    concepts: ["owl", "gate"],
    concept: Int16Array.of(0, -1, 1, 0),
    cluster: Int32Array.of(4, 4, -1, 2),
    density: Float32Array.of(0.1, 0.1, 0.1, 0.001),
    maximum: Float32Array.of(1, 1, 1, 1),
  };
  const look = mapLook(points);
  look.arrange("concept", "density");
  assert.deepEqual([...look.order], [1, 0, 2, 3]); // gray, then the large before the small
  assert.deepEqual([...look.recedes], [0, 1, 0, 0]);
  const [owl, , gate] = look.ink;
  look.only = "concept 1";
  look.light();
  assert.deepEqual([...look.bright], [0, 0, 1, 0]);
  assert.equal(look.order[3], 2);
  assert.notEqual(look.ink[2], gate);
  assert.equal(look.ink[0], owl);
  look.only = null;
  look.found = new Set([1]);
  look.light();
  assert.deepEqual([...look.bright], [0, 1, 0, 0]);
  assert.equal(look.order[3], 1);
  look.found = null;
  look.arrange("cluster", "same");
  assert.deepEqual(look.largestClusters, [
    [4, 2],
    [2, 1],
  ]);
  assert.deepEqual([0, 1, 2, 3].map(look.entryOf), ["cluster 4", "cluster 4", "rest", "cluster 2"]);
  assert.deepEqual([...look.recedes], [0, 0, 1, 0]);
});

test("the chosen ones stand in the map's row of near ones, where it has one", () => {
  const order = Array.from({ length: 20 }, (_, i) => 19 - i);
  assert.deepEqual(inRow(/** @type {any} */ ({ order }), [3, 5, 4]), [5, 4, 3]);
  assert.deepEqual(inRow(/** @type {any} */ ({ order: new Int32Array(20).fill(-1) }), [5, 3]), [3, 5]);
  assert.equal(inRow(/** @type {any} */ ({ order }), [...order]).length, 12);
});

test("points are colored by their scores: output on a logarithmic scale, input in fifths, gray where unknown", () => {
  const points = {
    n: 4,
    saes: [{ name: "a" }],
    sae: [0, 0, 0, 0],
    concept: [-1, -1, -1, -1],
    concepts: [],
    cluster: [-1, -1, -1, -1],
    density: Float32Array.of(0.1, 0.1, 0.1, 0.1),
    maximum: Float32Array.of(1, 1, 1, 1),
    output: Float32Array.of(0.00001, 0.1, 1, NaN),
    input: Float32Array.of(0, 0.5, 1, NaN),
  };
  const look = mapLook(points);
  const entries = (color) => {
    look.arrange(color, "same");
    return [0, 1, 2, 3].map(look.entryOf);
  };
  assert.deepEqual(entries("output"), ["level 0", "level 4", "level 4", "rest"]);
  assert.deepEqual(entries("input"), ["level 0", "level 2", "level 4", "rest"]);
  assert.deepEqual([...look.recedes], [0, 0, 0, 1]);
  assert.deepEqual(look.edges("input"), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.ok(Math.abs(look.edges("output")[1] / 0.0001 - 1) < 1e-5);
  const shown = entriesOf(points, look, { silent: "never", unknown: "not known" }, "input", () => true);
  assert.deepEqual(shown, [
    ["level 0", "0 % – 20 %"],
    ["level 2", "40 % – 60 %"],
    ["level 4", "80 % – 100 %"],
    ["rest", "not known"],
  ]);
});
