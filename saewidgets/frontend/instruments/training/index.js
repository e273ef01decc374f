// TrainingMonitor: start, pause, resume, stop and keep; live curves of one run or several, and their frontier.

import { h } from "../../shared/elements.js";
import { mount } from "../../shared/mount.js";
import { say } from "../../shared/words.js";
import { factsPart, progressBar, runButtons } from "./controls.js";
import { curvesPart } from "./curves.js";
import { frontierChart } from "./frontier.js";
import { notes } from "./notes.js";
import { done, numbered } from "./runs.js";
import { scalingPart } from "./scaling.js";
import { runsTable } from "./table.js";
import { words } from "./words.js";

/** @import { Context } from "../../types/host.js" */
/** @import { TrainingMonitorTraits } from "../../types/model.js" */
/** @import { Run, Sent } from "./runs.js" */
/** @typedef {typeof words.en} Words */

/** @param {Context<TrainingMonitorTraits, Words>} context */
function draw({ model, root, link, words, banner, still, add, on, ends }) {
  const pick = (/** @type {string} */ name) => link.put({ selected: name });
  const buttons = runButtons(words, still, (kind) => link.ask(kind));
  const facts = factsPart(words);
  const bar = progressBar(words);
  const frontier = frontierChart(words, pick);
  const table = runsTable(words, pick);
  const curves = curvesPart(words);
  const scaling = scalingPart(words, pick);
  const { title, note } = words.frontier;
  const plane = h("div", { class: "saew-section" }, h("h3", {}, title), h("p", { class: "saew-note" }, note));
  plane.append(add(frontier));
  const several = h("div", { class: "saew-several" }, plane, add(table));
  const about = h("p", { class: "saew-note saew-about" });
  const before = h("p", { class: "saew-before" }, still ? words.beforeStill : hint(words));
  root.append(
    h("div", { class: "saew-run" }, add(buttons), add(facts)),
    add(bar),
    banner,
    several,
    add(scaling),
    about,
    before,
    add(curves),
  );

  const update = () => {
    const runs = numbered(/** @type {Sent[]} */ (model.get("_runs")), model.get("selected"));
    const so = done(runs);
    const status = model.get("status");
    buttons.update(status, model.get("_again"), so.step);
    facts.update(so, model.get("_speed"), status === "training");
    bar.update(so.step, model.get("total"));
    const begun = so.step > 0;
    before.hidden = begun;
    for (const part of [curves, facts]) part.el.hidden = !begun;
    several.hidden = !begun || runs.length < 2;
    scaling.update(begun ? runs : []);
    about.textContent = aboutWords(runs, begun, words);
    about.hidden = !about.textContent;
    if (begun) curves.update(runs);
    if (!several.hidden) for (const part of [frontier, table]) part.update(runs);
  };
  let frame = 0; // several traits change at once: they are drawn once
  const soon = () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(update);
  };
  update();
  on(["status", "total", "_again", "_runs", "_speed", "selected"], soon);
  ends(() => cancelAnimationFrame(frame));
}

/** What will be seen, before there is anything to see. @param {Words} words */
function hint({ before, between, curves }) {
  const { loss, fvu, l0, dead, density } = curves;
  const names = [loss, fvu, l0, dead, density].map((name) => name.toLowerCase()).join(between);
  return say(before, { names });
}

/**
 * What is trained, or which of several runs is in front.
 *
 * @param {Run[]} runs
 * @param {boolean} begun
 * @param {Words} words
 */
function aboutWords(runs, begun, words) {
  if (runs.length < 2) return runs[0]?.facts ?? "";
  if (begun) return say(words.runs.inFront, { name: runs.find((run) => run.chosen)?.name });
  return say(words.runs.toCome, { n: runs.length, names: runs.map((run) => run.name).join("; ") });
}

export default mount({ name: "training", words, notes, draw });
