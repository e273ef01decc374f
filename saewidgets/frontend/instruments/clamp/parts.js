// The parts of a clamp panel, each with the words, the records and the hands that it needs.

import { h } from "../../shared/elements.js";
import { picker } from "../../shared/picker.js";
import { answersPart } from "./answers.js";
import { historyList } from "./history.js";
import { measuredTable } from "./measured.js";
import { presetsPart } from "./presets.js";
import { promptPart } from "./prompt.js";
import { rowsPart } from "./rows.js";
import { settingsPart } from "./settings.js";
import { rowName } from "./state.js";
import { textsPart } from "./texts.js";
import { waitingNote } from "./waiting.js";

/** @import { Context } from "../../types/host.js" */
/** @import { ClampPanelTraits } from "../../types/model.js" */
/** @import { Recorded, Row, Token, Try } from "./state.js" */
/** @typedef {ClampPanelTraits & { _recording?: any }} Traits */
/** @typedef {Context<Traits, typeof import("./words.js").words.en>} Panel */
/**
 * @typedef {object} Means
 * @property {boolean} frozen nothing can be moved: nobody answers
 * @property {boolean} fixed only what a recording holds can be set
 * @property {(settings: Partial<Traits>) => void} put
 */

/**
 * @param {Panel} context
 * @param {Means} means
 */
export function partsOf({ model, link, words, common, still }, { frozen, fixed, put }) {
  const recorded = model.get("_recorded");
  const labelOf = (/** @type {number} */ feature) => {
    /** @type {Row[]} */
    const rows = model.get("_rows");
    return rowName(rows.find((row) => row.feature === feature) ?? { feature });
  };
  const prompt = promptPart(words.prompt, common.turns, model.get("_examples"), fixed, {
    put: (prompt) => put({ prompt }),
    write: (prompt) => link.ask("write", { prompt }),
    answer: () => (model.get("_texts").clamped ?? []).map((/** @type {Token} */ [, piece]) => piece).join(""),
  });
  const rows = rowsPart({
    words: words.rows,
    frozen,
    fixed,
    recorded: recorded?.multiples ?? {},
    change: (feature, multiple) => put({ multiples: { ...model.get("multiples"), [feature]: multiple } }),
    remove: (feature) => put({ features: model.get("features").filter((f) => f !== feature) }),
    choose: (feature) => put({ feature }),
  });
  const presets = presetsPart(words.presets, model.get("_presets") ?? [], (clamps) => {
    const off = Object.fromEntries(model.get("features").map((feature) => [feature, null]));
    const multiples = { ...off, ...Object.fromEntries(clamps) };
    // Rows come and go only where somebody can describe them; the row that is left says what was off.
    if (fixed || !clamps.length) put({ multiples });
    else put({ features: clamps.map(([feature]) => feature), multiples });
  });
  const find = picker(
    () => model.get("_index").filter((row) => !model.get("features").includes(row.feature)),
    (feature) => put({ features: [...model.get("features"), feature] }),
    { label: words.addLabel, placeholder: words.add },
    common.picker,
  );
  const settings = settingsPart({
    words: words.settings,
    still,
    frozen,
    fixed,
    recorded: /** @type {Recorded | null} */ (recorded ?? null),
    comparisons: model.get("_comparisons") ?? [],
    put,
    ask: (kind) => link.ask(kind),
  });
  const restore = (/** @type {Try} */ { multiples: tried, prompt, scope, temperature, seed, n_tokens }) => {
    const features = [...new Set([...model.get("features"), ...tried.map(([feature]) => feature)])];
    const off = Object.fromEntries(features.map((feature) => [feature, null]));
    put({ features, multiples: { ...off, ...Object.fromEntries(tried) }, prompt, scope, temperature, seed, n_tokens });
  };
  return {
    prompt,
    presets,
    rows,
    find,
    settings,
    note: waitingNote({
      busy: [words.busy, model.get("_kernel")].filter(Boolean).join(" "),
      preparing: words.preparing,
    }),
    texts: textsPart(words.texts, Boolean(recorded), (logprobs) => put({ logprobs })),
    answers: answersPart({
      words: words.answers,
      titles: [words.texts.default, words.texts.clamped],
      still,
      put,
      ask: (kind) => link.ask(kind),
    }),
    measured: measuredTable(labelOf, words.measured),
    history: historyList(words.history, common.turns, restore),
    code: h("pre", { class: "saew-pre", tabindex: 0 }),
  };
}
