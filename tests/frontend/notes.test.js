import assert from "node:assert/strict";
import { test } from "node:test";
import { parseHTML } from "linkedom";

const page = parseHTML("<!doctype html><html><body></body></html>");
Object.assign(globalThis, {
  document: page.document,
  Node: page.Node,
  Element: page.Element,
  HTMLElement: page.HTMLElement,
  ResizeObserver: class {
    observe() {}
    disconnect() {}
  },
});
const { freePlace, notes } = await import("../../saewidgets/frontend/shared/notes.js");

test("a note stands in the corner of its part, inside the width, below the notes that are there", () => {
  const size = { width: 200, height: 60 };
  assert.deepEqual(freePlace({ left: 10, top: 20, ...size }, [], 800), { left: 18, top: 28, ...size });
  assert.equal(freePlace({ left: 700, top: 0, ...size }, [], 800).left, 592); // 800 - 200 - 8
  const laid = [
    { left: 18, top: 28, ...size },
    { left: 100, top: 96, ...size },
  ];
  assert.equal(freePlace({ left: 10, top: 20, ...size }, laid, 800).top, 164); // 96 + 60 + 8
  assert.equal(freePlace({ left: 400, top: 20, ...size }, laid, 800).top, 28);
});

test("the notes of the parts that are shown are laid over an instrument that is inert meanwhile", () => {
  const { document } = page;
  const root = document.createElement("div");
  root.innerHTML = '<p class="a">one</p><p class="b" hidden>two</p><section class="quiet" inert></section>';
  document.body.append(root);
  /** @param {number} width */
  const box = (width) => () => ({ left: 0, top: 0, right: width, bottom: 20, width, height: 20 });
  const [a, b, quiet] = root.children;
  a.getBoundingClientRect = box(100);
  b.getBoundingClientRect = box(0);
  root.getBoundingClientRect = box(600);
  quiet.inert = true;
  const table = [
    { at: ".a", say: "about one" },
    { at: ".b", say: "about two" },
    { at: ".c", say: "about nothing" },
  ];
  const help = notes(root, table, { ask: "What am I looking at?", close: "Close" });
  root.prepend(help.el);
  page.Element.prototype.getBoundingClientRect ??= box(0);
  assert.equal(help.keys({ key: "a" }), false);
  help.el.click();
  const layer = root.querySelector("[role=dialog]");
  assert.equal(layer.getAttribute("aria-label"), "What am I looking at?");
  assert.deepEqual(
    [...layer.querySelectorAll("li")].map((li) => li.textContent),
    ["about one"],
  );
  assert.equal(a.inert, true);
  assert.equal(help.keys({ key: "a" }), true, "no key goes to the instrument beneath");
  assert.equal(help.keys({ key: "Escape" }), true);
  assert.equal(root.querySelector("[role=dialog]"), null);
  assert.equal(a.inert, false);
  assert.equal(quiet.inert, true, "what was inert before stays so");
});
