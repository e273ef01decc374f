// A text that the sweep does not hold, which a live page writes itself: asked for by strength and seed, the model's own
// beside it.

import { h } from "../../shared/elements.js";
import { numberField } from "../../shared/fields.js";
import { num } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";

/** @import { Context } from "../../types/host.js" */
/** @import { DoseResponseTraits } from "../../types/model.js" */
/** @import { Live, Point, Sweep, Written } from "./sweep.js" */
/** @typedef {typeof import("./words.js").words.en.writing} Words */

const LARGEST = 1000; // multiples of the maximum
const SEEDS = 2 ** 31 - 1; // the largest that can be typed
const AS_IT_IS = ["none", "prompt"]; // kinds that know no strength

/**
 * @param {Sweep} sweep
 * @param {Context<DoseResponseTraits & Live, any>} context
 * @param {Words} words
 */
export function writingPart(sweep, { model, link, on }, words) {
  const refused = h("p", { class: "saew-note", role: "status", hidden: true });
  const tell = (/** @type {string} */ sentence) => {
    refused.textContent = sentence;
    refused.hidden = !sentence;
  };
  /** @param {"strength" | "seed"} trait @param {[low: number, high: number, whole: boolean]} limits */
  const number = (trait, limits) => {
    const [name, [min, max, whole]] = [words[trait], limits];
    const set = (/** @type {number} */ value) => link.put({ [trait]: value });
    const refusal = (/** @type {string} */ _typed, /** @type {number} */ now) =>
      say(words.refused, { name, low: num(min, 10), high: num(max, 10), now: num(now, 10) });
    return numberField(name, { limits, set, refusal, tell }, { min, max, step: whole ? 1 : "any" });
  };
  const [strength, seed] = [number("strength", [-LARGEST, LARGEST, false]), number("seed", [0, SEEDS, true])];
  const cannot = h("p", { class: "saew-note", hidden: true });
  const state = h("span", { class: "saew-status", role: "status" });
  const writes = () => model.get("status") === "writing";
  const button = h("button", {
    type: "button",
    class: "saew-button",
    onclick: () => link.ask(writes() ? "stop" : "write"),
  });
  const texts = textsOf(sweep, new RegExp(model.get("_turn"), "u"), words);
  const el = h(
    "section",
    { class: "saew-dose-writing", "aria-label": words.title },
    h("h3", {}, words.title),
    h("p", { class: "saew-note" }, words.says),
    h("div", { class: "saew-dose-asking" }, strength.el, seed.el, button, state),
    refused,
    cannot,
    texts.el,
  );
  const update = () => {
    strength.update(model.get("strength"));
    seed.update(model.get("seed"));
    button.textContent = writes() ? words.stop : words.write;
    state.textContent = model.get("waiting") || words.status[model.get("status")];
    state.hidden = !state.textContent;
    state.setAttribute("data-status", model.get("status"));
    texts.update(model.get("_written"), writes());
  };
  /** @param {Point} point the one in hand */
  const choose = ({ kind }) => {
    const known = model.get("_writes").includes(kind);
    cannot.hidden = known;
    cannot.textContent = known ? "" : say(words.cannot, { kind: sweep.kinds[kind].name });
    button.disabled = !known;
    strength.el.hidden = AS_IT_IS.includes(kind);
  };
  on(["status", "waiting", "strength", "seed", "_written"], update);
  update();
  return { el, choose };
}

/**
 * The text, and the model's own.
 *
 * @param {Sweep} sweep
 * @param {RegExp} turn where the sweep takes an answer to end
 * @param {Words} words
 */
function textsOf(sweep, turn, words) {
  const says = h("p", { class: "saew-dose-says" });
  const pane = (/** @type {string} */ name) => {
    const title = h("h4", {}, name);
    const text = h("p", { role: "log", "aria-live": "off", "aria-label": name, dir: "auto" });
    const broke = h("span", { class: "saew-dose-stopped" }, words.broke);
    return { el: h("div", {}, title, text), title, text, broke };
  };
  const [plain, changed] = [pane(words.default), pane("")];
  const el = h("div", { hidden: true }, says, h("div", { class: "saew-dose-both" }, plain.el, changed.el));
  /** @param {Written | null} written @param {boolean} busy */
  const update = (written, busy) => {
    el.hidden = !written;
    if (!written) return;
    const { kind, multiple, seed, held, done } = written;
    const { name } = sweep.kinds[kind];
    const title = AS_IT_IS.includes(kind) ? name : say(words.at, { kind: name, multiple: num(multiple) });
    says.replaceChildren(h("strong", {}, say(words.here, { title, seed })), held ? words.held : words.apart);
    changed.title.textContent = title;
    changed.text.setAttribute("aria-label", title);
    changed.el.hidden = kind === "none";
    for (const [to, tokens] of /** @type {const} */ ([
      [plain, written.default],
      [changed, written.changed],
    ])) {
      const text = tokens.map(([, piece]) => piece).join("");
      to.text.setAttribute("aria-busy", String(busy));
      const end = turn.exec(text)?.index ?? text.length;
      const more = end < text.length ? h("span", { class: "saew-faint", title: words.turn }, text.slice(end)) : "";
      to.text.replaceChildren(text.slice(0, end).trimStart() || (done ? words.empty : ""), more);
      to.broke.title = written.stopped;
      if (written.stopped && to === changed) to.text.append(to.broke);
    }
  };
  return { el, update };
}
