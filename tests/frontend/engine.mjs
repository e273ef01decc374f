// Runs the engine of live pages for a test: `node engine.mjs <file of a packed model>`, then a line of JSON for a line of JSON.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { opened } from "../../saewidgets/frontend/engine/machine.js";
import { measured } from "../../saewidgets/frontend/engine/measure.js";
import { asked } from "../../saewidgets/frontend/engine/prompts.js";
import { reading } from "../../saewidgets/frontend/engine/reading.js";
import { runOf } from "../../saewidgets/frontend/engine/run.js";
import { editOf, textOf } from "../../saewidgets/frontend/engine/text.js";
import { codeOf } from "../../saewidgets/frontend/page/live/code.js";
import { listed } from "../../saewidgets/frontend/page/live/answers.js";

const machine = await opened(JSON.parse(readFileSync(process.argv[2], "utf8")));

const ends = (generator) => {
  for (let next = generator.next(); ; next = generator.next()) if (next.done) return next.value;
};

const DO = {
  text({ wanted, reference = true }) {
    const { text, step } = textOf(machine, wanted, reference);
    while (!step());
    return { tokens: text.shown, plain: text.plain, stopped: text.stopped, room: text.room };
  },
  logits({ prompt, clamps }) {
    const read = asked(prompt, machine.tokenizer, machine.speech);
    const run = runOf(machine.decoder, editOf(machine, clamps, read, read.ids.length), false);
    return Array.from(run.feed(read.ids, 0).edited);
  },
  tokens({ text }) {
    const ids = machine.tokenizer.encode(text);
    const read = machine.tokenizer.reader();
    return { ids, pieces: ids.map(read) };
  },
  prompt: ({ prompt }) => asked(prompt, machine.tokenizer, machine.speech),
  measured: ({ prompt, clamps, multiples, tokens }) =>
    ends(measured(machine, asked(prompt, machine.tokenizer, machine.speech), clamps, new Map(multiples), tokens)),
  reading: ({ prompt }) => ends(reading(machine, prompt)),
  noise: ({ seed, step }) => Array.from(machine.noise(seed, step)),
  code: ({ prompt, clamps, how }) => codeOf("", prompt, clamps, how),
  answers: ({ rows, lookFor }) => listed(rows, lookFor, null),
};

const answer = (ask) => {
  try {
    return { is: DO[ask.do](ask) };
  } catch (error) {
    return { error: error.message };
  }
};
for await (const line of createInterface({ input: process.stdin }))
  process.stdout.write(`${JSON.stringify(JSON.parse(line).map(answer))}\n`);
