import assert from "node:assert/strict";
import { test } from "node:test";
import { saidOf } from "../../saewidgets/frontend/instruments/clamp/history.js";
import { words as clampWords } from "../../saewidgets/frontend/instruments/clamp/words.js";
import { promptLine, samePrompt } from "../../saewidgets/frontend/shared/turns.js";
import { words } from "../../saewidgets/frontend/shared/words.js";

const { turns } = words.en;
const talk = [
  { role: "system", content: "Be brief." },
  { role: "user", content: "Hi" },
];

test("a dialogue in words names who says what, and a text is itself", () => {
  assert.equal(promptLine(talk, turns), "system: Be brief.\nuser: Hi");
  assert.equal(promptLine("Once", turns), "Once");
});

test("two dialogues are one if their turns are", () => {
  assert.ok(samePrompt(talk, structuredClone(talk)));
  assert.ok(!samePrompt(talk, talk.slice(1)) && !samePrompt("Hi", talk));
});

test("a try under another dialogue says its last turn", () => {
  const entry = { prompt: talk, multiples: [], scope: "all", temperature: 0, seed: 0, n_tokens: 9, text: "" };
  const now = { ...entry, prompt: [talk[0], { role: "user", content: "Bye" }], features: [] };
  const said = saidOf(entry, { get: (name) => (name === "multiples" ? {} : now[name]) }, clampWords.en.history, turns);
  assert.deepEqual(said.at(-1), { words: "prompt: user: Hi", differs: true });
});
