// TrainingMonitor: start, pause, resume, stop; four live curves.

import { curveChart } from "./charts.js";
import { banner, followTheme, h, listen, num, ownKeys, percent, whole } from "./dom.js";

const TEXT = {
  widget: "Training monitor",
  start: "Start",
  pause: "Pause",
  resume: "Resume",
  stop: "Stop",
  status: { ready: "ready", training: "training", paused: "paused", finished: "finished", stopped: "stopped", error: "failed" },
  step: "Step",
  tokens: "Tokens",
  rate: "Learning rate",
  progress: "Steps done",
  loss: "Loss (log scale)",
  fvu: "Variance unexplained",
  l0: "Active features per token",
  dead: "Dead features",
  dismiss: "Dismiss the message",
  recorded: "A recording of a run.",
};
// Columns of a point, as `TrainingMonitor` sends them.
const [STEP, TOKENS, LOSS, FVU, L0, DEAD, RATE] = [0, 1, 2, 3, 4, 5, 6];
const CURVES = [
  [LOSS, TEXT.loss, { color: "var(--saew-c1)", log: true }],
  [FVU, TEXT.fvu, { color: "var(--saew-c2)" }],
  [L0, TEXT.l0, { color: "var(--saew-c3)" }],
  [DEAD, TEXT.dead, { color: "var(--saew-c4)", format: percent }],
];

function render({ model, el }) {
  const frozen = Boolean(model.get("_static"));
  const root = h("div", { class: "saew saew-training", role: "group", "aria-label": TEXT.widget, "data-lm-suppress-shortcuts": "true" });
  const error = banner(model, TEXT.dismiss);
  const state = h("span", { class: "saew-status", role: "status" });
  const main = h("button", { type: "button", class: "saew-button" });
  const stop = h("button", { type: "button", class: "saew-button saew-plain", onclick: () => model.send({ kind: "stop" }) }, TEXT.stop);
  main.addEventListener("click", () => model.send({ kind: model.get("status") === "training" ? "pause" : "start" }));
  const bar = h("progress", { class: "saew-progress", max: 1, value: 0, "aria-label": TEXT.progress });
  const facts = [TEXT.step, TEXT.tokens, TEXT.rate].map((name) => {
    const value = h("div", { class: "saew-value" }, "–");
    return { value, el: h("div", { class: "saew-fact" }, h("div", { class: "saew-kicker" }, name), value) };
  });
  const curves = CURVES.map(([column, name, options]) => ({ column, ...curveChart(name, options) }));
  root.append(
    h("div", { class: "saew-run" }, frozen ? h("span", { class: "saew-faint" }, TEXT.recorded) : h("div", { class: "saew-buttons" }, main, stop), state, h("span", { class: "saew-spring" }), h("div", { class: "saew-facts" }, ...facts.map((f) => f.el))),
    bar,
    error.el,
    h("div", { class: "saew-curves" }, ...curves.map((curve) => curve.el)),
  );

  const buttons = () => {
    const status = model.get("status");
    state.textContent = TEXT.status[status];
    state.setAttribute("data-status", status);
    main.textContent = { training: TEXT.pause, paused: TEXT.resume }[status] ?? TEXT.start;
    main.disabled = ["finished", "stopped", "error"].includes(status);
    stop.disabled = !["training", "paused"].includes(status);
  };
  const draw = () => {
    const points = model.get("_points");
    const last = points.at(-1);
    for (const { column, update } of curves) update(points.map((point) => [point[STEP], point[column]]));
    const values = last ? [whole(last[STEP]), whole(last[TOKENS]), num(last[RATE])] : ["–", "–", "–"];
    facts.forEach(({ value }, i) => {
      value.textContent = values[i];
    });
    const total = model.get("total");
    bar.hidden = !total;
    if (total) bar.value = last ? last[STEP] / total : 0;
  };
  let frame = 0;
  const soon = () => {
    if (!frame)
      frame = requestAnimationFrame(() => {
        frame = 0;
        draw();
      });
  };
  buttons();
  draw();
  el.classList.add("saew-host");
  el.append(root);
  const stops = [
    followTheme(root),
    ownKeys(root),
    listen(model, ["status"], buttons),
    listen(model, ["_points"], soon),
    error.stop,
    ...curves.map((curve) => curve.stop),
    () => cancelAnimationFrame(frame),
  ];
  return () => stops.forEach((end) => end());
}

export default { render };
