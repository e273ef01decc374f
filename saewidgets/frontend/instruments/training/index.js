// TrainingMonitor: start, pause, resume, stop and keep; live curves of one run or several, and their frontier.

import { banner } from "../../shared/banner.js";
import { h } from "../../shared/elements.js";
import { listen } from "../../shared/events.js";
import { explained } from "../../shared/explained.js";
import { ownKeys } from "../../shared/keys.js";
import { kernelLink } from "../../shared/link.js";
import { aligned, percent, whole } from "../../shared/numbers.js";
import { followTheme } from "../../shared/theme.js";
import { say } from "../../shared/words.js";
import { densityChart, frontierChart, runChart } from "./charts.js";
import { notes } from "./notes.js";

const TEXT = {
  widget: "Training monitor",
  start: "Start",
  pause: "Pause",
  resume: "Resume",
  again: "Try again",
  stop: "Stop and keep",
  status: {
    ready: "ready",
    training: "training",
    paused: "paused",
    finished: "finished",
    stopped: "stopped",
    error: "failed",
  },
  kept: "stopped at step {step}; the SAE is kept as it is",
  step: "Step",
  tokens: "Tokens",
  speed: "Tokens/s",
  left: "Time left",
  progress: "Steps done",
  loss: "Loss (log scale)",
  fvu: "Variance unexplained (log scale)",
  l0: "Active features per token",
  dead: "Dead features",
  rate: "Learning rate",
  sparsity: "Sparsity coefficient (λ or k)",
  dismiss: "Dismiss the message",
  recorded: "A recording of a training.",
  frontier: "What each active feature buys",
  frontierNote:
    "One point a run, mean of its last steps. Filled points are on the front: no other run is better in both. Lower and further left is better.",
  runs: "Runs",
  show: "Run in front",
  inFront: "In front: {name}. The other runs are drawn faint.",
  front: "front",
  failed: "stopped: {why}",
  none: "–",
};
// Columns of a point, as `payload.curve` sends them.
const [STEP, TOKENS, LOSS, FVU, L0, DEAD, RATE, SPARSITY] = [0, 1, 2, 3, 4, 5, 6, 7];
/** @type {[number, string, { log?: boolean, format?: (x: number) => string }, string][]} */
const CURVES = [
  [LOSS, TEXT.loss, { log: true }, "var(--saew-c1)"],
  [FVU, TEXT.fvu, { log: true }, "var(--saew-c2)"],
  [L0, TEXT.l0, {}, "var(--saew-c3)"],
  [DEAD, TEXT.dead, { format: percent }, "var(--saew-c4)"],
  [RATE, TEXT.rate, {}, "var(--saew-c5)"],
  [SPARSITY, TEXT.sparsity, {}, "var(--saew-d6)"],
];
const COLORS = 8; // --saew-d1 to --saew-d8
let monitors = 0;

/** Seconds in words: "12 s", "3 min 20 s", "2 h 5 min". */
function duration(seconds) {
  if (seconds === null || seconds === undefined) return TEXT.none;
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.round((whole % 3600) / 60)} min`;
}

function render({ model, el }) {
  const frozen = Boolean(model.get("_static"));
  monitors += 1;
  const group = `saew-run-${monitors}`;
  const root = h("div", {
    class: "saew saew-training",
    role: "group",
    "aria-label": TEXT.widget,
    "data-lm-suppress-shortcuts": "true",
  });
  const link = kernelLink(model);
  const error = banner(model, TEXT.dismiss);
  const state = h("span", { class: "saew-status", role: "status" });
  const main = h("button", { type: "button", class: "saew-button" });
  const stop = h(
    "button",
    { type: "button", class: "saew-button saew-plain", onclick: () => link.ask("stop") },
    TEXT.stop,
  );
  main.addEventListener("click", () => link.ask(model.get("status") === "training" ? "pause" : "start"));
  const bar = h("progress", { class: "saew-progress", max: 1, value: 0, "aria-label": TEXT.progress });
  const fact = (name) => {
    const value = h("div", { class: "saew-value" }, TEXT.none);
    return { value, el: h("div", { class: "saew-fact" }, h("div", { class: "saew-kicker" }, name), value) };
  };
  const facts = { step: fact(TEXT.step), tokens: fact(TEXT.tokens), speed: fact(TEXT.speed), left: fact(TEXT.left) };
  const curves = CURVES.map(([column, name, options, color]) => ({ column, color, ...runChart(name, options) }));
  const density = densityChart();
  const select = (name) => link.put({ selected: name });
  const frontier = frontierChart(select);
  const rows = h("tbody");
  const list = h(
    "div",
    { class: "saew-runs-list" },
    h(
      "table",
      { class: "saew-table" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ...[TEXT.runs, "L0", "FVU", TEXT.dead].map((name, i) =>
            h("th", { scope: "col", class: i ? null : "saew-words" }, name),
          ),
        ),
      ),
      rows,
    ),
  );
  const several = h(
    "section",
    { class: "saew-several", hidden: true },
    h(
      "div",
      { class: "saew-section" },
      h("h3", {}, TEXT.frontier),
      h("p", { class: "saew-note" }, TEXT.frontierNote),
      frontier.el,
    ),
    list,
  );
  const about = h("p", { class: "saew-note saew-about" });
  root.append(
    h(
      "div",
      { class: "saew-run" },
      frozen ? h("span", { class: "saew-faint" }, TEXT.recorded) : h("div", { class: "saew-buttons" }, main, stop),
      state,
      h("span", { class: "saew-spring" }),
      h("div", { class: "saew-facts" }, ...Object.values(facts).map((f) => f.el)),
    ),
    bar,
    error.el,
    several,
    about,
    h("div", { class: "saew-curves" }, ...curves.map((curve) => curve.el), density.el),
  );

  const buttons = () => {
    const status = model.get("status");
    const last = Math.max(0, ...model.get("_runs").map((run) => run.points.at(-1)?.[STEP] ?? 0));
    state.textContent = status === "stopped" ? TEXT.kept.replace("{step}", whole(last)) : TEXT.status[status];
    state.setAttribute("data-status", status);
    const again = status === "error" && model.get("_again");
    main.textContent = again ? TEXT.again : ({ training: TEXT.pause, paused: TEXT.resume }[status] ?? TEXT.start);
    main.disabled = ["finished", "stopped"].includes(status) || (status === "error" && !again);
    stop.disabled = !["training", "paused"].includes(status) && !again;
  };
  const radios = new Map(); // name -> its row; kept between updates, so that the keyboard's place is not lost
  const listed = (runs) => {
    if (runs.length !== radios.size || runs.some((run) => !radios.has(run.name))) {
      radios.clear();
      rows.replaceChildren(
        ...runs.map((run) => {
          const radio = h("input", {
            type: "radio",
            name: group,
            "aria-label": `${TEXT.show}: ${run.name}`,
            onchange: () => select(run.name),
          });
          const note = h("div", { class: "saew-faint" });
          const cells = [0, 1, 2].map(() => h("td"));
          const badge = h("span", { class: "saew-badge", style: { "--own": run.color } }, String(run.number));
          const row = h(
            "tr",
            {},
            h(
              "th",
              { scope: "row", class: "saew-words" },
              h("label", {}, radio, badge, h("span", { class: "saew-run-name" }, run.name)),
              note,
            ),
            ...cells,
          );
          radios.set(run.name, { radio, note, cells, row });
          return row;
        }),
      );
    }
    for (const run of runs) {
      const { radio, note, cells, row } = radios.get(run.name);
      radio.checked = run.chosen;
      row.toggleAttribute("data-chosen", run.chosen);
      note.textContent = run.failed
        ? TEXT.failed.replace("{why}", () => run.failed)
        : [run.front ? TEXT.front : "", run.facts].filter(Boolean).join(" · ");
      const last = run.points.at(-1);
      [
        run.l0 === null ? TEXT.none : aligned(run.l0),
        run.fvu === null ? TEXT.none : aligned(run.fvu),
        last ? percent(last[DEAD]) : TEXT.none,
      ].forEach((text, i) => {
        cells[i].textContent = text;
      });
    }
  };
  const draw = () => {
    const selected = model.get("selected");
    const raw = model.get("_runs");
    const runs = raw.map((run, i) => ({
      ...run,
      number: i + 1,
      color: `var(--saew-d${(i % COLORS) + 1})`,
      chosen: run.name === selected || raw.length === 1,
    }));
    const chosen = runs.find((run) => run.chosen) ?? runs[0];
    for (const { column, color, el: figure, update } of curves) {
      const own = runs.map((run) => ({
        name: run.name,
        color: runs.length > 1 ? run.color : color,
        chosen: run === chosen,
        points: run.points.map((point) => [point[STEP], point[column]]),
      }));
      figure.hidden = column === SPARSITY && !own.some((run) => run.points.some(([, v]) => v));
      update(own);
    }
    density.update(chosen?.density ?? null, runs.length > 1 ? (chosen?.color ?? "") : "var(--saew-d1)");
    several.hidden = runs.length < 2;
    if (runs.length > 1) {
      frontier.update(runs);
      listed(runs);
    }
    about.hidden = !chosen || (runs.length < 2 && !chosen.facts);
    about.textContent = !chosen ? "" : runs.length > 1 ? say(TEXT.inFront, { name: chosen.name }) : chosen.facts;
    const [step, tokens] = [STEP, TOKENS].map((column) =>
      Math.max(0, ...runs.map((run) => run.points.at(-1)?.[column] ?? 0)),
    );
    const [speed, left] = model.get("_speed");
    facts.step.value.textContent = step ? whole(step) : TEXT.none;
    facts.tokens.value.textContent = step ? whole(tokens) : TEXT.none;
    facts.speed.value.textContent = speed ? whole(speed) : TEXT.none;
    facts.left.value.textContent = model.get("status") === "training" ? duration(left) : TEXT.none;
    const total = model.get("total");
    bar.hidden = !total;
    if (total) bar.value = step / total;
    buttons();
  };
  let frame = 0;
  const soon = () => {
    if (!frame)
      frame = requestAnimationFrame(() => {
        frame = 0;
        draw();
      });
  };
  draw();
  el.classList.add("saew-host");
  const help = explained(root, model, notes);
  help.begin();
  el.append(root);
  const stops = [
    followTheme(root),
    help.stop,
    ownKeys(root, help.keys()),
    listen(model, ["status", "_again", "_runs", "_speed", "selected"], soon),
    error.stop,
    link.stop,
    ...curves.map((curve) => curve.stop),
    density.stop,
    frontier.stop,
    () => cancelAnimationFrame(frame),
  ];
  return () => {
    for (const end of stops) end();
  };
}

export default { render };
