// FeatureDashboard: everything that is known of one feature.

import { histogramChart, logitRows } from "./charts.js";
import { aligned, banner, fixed, followTheme, h, listen, num, ownKeys, percent, say, whole } from "./dom.js";
import { exampleFilter } from "./example_filter.js";
import { picker } from "./picker.js";
import { chip, enterable, glyphs, heat, tooltip, walk } from "./tokens.js";

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
  topNote: "Darker orange is stronger. Point at a token for its numbers.",
  all: "Show all {n}",
  fewer: "Show fewer",
  noExamples: "It never fired on this corpus.",
  intervals: "Weaker examples, level by level",
  intervalsNote: "Drawn at random from {k} equal levels between 0 and the maximum: what most of its activations look like.",
  level: "{low} to {high}",
  histogram: "How strongly it fires",
  histogramNote: "Tokens by activation, zeros left out",
  logits: "What it writes",
  logitsNote: "Direct effect on the next token, in logits per unit of activation",
  promoted: "Makes likelier",
  suppressed: "Makes less likely",
  neighbors: "Nearest features",
  absent: "not on this page",
  neighborsNote: "By cosine of their decoder directions",
  dismiss: "Dismiss the message",
  token: "token",
  id: "id",
  activation: "activation",
  share: "of its maximum",
  where: "document {context}, token {position}",
  honestyTitle: "What this page does not show",
  honesty: [
    "The label is a summary by a person or a list of planted concepts; the feature may answer to more, or to less, than it says.",
    "Top examples flatter. Judge by the weaker levels too: that is where most of the activations are.",
    "An SAE leaves something out. What it fails to reconstruct is not here, and a concept without a feature may live there, or in several layers at once.",
    "Training presses activations down a little, so magnitudes are underestimates.",
    "Logit effects are the straight path to the output. What later layers make of the feature is not in them.",
    "All figures hold for the corpus named above. Other text may find other uses for the same direction.",
  ],
};
const FIRST = 10; // top examples before "Show all", where the page is narrow

function section(title, note, ...children) {
  return h(
    "section",
    { class: "saew-section" },
    h("h3", {}, title),
    note ? h("p", { class: "saew-note" }, note) : null,
    ...children,
  );
}

function example(item, maximum) {
  const strip = h(
    "div",
    { class: "saew-strip", dir: "auto" },
    ...item.t.map((text, i) =>
      chip(
        text,
        heat(item.a[i], maximum),
        [
          [TEXT.token, glyphs(text, 200)],
          [TEXT.id, String(item.i[i])],
          [TEXT.activation, num(item.a[i])],
          [TEXT.share, item.a[i] > 0 ? percent(item.a[i] / maximum) : "0 %"],
          ["", say(TEXT.where, { context: item.c, position: item.s + i })],
        ],
        i === item.p ? "saew-peak" : "",
      ),
    ),
  );
  const row = h("li", { class: "saew-example" }, h("span", { class: "saew-number" }, aligned(item.a[item.p])), strip);
  row.saewTokens = item.t; // what the filter looks through
  return row;
}

function topExamples(shown) {
  if (!shown.top.length) return section(TEXT.top, "", h("p", {}, TEXT.noExamples));
  const items = shown.top.map((item) => example(item, shown.maximum));
  items.slice(FIRST).forEach((item) => item.classList.add("saew-more"));
  const list = h("ol", { class: "saew-examples saew-walk" }, ...items);
  enterable(list);
  const parts = [list];
  if (items.length > FIRST) {
    const set = (open) => {
      list.classList.toggle("saew-open", open);
      more.textContent = open ? TEXT.fewer : say(TEXT.all, { n: items.length });
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

function intervalExamples(shown) {
  if (!shown.intervals.length) return null;
  const levels = 1 + Math.max(...shown.intervals.map((item) => item.v));
  const groups = new Map();
  for (const item of shown.intervals) groups.set(item.v, [...(groups.get(item.v) ?? []), item]);
  const body = h("div", { class: "saew-walk" });
  for (const [v, items] of [...groups].sort((a, b) => b[0] - a[0])) {
    const low = (shown.maximum * v) / levels;
    const high = (shown.maximum * (v + 1)) / levels;
    body.append(
      h("h4", {}, say(TEXT.level, { low: num(low), high: num(high) })),
      h("ol", { class: "saew-examples" }, ...items.map((item) => example(item, shown.maximum))),
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

function logits(shown) {
  const most = Math.max(...[...shown.promoted, ...shown.suppressed].map((effect) => Math.abs(effect.logit)), 1e-9);
  const side = (title, effects, direction) => h("div", {}, h("h4", {}, title), logitRows(effects, most, direction));
  return section(
    TEXT.logits,
    TEXT.logitsNote,
    h("div", { class: "saew-two" }, side(TEXT.promoted, shown.promoted, "up"), side(TEXT.suppressed, shown.suppressed, "down")),
  );
}

function neighbors(shown, index, go) {
  if (!shown.neighbors.length) return null;
  const rows = new Map(index.map((row) => [row.feature, row]));
  return section(
    TEXT.neighbors,
    TEXT.neighborsNote,
    h(
      "ul",
      { class: "saew-neighbors" },
      ...shown.neighbors.map(({ feature, cosine }) => {
        const row = rows.get(feature);
        const name = row ? row.label || row.promoted.slice(0, 3).map((token) => glyphs(token, 12)).join("  ") : TEXT.absent;
        return h(
          "li",
          {},
          h(
            "button",
            { type: "button", class: "saew-neighbor", disabled: !row, onclick: () => go(feature) },
            h("span", { class: "saew-id" }, `#${feature}`),
            h("span", { class: "saew-list-label" }, name),
            h("span", { class: "saew-track" }, h("span", { class: "saew-fill", style: { width: `${100 * Math.min(1, Math.abs(cosine))}%` } })),
            h("span", { class: "saew-number" }, fixed(cosine)),
          ),
        );
      }),
    ),
  );
}

function rarity(density) {
  if (!density) return TEXT.never;
  return density < 0.5 ? say(TEXT.oneIn, { n: num(1 / density) }) : TEXT.ofTokens;
}

function heading(shown) {
  const fact = (name, value, detail) =>
    h("div", { class: "saew-fact" }, h("div", { class: "saew-kicker" }, name), h("div", { class: "saew-value" }, value, h("span", { class: "saew-faint" }, detail)));
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
  const root = h("div", { class: "saew saew-dashboard", role: "group", "aria-label": TEXT.widget, "data-lm-suppress-shortcuts": "true" });
  const index = () => model.get("_index");
  const go = (feature, focusTitle = false) => {
    moved = focusTitle;
    model.set("feature", feature);
    model.save_changes();
  };
  let moved = false;
  let stopChart = () => {};

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
      h("button", { type: "button", class: "saew-icon", "aria-label": TEXT.previous, title: TEXT.previous, onclick: () => step(-1) }, "‹"),
      box,
      h("button", { type: "button", class: "saew-icon", "aria-label": TEXT.next, title: TEXT.next, onclick: () => step(1) }, "›"),
      find.el,
      position,
    ),
    error.el,
    body,
  );

  const draw = () => {
    const shown = model.get("_shown");
    box.value = shown.feature;
    const at = index().findIndex((row) => row.feature === shown.feature);
    position.textContent = say(TEXT.position, { i: whole(at + 1), n: whole(index().length) });
    stopChart();
    const histogram = histogramChart(shown.histogram);
    stopChart = histogram.stop;
    main = h("div", { class: "saew-main" }, shown.top.length ? filter.el : null, topExamples(shown), intervalExamples(shown));
    body.replaceChildren(
      h("div", { "aria-live": "polite" }, heading(shown)),
      h(
        "div",
        { class: "saew-columns" },
        main,
        h(
          "div",
          { class: "saew-side" },
          section(TEXT.histogram, TEXT.histogramNote, histogram.el),
          logits(shown),
          neighbors(shown, index(), (feature) => go(feature, true)),
        ),
      ),
      h(
        "footer",
        { class: "saew-footer" },
        h("p", {}, model.get("_passport")),
        h("details", { class: "saew-details" }, h("summary", {}, TEXT.honestyTitle), h("ul", {}, ...TEXT.honesty.map((line) => h("li", {}, line)))),
      ),
    );
    filter.apply(); // the same words are looked for in the next feature
    if (moved) body.querySelector("h2").focus({ preventScroll: true });
    moved = false;
  };
  draw();
  tooltip(root);
  el.classList.add("saew-host");
  el.append(root);
  const stops = [
    followTheme(root),
    ownKeys(root, (event) => find.key(event) || walk(event)),
    listen(model, ["_shown"], draw),
    error.stop,
    () => stopChart(),
  ];
  return () => stops.forEach((stop) => stop());
}

export default { render };
