// FeatureSearch: one box, several ways to find a feature, one table.

import { banner } from "../../shared/banner.js";
import { sparkline } from "../../shared/charts.js";
import { h } from "../../shared/elements.js";
import { listen } from "../../shared/events.js";
import { explained } from "../../shared/explained.js";
import { ownKeys } from "../../shared/keys.js";
import { kernelLink } from "../../shared/link.js";
import { num, percent, whole } from "../../shared/numbers.js";
import { followTheme } from "../../shared/theme.js";
import { glyphs } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";
import { notes } from "./notes.js";

const TEXT = {
  widget: "Feature search",
  mode: "Find features by",
  search: "Search",
  saved: "A saved search: {mode}",
  results: "Features that were found",
  none: "Nothing was found.",
  count: "{n} features",
  first: "the first {n} features",
  feature: "Feature",
  histogram: "Activations",
  histogramLabel: "Histogram of the non-zero activations of feature {feature}",
  density: "Density",
  maximum: "Maximum",
  tokens: "Strongest on",
  unlabelled: "no label",
  hint: "Enter or a click opens a feature. Arrow keys walk down the list.",
  ticks: { regex: "Regular expression", case: "Match case", relative: "As a share of its maximum" },
  share: "Of max.",
  status: { idle: "ready", searching: "searching", error: "failed" },
  dismiss: "Dismiss the message",
};
// What each way asks for, and what its score is. `lines`: one text a line.
const MODES = {
  text: { name: "text in its examples", query: "Text", ticks: ["regex", "case"], score: "Examples", live: true },
  token: { name: "a token that it promotes", query: "Token; a space in front belongs to it", score: "Logits" },
  direction: { name: "a feature that it is close to", query: "Feature number", score: "Cosine" },
  prompt: {
    name: "a text, at one of its tokens",
    query: "Text",
    other: "Up to this word; empty: the whole text",
    ticks: ["relative"],
    score: "Activation",
    live: true,
  },
  prompts: {
    name: "texts with and without it",
    query: "Texts with it, one a line",
    other: "Texts without it, one a line",
    lines: true,
    score: "Least",
    live: true,
  },
  concept: { name: "a planted concept", query: "Concept", concepts: true, score: "AUROC" },
};
const EXTRA = { negative: "Most in the others", at_peak: "At the peak", precision: "Precision", recall: "Recall" };
const SHARES = ["precision", "recall"];
const PAUSE = 300; // ms without a key before a search begins
let searches = 0;

function render({ model, el }) {
  const frozen = Boolean(model.get("_static"));
  const root = h("div", {
    class: "saew saew-search",
    role: "group",
    "aria-label": TEXT.widget,
    "data-lm-suppress-shortcuts": "true",
  });
  searches += 1;
  const id = `saew-concepts-${searches}-${Math.random().toString(36).slice(2, 8)}`;
  const link = kernelLink(model);
  const error = banner(model, TEXT.dismiss);
  const state = h("span", { class: "saew-status", role: "status" });
  const way = h(
    "select",
    { class: "saew-input", "aria-label": TEXT.mode },
    ...model.get("_modes").map((mode) => h("option", { value: mode }, MODES[mode].name)),
  );
  const concepts = h("datalist", { id });
  const count = h("span", { class: "saew-faint", role: "status" });
  const fields = h("div", { class: "saew-search-fields" });
  const list = h("div", {});
  let boxes = {};
  let timer = 0;

  const send = () => {
    clearTimeout(timer);
    timer = 0;
    link.ask(
      "search",
      Object.fromEntries(
        Object.entries(boxes).map(([name, box]) => [name, box.type === "checkbox" ? box.checked : box.value]),
      ),
    );
  };
  // Half a number, a token or a pattern is a question that nobody asked: those wait for Enter.
  const typed = () => {
    clearTimeout(timer);
    timer = 0;
    const asks = MODES[model.get("mode")];
    if (asks.concepts && model.get("_concepts").includes(boxes.query.value))
      send(); // picked from the list
    else if (asks.live && !boxes.regex?.checked) timer = setTimeout(send, PAUSE);
  };
  way.addEventListener("change", () => link.put({ mode: way.value }));

  const drawFields = () => {
    const mode = model.get("mode");
    const asks = MODES[mode];
    way.value = mode;
    const entry = (name, label) => {
      const box = asks.lines
        ? h("textarea", { class: "saew-input saew-prompt", rows: 3, spellcheck: "false", oninput: typed })
        : h("input", {
            type: "text",
            class: "saew-input",
            spellcheck: "false",
            autocomplete: "off",
            list: asks.concepts && name === "query" ? id : null,
            oninput: typed,
          });
      box.value = model.get(name);
      boxes[name] = box;
      return h("label", { class: `saew-field saew-search-${name}` }, h("span", {}, label), box);
    };
    const tick = (name, label) => {
      const box = h("input", { type: "checkbox", onchange: send });
      box.checked = model.get(name);
      boxes[name] = box;
      return h("label", { class: "saew-tick-box" }, box, label);
    };
    boxes = {};
    fields.replaceChildren(
      entry("query", asks.query),
      ...(asks.other ? [entry("other", asks.other)] : []),
      ...(asks.ticks
        ? [h("div", { class: "saew-search-ticks" }, ...asks.ticks.map((name) => tick(name, TEXT.ticks[name])))]
        : []),
    );
    concepts.replaceChildren(...model.get("_concepts").map((name) => h("option", { value: name })));
  };

  const open = (feature) => link.put({ feature });
  const drawList = () => {
    const { mode, rows, most: limit, relative } = model.get("_results");
    count.textContent = mode ? say(rows.length >= limit ? TEXT.first : TEXT.count, { n: whole(rows.length) }) : "";
    if (!mode) return list.replaceChildren();
    if (!rows.length) return list.replaceChildren(h("p", { class: "saew-note" }, TEXT.none));
    const most = Math.max(...rows.map((row) => Math.abs(row.score)), 1e-12);
    const extra = Object.keys(EXTRA).filter((name) => rows[0].extra[name] !== undefined);
    const score = relative ? TEXT.share : MODES[mode].score;
    const head = [
      TEXT.feature,
      score,
      ...extra.map((name) => EXTRA[name]),
      TEXT.histogram,
      TEXT.density,
      TEXT.maximum,
      TEXT.tokens,
    ];
    const words = [TEXT.feature, TEXT.histogram, TEXT.tokens];
    const body = rows.map((row) =>
      h(
        "tr",
        { "aria-selected": String(row.feature === model.get("feature")), onclick: () => open(row.feature) },
        h(
          "th",
          { scope: "row", class: "saew-words" },
          h(
            "button",
            { type: "button", class: "saew-feature", "data-feature": row.feature },
            h("span", { class: "saew-id" }, `#${row.feature}`),
            h(
              "span",
              { class: row.label ? "saew-list-label" : "saew-list-label saew-faint" },
              row.label || TEXT.unlabelled,
            ),
          ),
        ),
        h(
          "td",
          {},
          h(
            "span",
            { class: "saew-meter" },
            h(
              "span",
              { class: "saew-track" },
              h("span", {
                class: "saew-fill",
                style: { width: `${((100 * Math.abs(row.score)) / most).toFixed(1)}%` },
              }),
            ),
            h("span", {}, relative ? percent(row.score) : num(row.score)),
          ),
        ),
        ...extra.map((name) =>
          h(
            "td",
            {},
            row.extra[name] === null ? "–" : SHARES.includes(name) ? percent(row.extra[name]) : num(row.extra[name]),
          ),
        ),
        h(
          "td",
          { class: "saew-words" },
          row.counts.length ? sparkline(row.counts, say(TEXT.histogramLabel, row)) : "–",
        ),
        h("td", {}, row.density === null ? "–" : percent(row.density)),
        h("td", {}, row.maximum === null ? "–" : num(row.maximum)),
        h(
          "td",
          { class: "saew-words saew-search-tokens" },
          ...row.tokens.map((token) => h("code", { class: "saew-code" }, glyphs(token, 16))),
        ),
      ),
    );
    const focused = list.contains(document.activeElement) ? document.activeElement.getAttribute("data-feature") : null;
    list.replaceChildren(
      h(
        "div",
        { class: "saew-scroll saew-search-scroll" },
        h(
          "table",
          { class: "saew-table saew-probe-table", "aria-label": TEXT.results },
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              ...head.map((name) => h("th", { scope: "col", class: words.includes(name) ? "saew-words" : "" }, name)),
            ),
          ),
          h("tbody", {}, ...body),
        ),
      ),
      h("p", { class: "saew-note" }, TEXT.hint),
    );
    if (focused !== null)
      buttons()
        .find((button) => button.getAttribute("data-feature") === focused)
        ?.focus({ preventScroll: true });
  };
  const buttons = () => /** @type {HTMLElement[]} */ ([...list.querySelectorAll(".saew-feature")]);
  const mark = () => {
    for (const button of buttons())
      button
        .closest("tr")
        .setAttribute("aria-selected", String(Number(button.getAttribute("data-feature")) === model.get("feature")));
  };
  const drawStatus = () => {
    const status = model.get("status");
    state.textContent = TEXT.status[status];
    state.setAttribute("data-status", status === "searching" ? "writing" : status);
  };
  const drawQuery = () => {
    for (const [name, box] of Object.entries(boxes)) {
      if (box.type === "checkbox") box.checked = model.get(name);
      else if (!timer && document.activeElement !== box) box.value = model.get(name);
    }
  };

  const asked = [model.get("query"), model.get("other")]
    .filter(Boolean)
    .map((text) => `“${text.slice(0, 200)}”`)
    .join(", ");
  root.append(
    frozen
      ? h("p", { class: "saew-note" }, say(TEXT.saved, { mode: `${MODES[model.get("mode")].name} ${asked}` }))
      : h(
          "div",
          { class: "saew-search-form" },
          h("label", { class: "saew-field" }, h("span", {}, TEXT.mode), way),
          fields,
          concepts,
          h("button", { type: "button", class: "saew-button saew-plain", onclick: send }, TEXT.search),
        ),
    error.el,
    h("div", { class: "saew-probe-line saew-search-said" }, count, frozen ? null : state),
    list,
    ...(model.get("_passport") ? [h("footer", { class: "saew-footer" }, h("p", {}, model.get("_passport")))] : []),
  );
  if (!frozen) drawFields();
  drawList();
  drawStatus();
  el.classList.add("saew-host");
  const help = explained(root, model, notes);
  help.begin();
  el.append(root);
  const key = (event) => {
    if (event.key === "Enter" && event.target === boxes.query && !MODES[model.get("mode")].lines) {
      event.preventDefault();
      send();
      return true;
    }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return false;
    const all = buttons();
    const at = all.indexOf(event.target.closest?.(".saew-feature"));
    if (
      at < 0 &&
      !(
        event.target === boxes.query &&
        event.key === "ArrowDown" &&
        event.target.tagName === "INPUT" &&
        !event.target.list
      )
    )
      return false;
    event.preventDefault();
    if (event.key === "ArrowUp" && at === 0) boxes.query?.focus();
    else all[Math.max(0, Math.min(all.length - 1, at + (event.key === "ArrowDown" ? 1 : -1)))]?.focus();
    return true;
  };
  const stops = [
    followTheme(root),
    help.stop,
    ownKeys(root, help.keys(key)),
    listen(model, ["_results"], drawList),
    listen(model, ["feature"], mark),
    listen(model, ["mode", "_concepts"], drawFields),
    listen(model, ["query", "other", "regex", "case", "relative"], drawQuery),
    listen(model, ["status"], drawStatus),
    error.stop,
    link.stop,
    () => clearTimeout(timer),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

export default { render };
