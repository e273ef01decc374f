// Was it luck? More answers of other seeds, without the clamps and with them, as a list below the two texts.

import { h } from "../../shared/elements.js";
import { num } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";

/** @import { Answer, Answers } from "./state.js" */
/** @typedef {typeof import("./words.js").words.en.answers} Words */
/** @typedef {{ n_answers: number, look_for: string, logprobs: boolean }} Values */
/**
 * @typedef {object} How
 * @property {Words} words
 * @property {string[]} titles of the two texts
 * @property {boolean} still no kernel stands behind the page
 * @property {(settings: Partial<Values & { seed: number }>) => void} put
 * @property {(kind: "more" | "stop") => void} ask
 */

const MOST = 64; // answers at a time, as the kernel takes them

/** @param {How} how */
export function answersPart({ words, titles, still, put, ask }) {
  const look = h("input", {
    type: "text",
    class: "saew-input saew-look",
    placeholder: words.example,
    disabled: still,
    onchange: () => put({ look_for: look.value }),
  });
  const many = h("input", {
    type: "number",
    class: "saew-input saew-small",
    min: 1,
    max: MOST,
    disabled: still,
    onchange: () => {
      if (many.value !== "" && many.validity.valid) put({ n_answers: Number(many.value) });
      else many.value = String(asked);
    },
  });
  const go = h("button", { type: "button", class: "saew-pill", onclick: () => ask(busy ? "stop" : "more") });
  const bar = h("progress", { class: "saew-answering", max: 1, "aria-label": words.writing, hidden: true });
  const held = h("p", { class: "saew-note saew-held", role: "status" });
  const head = [words.seed, ...titles].map((title) => h("th", { scope: "col", class: "saew-words" }, title));
  const body = h("tbody");
  const table = h("table", { class: "saew-table saew-answer-list" }, h("thead", {}, h("tr", {}, ...head)), body);
  const el = h(
    "section",
    { class: "saew-answers" },
    h("h3", {}, words.title),
    h("p", { class: "saew-note" }, words.note),
    h(
      "div",
      { class: "saew-settings" },
      h("label", { class: "saew-field" }, words.lookFor, look),
      h("label", { class: "saew-field" }, words.many, many),
      go,
      bar,
    ),
    held,
    table,
  );
  let [busy, asked] = [false, 0];
  /** @type {Map<number, ReturnType<typeof answerRow>>} */
  const rows = new Map();
  /** @param {Answers} answers @param {Values} values @param {string} status */
  const update = ({ rows: given, share }, { n_answers, look_for }, status) => {
    [busy, asked] = [status === "answering" && !still, n_answers];
    if (document.activeElement !== look) look.value = look_for;
    if (document.activeElement !== many) many.value = String(n_answers);
    go.textContent = busy ? words.stop : say(n_answers === 1 ? words.one : words.more, { n: n_answers });
    bar.hidden = !busy;
    bar.value = share ?? 0;
    el.hidden = still && !given.length;
    table.hidden = !given.length;
    held.textContent = heldWords(given, look_for, words);
    const seeds = new Set(given.map(({ seed }) => seed));
    for (const [seed, row] of rows)
      if (!seeds.has(seed)) {
        row.el.remove();
        rows.delete(seed);
      }
    const both = given.some(({ clamped }) => clamped);
    head[2].hidden = !both;
    for (const { seed, default: plain, clamped } of given) {
      const row = rows.get(seed) ?? answerRow(seed, titles, words, () => put({ seed }));
      rows.set(seed, row);
      body.append(row.el);
      row.update(both ? [plain, clamped] : [plain]);
    }
  };
  return { el, update };
}

/**
 * How many of the answers hold one of the words.
 *
 * @param {Answers["rows"]} rows
 * @param {string} wanted
 * @param {Words} words
 */
export function heldWords(rows, wanted, words) {
  const count = (/** @type {"default" | "clamped"} */ which) => rows.filter((row) => row[which]?.holds).length;
  if (!rows.some((row) => row.default && row.default.holds !== null)) return "";
  const sentence = rows.some((row) => row.clamped) ? words.held : words.heldDefault;
  return say(sentence, { words: wanted, n: rows.length, clamped: count("clamped"), plain: count("default") });
}

/**
 * @param {number} seed
 * @param {string[]} titles
 * @param {Words} words
 * @param {() => void} choose
 */
function answerRow(seed, titles, words, choose) {
  const show = h(
    "button",
    { type: "button", class: "saew-link", title: say(words.show, { seed }), onclick: choose },
    String(seed),
  );
  const cells = titles.map((title) => h("td", { class: "saew-words", dir: "auto", "data-title": title }));
  const el = h("tr", {}, h("th", { scope: "row" }, show), ...cells);
  /** @param {(Answer | null)[]} texts */
  const update = (texts) =>
    cells.forEach((cell, at) => {
      cell.hidden = at >= texts.length;
      cell.replaceChildren(...pieces(texts[at] ?? null, words));
    });
  return { el, update };
}

/** A text with what was found in it. @param {Answer | null} answer @param {Words} words */
function pieces(answer, words) {
  if (!answer) return [];
  const { parts, holds, perplexity, stopped } = answer;
  const [sign, said] = holds ? ["✓", words.holds] : ["–", words.lacks];
  const end = [perplexity === null ? "" : say(words.perplexity, { value: num(perplexity) }), stopped];
  return [
    ...(holds === null ? [] : [h("span", { class: "saew-holds", role: "img", "aria-label": said, title: said }, sign)]),
    ...parts.map(([text, found]) => (found ? h("mark", {}, text) : text.replace(/\s+/g, " "))),
    h("span", { class: "saew-faint" }, ` ${end.filter(Boolean).join("; ")}`),
  ];
}
