// What one does with a training, how far it is, and how fast it goes.

import { h } from "../../shared/elements.js";
import { whole } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { duration } from "./runs.js";

/** @import { TrainingMonitorTraits } from "../../types/model.js" */
/** @import { Done, Words } from "./runs.js" */
/** @typedef {TrainingMonitorTraits["status"]} Status */

/**
 * The buttons and the status; only the status where nothing can be pressed. What is over has no buttons.
 *
 * @param {Words} words
 * @param {boolean} still
 * @param {(kind: "start" | "pause" | "stop") => void} ask
 */
export function runButtons(words, still, ask) {
  /** @type {Status} */
  let now = "ready";
  const state = h("span", { class: "saew-status", role: "status" });
  const begin = () => ask(now === "training" ? "pause" : "start");
  const main = h("button", { type: "button", class: "saew-button", onclick: begin });
  const end = () => ask("stop");
  const look = { type: "button", class: "saew-button saew-plain", title: words.stopTitle, onclick: end };
  const stop = h("button", look, words.stop);
  const buttons = h("div", { class: "saew-buttons" }, main, stop);
  const el = h(
    "div",
    { class: "saew-doing" },
    still ? h("span", { class: "saew-faint" }, words.recorded) : buttons,
    state,
  );
  /** @param {Status} status @param {boolean} can go on after an error @param {number} step the latest */
  const update = (status, can, step) => {
    now = status;
    state.textContent = status === "stopped" ? say(words.kept, { step: whole(step) }) : words.status[status];
    state.setAttribute("data-status", status);
    const again = status === "error" && can;
    const names = { training: words.pause, paused: words.resume, error: words.again, ready: words.start };
    main.textContent = names[/** @type {keyof typeof names} */ (status)] ?? words.start;
    buttons.hidden = !(again || ["ready", "training", "paused"].includes(status));
    stop.disabled = status === "ready";
  };
  return { el, update };
}

/** Step, tokens, speed and the time left. @param {Words} words */
export function factsPart(words) {
  const made = Object.entries(words.facts).map(([key, name]) => {
    const value = h("div", { class: "saew-value" }, words.none);
    return { key, value, el: h("div", { class: "saew-fact" }, h("div", { class: "saew-kicker" }, name), value) };
  });
  const el = h("div", { class: "saew-facts" }, ...made.map((fact) => fact.el));
  /** @param {Done} done @param {(number | null)[]} speed [tokens per second, seconds left] @param {boolean} going */
  const update = ({ step, tokens }, [speed, left], going) => {
    /** @type {Record<string, string>} */
    const told = {
      step: step ? whole(step) : words.none,
      tokens: step ? whole(tokens) : words.none,
      speed: speed ? whole(speed) : words.none,
      left: going ? duration(left, words) : words.none,
    };
    for (const { key, value, el: fact } of made) {
      value.textContent = told[key];
      fact.hidden = !going && told[key] === words.none; // a run that rests has no speed
    }
  };
  return { el, update };
}

/** @param {Words} words */
export function progressBar(words) {
  const el = h("progress", { class: "saew-progress", max: 1, value: 0, "aria-label": words.progress });
  /** @param {number} step @param {number} total 0: not known */
  const update = (step, total) => {
    el.hidden = !total;
    if (total) el.value = step / total;
  };
  return { el, update };
}
