// FeatureDashboard: everything that is known of one feature.

import { banner } from "../../shared/banner.js";
import { h } from "../../shared/elements.js";
import { listen } from "../../shared/events.js";
import { binKeys, histogramChart } from "../../shared/histograms.js";
import { explained } from "../../shared/explained.js";
import { ownKeys } from "../../shared/keys.js";
import { kernelLink } from "../../shared/link.js";
import { num, percent, whole } from "../../shared/numbers.js";
import { picker } from "../../shared/picker.js";
import { followTheme } from "../../shared/theme.js";
import { enterable, tooltip, walk } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";
import { describe, exampleRow, facts, underlineLegend } from "./examples.js";
import { exampleFilter } from "./filter.js";
import { densityPart, logitsPart, neuronsPart, relatedPart, section } from "./side.js";
import { notes } from "./notes.js";

const TEXT = {
  widget: "Feature dashboard",
  previous: "Previous feature",
  next: "Next feature",
  number: "Feature number",
  feature: "Feature",
  unlabelled: "no label",
  fires: "Fires on",
  ofTokens: "of tokens",
  oneIn: "1 in {n}",
  never: "never here",
  maximum: "Largest activation",
  units: "SAE units",
  position: "{i} of {n} features",
  top: "Where it is strongest",
  topNote: "Darker orange is stronger. Point at a token for its numbers, choose it to keep them in view.",
  measuring: "Measuring what each token loses without the feature …",
  all: "Show all {n}",
  fewer: "Show fewer",
  noExamples: "It never fired on this corpus.",
  intervals: "Weaker examples, level by level",
  intervalsNote:
    "Drawn at random from {k} equal levels between 0 and the maximum: what most of its activations look like.",
  level: "{low} to {high}",
  histogram: "How strongly it fires",
  histogramNote: "Tokens by activation, zeros left out. Choose a bar to read examples from it.",
  nonZero: "non-zero activations",
  activationBin: "activation",
  tokens: "tokens",
  bin: "Examples with activation {low} to {high}",
  binNote: "{n} of {all} tokens in this bar, drawn at random",
  binAround: "No example of this bar is at hand; these are of the level around it, {low} to {high}.",
  binEmpty: "No example of this bar is at hand.",
  closeBin: "Close these examples",
  chosen: "Chosen token",
  closeToken: "Let go of this token",
  dismiss: "Dismiss the message",
  honestyTitle: "What this page does not show",
  honesty: [
    "The label is a summary by a person or a list of planted concepts; the feature may answer to more, or to less, than it says.",
    "Top examples flatter. Judge by the weaker levels too: that is where most of the activations are.",
    "An SAE leaves something out. What it fails to reconstruct is not here, and a concept without a feature may live there, or in several layers at once.",
    "Training presses activations down a little, so magnitudes are underestimates.",
    "“What it writes” is the straight path to the output. What later layers make of the feature is in the underlines and in a token's own list, where the feature was left out of a real forward pass of the whole document.",
    "Active together is not the same as one causing the other.",
    "All figures hold for the corpus named above. Other text may find other uses for the same direction.",
  ],
};
const FIRST = 10; // top examples before "Show all", where the page is narrow

function topExamples(rows, legend) {
  if (!rows.length) return section(TEXT.top, "", h("p", {}, TEXT.noExamples));
  rows.slice(FIRST).forEach((row) => row.classList.add("saew-more"));
  const list = h("ol", { class: "saew-examples saew-walk" }, ...rows);
  enterable(list);
  const parts = [legend, list];
  if (rows.length > FIRST) {
    const set = (open) => {
      list.classList.toggle("saew-open", open);
      more.textContent = open ? TEXT.fewer : say(TEXT.all, { n: rows.length });
      more.setAttribute("aria-expanded", String(open));
    };
    const more = h("button", {
      type: "button",
      class: "saew-link saew-toggle",
      onclick: () => set(more.getAttribute("aria-expanded") !== "true"),
    });
    set(false);
    parts.push(more);
  }
  return section(TEXT.top, TEXT.topNote, ...parts);
}

function intervalExamples(shown, rows) {
  if (!rows.length) return null;
  const levels = 1 + Math.max(...shown.intervals.map((item) => item.v));
  const groups = new Map();
  rows.forEach((row) => groups.set(row.saewItem.v, [...(groups.get(row.saewItem.v) ?? []), row]));
  const body = h("div", { class: "saew-walk" });
  for (const [v, own] of [...groups].sort((a, b) => b[0] - a[0])) {
    const low = (shown.maximum * v) / levels;
    const high = (shown.maximum * (v + 1)) / levels;
    body.append(
      h("h4", {}, say(TEXT.level, { low: num(low), high: num(high) })),
      h("ol", { class: "saew-examples" }, ...own),
    );
  }
  enterable(body);
  return h(
    "details",
    { class: "saew-details" },
    h("summary", {}, TEXT.intervals),
    h("p", { class: "saew-note" }, say(TEXT.intervalsNote, { k: levels })),
    body,
  );
}

/** The examples of a bin that a page without a kernel carries; where it has none, those of the level around. */
function carriedBin(shown, [feature, low, high]) {
  if (feature !== shown.feature) return null;
  const last = high >= shown.maximum * (1 - 1e-4);
  const unique = new Map([...shown.intervals, ...shown.top].map((item) => [`${item.c} ${item.s + item.p}`, item]));
  const strong = (items) => items.sort((a, b) => b.a[b.p] - a.a[a.p]).slice(0, 10);
  const inside = strong(
    [...unique.values()].filter((item) => item.a[item.p] >= low && (last || item.a[item.p] < high)),
  );
  if (inside.length || !shown.intervals.length) return { interval: [feature, low, high], items: inside, around: null };
  const levels = 1 + Math.max(...shown.intervals.map((item) => item.v));
  const level = Math.min(Math.floor((((low + high) / 2) * levels) / shown.maximum), levels - 1);
  const around = [(shown.maximum * level) / levels, (shown.maximum * (level + 1)) / levels];
  return { interval: [feature, low, high], items: strong(shown.intervals.filter((item) => item.v === level)), around };
}

function rarity(density) {
  if (!density) return TEXT.never;
  return density < 0.5 ? say(TEXT.oneIn, { n: num(1 / density) }) : TEXT.ofTokens;
}

function heading(shown) {
  const fact = (name, value, detail) =>
    h(
      "div",
      { class: "saew-fact" },
      h("div", { class: "saew-kicker" }, name),
      h("div", { class: "saew-value" }, value, h("span", { class: "saew-faint" }, detail)),
    );
  return h(
    "div",
    { class: "saew-heading" },
    h(
      "h2",
      { tabindex: -1 },
      h("span", { class: "saew-kicker" }, `${TEXT.feature} ${shown.feature}`),
      h("span", { class: shown.label ? "saew-title" : "saew-title saew-faint" }, shown.label || TEXT.unlabelled),
    ),
    h(
      "div",
      { class: "saew-facts" },
      fact(TEXT.fires, percent(shown.density), rarity(shown.density)),
      fact(TEXT.maximum, num(shown.maximum), TEXT.units),
    ),
  );
}

function render({ model, el }) {
  const root = h("div", {
    class: "saew saew-dashboard",
    role: "group",
    "aria-label": TEXT.widget,
    "data-lm-suppress-shortcuts": "true",
  });
  const index = () => model.get("_index");
  const link = kernelLink(model);
  const set = (name, value) => link.put({ [name]: value });
  const go = (feature, focusTitle = false) => {
    moved = focusTitle;
    set("feature", feature);
  };
  let moved = false;
  let stops = [];
  let drawn = null; // what the page shows now: {feature, view, top, intervals, ...}

  const step = (by) => {
    const rows = index();
    const at = rows.findIndex((row) => row.feature === model.get("feature"));
    go(rows[(at + by + rows.length) % rows.length].feature);
  };
  const box = h("input", {
    type: "number",
    class: "saew-input saew-box",
    "aria-label": TEXT.number,
    min: 0,
    step: 1,
    onchange: () => {
      if (box.value !== "" && Number.isInteger(Number(box.value))) go(Number(box.value));
      box.value = model.get("feature");
    },
  });
  const find = picker(index, (feature) => go(feature, true));
  const error = banner(model, TEXT.dismiss);
  const body = h("div", { class: "saew-body" });
  let main = h("div", {});
  const filter = exampleFilter(() => main);
  const position = h("span", { class: "saew-faint saew-position" });
  root.append(
    h(
      "div",
      { class: "saew-bar-top" },
      h(
        "button",
        {
          type: "button",
          class: "saew-icon",
          "aria-label": TEXT.previous,
          title: TEXT.previous,
          onclick: () => step(-1),
        },
        "‹",
      ),
      box,
      h(
        "button",
        { type: "button", class: "saew-icon", "aria-label": TEXT.next, title: TEXT.next, onclick: () => step(1) },
        "›",
      ),
      find.el,
      position,
    ),
    error.el,
    body,
  );

  const viewOf = (shown, pool) => ({
    pool: pool ?? shown.pool ?? model.get("_pool"),
    maximum: shown.maximum,
    bytes: Boolean(model.get("_about")?.bytes),
  });
  const close = (label, action) =>
    h(
      "button",
      { type: "button", class: "saew-icon saew-quiet", "aria-label": label, title: label, onclick: action },
      "×",
    );

  /** The examples of the chosen bin, above the others. */
  const drawBin = () => {
    const { shown, binHost, histogram } = drawn;
    const interval = model.get("interval");
    const found = !interval ? null : model.get("_static") ? carriedBin(shown, interval) : model.get("_bin");
    const fits = Boolean(found) && found.interval[0] === shown.feature;
    histogram.update();
    binHost.replaceChildren();
    binHost.hidden = !fits;
    if (fits) {
      const [, low, high] = found.interval;
      const rows = found.items.map((item) => exampleRow(item, viewOf(shown, found.pool)));
      const list = h("ol", { class: "saew-examples saew-walk" }, ...rows);
      enterable(list);
      const at = pickedBin();
      const note = !rows.length
        ? TEXT.binEmpty
        : found.around
          ? say(TEXT.binAround, { low: num(found.around[0]), high: num(found.around[1]) })
          : at < 0
            ? ""
            : say(TEXT.binNote, { n: whole(rows.length), all: whole(shown.histogram.counts[at]) });
      const title = h("h3", {}, say(TEXT.bin, { low: num(low), high: num(high) }));
      binHost.append(
        h(
          "div",
          { class: "saew-bin-head" },
          title,
          close(TEXT.closeBin, () => set("interval", null)),
        ),
        h("p", { class: "saew-note", role: "status" }, note),
        list,
      );
    }
    filter.apply();
    markToken();
  };
  const pickedBin = () => {
    const interval = model.get("interval");
    if (!interval || interval[0] !== drawn.shown.feature) return -1;
    const middle = (interval[1] + interval[2]) / 2;
    const edges = drawn.shown.histogram.edges;
    const n = drawn.shown.histogram.counts.length;
    return Math.max(0, Math.min(n - 1, Math.floor(((middle - edges[0]) * n) / (edges.at(-1) - edges[0] || 1))));
  };

  /** Ring the chosen token wherever it stands, and keep its numbers in view. */
  const markToken = () => {
    const chosen = model.get("token");
    let first = null;
    for (const token of main.querySelectorAll(".saew-example .saew-token")) {
      const is = Boolean(chosen) && token.saewPlace[0] === chosen[0] && token.saewPlace[1] === chosen[1];
      token.classList.toggle("saew-chosen", is);
      if (is) token.setAttribute("aria-current", "true");
      else token.removeAttribute("aria-current");
      if (is && !first) first = token;
    }
    const host = drawn.tokenHost;
    host.hidden = !first;
    host.replaceChildren();
    if (!first) return;
    const row = first.closest(".saew-example");
    const { saewItem: item, saewView: view } = row;
    const i = chosen[1] - item.s;
    host.append(
      h(
        "div",
        { class: "saew-bin-head" },
        h("h3", {}, TEXT.chosen),
        close(TEXT.closeToken, () => set("token", null)),
      ),
      h(
        "dl",
        { class: "saew-facts-list" },
        ...facts(item, i, view.pool, view.maximum, view.bytes, Infinity).flatMap(([name, value]) => [
          h("dt", {}, name),
          h("dd", {}, value),
        ]),
      ),
    );
  };
  const choose = (token) => {
    const now = model.get("token");
    const same = now && now[0] === token.saewPlace[0] && now[1] === token.saewPlace[1];
    set("token", same ? null : [...token.saewPlace]);
  };
  const chooseKey = (event) => {
    const token = /** @type {Element} */ (event.target).closest?.(".saew-example .saew-token");
    if (!token || (event.key !== "Enter" && event.key !== " ")) return false;
    event.preventDefault();
    choose(token);
    return true;
  };
  root.addEventListener("click", (event) => {
    const token = /** @type {Element} */ (event.target).closest?.(".saew-example .saew-token");
    if (token && !String(window.getSelection())) choose(token);
  });

  const legendOf = (shown) =>
    shown.measured
      ? [underlineLegend()]
      : model.get("_measuring")
        ? [h("p", { class: "saew-note", role: "status" }, TEXT.measuring)]
        : [];

  /** More has become known of the feature that is shown: tell it where it stands, and move nothing. */
  const refresh = (shown) => {
    const view = viewOf(shown);
    drawn.shown = shown;
    drawn.top.forEach((row, i) => describe(row, shown.top[i], view));
    drawn.intervals.forEach((row, i) => describe(row, shown.intervals[i], view));
    drawn.legend.replaceChildren(...legendOf(shown));
    const table = neuronsPart(shown);
    drawn.neurons.replaceChildren(...(table ? [table] : []));
    markToken();
  };

  const draw = () => {
    const shown = model.get("_shown");
    if (!shown) return;
    const rows = shown.top.length + shown.intervals.length;
    if (drawn && drawn.shown.feature === shown.feature && rows === drawn.top.length + drawn.intervals.length)
      return refresh(shown);
    box.value = shown.feature;
    const at = index().findIndex((row) => row.feature === shown.feature);
    position.textContent = say(TEXT.position, { i: whole(at + 1), n: whole(index().length) });
    stops.forEach((stop) => stop());
    const view = viewOf(shown);
    const top = shown.top.map((item) => exampleRow(item, view));
    const intervals = shown.intervals.map((item) => exampleRow(item, view));
    drawn = {
      shown,
      top,
      intervals,
      legend: h("div", {}, ...legendOf(shown)),
      binHost: h("section", { class: "saew-section saew-bin", hidden: true }),
      tokenHost: h("section", { class: "saew-section saew-chosen-token", hidden: true, "aria-live": "polite" }),
      neurons: h("div", {}, ...[neuronsPart(shown)].filter(Boolean)),
    };
    const histogram = histogramChart(shown.histogram, {
      what: TEXT.nonZero,
      count: TEXT.tokens,
      axis: TEXT.activationBin,
      paint: (i, edges) => ({
        style: { "--h": (0.25 + (0.75 * (edges[i] + edges[i + 1])) / 2 / (edges.at(-1) || 1)).toFixed(3) },
      }),
      pick: (i, low, high) => {
        const now = model.get("interval");
        set("interval", now && pickedBin() === i ? null : [shown.feature, low, high]);
      },
      picked: () => pickedBin(),
    });
    drawn.histogram = histogram;
    const written = logitsPart(shown);
    const often = densityPart(shown, model.get("_about") ?? {});
    stops = [histogram.stop, written.stop, often.stop];
    main = h(
      "div",
      { class: "saew-main" },
      shown.top.length ? filter.el : null,
      drawn.binHost,
      topExamples(top, drawn.legend),
      intervalExamples(shown, intervals),
    );
    body.replaceChildren(
      h("div", { "aria-live": "polite" }, heading(shown)),
      h(
        "div",
        { class: "saew-columns" },
        main,
        h(
          "div",
          { class: "saew-side" },
          drawn.tokenHost,
          section(TEXT.histogram, TEXT.histogramNote, histogram.el),
          often.el ?? "",
          written.el ?? "",
        ),
        h(
          "div",
          { class: "saew-side saew-tables" },
          ...relatedPart(shown, index(), (feature) => go(feature, true)),
          drawn.neurons,
        ),
      ),
      h(
        "footer",
        { class: "saew-footer" },
        h("p", {}, model.get("_passport")),
        h(
          "details",
          { class: "saew-details" },
          h("summary", {}, TEXT.honestyTitle),
          h("ul", {}, ...TEXT.honesty.map((line) => h("li", {}, line))),
        ),
      ),
    );
    drawBin(); // the same words are looked for in the next feature, the same token ringed
    if (moved) body.querySelector("h2").focus({ preventScroll: true });
    moved = false;
  };
  draw();
  tooltip(root);
  el.classList.add("saew-host");
  const help = explained(root, model, notes);
  help.begin();
  el.append(root);
  const ends = [
    followTheme(root),
    help.stop,
    ownKeys(
      root,
      help.keys((event) => find.key(event) || binKeys(event) || chooseKey(event) || walk(event)),
    ),
    listen(model, ["_shown"], draw),
    listen(model, ["_measuring"], () => drawn?.legend.replaceChildren(...legendOf(drawn.shown))),
    listen(model, ["interval", "_bin"], () => drawn && drawBin()),
    listen(model, ["token"], () => drawn && markToken()),
    error.stop,
    link.stop,
    () => {
      for (const stop of stops) stop();
    },
  ];
  return () => {
    for (const stop of ends) stop();
  };
}

export default { render };
