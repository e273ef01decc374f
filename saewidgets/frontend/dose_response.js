// DoseResponse: what a strength does to the text, for the clamp and for what it is compared with, and the texts to read.

import { banner, followTheme, h, listen, num, ownKeys, percent, s, say, whole } from "./dom.js";
import { kernelLink } from "./link.js";
import { tooltip } from "./tokens.js";
import { doseChart, doseWords, markPath } from "./dose_chart.js";

const DOSE_TEXT = {
  widget: "Dose-response",
  kinds: "What is done",
  strength: "Strength, in multiples of the feature's maximum",
  noStrength: "no strength to choose",
  at: "{kind} at {multiple}×",
  rate: "{share} of {n} texts have the concept",
  ratio: "perplexity {value} times the model's own",
  passes: "inside every bound",
  window: "Usable from {low} to {high}× its maximum (shaded): every bound holds there.",
  oneWindow: "Usable at {low}× its maximum only (shaded): every bound holds there.",
  noWindow: "No usable window: at no strength do all the bounds hold.",
  bounds: "Bounds, dashed: the concept in at least {rate} of the texts, no three words in a row more than {repeats} times in a text, perplexity at most {ratio} times the model's own.",
  bands: "Bands are 95 % intervals over seeds. Click a chart, or choose here, to read the texts.",
  seed: "seed {seed}",
  yes: "has it",
  no: "has it not",
  empty: "(no text)",
  repeats: "most often three words in a row repeat: {n}",
  table: "All figures as a table",
  columns: ["what is done", "strength", "texts"],
  passesColumn: "bounds",
  pass: "all hold",
  code: "The same in Python",
  dismiss: "Dismiss the message",
};

function render({ model, el }) {
  const root = h("div", { class: "saew saew-dose-response", role: "group", "aria-label": DOSE_TEXT.widget, "data-lm-suppress-shortcuts": "true" });
  const { kinds, measures, points, window: shade, bounds, title, prompt, note } = model.get("_sweep");
  const error = banner(model, DOSE_TEXT.dismiss);
  const row = () => points.find((p) => p.key === model.get("_point")) ?? points[0];
  const link = kernelLink(model);
  const pick = (key) => link.put({ _point: key });

  const swatch = (kind) => {
    const svg = s("svg", { width: 16, height: 12, "aria-hidden": "true" }, s("path", { class: "saew-dose-mark", d: markPath(kinds[kind].symbol, 8, 6, 5), style: { "--c": `var(${kinds[kind].color})` } }));
    return svg;
  };
  const group = `saew-kind-${Math.random().toString(36).slice(2, 9)}`;
  const nearest = (kind, multiple) => points.filter((p) => p.kind === kind).reduce((best, p) => (Math.abs(p.multiple - multiple) < Math.abs(best.multiple - multiple) ? p : best));
  const radios = Object.entries(kinds).map(([kind, { name }]) => {
    const input = h("input", { type: "radio", name: group, value: kind, onchange: () => pick(nearest(kind, range.disabled ? 0 : own()[Number(range.value)]?.multiple ?? row().multiple).key) });
    return [kind, input, h("label", { class: "saew-dose-kind" }, input, swatch(kind), name)];
  });
  const own = () => points.filter((p) => p.kind === row().kind);
  const range = h("input", { type: "range", class: "saew-range", min: 0, max: 1, step: 1, "aria-label": DOSE_TEXT.strength, oninput: () => pick(own()[Number(range.value)].key) });
  const reads = h("output", {});
  const charts = measures.map((measure) => doseChart({ points, kinds, measure, shade, pick }));
  const says = h("p", { class: "saew-dose-says", role: "status" });
  const list = h("ol", { class: "saew-dose-texts", tabindex: 0, "aria-label": DOSE_TEXT.widget });
  const head = h("tr", {}, ...[...DOSE_TEXT.columns, ...measures.map((m) => m.name), DOSE_TEXT.passesColumn].map((words, i) => h("th", { scope: "col", class: i ? "" : "saew-words" }, words)));
  const lines = points.map((p) => {
    const button = h("button", { type: "button", class: "saew-link", onclick: () => pick(p.key) }, kinds[p.kind].name);
    const tr = h(
      "tr",
      {},
      h("th", { scope: "row" }, button),
      h("td", {}, `${num(p.multiple)}×`),
      h("td", {}, whole(p.n)),
      ...measures.map((m) => h("td", {}, doseWords(m, p[m.column]))),
      h("td", { class: "saew-dose-passes" }, p.passes ? DOSE_TEXT.pass : ""),
    );
    return [p.key, tr];
  });

  root.append(
    h("header", { class: "saew-dose-head" }, h("h2", {}, title), h("p", { class: "saew-note" }, note)),
    h("pre", { class: "saew-pre" }, prompt),
    error.el,
    h(
      "div",
      { class: "saew-dose-point" },
      h("fieldset", { class: "saew-dose-kinds" }, h("legend", {}, DOSE_TEXT.kinds), ...radios.map(([, , label]) => label)),
      h("label", { class: "saew-dose-strength" }, h("span", {}, DOSE_TEXT.strength), range, reads),
    ),
    h("p", { class: "saew-note saew-dose-says" }, [windowWords(shade), say(DOSE_TEXT.bounds, { rate: percent(bounds.concept_rate), repeats: num(bounds.repeats), ratio: num(bounds.perplexity_ratio) }), DOSE_TEXT.bands].join(" ")),
    h("div", { class: "saew-dose-charts" }, ...charts.map((chart) => chart.el)),
    says,
    list,
    h("details", { class: "saew-details" }, h("summary", {}, DOSE_TEXT.table), h("div", { class: "saew-scroll", tabindex: 0, role: "region", "aria-label": DOSE_TEXT.table }, h("table", { class: "saew-table saew-dose-table" }, h("thead", {}, head), h("tbody", {}, ...lines.map(([, tr]) => tr))))),
    h("details", { class: "saew-details" }, h("summary", {}, DOSE_TEXT.code), h("pre", { class: "saew-pre", tabindex: 0 }, model.get("_code"))),
  );

  function update() {
    const p = row();
    for (const [kind, input] of radios) input.checked = kind === p.kind;
    const steps = own();
    range.max = Math.max(0, steps.length - 1);
    range.disabled = steps.length < 2;
    range.value = steps.indexOf(p);
    reads.textContent = steps.length < 2 ? "–" : `${num(p.multiple)}×`;
    range.setAttribute("aria-valuetext", steps.length < 2 ? DOSE_TEXT.noStrength : `${num(p.multiple)}×`);
    for (const chart of charts) chart.update(p);
    for (const [key, tr] of lines) tr.setAttribute("aria-selected", String(key === p.key));
  }

  function texts() {
    const shown = model.get("_shown");
    const p = points.find((other) => other.key === shown.key); // not the chosen point: its texts may be on their way
    const name = steps(p) ? say(DOSE_TEXT.at, { kind: kinds[p.kind].name, multiple: num(p.multiple) }) : kinds[p.kind].name;
    const parts = [
      p.concept_rate[0] === null ? null : say(DOSE_TEXT.rate, { share: percent(p.concept_rate[0]), n: p.n }),
      p.perplexity_ratio[0] === null ? null : say(DOSE_TEXT.ratio, { value: num(p.perplexity_ratio[0]) }),
      say(DOSE_TEXT.repeats, { n: num(p.repeats[0]) }),
      p.passes ? DOSE_TEXT.passes : null,
    ];
    says.replaceChildren(h("strong", {}, `${name}: `), `${parts.filter(Boolean).join("; ")}.`);
    list.setAttribute("aria-label", name);
    list.replaceChildren(
      ...shown.texts.map(([seed, text, concept]) =>
        h(
          "li",
          {},
          h("span", { class: "saew-faint" }, say(DOSE_TEXT.seed, { seed })),
          concept === null ? h("span", {}) : h("span", { class: concept ? "saew-dose-yes" : "saew-dose-no" }, concept ? DOSE_TEXT.yes : DOSE_TEXT.no),
          h("p", { dir: "auto" }, text.trim() || DOSE_TEXT.empty),
        ),
      ),
    );
    list.scrollTop = 0;
  }
  const steps = (p) => points.filter((other) => other.kind === p.kind).length > 1;

  update();
  texts();
  const hide = tooltip(root);
  el.classList.add("saew-host");
  el.append(root);
  const stops = [
    followTheme(root),
    ownKeys(root),
    listen(model, ["_point"], () => {
      hide();
      update();
    }),
    listen(model, ["_shown"], texts),
    ...charts.map((chart) => chart.stop),
    error.stop,
    link.stop,
  ];
  return () => stops.forEach((stop) => stop());
}

function windowWords(shade) {
  if (!shade) return DOSE_TEXT.noWindow;
  const [low, high] = shade.map((m) => num(m));
  return say(low === high ? DOSE_TEXT.oneWindow : DOSE_TEXT.window, { low, high });
}

export default { render };
