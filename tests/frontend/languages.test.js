// Every table of every language says all that the English one says, with the same places to fill in, and nothing else.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const FRONTEND = new URL("../../saewidgets/frontend/", import.meta.url);
const TABLES = ["words.js", "notes.js", "glossary.js"];

/** The modules with tables, by the file of a language that holds theirs. */
const sources = new Map();
for (const file of readdirSync(FRONTEND, { recursive: true }).sort()) {
  const parts = file.split("/");
  if (parts[0] === "languages" || !TABLES.includes(parts.at(-1))) continue;
  const name = `${parts.at(-2)}.js`;
  sources.set(name, [...(sources.get(name) ?? []), file]);
}
const languages = readdirSync(new URL("languages/", FRONTEND));

/** What is wrong with `theirs`, beside `english`, as sentences. */
function wrong(english, theirs, path) {
  if (typeof english !== typeof theirs || Array.isArray(english) !== Array.isArray(theirs)) return [`${path}: missing`];
  if (typeof english === "string") return path.endsWith(".at") && english.startsWith(".") ? same() : wrongSentence();
  const keys = [...new Set([...Object.keys(english), ...Object.keys(theirs)])];
  return keys.flatMap((key) => {
    if (key === "forms") return []; // the forms in which a word stands are each language's own
    if (!(key in english)) return [`${path}.${key}: not in English`];
    return wrong(english[key], theirs[key], `${path}.${key}`);
  });

  function same() {
    return english === theirs ? [] : [`${path}: another selector`];
  }
  function wrongSentence() {
    const [own, other] = [english, theirs].map((text) => [...new Set(text.match(/\{\w+\}/g))].sort().join());
    if (own !== other) return [`${path}: fills in ${other || "nothing"}, not ${own || "nothing"}`];
    if (!english !== !theirs) return [`${path}: empty in one language only`];
    return [];
  }
}

async function pairs(language) {
  const out = [];
  for (const [name, files] of sources) {
    const theirs = await import(new URL(`languages/${language}/${name}`, FRONTEND));
    for (const file of files) {
      for (const [table, value] of Object.entries(await import(new URL(file, FRONTEND)))) {
        if (typeof value === "function" || !["words", "notes", "glossary"].includes(table)) continue;
        const [english, own] = "en" in value ? [value.en, theirs[table]?.[language]] : [value, theirs[table]];
        out.push({ path: `${file}: ${table}`, english, own });
      }
    }
  }
  return out;
}

/** Every sentence of a table, with its path. */
const sentences = (table, path) =>
  typeof table === "string"
    ? [[path, table]]
    : Object.entries(table).flatMap(([key, value]) => (key === "at" ? [] : sentences(value, `${path}.${key}`)));

test("what is missing, left over or filled in otherwise is found", () => {
  const english = { a: "one {n}", b: ["x", "y"], c: { d: "" }, notes: [{ at: ".saew-a", say: "it" }] };
  assert.deepEqual(wrong(english, structuredClone(english), "t"), []);
  assert.deepEqual(wrong(english, { ...english, a: "yi {m}" }, "t"), ["t.a: fills in {m}, not {n}"]);
  assert.deepEqual(wrong(english, { ...english, b: ["x"], c: { d: "", e: "" } }, "t"), [
    "t.b.1: missing",
    "t.c.e: not in English",
  ]);
  assert.deepEqual(wrong(english, { ...english, notes: [{ at: ".saew-b", say: "ta" }] }, "t"), [
    "t.notes.0.at: another selector",
  ]);
});

for (const language of languages) {
  test(`${language} has the tables of every module, and no other file`, () => {
    const files = readdirSync(new URL(`languages/${language}/`, FRONTEND)).sort();
    assert.deepEqual(files, [...sources.keys()].sort());
  });

  test(`${language} says all that English says, and fills in the same`, async () => {
    const found = (await pairs(language)).flatMap(({ path, english, own }) => wrong(english, own, path));
    assert.deepEqual(found, []);
  });
}

test("no module takes the English table itself: what it says would stay English", () => {
  const code = readdirSync(FRONTEND, { recursive: true }).filter((file) => file.endsWith(".js"));
  const taken = code.flatMap((file) =>
    readFileSync(new URL(file, FRONTEND), "utf8")
      .split("\n")
      .filter((line) => /\.en\b(?! *\}|>)/.test(line) && !/^\s*(?:\/\*\*|\*|\/\/)/.test(line))
      .map((line) => `${file}: ${line.trim()}`),
  );
  assert.deepEqual(
    taken.map((line) => line.split(":")[0]),
    ["shared/words.js"], // where a table is chosen
  );
});

// What is the same in both languages: names, symbols, units, and sentences that are only filled in.
const UNTRANSLATED =
  /^(?:\{\w+\}|[^\p{L}]|SAE|ReLU|TopK|FVU|F1|AUROC|KL|L0|W|D|r|x|y|kappa|logit|nat|bridge, fog|#\{feature\})*$/u;

test("Chinese is Chinese: no sentence is left in English, none is half translated", async () => {
  const left = (await pairs("zh")).flatMap(({ path, own }) =>
    sentences(own, path).filter(([, text]) => !/\p{sc=Han}/u.test(text) && !UNTRANSLATED.test(text)),
  );
  assert.deepEqual(left, [["shared/words.js: words.lang", "zh-CN"]]);
});

test("Chinese is written with its own marks", async () => {
  const wrongMark = /\p{sc=Han}[,.;:?!()]|[,;?!]\s*\p{sc=Han}|。\s|\p{sc=Han}[A-Za-z]{2,}|[A-Za-z]{2,}\p{sc=Han}/u;
  const found = (await pairs("zh")).flatMap(({ path, own }) =>
    sentences(own, path).filter(([, t]) => wrongMark.test(t)),
  );
  assert.deepEqual(found, []);
});
