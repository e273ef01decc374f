import assert from "node:assert/strict";
import { test } from "node:test";
import { parseHTML } from "linkedom";

const page = parseHTML("<!doctype html><html><body></body></html>");
Object.assign(globalThis, { document: page.document, Node: page.Node });
const { alive, attempt, watched } = await import("../../saewidgets/frontend/shared/life.js");
const { kernelLink } = await import("../../saewidgets/frontend/shared/link.js");

/** A signal of Lumino. */
function signal() {
  const slots = new Set();
  return {
    slots,
    connect: (slot) => slots.add(slot),
    disconnect: (slot) => slots.delete(slot),
    emit: (value) => slots.forEach((slot) => slot(null, value)),
  };
}

/** An instrument in a page, with a model whose kernel can be taken away. */
function shown({ linked = true, reachable = true } = {}) {
  const listeners = {};
  const traits = { _static: false };
  const kernel = { isDisposed: false, statusChanged: signal(), disposed: signal() };
  const model = {
    reachable,
    sent: 0,
    widget_manager: { kernel },
    get: (name) => traits[name],
    set: (name, value) => {
      traits[name] = value;
    },
    save_changes() {},
    send() {
      if (!model.reachable) throw new Error("Cannot send");
      model.sent += 1;
    },
    on: (event, fn) => {
      listeners[event] = [...(listeners[event] ?? []), fn];
    },
    off: (event, fn) => {
      listeners[event] = listeners[event].filter((other) => other !== fn);
    },
    fire: (event) => (listeners[event] ?? []).forEach((fn) => fn()),
  };
  const el = page.document.createElement("div");
  const marks = { unlinked: !linked };
  el.closest = () => (marks.unlinked ? el : null);
  let link;
  const instrument = watched({
    render({ model, el }) {
      const root = page.document.createElement("div");
      root.className = "saew";
      el.append(root);
      link = kernelLink(model);
      attempt(model, () => model.send({ kind: "ready" }));
      return () => link.stop();
    },
  });
  const end = instrument.render({ model, el });
  const said = () => (el.querySelector(".saew-life").hidden ? "" : el.querySelector(".saew-life").textContent);
  const rests = () => el.querySelector(".saew").inert && el.classList.contains("saew-lifeless");
  return { el, end, kernel, link, listeners, marks, model, rests, said };
}

test("an instrument whose kernel is there says nothing", () => {
  const { said, rests, model } = shown();
  assert.equal(said(), "");
  assert.ok(!rests() && alive(model));
});

test("a restart is said at once, and the picture rests", () => {
  const { said, rests, kernel, marks, model } = shown();
  marks.unlinked = true;
  model.fire("comm_live_update");
  assert.match(said(), /^The kernel has restarted and no longer knows this instrument\. Run its cell again\.$/);
  assert.ok(rests() && !alive(model));
  kernel.disposed.emit();
  assert.match(said(), /restarted/); // what was said first stays
});

test("what becomes of the kernel is told by its status", () => {
  for (const [status, words] of [
    ["autorestarting", /has restarted/],
    ["terminating", /was shut down/],
    ["dead", /was shut down/],
  ]) {
    const { said, kernel } = shown();
    kernel.statusChanged.emit("busy");
    assert.equal(said(), "");
    kernel.statusChanged.emit(status);
    assert.match(said(), words);
  }
});

test("a saved picture is told from one that was alive", () => {
  const { said, rests } = shown({ linked: false });
  assert.match(said(), /as it was saved/);
  assert.ok(rests());
});

test("where nobody tells, a message that cannot be sent does, and an answer revives it", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { said, rests, link, model } = shown();
  model.widget_manager = undefined;
  model.reachable = false;
  link.put({ a: 1 });
  t.mock.timers.tick(1000);
  assert.match(said(), /no longer knows/);
  assert.ok(rests());
  t.mock.timers.tick(60_000);
  assert.ok(!link.waiting()); // not busy: gone
  model.reachable = true;
  model.fire("change:_heard");
  assert.equal(said(), "");
  assert.ok(!rests());
  const before = model.sent;
  link.put({ a: 2 });
  t.mock.timers.tick(1000);
  assert.equal(model.sent, before + 1);
});

test("one that cannot send while it is drawn is drawn, and says so", () => {
  const { said } = shown({ reachable: false });
  assert.match(said(), /no longer knows/);
});

test("nothing of it is left behind", () => {
  const { end, kernel, listeners, model } = shown();
  end();
  assert.equal(kernel.statusChanged.slots.size + kernel.disposed.slots.size, 0);
  assert.deepEqual(Object.values(listeners).flat(), []);
  assert.ok(alive(model));
});
