import assert from "node:assert/strict";
import { test } from "node:test";
import { kernelLink } from "../../saewidgets/frontend/shared/link.js";

/** A model that writes down what it is asked. */
function recorder(traits) {
  const log = [];
  const listeners = {};
  return {
    log,
    get: (name) => traits[name],
    set: (name, value) => {
      traits[name] = value;
    },
    save_changes: () => log.push(["save", { ...traits }]),
    send: (content) => log.push(["send", structuredClone(content)]),
    on: (event, fn) => {
      listeners[event] = fn;
    },
    off: (event) => delete listeners[event],
    fire: (event) => listeners[event]?.(),
    listeners,
  };
}

test("what is set is saved, and pinged with until the kernel answers", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const model = recorder({ _static: false, a: 0 });
  const told = [];
  const link = kernelLink(model, () => told.push(link.waiting()));
  link.put({ a: 1 });
  assert.deepEqual(model.log, [["save", { _static: false, a: 1 }]]);
  t.mock.timers.tick(800);
  assert.deepEqual(model.log.at(-1), ["send", { kind: "ping", set: { a: 1 } }]);
  assert.ok(!link.waiting());
  t.mock.timers.tick(800);
  assert.ok(link.waiting());
  model.fire("change:_heard");
  assert.deepEqual(told, [true, false]);
  const before = model.log.length;
  t.mock.timers.tick(10_000);
  assert.equal(model.log.length, before);
});

test("a request carries its settings, since a saved change may be held back", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const model = recorder({ _static: false, prompt: "" });
  const link = kernelLink(model);
  link.ask("write", { prompt: "Hi" });
  assert.deepEqual(model.log.at(-1), ["send", { kind: "write", set: { prompt: "Hi" } }]);
  link.stop();
  assert.deepEqual(Object.keys(model.listeners), []);
});

test("a page without a kernel asks nobody", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const model = recorder({ _static: true, a: 0 });
  const link = kernelLink(model);
  link.put({ a: 2 });
  t.mock.timers.tick(10_000);
  assert.deepEqual(
    model.log.map(([kind]) => kind),
    ["save"],
  );
});
