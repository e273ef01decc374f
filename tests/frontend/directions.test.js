import assert from "node:assert/strict";
import { test } from "node:test";
import { relationOf, spaceOf } from "../../saewidgets/frontend/instruments/directions/lab.js";
import { meets, placed } from "../../saewidgets/frontend/instruments/directions/places.js";

test("a word stands beside its point, on the side that suits it", () => {
  const [first, second] = placed(
    [
      { text: "king", x: 100, y: 50, side: 1 },
      { text: "man", x: 60, y: 50, side: -1 },
    ],
    200,
    100,
  );
  assert.ok(first.left === 107 && first.top < 50 && first.bottom > 50);
  assert.ok(second.right === 53 && second.left > 0);
});

test("forty pairs at 354 px: no word on another, none outside, and those without a place are told", () => {
  const points = Array.from({ length: 80 }, (_, i) => ({
    text: `word${i % 37}x`.repeat(1 + (i % 2)),
    x: 40 + ((i * 53) % 270),
    y: 30 + ((i * 29) % 200),
    side: i % 2 ? 1 : -1,
  }));
  const places = placed(points, 354, 260);
  const boxes = places.filter((place) => place && place !== "same");
  for (const [i, box] of boxes.entries()) {
    assert.ok(box.left >= 0 && box.right <= 354 && box.top >= 0 && box.bottom <= 260);
    for (const other of boxes.slice(0, i)) assert.ok(!meets(box, other));
  }
  assert.ok(boxes.length > 20);
  assert.ok(places.includes(null));
});

test("a word that stands at its point already is not written again", () => {
  const at = { text: "man", x: 100, y: 50, side: 1 };
  assert.equal(placed([at, { ...at, side: -1 }], 300, 100)[1], "same");
  assert.notEqual(placed([at, { ...at, x: 180 }], 300, 100)[1], "same");
});

test("boxes that only touch do not meet", () => {
  const box = { left: 0, top: 0, right: 10, bottom: 10 };
  assert.ok(!meets(box, { left: 10, top: 0, right: 20, bottom: 10 }));
  assert.ok(meets(box, { left: 9, top: 9, right: 20, bottom: 20 }));
});

test("a space and a relation are found by name, and a name that is gone gives the first", () => {
  const lab = {
    spaces: [
      { name: "a", relations: [{ name: "r" }, { name: "t" }] },
      { name: "b", relations: [] },
    ],
  };
  assert.equal(spaceOf(lab, "b").name, "b");
  assert.equal(spaceOf(lab, "gone").name, "a");
  assert.equal(relationOf(lab.spaces[0], "t").name, "t");
  assert.equal(relationOf(lab.spaces[0], "gone").name, "r");
});
