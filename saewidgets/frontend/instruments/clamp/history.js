// What was tried before: what each try differs in from now, and what came of it.

import { h } from "../../shared/elements.js";
import { num } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { promptLine, samePrompt } from "../../shared/turns.js";
import { clampWords, onNow, scopeParts } from "./state.js";

/** @import { Multiples, Settings, Try } from "./state.js" */
/** @typedef {typeof import("./words.js").words.en.history} Words */
/** @typedef {{ words: string, differs: boolean }} Said */

const SHOWN = 8; // tries, before "Show all"
const LINE = 80; // characters of a prompt's last line

/**
 * What a try says of itself: its clamps always, and whatever is not as it is now.
 *
 * @param {Try} entry
 * @param {Settings} model what is set now
 * @param {Words} words
 * @param {import("../../shared/turns.js").Words} turns
 * @returns {Said[]}
 */
export function saidOf(entry, model, words, turns) {
  const other = sortedPairs(entry.multiples) !== sortedPairs(onNow(model));
  /** @type {Said[]} */
  const said = [{ words: clampWords(entry.multiples, words) || words.nothing, differs: other }];
  const differ = (/** @type {string} */ sentence) => said.push({ words: sentence, differs: true });
  if (entry.multiples.length && String(entry.scope) !== String(model.get("scope")))
    differ(scopeWords(entry.scope, words));
  for (const name of /** @type {const} */ (["seed", "temperature", "n_tokens"]))
    if (entry[name] !== model.get(name)) differ(say(words[name], { value: num(entry[name], 10) }));
  const now = model.get("prompt");
  if (!samePrompt(entry.prompt, now))
    differ(promptWords(promptLine(entry.prompt, turns), promptLine(now, turns), words));
  return said;
}

/** Clamps whatever the order of their rows. @param {Multiples} multiples */
const sortedPairs = (multiples) => JSON.stringify([...multiples].sort(([a], [b]) => a - b));

/**
 * The last line of a prompt that is not the last line of the present one, too: in a chat the question stands last but
 *  one.
 *
 * @param {string} prompt
 * @param {string} now
 * @param {Words} words
 */
function promptWords(prompt, now, words) {
  const lines = (/** @type {string} */ text) => text.split("\n").filter((line) => line.trim());
  const [own, others] = [lines(prompt), new Set(lines(now))];
  const line = (own.findLast((one) => !others.has(one)) ?? own.at(-1) ?? "").trim();
  if (!line) return words.emptyPrompt;
  return say(words.prompt, { line: line.length > LINE ? `${line.slice(0, LINE - 1)}…` : line });
}

/** @param {number | string} scope @param {Words} words */
function scopeWords(scope, words) {
  const { kind, t } = scopeParts(scope);
  const named = /** @type {Record<string, string>} */ (words.scopes)[kind];
  return named ?? say(kind === "only" ? words.only : words.from, { t });
}

/**
 * @param {Words} words
 * @param {import("../../shared/turns.js").Words} turns
 * @param {(entry: Try) => void} restore is called with the one that was chosen
 */
export function historyList(words, turns, restore) {
  const summary = h("summary", {});
  const list = h("ol", { class: "saew-tries-list" });
  const all = h("button", { type: "button", class: "saew-link", hidden: true });
  const el = h(
    "details",
    { class: "saew-details", hidden: true },
    summary,
    h("p", { class: "saew-note" }, words.note),
    list,
    all,
  );
  let everything = false; // every try, once somebody has asked for them
  /** @param {Try[]} history @param {Settings} model */
  const update = (history, model) => {
    el.hidden = history.length < 2; // one try is what is shown
    summary.textContent = say(words.title, { n: history.length });
    all.textContent = say(words.all, { n: history.length });
    if (!el.open || el.hidden) {
      el.ontoggle = () => el.open && update(history, model); // what is closed is not drawn
      return;
    }
    el.ontoggle = null;
    const listed = everything ? history : history.slice(0, SHOWN);
    all.hidden = listed.length === history.length;
    all.onclick = () => {
      everything = true;
      update(history, model);
    };
    list.replaceChildren(
      ...listed.map((entry) => {
        const title = promptLine(entry.prompt, turns);
        return tryItem(entry, title, saidOf(entry, model, words, turns), words, restore);
      }),
    );
  };
  return { el, update };
}

/**
 * @param {Try} entry
 * @param {string} title
 * @param {Said[]} said
 * @param {Words} words
 * @param {(entry: Try) => void} restore
 */
function tryItem(entry, title, said, words, restore) {
  const now = !said.some(({ differs }) => differs);
  const parts = said.flatMap(({ words: part, differs }, i) => [
    ...(i ? [words.between] : []),
    differs ? h("strong", {}, part) : h("span", {}, part),
  ]);
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", class: "saew-try", title, "aria-current": now, onclick: () => restore(entry) },
      h("span", { class: "saew-try-name" }, ...parts, now ? h("span", { class: "saew-faint" }, words.now) : null),
      h("span", { class: "saew-try-text", dir: "auto" }, entry.text.replace(/\s+/g, " ") || words.empty),
    ),
  );
}
