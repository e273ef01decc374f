import assert from "node:assert/strict";
import { test } from "node:test";
import { parseHTML } from "linkedom";

const page = parseHTML("<!doctype html><html><body><div></div></body></html>");
const onWindow = new Set();
let again = () => {};
Object.assign(globalThis, {
  document: page.document,
  Node: page.Node,
  Element: page.Element,
  MutationObserver: class {
    /** @param {() => void} call */
    constructor(call) {
      again = call;
    }
    observe() {}
    disconnect() {}
    takeRecords() {}
  },
  window: {
    innerWidth: 1000,
    innerHeight: 800,
    addEventListener: (/** @type {string} */ name) => onWindow.add(name),
    removeEventListener: (/** @type {string} */ name) => onWindow.delete(name),
  },
});
const { glossary, split, terms, wordsOf } = await import("../../saewidgets/frontend/shared/glossary.js");

const table = { loss: { forms: ["losses"], means: "a" }, "loss recovered": { means: "b" }, L0: { means: "c" } };
/** @param {string} text */
const words = (text) => split(text, wordsOf(table)).map(({ text, word }) => (word ? `[${text}=${word}]` : text));

test("a text is split at whole words, the longest first, each word once", () => {
  assert.deepEqual(words("Loss recovered, not losses"), ["[Loss recovered=loss recovered]", ", not ", "[losses=loss]"]);
  assert.deepEqual(words("glossy L0s and L0, L0"), ["glossy L0s and ", "[L0=L0]", ", L0"]);
  assert.deepEqual(words("L0"), ["[L0=L0]"]);
  assert.deepEqual(words("no word of it"), ["no word of it"]);
  assert.deepEqual(words(""), []);
  assert.deepEqual(words("verlöss loss"), ["verlöss ", "[loss=loss]"]);
});

test("a Chinese word is found between characters, one of letters at its ends only", () => {
  const chinese = { 特征: { means: "a" }, 死特征: { means: "b" }, SAE: { means: "c" } };
  const pieces = split("SAE的死特征与SAEs的特征", wordsOf(chinese));
  assert.deepEqual(
    pieces.filter(({ word }) => word).map(({ word }) => word),
    ["SAE", "死特征", "特征"],
  );
  assert.equal(pieces.map(({ text }) => text).join(""), "SAE的死特征与SAEs的特征");
});

test("no form of a word is the form of another, and every meaning is a sentence", () => {
  const forms = wordsOf(glossary.en).map(({ form }) => form);
  assert.equal(new Set(forms).size, forms.length);
  for (const { means } of Object.values(glossary.en)) assert.match(means, /^.{20,220}[.]$/);
  for (const word of [
    "FVU",
    "L0",
    "logit",
    "nats",
    "residual stream",
    "SAE units",
    "AUROC",
    "feature",
    "density",
    "decoder",
  ])
    assert.ok(word in glossary.en, word);
});

test("a word is a button that is described by its meaning, which shows on focus and goes with Escape", () => {
  const root = page.document.createElement("div");
  page.document.body.append(root);
  const help = terms(root, table);
  assert.equal(root.children.length, 0, "an instrument without a word pays nothing");
  root.append(...help.explain("The loss here"), help.term("L0", "l-zero"));
  const [loss, l0] = root.querySelectorAll("button.saew-term");
  assert.equal(loss.textContent, "loss");
  assert.equal(l0.textContent, "l-zero");
  assert.equal(root.querySelector(`[id="${l0.getAttribute("aria-describedby")}"]`)?.textContent, "c");
  const tip = root.querySelector(".saew-meaning");
  const event = { key: "Escape" };
  assert.equal(help.keys(event), false, "nothing is shown yet: the key is not used");
  l0.getBoundingClientRect = () => ({ left: 990, right: 1000, top: 780, bottom: 795, width: 10, height: 15 });
  Object.assign(tip, { offsetWidth: 200, offsetHeight: 50, matches: () => false });
  l0.dispatchEvent(new page.Event("focusin", { bubbles: true }));
  assert.equal(tip.textContent, "c");
  assert.equal(tip.hasAttribute("hidden"), false);
  assert.equal(tip.style.left, "792px", "inside the window");
  assert.equal(tip.style.top, "724px", "above the word where there is no room below");
  assert.deepEqual([...onWindow], ["scroll"]);
  assert.equal(help.keys(event), true);
  assert.equal(tip.hasAttribute("hidden"), true);
  assert.deepEqual([...onWindow], []);
  l0.dispatchEvent(new page.Event("focusin", { bubbles: true }));
  l0.dispatchEvent(new page.Event("focusout", { bubbles: true }));
  assert.equal(tip.hasAttribute("hidden"), true, "it goes with the focus");
  assert.equal(help.keys(event), false, "and leaves the next Escape to others");
  assert.throws(() => help.term("l00"), /no word l00/);
});

test("words in headings explain themselves, each in the first that has it, and again when it is written anew", () => {
  const root = page.document.createElement("div");
  root.innerHTML =
    "<section hidden><h3>Loss</h3></section><details><summary>More</summary><p class='saew-note'>L0</p></details>" +
    "<h3>Loss by step</h3><h4>L0 and loss</h4><label><span class='saew-kicker'>loss</span></label>" +
    "<table><tr><th scope='col'><button>L0</button></th></tr></table><p>loss</p>";
  page.document.body.append(root);
  terms(root, table).watch();
  const marked = () =>
    [...root.querySelectorAll(".saew-term")].map((el) => `${el.parentElement?.tagName} ${el.textContent}`);
  assert.deepEqual(marked(), ["H3 Loss", "H4 L0"]);
  assert.equal(root.querySelector("h4")?.textContent, "L0 and loss");
  root.querySelector("section").removeAttribute("hidden");
  again();
  assert.deepEqual(marked(), ["H3 Loss", "H4 L0"], "the first that is shown");
  assert.equal(root.querySelector("section .saew-term")?.textContent, "Loss");
  root.querySelector("section").remove();
  again();
  const kept = root.querySelector("h4 .saew-term");
  root.querySelector("h3").textContent = "Loss recovered";
  again();
  assert.deepEqual(marked(), ["H3 Loss recovered", "H4 L0", "H4 loss"]);
  again();
  assert.notEqual(kept?.isConnected, true, "its words changed");
  const same = root.querySelector("h4 .saew-term");
  again();
  assert.equal(root.querySelector("h4 .saew-term"), same, "nothing changed: no focus is lost");
});
