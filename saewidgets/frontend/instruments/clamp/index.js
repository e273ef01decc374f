// ClampPanel: sliders in multiples of each feature's maximum, and what the model writes without and with them.

import { banner } from "../../shared/banner.js";
import { fitRows, h } from "../../shared/elements.js";
import { listen, throttle } from "../../shared/events.js";
import { explained } from "../../shared/explained.js";
import { ownKeys } from "../../shared/keys.js";
import { attempt } from "../../shared/life.js";
import { kernelLink } from "../../shared/link.js";
import { picker } from "../../shared/picker.js";
import { followTheme } from "../../shared/theme.js";
import { tooltip, walk } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";
import { clampWords, historyList, measuredTable } from "./log.js";
import { played } from "./recording.js";
import { rowHead, sliderRow } from "./rows.js";
import { pane, parting } from "./texts.js";
import { notes } from "./notes.js";

const TEXT = {
  widget: "Clamp panel",
  prompt: "Prompt",
  examples: "Try",
  add: "Add a feature: label, token or number",
  addLabel: "Add a feature to clamp",
  none: "No feature is clamped yet. Add one above, or choose one in a dashboard that shares this selection.",
  scope: "Where",
  scopes: { all: "every token", prompt: "the prompt only", generated: "generated tokens only" },
  from: "from a token on",
  only: "one token only",
  at: { from: "from token {t} on", only: "token {t} only" },
  fromLabel: "First token that is clamped; the first token of the prompt is 0",
  onlyLabel: "The token that is clamped; the first token of the prompt is 0",
  temperature: "Temperature",
  length: "Tokens",
  seed: "Seed",
  reseed: "New seed",
  again: "Write again",
  stop: "Stop",
  status: { idle: "ready", writing: "writing", stopped: "stopped", error: "failed" },
  waiting: "waiting: a cell or another thread holds hooks on this model",
  preparing: "The first text takes some seconds: the model is made ready for it, once.",
  busy: "The kernel is busy and has not answered yet. What you set is kept and applied as soon as it answers.",
  default: "Default",
  defaultNote: "as the model is",
  clamped: "Clamped",
  dice: "same random numbers",
  nothing: "nothing is clamped: the same text",
  recordedAt: "recorded at {at}",
  nearest: "nearest recorded: {at}; you asked for {asked}",
  missing: "this was not recorded",
  compare: "Compare with",
  nothingElse: "nothing",
  instead: "in place of the clamp",
  legend: "how far the clamp moved the prediction of a token",
  different: "the first token that differs",
  same: "The two texts do not differ.",
  code: "The same in Python",
  still: "This is a picture of the panel: the sliders need a running kernel.",
  playing: "A recording: the sliders move among texts that were written beforehand. Notches mark what was recorded.",
  dismiss: "Dismiss the message",
};

function render({ model, el }) {
  const still = Boolean(model.get("_static")); // no kernel behind this page
  const recorded = model.get("_recorded") ?? null; // seeds, scopes and multiples of a recording
  const playing = still && Boolean(model.get("_recording"));
  const frozen = still && !playing; // nothing answers
  const fixed = frozen || Boolean(recorded); // what only a model can answer
  const root = h("div", {
    class: ["saew", "saew-clamp", frozen && "saew-frozen", recorded && "saew-recorded"].filter(Boolean).join(" "),
    role: "group",
    "aria-label": TEXT.widget,
    "data-lm-suppress-shortcuts": "true",
  });
  const error = banner(model, TEXT.dismiss);

  const link = kernelLink(model, () => stream());
  const put = (settings) => {
    link.put(settings);
    if (playing) play();
  };
  const play = () => model.set("_texts", played(model));

  // The prompt.
  const prompt = h("textarea", {
    class: "saew-input saew-prompt",
    rows: 2,
    spellcheck: "false",
    "aria-label": TEXT.prompt,
    disabled: fixed,
  });
  const putPrompt = throttle(() => put({ prompt: prompt.value }), 400);
  prompt.addEventListener("input", () => {
    fitRows(prompt);
    putPrompt();
  });
  const tries = h(
    "div",
    { class: "saew-tries", hidden: fixed || !model.get("_examples").length },
    h("span", { class: "saew-faint" }, TEXT.examples),
    ...model
      .get("_examples")
      .map(([name, text]) =>
        h(
          "button",
          { type: "button", class: "saew-pill", title: text, onclick: () => put({ prompt: text }) },
          shorten(name),
        ),
      ),
  );

  // The sliders.
  const find = picker(
    () => model.get("_index").filter((row) => !model.get("features").includes(row.feature)),
    (feature) => put({ features: [...model.get("features"), feature] }),
    { label: TEXT.addLabel, placeholder: TEXT.add },
  );
  const rowsHost = h("div", { class: "saew-clamp-rows" });
  const rows = new Map();
  const change = (feature, multiple) => {
    put({ multiples: { ...model.get("multiples"), [feature]: multiple } });
    update();
  };
  const remove = (feature) => put({ features: model.get("features").filter((f) => f !== feature) });
  const choose = (feature) => put({ feature });
  const build = () => {
    const held =
      document.activeElement?.closest?.(".saew-clamp-row")?.contains(document.activeElement) &&
      rowsHost.contains(document.activeElement);
    rows.clear();
    for (const row of model.get("_rows")) {
      const notches = recorded?.multiples[row.feature] ?? [];
      rows.set(row.feature, sliderRow(row, { change, remove, choose, frozen, fixed, recorded: notches }));
    }
    rowsHost.replaceChildren(
      ...(rows.size
        ? [rowHead(), ...[...rows.values()].map((row) => row.el)]
        : [h("p", { class: "saew-note" }, TEXT.none)]),
    );
    update();
    if (held) find.el.querySelector("input").focus(); // the row with the focus may be gone
  };

  // The settings.
  // A scope is a word, a position t ("from token t on"), or "token t" (there alone).
  const place = (scope) => /^(token )?(\d+)$/.exec(String(scope));
  const scopeOf = (kind, t) => (kind === "from" ? Number(t) : kind === "only" ? `token ${Number(t)}` : null);
  const scope = h("select", {
    class: "saew-input",
    disabled: frozen,
    onchange: () =>
      put({
        scope: scopeOf(scope.value, first.value) ?? (/^\d+$/.test(scope.value) ? Number(scope.value) : scope.value),
      }),
  });
  const first = h("input", {
    type: "number",
    class: "saew-input saew-small",
    min: 0,
    max: 100000,
    step: 1,
    value: 1,
    "aria-label": TEXT.fromLabel,
    title: TEXT.fromLabel,
    disabled: fixed,
    onchange: () => first.validity.valid && first.value !== "" && put({ scope: scopeOf(scope.value, first.value) }),
  });
  const number = (name, attributes) => {
    const input = h("input", { type: "number", class: "saew-input saew-small", disabled: fixed, ...attributes });
    input.addEventListener("change", () => {
      if (input.value !== "" && input.validity.valid) put({ [name]: Number(input.value) });
      else input.value = model.get(name);
    });
    return input;
  };
  const temperature = number("temperature", { min: 0, max: 2, step: 0.1 });
  const length = number("n_tokens", { min: 1, max: 400, step: 1 });
  const seed = recorded
    ? h(
        "select",
        { class: "saew-input", disabled: frozen, onchange: () => put({ seed: Number(seed.value) }) },
        ...recorded.seeds.map((n) => h("option", { value: n }, String(n))),
      )
    : number("seed", { min: 0, max: 2 ** 31 - 1, step: 1 });
  const compare = h(
    "select",
    { class: "saew-input", disabled: still, onchange: () => put({ compare: compare.value }) },
    ...["", ...(model.get("_comparisons") ?? [])].map((name) => h("option", { value: name }, name || TEXT.nothingElse)),
  );
  const field = (label, input, ...more) => h("label", { class: "saew-field" }, h("span", {}, label), input, ...more);
  const state = h("span", { class: "saew-status", role: "status" });
  const button = h("button", {
    type: "button",
    class: "saew-button",
    disabled: still,
    hidden: Boolean(recorded),
    onclick: () => link.ask(model.get("status") === "writing" ? "stop" : "write"),
  });
  const settings = h(
    "div",
    { class: "saew-settings" },
    h("div", { class: "saew-scope" }, field(TEXT.scope, scope), first),
    field(TEXT.temperature, temperature),
    field(TEXT.length, length),
    field(TEXT.seed, seed),
    h(
      "button",
      {
        type: "button",
        class: "saew-pill",
        hidden: fixed,
        onclick: () => put({ seed: Math.floor(Math.random() * 10000) }),
      },
      TEXT.reseed,
    ),
    (model.get("_comparisons") ?? []).length ? field(TEXT.compare, compare) : null,
    h("div", { class: "saew-do", hidden: still }, state, button),
  );
  const note = h("p", { class: "saew-note saew-waiting", role: "status", hidden: true });
  let [patience, slow, begun] = [null, null, false]; // of the first text: loops may have to be compiled for it

  // The texts, and what lies below them.
  const before = pane(TEXT.default, "");
  const after = pane(TEXT.clamped, "saew-pane-clamped");
  const third = pane(TEXT.compare, "saew-pane-other");
  const legend = h("div", { class: "saew-legend" });
  const code = h("pre", { class: "saew-pre", tabindex: 0 });
  const measured = measuredTable((feature) =>
    `#${feature} ${model.get("_rows").find((row) => row.feature === feature)?.label ?? ""}`.trim(),
  );
  const history = historyList((entry) => {
    const own = entry.multiples.map(([feature]) => feature);
    const all = [...new Set([...model.get("features"), ...own])];
    const { prompt, scope, temperature, seed, n_tokens } = entry;
    const multiples = {
      ...Object.fromEntries(all.map((feature) => [feature, null])),
      ...Object.fromEntries(entry.multiples),
    };
    put({ features: all, multiples, prompt, scope, temperature, seed, n_tokens });
    update();
  });

  root.append(
    h("div", { class: "saew-ask" }, h("label", {}, h("span", { class: "saew-kicker" }, TEXT.prompt), prompt), tries),
    error.el,
    h(
      "div",
      { class: "saew-clamps" },
      rowsHost,
      fixed ? h("p", { class: "saew-note" }, frozen ? TEXT.still : TEXT.playing) : find.el,
    ),
    settings,
    note,
    h("div", { class: "saew-panes" }, before.el, after.el, third.el),
    legend,
    measured.el,
    history.el,
    h("details", { class: "saew-details" }, h("summary", {}, TEXT.code), code),
    h("footer", { class: "saew-footer" }, h("p", {}, model.get("_passport"))),
  );

  function update() {
    const multiples = model.get("multiples");
    for (const [feature, row] of rows) row.update(multiples[feature] ?? null, feature === model.get("feature"));
    if (document.activeElement !== prompt) prompt.value = model.get("prompt");
    fitRows(prompt);
    const now = model.get("scope");
    const choices = (recorded?.scopes ?? [...Object.keys(TEXT.scopes), "from", "only"]).map(String);
    const at = place(now);
    const kind = at ? (at[1] ? "only" : "from") : "";
    const words = (choice) => {
      const [, only, t] = place(choice) ?? [];
      return (
        TEXT.scopes[choice] ??
        { from: TEXT.from, only: TEXT.only }[choice] ??
        say(only ? TEXT.at.only : TEXT.at.from, { t })
      );
    };
    const chosen = (!recorded && kind) || String(now);
    if (!choices.includes(chosen)) choices.push(chosen);
    scope.replaceChildren(
      ...choices.map((choice) => h("option", { value: choice, selected: choice === chosen }, words(choice))),
    );
    first.hidden = chosen !== "from" && chosen !== "only";
    first.title = chosen === "only" ? TEXT.onlyLabel : TEXT.fromLabel;
    first.setAttribute("aria-label", first.title);
    if (at && document.activeElement !== first) first.value = at[2];
    compare.value = model.get("compare") ?? "";
    for (const [input, name] of /** @type {[HTMLInputElement, string][]} */ ([
      [temperature, "temperature"],
      [length, "n_tokens"],
      [seed, "seed"],
    ])) {
      if (document.activeElement !== input || recorded) input.value = model.get(name);
    }
  }

  function under(texts) {
    const multiples = model.get("multiples");
    const now = model
      .get("features")
      .filter((f) => (multiples[f] ?? null) !== null)
      .map((f) => [f, multiples[f]]);
    if (texts.missing) return TEXT.missing;
    if (!now.length && !texts.under.length) return TEXT.nothing;
    const [at, wanted] = [clampWords(texts.under), clampWords(now)];
    if (recorded && model.get("status") !== "writing")
      return say(at === wanted ? TEXT.recordedAt : TEXT.nearest, { at, asked: wanted });
    return texts.under.length ? `${at}, ${TEXT.dice}` : TEXT.dice;
  }

  function stream() {
    const texts = model.get("_texts");
    const [a, b] = [texts.default, texts.clamped];
    const writing = model.get("status") === "writing" && !still;
    before.update(a, writing, TEXT.defaultNote);
    after.update(b, writing, under(texts));
    const at = parting(a, b);
    before.mark(at);
    after.mark(at);
    third.el.hidden = !texts.other;
    if (texts.other) {
      third.rename(model.get("compare") || TEXT.compare);
      third.update(texts.other, writing, TEXT.instead);
      third.mark(parting(a, texts.other));
    }
    const parts = [];
    if (at >= 0) parts.push(["saew-swatch-diff", TEXT.different]);
    else if (a.length && b.length && !writing && texts.under.length) parts.push(["", TEXT.same]);
    if (b.length && texts.under.length) parts.push(["saew-swatch-moved", TEXT.legend]);
    legend.replaceChildren(
      ...parts.map(([swatch, words]) => h("span", {}, swatch ? h("span", { class: swatch }) : null, words)),
    );
    measured.update(still && playing ? [] : model.get("_measured"), writing);
    state.textContent = model.get("waiting") ? TEXT.waiting : TEXT.status[model.get("status")];
    state.title = model.get("waiting") || "";
    state.setAttribute("data-status", model.get("status"));
    button.textContent = writing ? TEXT.stop : TEXT.again;
    code.textContent = texts.code;
    const waits = writing && !begun && !a.length && !b.length;
    begun ||= a.length + b.length > 0;
    if (!waits) {
      clearTimeout(patience);
      patience = slow = null;
    } else {
      patience ??= setTimeout(() => {
        slow = true;
        stream();
      }, 1500);
    }
    const words = link.waiting()
      ? [TEXT.busy, model.get("_kernel")].filter(Boolean).join(" ")
      : slow
        ? TEXT.preparing
        : "";
    note.hidden = !words;
    note.textContent = words;
  }

  build();
  if (playing) play();
  stream();
  history.update(model.get("_history") ?? []);
  tooltip(root);
  el.classList.add("saew-host");
  const help = explained(root, model, notes);
  help.begin();
  el.append(root);
  if (!still) attempt(model, () => model.send({ kind: "ready" }));
  const stops = [
    followTheme(root),
    help.stop,
    ownKeys(
      root,
      help.keys((event) => {
        if (event.target === prompt && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
          event.preventDefault();
          link.ask("write", { prompt: prompt.value });
          return true;
        }
        return find.key(event) || [...rows.values()].some((row) => row.key(event)) || walk(event);
      }),
    ),
    listen(model, ["_rows"], build),
    listen(model, ["prompt", "multiples", "scope", "temperature", "n_tokens", "seed", "compare", "feature"], update),
    listen(model, ["_texts", "status", "waiting", "multiples", "_measured"], stream),
    listen(model, ["_history"], () => history.update(model.get("_history"))),
    error.stop,
    link.stop,
    () => clearTimeout(patience),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

function shorten(text) {
  const line = text.replaceAll("\n", " ");
  return line.length > 38 ? `${line.slice(0, 37)}…` : line;
}

export default { render };
