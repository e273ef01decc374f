// SuperpositionLab: a slider moves, hundreds of small models are trained, and the pictures of the best of them answer.

import { banner } from "../../shared/banner.js";
import { h, placed, responsive } from "../../shared/elements.js";
import { listen } from "../../shared/events.js";
import { explained } from "../../shared/explained.js";
import { ownKeys } from "../../shared/keys.js";
import { attempt } from "../../shared/life.js";
import { kernelLink } from "../../shared/link.js";
import { matrixPicture } from "../../shared/matrix.js";
import { num, whole } from "../../shared/numbers.js";
import { followTheme } from "../../shared/theme.js";
import { say } from "../../shared/words.js";
import { measures, unpack } from "./math.js";
import { arrowPicture, barPicture, billPicture, lossPicture, sharedColor, stripPicture } from "./pictures.js";
import { notes } from "./notes.js";

const TEXT = {
  widget: "Superposition lab",
  features: "Features n",
  hidden: "Dimensions m",
  densest: "Densest model",
  sparsest: "Sparsest model",
  models: "Models side by side",
  decay: "Next feature matters",
  l1: "Penalty on |h|",
  relation: "Features are",
  relations: {
    independent: "independent",
    correlated: "on together in sets",
    anticorrelated: "never on together in sets",
  },
  setSize: "Features a set",
  activation: "Read-out",
  activations: { relu: "ReLU", linear: "linear" },
  hiddenKind: "Hidden layer",
  task: "Task",
  tasks: { reconstruct: "give back x", absolute: "compute |x|" },
  steps: "Steps",
  tries: "Tries for each model",
  seed: "Seed",
  reseed: "New seed",
  more: "More settings",
  train: "Train again",
  stop: "Stop",
  status: {
    ready: "ready",
    training: "training",
    finished: "trained",
    stopped: "stopped",
    recorded: "a recording",
    error: "failed",
  },
  share: "on in {percent} %",
  shareNote: "The share of inputs in which a feature is on: density p, sparsity 1 − p",
  times: "× {value}",
  scrub: "Training step",
  play: "Play the training",
  pause: "Pause",
  stepNow: "step {step} of {last}",
  model: "Model {i}, {label}",
  loss: "loss {value}",
  represented: "{k} of {n} features",
  directions: "Directions of the features",
  directionsNote:
    "Column i of W, the direction that stands for feature i. Drag to turn it, or focus it and press the arrow keys.",
  directionsFlat: "Column i of W, the direction that stands for feature i, number 0 the most important.",
  weights: "W: hidden dimensions by features",
  weightsNote: "Each row is a hidden dimension, each column a feature.",
  gram: "What is read of what",
  gramNote: "W′W: feature j alone, at 1, adds entry (i, j) to the read-out of feature i. Right: the bias.",
  neuronNote: "{name}: feature j alone, at 1, gives entry (i, j) to output i. Right: the bias.",
  bias: "bias",
  bars: "Represented, and shared?",
  barsNote: "Bar: length of the direction. Color: how far other features share it.",
  alone: "alone",
  shared: "shared",
  strip: "Feature dimensionality",
  stripNote:
    "The share of a dimension that each feature has; line: m/|W|\u2060² of the model. Dashed: shares in known polytopes.",
  curve: "Loss",
  curveNote: "Of every model; the chosen one is bold. Click to go to a step.",
  bill: "What the loss is made of",
  billNote: "L = Σ pᵏ(1 − p)ⁿ⁻ᵏ Lₖ: inputs with k active features, at the end of the training.",
  billOwn: "one alone, not given back",
  billOthers: "interference",
  picture: "Nothing is trained yet.",
  dismiss: "Dismiss the message",
  code: "The same in Python",
};
const NUDGE = 0.12; // radians a key press turns a space
const FRAME = 90; // ms between two snapshots while playing

function render({ model, el }) {
  const frozen = Boolean(model.get("_static"));
  const root = h("div", {
    class: "saew saew-lab",
    role: "group",
    "aria-label": TEXT.widget,
    "data-lm-suppress-shortcuts": "true",
  });
  const link = kernelLink(model);
  const put = (name, value) => link.put({ [name]: value });
  const error = banner(model, TEXT.dismiss);
  let data = null; // the unpacked picture
  let turn = { yaw: -0.6, pitch: 0.45 };
  let timer = 0;

  // -- controls ---------------------------------------------------------------------------------------------------------
  const updates = []; // one for each control: show the trait
  const slider = (name, label, attributes, format, /** @type {Record<string, any>} */ { get, set } = {}) => {
    const input = h("input", { type: "range", class: "saew-range", "aria-label": label, ...attributes });
    const output = h("output", {});
    const read = get ?? (() => model.get(name));
    const show = () => {
      const value = read();
      input.max = String(Math.max(attributes.max, value));
      input.min = String(Math.min(attributes.min, value));
      if (document.activeElement !== input || Number(input.value) !== value) input.value = value;
      output.textContent = format(value);
      input.setAttribute("aria-valuetext", format(value));
    };
    input.addEventListener("input", () => {
      (set ?? ((value) => put(name, value)))(Number(input.value));
      show();
    });
    updates.push(show);
    return h(
      "label",
      { class: "saew-knob" },
      h("span", { class: "saew-knob-name" }, h("span", {}, label), output),
      h("span", { class: "saew-slider" }, h("span", { class: "saew-rail", "aria-hidden": "true" }), input),
    );
  };
  const choice = (name, label, options) => {
    const select = h(
      "select",
      { class: "saew-input", onchange: () => put(name, select.value) },
      ...Object.entries(options).map(([value, words]) => h("option", { value }, words)),
    );
    updates.push(() => {
      select.value = model.get(name);
    });
    return h("label", { class: "saew-field" }, h("span", {}, label), select);
  };
  const number = (name, label, attributes) => {
    const input = h("input", { type: "number", class: "saew-input saew-small", ...attributes });
    input.addEventListener("change", () => {
      if (input.value !== "" && input.validity.valid) put(name, Number(input.value));
      else input.value = model.get(name);
    });
    updates.push(() => {
      if (document.activeElement !== input) input.value = model.get(name);
    });
    return h("label", { class: "saew-field" }, h("span", {}, label), input);
  };
  const densities = () => model.get("densities");
  const spread = (first, last, count) => {
    const at = (t) => Number((first * (last / first) ** t).toPrecision(2));
    put(
      "densities",
      Array.from({ length: count }, (_, i) => at(count > 1 ? i / (count - 1) : 1)),
    );
  };
  const density = (label, index) =>
    slider(
      "densities",
      label,
      { min: -2, max: 0, step: 0.02, title: TEXT.shareNote },
      (log) => say(TEXT.share, { percent: num(100 * 10 ** log, 2) }),
      {
        get: () => Number(Math.log10(densities().at(index)).toFixed(6)),
        set: (log) => {
          const list = densities();
          const value = Number((10 ** log).toPrecision(2));
          if (index === 0) spread(value, list.at(-1), list.length);
          else spread(list[0], value, list.length);
        },
      },
    );
  const plain = (value) => String(value);
  const knobs = h(
    "div",
    { class: "saew-knobs" },
    slider("n_features", TEXT.features, { min: 1, max: 20, step: 1 }, plain),
    slider("n_hidden", TEXT.hidden, { min: 1, max: 10, step: 1 }, plain),
    density(TEXT.densest, 0),
    density(TEXT.sparsest, -1),
    slider("importance_decay", TEXT.decay, { min: 0.5, max: 1, step: 0.01 }, (value) =>
      say(TEXT.times, { value: num(value) }),
    ),
    slider("densities", TEXT.models, { min: 1, max: 8, step: 1 }, plain, {
      get: () => densities().length,
      set: (count) => spread(densities()[0], densities().at(-1), count),
    }),
  );
  const setSize = number("set_size", TEXT.setSize, { min: 1, max: 50, step: 1 });
  updates.push(() => {
    setSize.hidden = model.get("relation") === "independent";
  });
  const state = h("span", { class: "saew-status", role: "status" });
  const button = h("button", {
    type: "button",
    class: "saew-button",
    onclick: () => link.ask(model.get("status") === "training" ? "stop" : "start"),
  });
  const code = h("pre", { class: "saew-pre", tabindex: 0 });
  const settings = h(
    "div",
    { class: "saew-settings" },
    choice("relation", TEXT.relation, TEXT.relations),
    setSize,
    choice("activation", TEXT.activation, TEXT.activations),
    h("div", { class: "saew-do" }, state, button),
  );
  const more = h(
    "details",
    { class: "saew-details" },
    h("summary", {}, TEXT.more),
    h(
      "div",
      { class: "saew-settings" },
      choice("hidden", TEXT.hiddenKind, { linear: TEXT.activations.linear, relu: TEXT.activations.relu }),
      choice("task", TEXT.task, TEXT.tasks),
      slider("l1", TEXT.l1, { min: 0, max: 1, step: 0.02 }, (value) => num(value)),
      number("steps", TEXT.steps, { min: 1, max: 100000, step: 1 }),
      number("tries", TEXT.tries, { min: 1, max: 100, step: 1 }),
      number("seed", TEXT.seed, { min: 0, max: 2 ** 31 - 1, step: 1 }),
      h(
        "button",
        { type: "button", class: "saew-pill", onclick: () => put("seed", Math.floor(Math.random() * 10000)) },
        TEXT.reseed,
      ),
    ),
  );

  // -- pictures ---------------------------------------------------------------------------------------------------------
  const panels = h("div", { class: "saew-panels", role: "group" });
  const scrub = h("input", { type: "range", class: "saew-range", min: 0, max: 0, step: 1, "aria-label": TEXT.scrub });
  const stepNow = h("output", { class: "saew-number" });
  const play = h("button", { type: "button", class: "saew-icon", "aria-label": TEXT.play }, "▶");
  const player = h(
    "div",
    { class: "saew-player" },
    play,
    h("span", { class: "saew-slider" }, h("span", { class: "saew-rail", "aria-hidden": "true" }), scrub),
    stepNow,
  );
  const told = h("p", { class: "saew-note saew-told" });
  const tip = h("p", { class: "saew-note saew-tell", "aria-live": "off" });
  const tell = (words) => {
    tip.textContent = words;
  };
  const section = (title, note, ...inside) =>
    h("section", { class: "saew-section" }, h("h3", {}, title), h("p", { class: "saew-note" }, note), ...inside);
  const heading = h("h3", {});
  const headingNote = h("p", { class: "saew-note" });
  const portrait = h("div", { class: "saew-portrait" });
  const gram = h("div", { class: "saew-gram" });
  const gramNote = h("p", { class: "saew-note" });
  const now = () => {
    const at = model.get("snapshot");
    return at < 0 || at >= data.snapshots ? data.snapshots - 1 : at;
  };
  const chosen = () => Math.min(model.get("selected"), data.instances - 1);
  const shown = (i = chosen()) => data.model(now(), i);
  const goto = (snapshot) => put("snapshot", snapshot === data.snapshots - 1 ? -1 : snapshot);
  const choose = (i) => put("selected", i);
  const bars = placed((width) => barPicture(shown(), width, { reach: data.reach, tell }));
  const strip = placed((width) => stripPicture(all(), data.labels, chosen(), width, { tell, choose }));
  const curve = placed((width) => lossPicture(data.steps, data.losses, chosen(), now(), width, { seek: goto }));
  const all = () => Array.from({ length: data.instances }, (_, i) => shown(i));
  const bill = placed((width) => billPicture(data.bills[chosen()], width, { tell }));
  const swatch = (color, words) =>
    h("span", { class: "saew-swatch-words" }, h("span", { class: "saew-shade", style: { background: color } }), words);
  const billed = section(
    TEXT.bill,
    TEXT.billNote,
    bill.el,
    h("div", { class: "saew-shades" }, swatch("var(--down)", TEXT.billOwn), swatch("var(--up)", TEXT.billOthers)),
  );
  const charts = [bars, strip, curve];
  const detail = h(
    "div",
    { class: "saew-lab-detail" },
    h("section", { class: "saew-section" }, heading, headingNote, portrait),
    h("section", { class: "saew-section" }, h("h3", {}, TEXT.gram), gramNote, gram),
    section(
      TEXT.bars,
      TEXT.barsNote,
      bars.el,
      h(
        "div",
        { class: "saew-shades" },
        h("span", {}, TEXT.alone),
        ...[0, 0.25, 0.5, 0.75, 1].map((v) =>
          h("span", { class: "saew-shade", style: { background: sharedColor(v) } }),
        ),
        h("span", {}, TEXT.shared),
      ),
    ),
    section(TEXT.strip, TEXT.stripNote, strip.el),
    section(TEXT.curve, TEXT.curveNote, curve.el),
    billed,
  );
  const body = h("div", { class: "saew-lab-body" }, panels, player, tip, detail);
  const empty = h("p", { class: "saew-note" }, TEXT.picture);
  root.append(
    ...(frozen ? [] : [knobs, settings, more]),
    error.el,
    told,
    empty,
    body,
    ...(frozen ? [] : [h("details", { class: "saew-details" }, h("summary", {}, TEXT.code), code)]),
  );

  const spin = (picture) => {
    let from = null;
    picture.addEventListener("pointerdown", (event) => {
      from = [event.clientX, event.clientY];
      picture.setPointerCapture(event.pointerId);
    });
    picture.addEventListener("pointermove", (event) => {
      if (!from || !picture.hasPointerCapture(event.pointerId)) return;
      turnBy((event.clientX - from[0]) / 90, (event.clientY - from[1]) / 90);
      from = [event.clientX, event.clientY];
    });
  };
  spin(portrait);
  const turnBy = (yaw, pitch) => {
    if (data?.hidden !== 3) return;
    turn = { yaw: turn.yaw + yaw, pitch: Math.max(-1.5, Math.min(1.5, turn.pitch + pitch)) };
    drawPanels();
    drawPortrait();
  };

  const flat = () => data.hidden > 3 || data.privileged; // no arrows: matrices
  const weightsOf = (one, small) =>
    matrixPicture(root, "W", one.W, one.m, one.n, { most: data.reach, small, tell: small ? null : tell });
  const thumbnail = (one) => {
    if (!flat()) return arrowPicture(one, { reach: 1.08 * data.reach, turn, big: false });
    return data.privileged
      ? weightsOf(one, true)
      : matrixPicture(root, "W′W", measures(one).read, one.n, one.n, { most: data.reach ** 2, small: true });
  };

  function drawPanels() {
    if (panels.children.length !== data.instances) {
      panels.replaceChildren(
        ...Array.from({ length: data.instances }, (_, i) =>
          h(
            "button",
            { type: "button", class: "saew-panel", onclick: () => choose(i) },
            h("span", { class: "saew-panel-name" }),
            h("span", { class: "saew-panel-picture" }),
            h("span", { class: "saew-panel-facts" }),
          ),
        ),
      );
    }
    panels.style.setProperty("--count", data.instances);
    [...panels.children].forEach((panel, i) => {
      const one = shown(i);
      const [name, picture, facts] = panel.children;
      const { norms } = measures(one);
      panel.setAttribute("aria-pressed", String(i === chosen()));
      panel.setAttribute("aria-label", say(TEXT.model, { i: i + 1, label: `${data.label_name} ${data.labels[i]}` }));
      name.textContent = `${data.label_name} ${data.labels[i]}`;
      picture.replaceChildren(thumbnail(one));
      facts.replaceChildren(
        h("span", {}, say(TEXT.represented, { k: norms.filter((v) => v > 0.5).length, n: one.n })),
        h("span", {}, say(TEXT.loss, { value: num(data.losses[now()][i], 2) })),
      );
    });
  }

  function drawPortrait() {
    const one = shown();
    const arrows = one.m <= 3 && !data.privileged;
    heading.textContent = arrows ? TEXT.directions : TEXT.weights;
    headingNote.textContent = arrows ? (one.m === 3 ? TEXT.directionsNote : TEXT.directionsFlat) : TEXT.weightsNote;
    portrait.classList.toggle("saew-space", arrows && one.m === 3);
    if (arrows && one.m === 3) portrait.tabIndex = 0;
    else portrait.removeAttribute("tabindex");
    portrait.replaceChildren(
      arrows ? arrowPicture(one, { reach: 1.12 * data.reach, turn, big: true }) : weightsOf(one, false),
    );
  }

  function drawDetail() {
    const one = shown();
    drawPortrait();
    const first = one.D ? "W₁" : "W";
    const name = `${one.D ? "W₂" : "W′"}${one.neurons ? ` ReLU(${first})` : first}`;
    gramNote.textContent = one.D || one.neurons ? say(TEXT.neuronNote, { name }) : TEXT.gramNote;
    const most = one.D || one.neurons ? 1 : data.reach ** 2;
    gram.style.setProperty("grid-template-columns", `minmax(0, ${one.n}fr) minmax(0, 1fr)`);
    gram.replaceChildren(
      matrixPicture(root, name, measures(one).read, one.n, one.n, { most, tell }),
      matrixPicture(root, TEXT.bias, one.b, one.n, 1, { most: data.bias, tell }),
    );
    for (const chart of charts) chart.redraw();
    billed.hidden = !data.bills.length; // unknown while it trains, and where the formula does not hold
    if (data.bills.length) bill.redraw();
  }

  function draw() {
    const ready = data !== null;
    body.hidden = !ready;
    empty.hidden = ready || model.get("status") === "training";
    told.textContent = ready ? data.told : "";
    told.hidden = !ready;
    if (!ready) return;
    const at = now();
    scrub.max = String(data.snapshots - 1);
    scrub.value = at;
    const words = say(TEXT.stepNow, { step: whole(data.steps[at]), last: whole(data.steps.at(-1)) });
    scrub.setAttribute("aria-valuetext", words);
    stepNow.textContent = words;
    drawPanels();
    drawDetail();
  }

  const arrive = () => {
    const picture = model.get("_picture");
    data = picture?.values ? unpack(picture) : null;
    code.textContent = picture?.code ?? "";
  };
  const status = () => {
    const value = model.get("status");
    state.textContent =
      value === "training" && data
        ? `${TEXT.status[value]}: ${say(TEXT.stepNow, { step: whole(data.steps.at(-1)), last: whole(data.total) })}`
        : TEXT.status[value];
    state.setAttribute("data-status", value);
    button.textContent = value === "training" ? TEXT.stop : TEXT.train;
  };
  const control = () => updates.forEach((update) => update());

  // -- time -------------------------------------------------------------------------------------------------------------
  const halt = () => {
    clearInterval(timer);
    timer = 0;
    play.textContent = "▶";
    play.setAttribute("aria-label", TEXT.play);
  };
  const stepOn = () => {
    if (!data) return halt();
    const next = now() + 1;
    goto(Math.min(next, data.snapshots - 1));
    if (next >= data.snapshots - 1) halt();
  };
  play.addEventListener("click", () => {
    if (timer) {
      halt();
      return;
    }
    if (now() === data.snapshots - 1) goto(0);
    play.textContent = "⏸";
    play.setAttribute("aria-label", TEXT.pause);
    timer = setInterval(stepOn, FRAME);
  });
  scrub.addEventListener("input", () => {
    halt();
    goto(Number(scrub.value));
  });

  let frame = 0;
  const soon = () => {
    if (!frame)
      frame = requestAnimationFrame(() => {
        frame = 0;
        draw();
        status();
      });
  };

  el.classList.add("saew-host");
  const help = explained(root, model, notes);
  help.begin();
  el.append(root);
  const stopTheme = followTheme(root); // before the first matrix is painted in its colors
  arrive();
  control();
  draw();
  status();
  const repaint = new MutationObserver(soon);
  repaint.observe(root, { attributes: true, attributeFilter: ["data-theme"] });
  // JupyterLab draws a cell far down the page before it belongs to the page: it has no colors yet, and matrices would stay black.
  const unwatch = responsive(root, soon);
  if (!frozen) attempt(model, () => model.send({ kind: "ready" }));
  const keys = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const stops = [
    stopTheme,
    help.stop,
    ownKeys(
      root,
      help.keys((event) => {
        if (event.target !== portrait || !(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey)
          return false;
        event.preventDefault();
        turnBy(...keys[event.key].map((by) => by * NUDGE));
        return true;
      }),
    ),
    listen(model, ["_picture"], () => {
      arrive();
      soon();
    }),
    listen(model, ["snapshot", "selected"], soon),
    listen(model, ["status"], () => {
      status();
      soon();
    }),
    listen(
      model,
      [
        "n_features",
        "n_hidden",
        "densities",
        "importance_decay",
        "relation",
        "set_size",
        "activation",
        "hidden",
        "task",
        "l1",
        "steps",
        "tries",
        "seed",
      ],
      control,
    ),
    error.stop,
    link.stop,
    ...charts.map((chart) => chart.stop),
    bill.stop,
    () => repaint.disconnect(),
    unwatch,
    () => cancelAnimationFrame(frame),
    halt,
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

export default { render };
