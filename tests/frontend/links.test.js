import assert from "node:assert/strict";
import { test } from "node:test";
import { fits, LONGEST, places, read, traitOf, written } from "../../saewidgets/frontend/page/links.js";
import { staticModel } from "../../saewidgets/frontend/page/shim.js";

const links = {
  feature: { low: 0, high: 99, whole: true, null: true },
  color: { of: ["density", "sae"] },
  chosen: { each: { low: 0, high: 9, whole: true }, least: 0, most: 3 },
  multiples: { keys: ["31"], each: { low: -8, high: 8, null: true } },
};
const page = () => {
  const one = staticModel({ feature: 3, color: "sae", chosen: [], multiples: {} }, null, Object.keys(links));
  const two = staticModel({ feature: 3, color: "sae" });
  const known = places([
    { model: one, name: "map", links, sae: "0f0f0f0f" },
    { model: two, name: "map", links: { feature: links.feature, color: links.color }, sae: "" },
  ]);
  return { one, two, known };
};

test("a value is taken if the page says that it may be", () => {
  for (const good of [0, 99, null]) assert.ok(fits(links.feature, good));
  for (const bad of [-1, 100, 1.5, "3", true, [], {}, undefined, Number.NaN, Infinity])
    assert.ok(!fits(links.feature, bad), String(bad));
  assert.ok(fits(links.color, "density"));
  for (const bad of ["Density", 0, null, ["density"], { length: 1 }]) assert.ok(!fits(links.color, bad));
  assert.ok(fits(links.chosen, []) && fits(links.chosen, [0, 9, 9]));
  for (const bad of [[0, 1, 2, 3], [10], ["1"], null, "[1]", { 0: 1, length: 1 }]) assert.ok(!fits(links.chosen, bad));
  assert.ok(fits(links.multiples, {}) && fits(links.multiples, { 31: 1.5 }) && fits(links.multiples, { 31: null }));
  for (const bad of [{ 42: 1 }, { 31: 9 }, { 31: "1" }, [1], null, JSON.parse('{"__proto__": 1}')])
    assert.ok(!fits(links.multiples, bad));
});

test("an address says what was set and is read again", () => {
  const { one, two, known } = page();
  assert.deepEqual(
    known.map(({ key, models }) => [key, models.length]),
    [
      ["feature", 2],
      ["map.color", 1],
      ["map.chosen", 1],
      ["map.multiples", 1],
      ["map2.color", 1],
    ],
  );
  one.set("feature", 42);
  one.set("chosen", [1, 2]);
  two.set("color", "density");
  one.set("multiples", { 31: 1.5 });
  const set = known.filter(({ key }) => key !== "map.color");
  const hash = written(
    set.map(({ key, models }) => [key, models[0].get(traitOf(key))]),
    "0f0f0f0f",
  );
  assert.equal(
    hash,
    "#feature=42&map.chosen=%5B1,2%5D&map.multiples=%7B%2231%22%3A1.5%7D&map2.color=%22density%22&sae=0f0f0f0f",
  );
  const { wanted, sound } = read(hash, page().known, "0f0f0f0f");
  assert.ok(sound);
  assert.deepEqual(
    wanted.map(([{ key }, value]) => [key, value]),
    [
      ["feature", 42],
      ["map.chosen", [1, 2]],
      ["map.multiples", { 31: 1.5 }],
      ["map2.color", "density"],
    ],
  );
});

test("an address that asks for anything else sets nothing", () => {
  const { known } = page();
  const bad = [
    "#feature=100",
    "#feature=7&map.color=%22density%22&more=1",
    "#feature=3&feature",
    "#constructor=1",
    "#__proto__=1",
    "#map.color=density",
    "#map.color=%22%3Cimg%20src=x%20onerror=alert(1)%3E%22",
    "#map.chosen=%5B",
    "#%E0%A4%A=1",
    "#feature=%E0%A4%A",
    "#anchor",
    "#=1",
    "#sae=1e1e1e1e",
    "#feature=4&sae=1e1e1e1e",
    `#feature=${"1".repeat(LONGEST)}`,
    `#feature=1${"&feature=1".repeat(LONGEST / 10)}`,
  ];
  for (const hash of bad) assert.deepEqual(read(hash, known, "0f0f0f0f"), { wanted: [], sound: false }, hash);
  for (const hash of ["", "#"]) assert.deepEqual(read(hash, known, ""), { wanted: [], sound: true });
  assert.ok(read("#feature=4&sae=1e1e1e1e", known, "").sound); // this page does not know its SAE
});

test("what would be too long is not written", () => {
  const many = Array.from({ length: 2000 }, (_, i) => i);
  assert.equal(written([["map.chosen", many]], ""), null);
  assert.equal(written([["map.chosen", [1]]], ""), "#map.chosen=%5B1%5D");
});

test("of instruments that follow one another one may know a value that another does not", () => {
  const [one, two] = [staticModel({ feature: 3 }), staticModel({ feature: 3 })];
  const known = places([
    { model: one, name: "clamp", links: { feature: { of: [3] } }, sae: "" },
    { model: two, name: "dashboard", links: { feature: { of: [3, 4] } }, sae: "" },
  ]);
  assert.ok(read("#feature=4", known, "").sound && !read("#feature=5", known, "").sound);
});

test("reset brings back what the page began with", () => {
  const { one } = page();
  const heard = [];
  one.on("change:chosen", () => heard.push(one.get("chosen")));
  one.set("chosen", [1]);
  one.set("feature", 42);
  one.send({ kind: "ping" });
  assert.equal(one.get("feature"), 42);
  one.send({ kind: "reset" });
  assert.deepEqual([one.get("feature"), one.get("chosen"), heard], [3, [], [[1], []]]);
});
