import assert from "node:assert/strict";
import { test } from "node:test";
import { parseHTML } from "linkedom";

const page = parseHTML("<!doctype html><html><body><div></div></body></html>");
const media = { matches: true, addEventListener() {}, removeEventListener() {} };
const paper = { ...media, matches: false };
/** @type {Record<string, Set<unknown>>} */
const heard = { keydown: new Set(), beforeprint: new Set(), afterprint: new Set() };
Object.assign(globalThis, {
  document: page.document,
  Node: page.Node,
  MutationObserver: class {
    observe() {}
    disconnect() {}
  },
  window: {
    matchMedia: (/** @type {string} */ query) => (query === "print" ? paper : media),
    addEventListener: (/** @type {string} */ name, /** @type {unknown} */ fn) => heard[name].add(fn),
    removeEventListener: (/** @type {string} */ name, /** @type {unknown} */ fn) => heard[name].delete(fn),
  },
});
const { mount } = await import("../../saewidgets/frontend/shared/mount.js");
const { staticModel } = await import("../../saewidgets/frontend/page/shim.js");

test("an instrument comes into a page and leaves it", () => {
  const model = staticModel({ _static: true, error: "", feature: 3 });
  const el = page.document.createElement("div");
  const seen = [];
  const instrument = mount({
    name: "example",
    words: { en: { widget: "An example" } },
    draw({ root, banner, on, add, ends, words, still }) {
      assert.ok(still);
      root.append(banner, add({ el: page.document.createElement("p"), stop: () => seen.push("part") }));
      on(["feature"], () => seen.push(`${words.widget} ${model.get("feature")}`));
      ends(() => seen.push("end"));
    },
  });
  const end = instrument.render({ model, el });
  const root = el.querySelector(".saew.saew-example");
  assert.equal(root.getAttribute("aria-label"), "An example");
  assert.equal(root.getAttribute("role"), "group");
  assert.equal(root.getAttribute("data-theme"), "dark");
  assert.equal(heard.keydown.size, 1);
  model.set("feature", 4);
  assert.deepEqual(seen, ["An example 4"]);
  const banner = root.querySelector("[role=alert]");
  assert.ok(banner.hasAttribute("hidden"));
  model.set("error", "too far");
  assert.equal(banner.querySelector("span").textContent, "too far");
  end();
  assert.deepEqual(seen.slice(1).sort(), ["end", "part"]);
  assert.ok(Object.values(heard).every((fns) => fns.size === 0));
  model.set("feature", 5);
  assert.equal(seen.length, 3);
});
