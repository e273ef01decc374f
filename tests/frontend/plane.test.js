import assert from "node:assert/strict";
import { test } from "node:test";
import {
  drawingOrder,
  namePlaces,
  px,
  readouts,
  roomiest,
  SIZE,
  unit,
} from "../../saewidgets/frontend/instruments/plane/geometry.js";

/** Whether a name of these many letters, 7.6 px each and 16 px tall, covers a circle of 9 px, or leaves the picture. */
const covers = ([cx, cy], letters, place) => {
  const [x, y] = px(place);
  const apart = [Math.max(0, Math.abs(x - cx) - 3.8 * letters), Math.max(0, Math.abs(y - cy) - 8)];
  return Math.hypot(...apart) < 9;
};
const leaves = ([cx, cy], letters) =>
  cx - 3.8 * letters < 0 || cx + 3.8 * letters > SIZE || cy - 8 < 0 || cy + 8 > SIZE;

test("no name covers the head of an arrow or the point, nor leaves the picture", () => {
  const names = ["green", "blue", "feature 1271: golden g…", "pink", "sky", "brown", "gray", "violet"];
  for (const n of [1, 2, 3, 8]) {
    for (let turn = 0; turn < 360; turn += 7) {
      const units = Array.from({ length: n }, (_, i) => unit(turn + (360 / 8) * i));
      for (const point of [units[0], [1, 0], [0.2, -0.3], unit(turn + 20)]) {
        const places = namePlaces(units, names.slice(0, n), point);
        for (const [i, place] of places.entries()) {
          const letters = names[i].length;
          const told = `${names[i]} of ${n}, turned by ${turn}, point ${point}`;
          assert.ok(!leaves(place, letters), told);
          assert.ok(!covers(place, letters, point), told);
          for (const u of units) assert.ok(!covers(place, letters, u), told);
        }
      }
    }
  }
});

test("a name stands beyond the head of its arrow where there is room", () => {
  const [[x, y]] = namePlaces([unit(0)], ["green"], [-1, 0]);
  assert.deepEqual([x, y], [350 + 15 + 19, 210]); // the head at 350, a gap of 15, half of five letters
});

test("of two opposite directions the one that is on is drawn on top", () => {
  const units = [45, 225, 90].map(unit);
  const reads = readouts([1, 0], units);
  const half = Math.SQRT1_2;
  assert.ok(reads.every((read, i) => Math.abs(read - [half, -half, 0][i]) < 1e-9));
  assert.deepEqual(drawingOrder(reads), [1, 2, 0]);
});

test("a new direction goes to the middle of the widest gap between the lines", () => {
  assert.equal(roomiest([90, 0]), 45);
  assert.equal(roomiest([0, 180]), 90);
  assert.equal(roomiest([10, 40, 100]), 145);
});
