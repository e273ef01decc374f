import assert from "node:assert/strict";
import { test } from "node:test";
import { parseHTML } from "linkedom";

const page = parseHTML("<!doctype html><html><body></body></html>");
Object.assign(globalThis, { document: page.document, Node: page.Node, Element: page.Element });
const { topBar } = await import("../../saewidgets/frontend/instruments/dashboard/bar.js");
const { barOf, folded, tokenAt } = await import("../../saewidgets/frontend/instruments/dashboard/data.js");
const { weakerExamples } = await import("../../saewidgets/frontend/instruments/dashboard/examples.js");
const { patternOf, touched } = await import("../../saewidgets/frontend/instruments/dashboard/filter.js");
const { namingPart } = await import("../../saewidgets/frontend/instruments/dashboard/naming.js");
const { inOrder, ordersOf } = await import("../../saewidgets/frontend/instruments/dashboard/order.js");
const { words } = await import("../../saewidgets/frontend/instruments/dashboard/words.js");
const { matches } = await import("../../saewidgets/frontend/shared/picker.js");
const { named, renamed } = await import("../../saewidgets/frontend/shared/labels.js");
const { h } = await import("../../saewidgets/frontend/shared/elements.js");

/** An example of these tokens whose strongest one is at p. */
const example = (t, p, c) => ({ t, p, a: t.map((_, i) => (i === p ? 1 : 0)), c, s: 0, v: -1 });

test("examples that read the same two tokens around the strongest one are one row", () => {
  const a = example([7, 1, 2, 3, 4, 5, 8], 3, 0);
  const b = example([9, 9, 1, 2, 3, 4, 5], 4, 1); // the same five tokens, elsewhere in its window
  const c = example([7, 1, 2, 3, 4, 6, 8], 3, 2); // another token two after
  const d = example([1, 2, 3, 4, 5], 1, 3); // the same tokens, another one strongest
  const e = example([0, 1, 2, 3, 4, 5, 8], 3, 4);
  assert.deepEqual(folded([a, c, b, d, e]), [[a, b, e], [c], [d]]);
  const first = example([3, 4, 5], 0, 5); // at the beginning: fewer tokens before it are not the same as others
  assert.deepEqual(folded([first, example([2, 3, 4, 5], 1, 6)]).length, 2);
});

test("levels are named by their bounds, or as the original counts them where only some tokens were drawn", () => {
  const item = (v, c) => ({ t: [0], p: 0, a: [v + 0.5], c, s: 0, v });
  const shown = { maximum: 4, intervals: [item(3, 0), item(1, 1), item(0, 2)] };
  const view = { pool: [[5, "red"]], maximum: 4, bytes: false };
  const heads = (perContext) =>
    [...weakerExamples(shown, view, words.en, perContext).el.querySelectorAll("h4")].map((el) => el.textContent);
  assert.deepEqual(heads(null), ["3 to 4", "1 to 2", "0 to 1"]);
  assert.deepEqual(heads(10), [
    "Subsample interval 0: 3 to 4",
    "Subsample interval 2: 1 to 2",
    "Subsample interval 3: 0 to 1",
  ]);
  const notes = weakerExamples(shown, view, words.en, 10).el.textContent;
  assert.match(notes, /among 10 tokens drawn from each context/);
});

test("the bar of an interval, of this feature alone", () => {
  const shown = { feature: 3, histogram: { edges: [0, 10], counts: [1, 1, 1, 1, 1] } };
  assert.equal(barOf(shown, [3, 4, 6]), 2);
  assert.equal(barOf(shown, [3, 8, 10]), 4);
  assert.equal(barOf(shown, [4, 4, 6]), -1);
  assert.equal(barOf(shown, null), -1);
});

test("bytes of a token: the record's where the text hides them, else those of its text", () => {
  const pool = [
    [5, "é"],
    [6, "<0xF0>", "f0"],
  ];
  assert.deepEqual(tokenAt(pool, 0, true), { id: 5, text: "é", bytes: "c3a9" });
  assert.equal(tokenAt(pool, 0, false).bytes, null);
  assert.equal(tokenAt(pool, 1, true).bytes, "f0");
});

test("a pattern is found across tokens, and one that is broken is told apart from none", () => {
  assert.deepEqual([...touched([" Golden", " Gate", "⏎"], patternOf("n g", false, false))], [0, 1]);
  assert.deepEqual([...touched(["a", "⏎", "b"], patternOf("a\nb", false, true))], [0, 1, 2]);
  assert.equal(patternOf("", true, true), null);
  assert.equal(patternOf("(", true, true), undefined);
});

/** The part that names feature 31, "bridge", and what it was told to keep. */
function naming(own = "") {
  const kept = [];
  const part = namingPart({ feature: 31, label: "bridge" }, words.en, (label) => kept.push(label));
  part.update(own);
  const box = part.el.querySelector("input");
  for (const el of part.el.querySelectorAll("input, button, h2")) Object.assign(el, { focus() {}, select() {} });
  const press = (key) => part.key({ key, target: box, isComposing: false, preventDefault() {} });
  const type = (text) => {
    part.el.querySelector("button").dispatchEvent(new page.Event("click"));
    box.value = text;
  };
  return { part, box, kept, press, type, title: part.el.querySelector(".saew-title") };
}

test("a reader's label: Enter keeps, Escape leaves, nothing or the given one takes it away", () => {
  const { kept, press, type, box, title } = naming();
  assert.equal(press("Enter"), true);
  assert.deepEqual(kept, []); // the box is not open
  type("  red bridges ");
  assert.ok(title.hidden);
  press("Escape");
  assert.deepEqual([kept, title.hidden], [[], false]);
  type("  red bridges ");
  press("Enter");
  type("clicked away");
  box.dispatchEvent(new page.Event("blur"));
  assert.deepEqual(kept, ["red bridges", "clicked away"]);
  const other = naming("red bridges");
  for (const text of ["red bridges", "", "bridge"]) {
    other.type(text);
    other.press("Enter");
  }
  assert.deepEqual(other.kept, ["", ""]);
  assert.equal(other.title.textContent, "red bridges");
  assert.match(other.part.el.querySelector(".saew-given").textContent, /your label · given label: bridge/);
});

test("a feature is found by what its reader calls it and by the label that it came with", () => {
  const index = [
    { feature: 31, label: "red", given: "bridge", density: 0.1, promoted: [" fog"] },
    { feature: 7, label: "bridges", density: 0.1, promoted: [" red"] },
  ];
  const found = (query) => matches(index, query).map(({ row }) => row.feature);
  assert.deepEqual([found("red"), found("bridge"), found("ridges")], [[31, 7], [31, 7], [7]]);
});

test("an index with its reader's labels", () => {
  const row = { feature: 31, label: "bridge", density: 0.1, promoted: [] };
  assert.deepEqual(named([row], { 31: "red" })[0], { ...row, label: "red", given: "bridge", own: true });
  assert.deepEqual(named([row], null)[0], { ...row, given: "bridge", own: false });
  assert.deepEqual(renamed({ 31: "red", 7: "owl" }, 31, "blue"), { 31: "blue", 7: "owl" });
  assert.deepEqual(renamed({ 31: "red", 7: "owl" }, 31, ""), { 7: "owl" });
  assert.deepEqual(renamed(null, 31, ""), {});
});

test("text that would turn what follows it round enters no page as it is", () => {
  const el = h("p", { title: "a\u202eb" }, "x\u202elive\u202c", h("b", {}, "two\nlines\tand שלום"));
  assert.equal(el.textContent, "x⟨U+202E⟩live⟨U+202C⟩two\nlines\tand שלום");
  assert.equal(el.getAttribute("title"), "a⟨U+202E⟩b");
});

test("scores are two more orders where some feature has one, and those without come last", () => {
  const rows = [
    { feature: 1, label: "", density: 0.3, promoted: [] },
    { feature: 4, label: "owl", density: 0.1, promoted: [], output: 0, input: 0.5 },
    { feature: 6, label: "bridge", density: 0.1, promoted: [], output: 0.4, input: null },
  ];
  const numbers = (order) => inOrder(named(rows, null), order).map((row) => row.feature);
  assert.deepEqual(numbers("output"), [6, 4, 1]);
  assert.deepEqual(numbers("input"), [4, 1, 6]);
  assert.deepEqual(ordersOf(named(rows, null)), ["number", "label", "often", "seldom", "output", "input"]);
  assert.deepEqual(ordersOf(named(rows.slice(0, 1), null)), ["number", "label", "often", "seldom"]);
  const at = () => 1;
  const bar = topBar(() => named(rows, null), at, words.en.bar, () => {}); // biome-ignore format: one line
  const box = bar.el.querySelector("select");
  Object.defineProperty(box, "value", { value: "output" });
  box.dispatchEvent(new page.window.Event("change"));
  bar.el.querySelector("[role=combobox]").dispatchEvent(new page.window.Event("focus"));
  const ends = [...bar.el.querySelectorAll("[role=option]")].map((li) => li.lastElementChild.textContent);
  assert.deepEqual(ends, ["output 0.4", "output 0", "output –"]);
});

test("features are listed and stepped through in the order that was chosen", () => {
  const rows = [
    { feature: 1, label: "", density: 0.3, promoted: [] },
    { feature: 4, label: "owl", density: 0.1, promoted: [] },
    { feature: 6, label: "bridge", density: 0.1, promoted: [] },
    { feature: 9, label: "", density: 0.2, promoted: [] },
  ];
  const numbers = (order) => inOrder(named(rows, null), order).map((row) => row.feature);
  assert.deepEqual(numbers("number"), [1, 4, 6, 9]);
  assert.deepEqual(numbers("label"), [6, 4, 1, 9]);
  assert.deepEqual(numbers("often"), [1, 9, 4, 6]);
  assert.deepEqual(numbers("seldom"), [4, 6, 9, 1]);

  let shown = 1;
  const bar = topBar(() => named(rows, null), () => shown, words.en.bar, (feature) => {
    shown = feature;
    bar.update();
  }); // biome-ignore format: a callback
  bar.update();
  const [previous, next] = bar.el.querySelectorAll("button");
  const select = bar.el.querySelector("select");
  const said = () => bar.el.querySelector(".saew-position").textContent;
  next.dispatchEvent(new page.window.Event("click"));
  assert.deepEqual([shown, said()], [4, "2 of 4 features"]);
  Object.defineProperty(select, "value", { value: "often" });
  select.dispatchEvent(new page.window.Event("change"));
  assert.equal(said(), "3 of 4 features");
  previous.dispatchEvent(new page.window.Event("click"));
  assert.deepEqual([shown, said()], [9, "2 of 4 features"]);
});
