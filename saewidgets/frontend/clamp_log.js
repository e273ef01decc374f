// Below the two texts of a clamp panel: what was measured after the clamp, and what was tried before.

import { fixed, h, num, percent, say } from "./dom.js";

const LOG_TEXT = {
  measured: "Did the clamp hold?",
  measuredNote: "Measured again in the model on this text, in SAE units, mean over its tokens: without the clamp, and with it.",
  columns: [["feature", true], ["where", true], ["what is read", true], ["default", false], ["clamped", false], ["change kept", false]],
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

/** One clamp in words: "#96 at 1.4×". */
export function clampWords(multiples) {
  return multiples.map(([feature, multiple]) => `#${feature} at ${num(multiple, 4)}×`).join(" + ");
}

/** The table of measurements: update(rows), rows as [{feature, site, measure, default, clamped, kept}]. */
export function measuredTable(nameOf) {
  const body = h("tbody");
  const head = LOG_TEXT.columns.map(([words, left]) => h("th", { scope: "col", class: left ? "saew-words" : "" }, words));
  const table = h("table", { class: "saew-table saew-measured-table" }, h("thead", {}, h("tr", {}, ...head)), body);
  const el = h("section", { class: "saew-measured", hidden: true }, h("h3", {}, LOG_TEXT.measured), h("p", { class: "saew-note" }, LOG_TEXT.measuredNote), h("div", { class: "saew-scroll" }, table));
  const figure = (x) => h("td", {}, x === null ? "–" : fixed(x));
  const kept = (share) =>
    h(
      "td",
      {},
      share === null ? "–" : h("span", { class: "saew-kept" }, h("span", { class: "saew-track", "aria-hidden": "true" }, h("span", { class: "saew-fill", style: { width: `${Math.max(0, Math.min(100, 100 * share))}%` } })), percent(Math.round(100 * share) / 100)),
    );
  const update = (rows, stale) => {
    el.hidden = !rows.length;
    el.classList.toggle("saew-stale", stale);
    body.replaceChildren(
      ...rows.map((row, i) => {
        const first = i === 0 || rows[i - 1].feature !== row.feature;
        const words = h("td", { class: "saew-words" }, LOG_TEXT.measures[row.measure] ?? row.measure);
        return h("tr", {}, h("th", { scope: "row" }, first ? nameOf(row.feature) : ""), h("td", { class: "saew-words" }, row.site), words, figure(row.default), figure(row.clamped), kept(row.kept));
      }),
    );
  };
  return { el, update };
}

/** The list of tries: update(history); restore(entry) is called with the one that was chosen. */
export function historyList(restore) {
  const list = h("ol", { class: "saew-tries-list" });
  const el = h("details", { class: "saew-details", hidden: true }, h("summary", {}), h("p", { class: "saew-note" }, LOG_TEXT.historyNote), list);
  const scopeWords = (scope) => LOG_TEXT.scopes[scope] ?? say(String(scope).startsWith("token ") ? LOG_TEXT.only : LOG_TEXT.from, { t: String(scope).replace("token ", "") });
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
            h("span", { class: "saew-try-name" }, entry.multiples.length ? clampWords(entry.multiples) + scopeWords(entry.scope) : LOG_TEXT.nothing),
            h("span", { class: "saew-try-text" }, entry.text.replace(/\s+/g, " ") || LOG_TEXT.empty),
            h("span", { class: "saew-faint" }, say(LOG_TEXT.more, { seed: entry.seed, temperature: num(entry.temperature), n: entry.n_tokens })),
          ),
        ),
      ),
    );
  };
  return { el, update };
}
