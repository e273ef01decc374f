// SuperpositionLab: a slider moves, hundreds of small models are trained, and the pictures of the best of them answer.

import { h, responsive } from "../../shared/elements.js";
import { attempt } from "../../shared/life.js";
import { mount } from "../../shared/mount.js";
import { percent, whole } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { cardsPart } from "./cards.js";
import { chooserPart } from "./chooser.js";
import { BESIDE, controlsPart, SETTINGS } from "./controls.js";
import { detailPart } from "./detail.js";
import { sceneOf, unpack } from "./math.js";
import { notes } from "./notes.js";
import { phasesPart } from "./phases.js";
import { playerPart } from "./player.js";
import { words } from "./words.js";

/** @import { Context } from "../../types/host.js" */
/** @import { SuperpositionLabTraits } from "../../types/model.js" */
/** @import { Models } from "./math.js" */
/** @import { Settings } from "./controls.js" */
/** @typedef {typeof words.en} Words */

/** @param {Context<SuperpositionLabTraits, Words>} context */
function draw({ model, root, link, words, banner, still, add, on, ends }) {
  /** @type {Models | null} */
  let data = null;
  let turn = { yaw: -0.6, pitch: 0.45 };
  const training = () => model.get("status") === "training";
  const put = (/** @type {string} */ name, /** @type {unknown} */ value) => link.put({ [name]: value });
  const seek = (/** @type {number} */ at) => put("snapshot", data && at < data.snapshots - 1 ? at : -1);
  const choose = (/** @type {number} */ i) => put("selected", i);
  const tip = h("p", { class: "saew-note saew-tell", "aria-live": "off" });
  const tell = (/** @type {string} */ text) => {
    tip.textContent = text;
  };
  const turnBy = (/** @type {number} */ yaw, /** @type {number} */ pitch) => {
    if (!data || data.hidden < 3) return;
    turn = { yaw: turn.yaw + yaw, pitch: Math.max(-1.5, Math.min(1.5, turn.pitch + pitch)) };
    show();
  };
  const controls = controlsPart(words.controls, put, () => link.ask(training() ? "stop" : "start"));
  const cards = cardsPart(root, words, choose);
  const player = playerPart(words.player, seek);
  const sae = {
    still,
    size: (/** @type {number} */ count) => put("sae_features", count),
    kind: (/** @type {string} */ name) => put("sae_architecture", name),
    train: () => link.ask(model.get("_recovered")?.busy ? "stop" : "recover"),
  };
  const detail = detailPart({ root, words, tell, choose, seek, turnBy, put, sae });
  const phases = phasesPart(words);
  const chooser = chooserPart(words.chooser, still, model.get("_presets") ?? [], {
    choose: (name) => put("preset", name),
    again: () => link.ask("again"),
    back: () => link.ask("back"),
  });
  const about = h("p", { class: "saew-note" });
  const empty = h("p", { class: "saew-note" }, words.empty);
  const drawn = h("div", { class: "saew-lab-drawn" }, add(cards), add(player), tip, add(detail));
  const code = h("pre", { class: "saew-pre", tabindex: 0 });
  const stage = h("div", { class: "saew-lab-stage" }, banner, about, empty, add(phases), drawn);
  root.append(add(chooser));
  root.append(h("div", { class: "saew-lab-body" }, ...(still ? [] : [add(controls)]), stage));
  if (!still) root.append(h("details", { class: "saew-details" }, h("summary", {}, words.code), code));

  const stepWords = (/** @type {number} */ step, /** @type {number} */ last) =>
    say(words.step, { step: whole(step), last: whole(last) });
  const control = () => {
    const settings = /** @type {Settings} */ (
      Object.fromEntries([...SETTINGS, ...BESIDE].map((name) => [name, model.get(name)]))
    );
    const { diagram } = mapped();
    const step = data ? stepWords(data.steps[data.snapshots - 1], data.total) : "";
    const share = diagram ? diagram.share : data ? data.steps[data.snapshots - 1] / data.total : 0;
    controls.update(settings, diagram ? percent(share) : step, share);
    chooser.update(model.get("preset"), { ...settings, shows: model.get("shows") }, model.get("_chosen_before"));
  };
  const mapped = () => {
    const diagram = /** @type {import("./phases.js").Diagram} */ (model.get("_diagram"));
    const shown = model.get("shows") === "phases";
    return { shown, diagram: shown && diagram?.x ? diagram : null };
  };
  const show = () => {
    const { shown, diagram } = mapped();
    phases.update(diagram, training());
    drawn.hidden = !data || shown;
    about.hidden = shown;
    empty.hidden = Boolean(shown ? diagram : data) || training();
    about.textContent = data?.about ?? "";
    if (!data || shown) return;
    const recovered = /** @type {import("./recovery.js").Recovered} */ (model.get("_recovered"));
    const choices = { marked: model.get("marked"), attack: model.get("attack"), sample: model.get("sample") };
    const scene = {
      ...sceneOf(data, model.get("snapshot"), model.get("selected"), turn, training(), choices),
      sae: {
        recovered: recovered?.size ? recovered : null,
        features: model.get("sae_features"),
        architecture: model.get("sae_architecture"),
      },
    };
    cards.update(scene);
    player.update(scene, stepWords(data.steps[scene.at], data.steps[data.snapshots - 1]));
    detail.update(scene, model.get("view"));
  };
  const arrive = () => {
    const picture = model.get("_picture");
    data = picture?.values ? unpack(/** @type {import("./math.js").Picture} */ (picture)) : null;
    code.textContent = (mapped().diagram ?? picture)?.code ?? "";
  };
  const soon = oncePerFrame(ends, () => {
    show();
    control();
  });
  arrive();
  show();
  control();
  on(["_picture", "_diagram", "shows"], arrive);
  on(["_picture", "snapshot", "selected", "status", "view", "marked", "attack", "sample"], soon);
  on(["_diagram", "shows", "_recovered", "sae_features", "sae_architecture"], soon);
  on([...SETTINGS, "recipe_note", "preset", "_chosen_before"], control);
  watchColors(root, ends, soon);
  if (!still) attempt(model, () => model.send({ kind: "ready" }));
  return (/** @type {KeyboardEvent} */ event) => phases.keys(event) || detail.keys(event);
}

/**
 * `fn` at the next frame, once however often it was asked for.
 *
 * @param {(fn: () => void) => void} ends
 * @param {() => void} fn
 */
function oncePerFrame(ends, fn) {
  let frame = 0;
  ends(() => cancelAnimationFrame(frame));
  return () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      fn();
    });
  };
}

/**
 * Canvas does not know style sheets: paint again when the theme changes, and when the instrument first belongs to a
 *  page, since before
 * that it has no colors.
 *
 * @param {HTMLElement} root
 * @param {(fn: () => void) => void} ends
 * @param {() => void} repaint
 */
function watchColors(root, ends, repaint) {
  const observer = new MutationObserver(repaint);
  observer.observe(root, { attributes: true, attributeFilter: ["data-theme"] });
  ends(() => observer.disconnect());
  ends(responsive(root, repaint));
}

export default mount({ name: "lab", words, notes, draw });
