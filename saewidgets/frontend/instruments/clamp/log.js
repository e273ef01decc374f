// Below the two texts of a clamp panel: what was measured after the clamp, and what was tried before.

import { h } from "../../shared/elements.js";
import { fixed, num, percent } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";

const LOG_TEXT = {
  all: "Show all {n} rows",
  measured: "Did the clamp hold?",
  measuredNote:
    "Measured again in the model on this text, in SAE units, mean over its tokens: without the clamp, and with it.",
  columns: [
    ["feature", true],
    ["where", true],
    ["what is read", true],
    ["default", false],
    ["clamped", false],
    ["change kept", false],
  ],
  measures: { activation: "its activation", projection: "along its direction" },
  history: "What was tried",
  historyNote: "The latest first. Choose one to go back to it.",
  nothing: "no clamp",
  scopes: { all: "", prompt: ", prompt only", generated: ", generated only" },
  from: ", from token {t} on",
  only: ", token {t} only",
  more: "seed {seed}, temperature {temperature}, {n} tokens",
  empty: "(nothing was written)",
};

const LOG_SITES = 6; // of each feature, before "Show all"

/** One clamp in words: "#96 at 1.4×". */
export function clampWords(multiples) {
  return multiples.map(([feature, multiple]) => `#${feature} at ${num(multiple, 4)}×`).join(" + ");
}

/** The table of measurements: update(rows), rows as [{feature, site, measure, default, clamped, kept}]. */
export function measuredTable(nameOf) {
  const body = h("tbody");
  const head = LOG_TEXT.columns.map(([words, left]) =>
    h("th", { scope: "col", class: left ? "saew-words" : "" }, words),
  );
  const table = h("table", { class: "saew-table saew-measured-table" }, h("thead", {}, h("tr", {}, ...head)), body);
  const el = h(
    "section",
    { class: "saew-measured", hidden: true },
    h("h3", {}, LOG_TEXT.measured),
    h("p", { class: "saew-note" }, LOG_TEXT.measuredNote),
    h("div", { class: "saew-scroll" }, table),
  );
  const figure = (x) => h("td", {}, x === null ? "–" : fixed(x));
  const kept = (share) =>
    h(
      "td",
      {},
      share === null
        ? "–"
        : h(
            "span",
            { class: "saew-kept" },
            h(
              "span",
              { class: "saew-track", "aria-hidden": "true" },
              h("span", { class: "saew-fill", style: { width: `${Math.max(0, Math.min(100, 100 * share))}%` } }),
            ),
            percent(Math.round(100 * share) / 100),
          ),
    );
  let everything = false; // every row, once somebody has asked for it
  let shown = [[], false];
  const showAll = () => {
    everything = true;
    update(...shown);
  };
  const all = h("button", { type: "button", class: "saew-link", hidden: true, onclick: showAll });
  el.append(all);
  const update = (rows, stale) => {
    shown = [rows, stale];
    el.hidden = !rows.length;
    el.classList.toggle("saew-stale", stale);
    const listed = everything ? rows : logSites(rows);
    all.hidden = listed.length === rows.length;
    all.textContent = say(LOG_TEXT.all, { n: rows.length });
    body.replaceChildren(
      ...listed.map((row, i) => {
        const first = i === 0 || listed[i - 1].feature !== row.feature;
        const words = h("td", { class: "saew-words" }, LOG_TEXT.measures[row.measure] ?? row.measure);
        return h(
          "tr",
          {},
          h("th", { scope: "row" }, first ? nameOf(row.feature) : ""),
          h("td", { class: "saew-words" }, row.site),
          words,
          figure(row.default),
          figure(row.clamped),
          kept(row.kept),
        );
      }),
    );
  };
  return { el, update };
}

/** Of each feature the clamp's own site and a few of the later ones, evenly from the next to the last: a model may have many layers. */
function logSites(rows) {
  const features = [...new Set(rows.map((row) => row.feature))];
  return features.flatMap((feature) => {
    const own = rows.filter((row) => row.feature === feature);
    if (own.length <= LOG_SITES) return own;
    const kept = new Set([
      0,
      ...Array.from({ length: LOG_SITES - 1 }, (_, i) => Math.round(1 + (i * (own.length - 2)) / (LOG_SITES - 2))),
    ]);
    return own.filter((_, i) => kept.has(i));
  });
}

/** The list of tries: update(history); restore(entry) is called with the one that was chosen. */
export function historyList(restore) {
  const list = h("ol", { class: "saew-tries-list" });
  const el = h(
    "details",
    { class: "saew-details", hidden: true },
    h("summary", {}),
    h("p", { class: "saew-note" }, LOG_TEXT.historyNote),
    list,
  );
  const scopeWords = (scope) =>
    LOG_TEXT.scopes[scope] ??
    say(String(scope).startsWith("token ") ? LOG_TEXT.only : LOG_TEXT.from, { t: String(scope).replace("token ", "") });
  const update = (history) => {
    el.hidden = history.length < 2; // one try is what is shown
    el.firstChild.textContent = `${LOG_TEXT.history} (${history.length})`;
    list.replaceChildren(
      ...history.map((entry) =>
        h(
          "li",
          {},
          h(
            "button",
            { type: "button", class: "saew-try", title: entry.prompt, onclick: () => restore(entry) },
            h(
              "span",
              { class: "saew-try-name" },
              entry.multiples.length ? clampWords(entry.multiples) + scopeWords(entry.scope) : LOG_TEXT.nothing,
            ),
            h("span", { class: "saew-try-text" }, entry.text.replace(/\s+/g, " ") || LOG_TEXT.empty),
            h(
              "span",
              { class: "saew-faint" },
              say(LOG_TEXT.more, { seed: entry.seed, temperature: num(entry.temperature), n: entry.n_tokens }),
            ),
          ),
        ),
      ),
    );
  };
  return { el, update };
}
