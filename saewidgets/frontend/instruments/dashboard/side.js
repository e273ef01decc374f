// Beside the examples of a feature: what it writes, how often it fires, and its relatives among features and neurons.

import { logitRows } from "../../shared/charts.js";
import { h } from "../../shared/elements.js";
import { histogramChart } from "../../shared/histograms.js";
import { fixed, num, percent, whole } from "../../shared/numbers.js";
import { glyphs } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";

const SIDE_TEXT = {
  tokens: "tokens",
  logits: "What it writes",
  logitsNote: "Direct effect on the next token, in logits per unit of activation",
  promoted: "Makes likelier",
  suppressed: "Makes less likely",
  allLogits: "All {n} tokens of the vocabulary, marked where the lists above begin",
  vocabulary: "tokens of the vocabulary by direct effect",
  effect: "logits",
  neighbors: "Nearest features",
  absent: "not on this page",
  neighborsNote: "Cosine of what they write (decoder) and of what they read (encoder)",
  encoders: "Nearest by what they read",
  encodersNote: "Cosine of the encoder's directions",
  correlated: "Active at the same tokens",
  correlatedNote: "Pearson’s r and cosine of the activations over the corpus, cosine of the decoder directions",
  neurons: "Neurons of the same layer",
  aligned: "Writing the same way",
  alignedNote: "Largest cosine of a neuron’s output weights with the decoder direction",
  together: "Active at the same tokens",
  togetherNote: "Pearson’s r over {n} tokens of the corpus",
  silent: "Not active in the sample of {n} tokens.",
  neuron: "neuron",
  other: "feature",
  decoder: "decoder",
  encoder: "encoder",
  pearson: "r",
  cosine: "cosine",
  density: "How often features fire",
  densityNote: "Live features by the share of tokens at which they are active; {n} never fire here.",
  densityNoteNone: "Features by the share of tokens at which they are active.",
  shareOfTokens: "share of tokens",
  features: "features",
  thisOne: "this feature",
};

/** A part of the page under a heading. */
export function section(title, note, ...children) {
  return h(
    "section",
    { class: "saew-section" },
    h("h3", {}, title),
    note ? h("p", { class: "saew-note" }, note) : null,
    ...children,
  );
}

/** The tokens that a feature raises and lowers most on the straight path, and all of them as a histogram: {el, stop}. */
export function logitsPart(shown) {
  if (!shown.promoted.length && !shown.suppressed.length) return { el: null, stop: () => {} };
  const most = Math.max(...[...shown.promoted, ...shown.suppressed].map((effect) => Math.abs(effect.logit)), 1e-9);
  const side = (title, effects, direction) => h("div", {}, h("h4", {}, title), logitRows(effects, most, direction));
  const parts = [
    h(
      "div",
      { class: "saew-two" },
      side(SIDE_TEXT.promoted, shown.promoted, "up"),
      side(SIDE_TEXT.suppressed, shown.suppressed, "down"),
    ),
  ];
  let stop = () => {};
  if (shown.logits) {
    const [up, down] = [shown.promoted.at(-1)?.logit ?? Infinity, shown.suppressed.at(-1)?.logit ?? -Infinity];
    const mark = (kind) => (effect) => ({
      at: effect.logit,
      class: kind,
      tip: [
        [SIDE_TEXT.effect, num(effect.logit)],
        ["", glyphs(effect.token, 40)],
      ],
    });
    const chart = histogramChart(shown.logits, {
      what: SIDE_TEXT.vocabulary,
      count: SIDE_TEXT.tokens,
      axis: SIDE_TEXT.effect,
      height: 110,
      paint: (i, edges) => ({
        class: edges[i + 1] >= up ? "saew-bar-up" : edges[i] <= down ? "saew-bar-down" : "saew-bar-plain",
      }),
      marks: [...shown.promoted.map(mark("saew-mark-up")), ...shown.suppressed.map(mark("saew-mark-down"))],
    });
    stop = chart.stop;
    const n = shown.logits.counts.reduce((a, b) => a + b, 0);
    parts.push(h("p", { class: "saew-note saew-below" }, say(SIDE_TEXT.allLogits, { n: whole(n) })), chart.el);
  }
  return { el: section(SIDE_TEXT.logits, SIDE_TEXT.logitsNote, ...parts), stop };
}

/** A small table: one row a feature or neuron, a button where it leads somewhere, and numbers. */
function links(first, columns, rows) {
  const head = h("tr", {}, h("th", { scope: "col" }, first), ...columns.map((name) => h("th", { scope: "col" }, name)));
  const line = ({ name, values }) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      ...values.map((x) => h("td", {}, x === null || x === undefined ? "–" : Math.abs(x) < 0.0005 ? "0" : fixed(x))),
    );
  return h("table", { class: "saew-links" }, h("thead", {}, head), h("tbody", {}, ...rows.map(line)));
}

/** Tables of other features: nearest by what they write, by what they read, and active at the same tokens. */
export function relatedPart(shown, index, go) {
  const rows = new Map(index.map((row) => [row.feature, row]));
  const button = (feature) => {
    const row = rows.get(feature);
    const name = row
      ? row.label ||
        row.promoted
          .slice(0, 3)
          .map((token) => glyphs(token, 12))
          .join("  ")
      : SIDE_TEXT.absent;
    return h(
      "button",
      { type: "button", class: "saew-neighbor", disabled: !row, onclick: () => go(feature) },
      h("span", { class: "saew-id" }, `#${feature}`),
      h("span", { class: "saew-list-label" }, name),
    );
  };
  const table = (columns, list) =>
    links(
      SIDE_TEXT.other,
      columns,
      list.map(([feature, ...values]) => ({ name: button(feature), values })),
    );
  const out = [];
  if (shown.neighbors.length) {
    const list = shown.neighbors.map((n) => [n.feature, n.cosine, n.encoder]);
    out.push(
      section(SIDE_TEXT.neighbors, SIDE_TEXT.neighborsNote, table([SIDE_TEXT.decoder, SIDE_TEXT.encoder], list)),
    );
  }
  if (shown.encoder.length) {
    const list = shown.encoder.map((n) => [n.feature, n.encoder, n.cosine]);
    out.push(section(SIDE_TEXT.encoders, SIDE_TEXT.encodersNote, table([SIDE_TEXT.encoder, SIDE_TEXT.decoder], list)));
  }
  if (shown.correlated.length)
    out.push(
      section(
        SIDE_TEXT.correlated,
        SIDE_TEXT.correlatedNote,
        table([SIDE_TEXT.pearson, SIDE_TEXT.cosine, SIDE_TEXT.decoder], shown.correlated),
      ),
    );
  return out;
}

/** The neurons of the same layer, null where there are none. */
export function neuronsPart(shown) {
  if (!shown.aligned.length) return null;
  const table = (list) =>
    links(
      SIDE_TEXT.neuron,
      [SIDE_TEXT.decoder, SIDE_TEXT.encoder, SIDE_TEXT.pearson],
      list.map(([layer, neuron, ...values]) => ({
        name: h("span", { class: "saew-id" }, `${layer} · ${neuron}`),
        values,
      })),
    );
  const parts = [
    h("h4", {}, SIDE_TEXT.aligned),
    h("p", { class: "saew-note" }, SIDE_TEXT.alignedNote),
    table(shown.aligned),
  ];
  if (shown.sample) {
    const note = say(shown.neurons.length ? SIDE_TEXT.togetherNote : SIDE_TEXT.silent, { n: whole(shown.sample) });
    parts.push(
      h("h4", { class: "saew-below" }, SIDE_TEXT.together),
      h("p", { class: "saew-note" }, note),
      shown.neurons.length ? table(shown.neurons) : null,
    );
  }
  return section(SIDE_TEXT.neurons, "", ...parts.filter(Boolean));
}

/** How often all features fire, this one marked: {el, stop}. */
export function densityPart(shown, about) {
  if (!about.density) return { el: null, stop: () => {} };
  const mark = {
    at: Math.log10(shown.density),
    class: "saew-mark-here",
    /** @type {import("../../types/host.js").TipLine[]} */
    tip: [[SIDE_TEXT.thisOne, percent(shown.density)]],
  };
  const chart = histogramChart(about.density, {
    what: SIDE_TEXT.features,
    count: SIDE_TEXT.features,
    axis: SIDE_TEXT.shareOfTokens,
    height: 110,
    format: (x) => percent(10 ** x),
    paint: (i, edges) => ({
      class: shown.density && edges[i] <= mark.at && mark.at <= edges[i + 1] ? "saew-bar-here" : "saew-bar-plain",
    }),
    marks: shown.density ? [mark] : [],
  });
  return {
    el: section(
      SIDE_TEXT.density,
      about.dead ? say(SIDE_TEXT.densityNote, { n: whole(about.dead) }) : SIDE_TEXT.densityNoteNone,
      chart.el,
    ),
    stop: chart.stop,
  };
}
