// ClampPanel: sliders in multiples of each feature's maximum, and what the model writes without and with them.

import { h } from "../../shared/elements.js";
import { attempt } from "../../shared/life.js";
import { mount } from "../../shared/mount.js";
import { tooltip, walk } from "../../shared/tokens.js";
import { partsOf } from "./parts.js";
import { played } from "./recording.js";
import { notes } from "./notes.js";
import { onNow } from "./state.js";
import { words } from "./words.js";

/** @import { Panel, Traits } from "./parts.js" */
/** @import { Answers, Texts } from "./state.js" */

const SET = /** @type {const} */ ([
  "prompt",
  "multiples",
  "scope",
  "temperature",
  "n_tokens",
  "seed",
  "compare",
  "feature",
]);
/** @type {WeakMap<Element, () => void>} */
const streams = new WeakMap(); // of each panel, what draws its texts anew

/** @param {Panel} context */
function draw(context) {
  const { model, root, link, words, banner, still, add, on, ends } = context;
  const { playing, ...means } = meansOf(context);
  const { frozen, fixed } = means;
  const { prompt, presets, rows, find, settings, note, texts, answers, measured, history, code } = partsOf(
    context,
    means,
  );
  root.classList.toggle("saew-frozen", frozen);
  root.classList.toggle("saew-recorded", Boolean(model.get("_recorded")));
  root.append(
    add(prompt),
    banner,
    h(
      "div",
      { class: "saew-clamps" },
      add(presets),
      add(rows),
      fixed ? h("p", { class: "saew-note" }, frozen ? words.still : words.playing) : find.el,
    ),
    add(settings),
    add(note),
    add(texts),
    add(answers),
    add(measured),
    add(history),
    h("details", { class: "saew-details" }, h("summary", {}, words.code), code),
    h("div", { class: "saew-footer" }, h("p", {}, model.get("_passport"))),
  );

  let awaited = false; // nothing of the text that is being written has come yet
  const build = () => {
    const held = rows.build(model.get("_rows"));
    rows.update(model.get("multiples"), model.get("feature"));
    if (held) find.el.querySelector("input")?.focus(); // the row with the focus may be gone
  };
  const update = () => {
    presets.update(onNow(model));
    rows.update(model.get("multiples"), model.get("feature"));
    prompt.update(model.get("prompt"));
    settings.update(valuesOf(model));
    history.update(model.get("_history") ?? [], model);
  };
  const stream = () => {
    const now = /** @type {Texts} */ (model.get("_texts"));
    const writing = model.get("status") === "writing" && !still;
    const tokens = now.default.length + now.clamped.length;
    const stale = tokens > 0 && (Boolean(now.stale) || link.waiting() || (writing && awaited));
    texts.update(now, { ...valuesOf(model), asked: onNow(model), writing, stale });
    measured.update(playing ? NOTHING : model.get("_measured"), writing || stale);
    settings.leave(now.room ?? null);
    settings.tell({ status: model.get("status"), waiting: model.get("waiting") ?? "" });
    code.textContent = now.code;
    note.update({ owes: link.waiting(), writing, tokens });
  };
  // Apart from the texts, which come twenty times a second: all rows are drawn anew.
  const list = () =>
    answers.update(/** @type {Answers} */ (model.get("_answers")), valuesOf(model), model.get("status"));
  streams.set(root, stream);
  build();
  if (playing) model.set("_texts", played(model));
  update();
  stream();
  list();
  tooltip(root);
  if (!still) attempt(model, () => model.send({ kind: "ready" }));
  on(["_rows"], build);
  on([...SET, "_history"], update);
  on(["status"], () => {
    awaited = model.get("status") === "writing";
  });
  on(["_texts"], () => {
    awaited = false;
  });
  on(["_texts", "status", "waiting", "multiples", "_measured", "logprobs"], stream);
  on(["_answers", "n_answers", "look_for", "status"], list);
  ends(() => streams.delete(root));
  return (/** @type {KeyboardEvent} */ event) => prompt.key(event) || find.key(event) || rows.key(event) || walk(event);
}

/** @type {any[]} */
const NOTHING = [];

/** @param {Panel["model"]} model */
const valuesOf = (model) => ({
  scope: model.get("scope"),
  temperature: model.get("temperature"),
  n_tokens: model.get("n_tokens"),
  seed: model.get("seed"),
  compare: model.get("compare") ?? "",
  n_answers: model.get("n_answers"),
  look_for: model.get("look_for"),
  logprobs: model.get("logprobs"),
});

/** What can be done with a panel: a recording answers by itself, a picture not at all. @param {Panel} context */
function meansOf({ model, link, still }) {
  const playing = still && Boolean(model.get("_recording"));
  const frozen = still && !playing; // nothing answers
  const fixed = frozen || Boolean(model.get("_recorded")); // what only a model can answer
  /** @param {Partial<Traits>} settings */
  const put = (settings) => {
    link.put(settings);
    if (playing) model.set("_texts", played(model));
  };
  return { put, playing, frozen, fixed };
}

export default mount({ name: "clamp", words, notes, draw, told: ({ root }) => streams.get(root)?.() });
