// FeatureProbe: which features a text sets off, token by token.

import { h } from "../../shared/elements.js";
import { mount } from "../../shared/mount.js";
import { tooltip, walk } from "../../shared/tokens.js";
import { besideText } from "./beside.js";
import { textBox } from "./box.js";
import { legendPart } from "./legend.js";
import { featureList } from "./list.js";
import { measurePart } from "./measure.js";
import { notes } from "./notes.js";
import { sortOf } from "./reading.js";
import { tokenStrip } from "./strip.js";
import { words } from "./words.js";

/** @import { Context, Model } from "../../types/host.js" */
/** @import { FeatureProbeTraits } from "../../types/model.js" */
/** @import { Prompt, View } from "./reading.js" */
/** @typedef {typeof words.en} Words */

/** @param {Context<FeatureProbeTraits, Words>} context */
function draw(context) {
  const { model, root, link, words, common, banner, still, add, on } = context;
  let open = false;
  /** @type {number | null} */
  let looked = null;
  const view = () => viewOf(model, looked, open);
  const pin = (/** @type {number} */ feature) => {
    const pinned = model.get("pinned");
    const rest = pinned.filter((other) => other !== feature);
    link.put({ pinned: rest.length < pinned.length ? rest : [...pinned, feature] });
  };
  const box = textBox(words, common.turns, (text) => link.put({ text }));
  const strip = tokenStrip(words, common.turns, (at) => link.put({ position: view().position === at ? null : at }));
  const legend = legendPart(words, pin);
  const list = featureList(words, common.sideways, {
    pick: (feature) => link.put({ feature }),
    pin,
    sort: (sort) => link.put({ sort }),
    look: (feature) => {
      looked = feature;
      paint();
    },
    open: (all) => {
      open = all;
      list.update(view());
    },
    back: () => link.put({ position: null }),
  });
  const measure = measurePart(words, {
    put: (name, value) => link.put({ [name]: value }),
    measure: (tokens) => link.ask("measure", tokens),
    ask: (kind) => link.ask(kind),
  });
  const beside = besideText(context, view);
  const reads = !still && model.get("_can").includes("read");
  root.append(
    reads ? add(box) : h("p", { class: "saew-note" }, words.saved),
    banner,
    h("div", { class: "saew-section" }, ...tokensHead(words), strip.raw, add(strip), add(legend)),
    add(list),
    add(beside),
    add(measure),
    h("div", { class: "saew-footer" }, h("p", {}, model.get("_passport"))),
  );

  const paint = () => {
    strip.paint(view());
    legend.update(view());
    beside.paint();
  };
  const asked = () => {
    const cost = Boolean(view().prompt.losses[String(model.get("feature"))]);
    const tokens = { target: model.get("target"), baseline: model.get("baseline") };
    measure.update(view(), { can: model.get("_can"), still, tokens, cost });
  };
  const chosen = () => {
    paint();
    list.update(view());
    asked();
  };
  const read = () => {
    looked = null;
    strip.update(view());
    chosen();
  };
  const typed = () => box.update(model.get("text"));
  const told = () => {
    box.told(model.get("status"), model.get("waiting") ?? "");
    measure.rest(model.get("status") === "measuring");
  };
  for (const first of [typed, read, told]) first();
  tooltip(root);
  on(["_prompt"], read);
  on(["feature", "pinned", "position", "sort", "_names"], chosen);
  on(["target", "baseline", "_can"], asked);
  on(["text"], typed);
  on(["status", "waiting"], told);
  return (/** @type {KeyboardEvent} */ event) =>
    tokenKeys(event) || leaves(event, view(), () => link.put({ position: null })) || measure.key(event) || walk(event);
}

/** @param {Model<FeatureProbeTraits>} model @param {number | null} looked @param {boolean} open @returns {View} */
function viewOf(model, looked, open) {
  const prompt = /** @type {Prompt} */ (model.get("_prompt"));
  const at = model.get("position");
  return {
    prompt,
    known: new Map(prompt.features.map((f) => [f.feature, f])),
    names: model.get("_names"),
    feature: model.get("feature") ?? null,
    looked,
    pinned: model.get("pinned"),
    position: at !== null && Number.isInteger(at) && at >= 0 && at < prompt.tokens.length ? at : null,
    sort: sortOf(prompt, model.get("sort")),
    open,
  };
}

/** @param {Words} words */
function tokensHead({ tokens, tokensNote }) {
  return [h("h3", {}, tokens), h("p", { class: "saew-note" }, tokensNote)];
}

/** Enter or the space bar on a token clicks it. @param {KeyboardEvent} event */
function tokenKeys(event) {
  const target = /** @type {Element | null} */ (event.target);
  const token = /** @type {HTMLElement | null} */ (target?.closest?.(".saew-probe-strip .saew-token") ?? null);
  if (!token || (event.key !== "Enter" && event.key !== " ")) return false;
  event.preventDefault();
  token.click();
  return true;
}

/**
 * Escape leads back from one token to the whole text.
 *
 * @param {KeyboardEvent} event
 * @param {View} view
 * @param {() => void} go
 */
function leaves(event, { position }, go) {
  const target = /** @type {Element | null} */ (event.target);
  if (event.key !== "Escape" || position === null) return false;
  if (!target?.closest?.(".saew-probe-strip, .saew-probe-list")) return false;
  go();
  return true;
}

export default mount({ name: "probe", words, notes, draw });
