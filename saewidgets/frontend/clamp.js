// ClampPanel: sliders in multiples of each feature's maximum, and what the model writes without and with them.

import { banner, followTheme, h, listen, num, ownKeys, percent, say, throttle } from "./dom.js";
import { picker } from "./picker.js";
import { chip, enterable, glyphs, running, tooltip, walk, wordOf } from "./tokens.js";

const TEXT = {
  widget: "Clamp panel",
  prompt: "Prompt",
  examples: "Try",
  add: "Add a feature: label, token or number",
  addLabel: "Add a feature to clamp",
  on: "Clamp {name}",
  slider: "{name}: clamp to this multiple of its maximum",
  box: "{name}: exact multiple of its maximum",
  remove: "Remove {name}",
  off: "off",
  ablated: "0 (ablated)",
  scale: [[-10, "−10×"], [-5, "−5×"], [0, "0 ablates"], [5, "5×"], [10, "10×"]],
  units: "= {value}",
  unitsTitle: "{value} in SAE units; the largest activation on the corpus is {maximum}",
  window: "works at {low} to {high}×",
  windowTitle: "Measured: inside this window the concept appears and the text stays fluent. Click for the middle.",
  none: "No feature is clamped yet. Add one above, or choose one in a dashboard that shares this selection.",
  scope: "Where",
  scopes: { all: "every token", prompt: "the prompt only", generated: "generated tokens only" },
  fromToken: "from token {t} on",
  temperature: "Temperature",
  length: "Tokens",
  seed: "Seed",
  reseed: "New seed",
  again: "Write again",
  stop: "Stop",
  status: { idle: "ready", writing: "writing", stopped: "stopped", error: "failed" },
  count: "{n} tokens",
  default: "Default",
  defaultNote: "as the model is",
  clamped: "Clamped",
  clampedNote: "same random numbers",
  nothing: "nothing is clamped: the same text",
  legend: "how far the clamp moved the prediction of a token",
  different: "the first token that differs",
  same: "The two texts do not differ.",
  token: "token",
  id: "id",
  probability: "probability",
  kl: "moved by (KL)",
  nats: "{value} nats",
  code: "The same in Python",
  recorded: "A recording: the sliders need a running kernel.",
  dismiss: "Dismiss the message",
};
const LIMIT = 10; // multiples of the maximum at the ends of a slider
const THUMB = 16; // px, as in the style sheet

const place = (multiple) => `calc(${THUMB / 2}px + (100% - ${THUMB}px) * ${(Math.max(-LIMIT, Math.min(LIMIT, multiple)) + LIMIT) / (2 * LIMIT)})`;

function sliderRow(row, { change, remove, choose, frozen }) {
  const name = row.label ? `#${row.feature} ${row.label}` : `#${row.feature}`;
  const toggle = h("input", { type: "checkbox", role: "switch", class: "saew-switch", "aria-label": say(TEXT.on, { name }), disabled: frozen });
  const range = h("input", { type: "range", class: "saew-range", min: -LIMIT, max: LIMIT, step: 0.1, "aria-label": say(TEXT.slider, { name }), disabled: frozen });
  const box = h("input", { type: "number", class: "saew-input saew-multiple", step: 0.1, "aria-label": say(TEXT.box, { name }), disabled: frozen });
  const units = h("output", { class: "saew-units" });
  const fill = h("span", { class: "saew-rail-fill" });
  const rail = h("span", { class: "saew-rail", "aria-hidden": "true" }, h("span", { class: "saew-rail-zero", style: { left: place(0) } }), fill);
  let tuned = null;
  if (row.window) {
    const [low, high] = row.window;
    rail.prepend(h("span", { class: "saew-rail-window", style: { left: place(low), right: `calc(100% - ${place(high)})` } }));
    tuned = h(
      "button",
      { type: "button", class: "saew-link", title: TEXT.windowTitle, disabled: frozen, onclick: () => change(row.feature, Math.round(5 * (low + high)) / 10) },
      say(TEXT.window, { low: num(low), high: num(high) }),
    );
  }
  toggle.addEventListener("change", () => change(row.feature, toggle.checked ? Number(range.value) : null));
  range.addEventListener("input", () => change(row.feature, Number(range.value)));
  box.addEventListener("change", () => change(row.feature, box.value === "" ? null : Number(box.value)));
  const el = h(
    "div",
    { class: "saew-clamp-row" },
    toggle,
    h(
      "div",
      { class: "saew-clamp-name" },
      h("button", { type: "button", class: "saew-name", onclick: () => choose(row.feature) }, h("span", { class: "saew-id" }, `#${row.feature}`), h("span", {}, row.label || row.promoted.map((t) => glyphs(t, 12)).join("  "))),
      tuned,
    ),
    h("div", { class: "saew-slider" }, rail, range),
    h("div", { class: "saew-exact" }, box, h("span", { "aria-hidden": "true" }, "×"), units),
    h("button", { type: "button", class: "saew-icon saew-quiet", "aria-label": say(TEXT.remove, { name }), title: say(TEXT.remove, { name }), disabled: frozen, onclick: () => remove(row.feature) }, "×"),
  );
  const update = (multiple, selected) => {
    const on = multiple !== null && multiple !== undefined;
    el.classList.toggle("saew-off", !on);
    el.classList.toggle("saew-selected", selected);
    toggle.checked = on;
    const at = on ? multiple : Number(range.value || 0);
    if (on) range.value = multiple;
    else if (!range.dataset.touched) range.value = 0;
    range.dataset.touched = "1";
    if (document.activeElement !== box) box.value = on ? multiple : "";
    box.placeholder = TEXT.off;
    range.setAttribute("aria-valuetext", on ? (multiple === 0 ? TEXT.ablated : `${num(multiple, 4)}×`) : TEXT.off);
    units.textContent = !on ? TEXT.off : multiple === 0 ? TEXT.ablated : say(TEXT.units, { value: num(multiple * row.maximum) });
    units.title = say(TEXT.unitsTitle, { value: num((on ? multiple : 0) * row.maximum, 6), maximum: num(row.maximum, 6) });
    const zero = place(0);
    const value = place(at);
    fill.style.setProperty("left", at >= 0 ? zero : value);
    fill.style.setProperty("right", `calc(100% - ${at >= 0 ? value : zero})`);
    fill.hidden = !on;
  };
  return { el, update };
}

function pane(title, note) {
  const detail = h("span", { class: "saew-faint" }, note);
  const count = h("span", { class: "saew-count" });
  const text = h("div", { class: "saew-text saew-strip saew-walk", role: "log", "aria-label": title, "aria-live": "off", dir: "auto" });
  const el = h("section", { class: "saew-pane" }, h("h3", {}, title, detail, count), text);
  let drawn = [];
  const same = (a, b) => a[0] === b[0] && a[1] === b[1] && a[2] === b[2];
  const one = ([id, piece, logprob, kl]) => {
    const lines = [
      [TEXT.token, glyphs(piece, 200)],
      [TEXT.id, String(id)],
      [TEXT.probability, logprob === null ? "–" : percent(Math.exp(logprob))],
    ];
    if (kl !== null && kl > 0) lines.push([TEXT.kl, say(TEXT.nats, { value: num(kl) })]);
    const el = chip(piece || " ", 0, lines);
    // A piece can be empty (half of a character) or hold a line break; both keep their place.
    el.replaceChildren(...(piece === "" ? [] : wordOf(running(piece, 400).replaceAll("⏎", "⏎\n"))));
    if (kl > 0) el.style.setProperty("--k", (1 - Math.exp(-kl)).toFixed(3));
    return el;
  };
  const update = (tokens, busy, message) => {
    let kept = 0;
    while (kept < drawn.length && kept < tokens.length && same(drawn[kept], tokens[kept])) kept += 1;
    while (text.children.length > kept) text.lastChild.remove();
    text.append(...tokens.slice(kept).map(one));
    drawn = tokens;
    if (kept === 0) enterable(text);
    text.classList.toggle("saew-busy", busy);
    text.setAttribute("aria-busy", String(busy));
    count.textContent = tokens.length ? say(TEXT.count, { n: tokens.length }) : "";
    if (message !== undefined) detail.textContent = message;
  };
  const mark = (at) => {
    for (const el of text.querySelectorAll(".saew-diff")) {
      el.classList.remove("saew-diff");
      el.removeAttribute("aria-description");
    }
    const el = at >= 0 ? text.children[at] : null;
    el?.classList.add("saew-diff");
    el?.setAttribute("aria-description", TEXT.different);
  };
  return { el, update, mark };
}

/** Index of the first token at which two texts part, -1 where one is a beginning of the other. */
function parting(a, b) {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i += 1) if (a[i][0] !== b[i][0]) return i;
  return -1;
}

function render({ model, el }) {
  const frozen = Boolean(model.get("_static"));
  const root = h("div", { class: frozen ? "saew saew-clamp saew-frozen" : "saew saew-clamp", role: "group", "aria-label": TEXT.widget, "data-lm-suppress-shortcuts": "true" });
  const save = throttle(() => model.save_changes(), 40);
  const put = (name, value) => {
    model.set(name, value);
    save();
  };
  const error = banner(model, TEXT.dismiss);

  // The prompt.
  const prompt = h("textarea", { class: "saew-input saew-prompt", rows: 2, spellcheck: "false", "aria-label": TEXT.prompt, disabled: frozen });
  const putPrompt = throttle(() => put("prompt", prompt.value), 400);
  prompt.addEventListener("input", () => putPrompt());
  const tries = h(
    "div",
    { class: "saew-tries" },
    h("span", { class: "saew-faint" }, TEXT.examples),
    ...model.get("_examples").map((text) =>
      h("button", { type: "button", class: "saew-pill", title: text, disabled: frozen, onclick: () => put("prompt", text) }, shorten(text)),
    ),
  );

  // The sliders.
  const find = picker(
    () => model.get("_index").filter((row) => !model.get("features").includes(row.feature)),
    (feature) => put("features", [...model.get("features"), feature]),
    { label: TEXT.addLabel, placeholder: TEXT.add },
  );
  const rowsHost = h("div", { class: "saew-clamp-rows" });
  const rows = new Map();
  const change = (feature, multiple) => {
    const next = { ...model.get("multiples"), [feature]: multiple };
    model.set("multiples", next);
    update();
    save();
  };
  const remove = (feature) => put("features", model.get("features").filter((f) => f !== feature));
  const choose = (feature) => put("feature", feature);
  const build = () => {
    rows.clear();
    for (const row of model.get("_rows")) rows.set(row.feature, sliderRow(row, { change, remove, choose, frozen }));
    const scale = h("div", { class: "saew-clamp-row saew-clamp-head", "aria-hidden": "true" }, h("div", { class: "saew-scale" }, ...TEXT.scale.map(([at, words]) => h("span", { style: { left: place(at) } }, words))));
    rowsHost.replaceChildren(...(rows.size ? [scale, ...[...rows.values()].map((row) => row.el)] : [h("p", { class: "saew-note" }, TEXT.none)]));
    update();
  };

  // The settings.
  const scope = h("select", { class: "saew-input", disabled: frozen, onchange: () => put("scope", /^\d+$/.test(scope.value) ? Number(scope.value) : scope.value) });
  const number = (name, attributes) => {
    const input = h("input", { type: "number", class: "saew-input saew-small", disabled: frozen, ...attributes });
    input.addEventListener("change", () => {
      if (input.value !== "" && input.validity.valid) put(name, Number(input.value));
      else input.value = model.get(name);
    });
    return input;
  };
  const temperature = number("temperature", { min: 0, max: 2, step: 0.1 });
  const length = number("n_tokens", { min: 1, max: 400, step: 1 });
  const seed = number("seed", { min: 0, max: 2 ** 31 - 1, step: 1 });
  const field = (label, input, ...more) => h("label", { class: "saew-field" }, h("span", {}, label), input, ...more);
  const state = h("span", { class: "saew-status", role: "status" });
  const button = h("button", { type: "button", class: "saew-button", disabled: frozen, onclick: () => model.send({ kind: model.get("status") === "writing" ? "stop" : "write" }) });
  const settings = h(
    "div",
    { class: "saew-settings" },
    field(TEXT.scope, scope),
    field(TEXT.temperature, temperature),
    field(TEXT.length, length),
    field(TEXT.seed, seed),
    h("button", { type: "button", class: "saew-pill", disabled: frozen, onclick: () => put("seed", Math.floor(Math.random() * 10000)) }, TEXT.reseed),
    h("div", { class: "saew-do" }, state, button),
  );

  // The two texts.
  const before = pane(TEXT.default, TEXT.defaultNote);
  const after = pane(TEXT.clamped, TEXT.clampedNote);
  after.el.classList.add("saew-pane-clamped");
  const legend = h("div", { class: "saew-legend" });
  const code = h("pre", { class: "saew-pre", tabindex: 0 });

  root.append(
    h("div", { class: "saew-ask" }, h("label", {}, h("span", { class: "saew-kicker" }, TEXT.prompt), prompt), tries),
    error.el,
    h("div", { class: "saew-clamps" }, rowsHost, frozen ? h("p", { class: "saew-note" }, TEXT.recorded) : find.el),
    settings,
    h("div", { class: "saew-panes" }, before.el, after.el),
    legend,
    h("details", { class: "saew-details" }, h("summary", {}, TEXT.code), code),
    h("footer", { class: "saew-footer" }, h("p", {}, model.get("_passport"))),
  );

  function update() {
    const multiples = model.get("multiples");
    for (const [feature, row] of rows) row.update(multiples[feature] ?? null, feature === model.get("feature"));
    if (document.activeElement !== prompt) prompt.value = model.get("prompt");
    const scopes = { ...TEXT.scopes };
    const now = model.get("scope");
    if (!(now in scopes)) scopes[now] = say(TEXT.fromToken, { t: now });
    scope.replaceChildren(...Object.entries(scopes).map(([value, label]) => h("option", { value, selected: value === String(now) }, label)));
    for (const [input, name] of [[temperature, "temperature"], [length, "n_tokens"], [seed, "seed"]]) {
      if (document.activeElement !== input) input.value = model.get(name);
    }
    }

  function stream() {
    const [a, b] = [model.get("_texts").default, model.get("_texts").clamped];
    const writing = model.get("status") === "writing";
    const clamped = Object.entries(model.get("multiples")).some(([f, m]) => m !== null && rows.has(Number(f)));
    before.update(a, writing);
    after.update(b, writing, clamped ? TEXT.clampedNote : TEXT.nothing);
    const at = parting(a, b);
    before.mark(at);
    after.mark(at);
    const parts = [];
    if (at >= 0) parts.push(["saew-swatch-diff", TEXT.different]);
    else if (a.length && b.length && !writing && clamped) parts.push(["", TEXT.same]);
    if (b.length && clamped) parts.push(["saew-swatch-moved", TEXT.legend]);
    legend.replaceChildren(...parts.map(([swatch, words]) => h("span", {}, swatch ? h("span", { class: swatch }) : null, words)));
    state.textContent = TEXT.status[model.get("status")];
    state.setAttribute("data-status", model.get("status"));
    button.textContent = writing ? TEXT.stop : TEXT.again;
    code.textContent = model.get("_texts").code;
  }

  build();
  stream();
  tooltip(root);
  el.classList.add("saew-host");
  el.append(root);
  if (!frozen) model.send({ kind: "ready" });
  const stops = [
    followTheme(root),
    ownKeys(root, (event) => {
      if (event.target === prompt && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        put("prompt", prompt.value);
        model.send({ kind: "write" });
        return true;
      }
      return find.key(event) || walk(event);
    }),
    listen(model, ["_rows"], build),
    listen(model, ["prompt", "multiples", "scope", "temperature", "n_tokens", "seed", "feature"], update),
    listen(model, ["_texts", "status", "multiples"], stream),
    error.stop,
  ];
  return () => stops.forEach((stop) => stop());
}

function shorten(text) {
  const line = text.replace(/^Human: /, "").replace(/\nAssistant:$/, "").replaceAll("\n", " ");
  return line.length > 38 ? `${line.slice(0, 37)}…` : line;
}

export default { render };
