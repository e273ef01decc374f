// ArchitecturePanel: one token on its way through the two layers of an SAE, with its numbers.

import { banner } from "../../shared/banner.js";
import { pieces } from "../../shared/bytes.js";
import { h, responsive, s } from "../../shared/elements.js";
import { listen } from "../../shared/events.js";
import { explained } from "../../shared/explained.js";
import { ownKeys } from "../../shared/keys.js";
import { kernelLink } from "../../shared/link.js";
import { matrixPicture } from "../../shared/matrix.js";
import { num, percent, whole } from "../../shared/numbers.js";
import { followTheme } from "../../shared/theme.js";
import { running } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";
import { notes } from "./notes.js";

const TEXT = {
  widget: "Architecture panel",
  tokens: "Choose a token",
  token: "Token {i}: {text}",
  input: "Activation x",
  inputNote: "What the model holds at this token: {d} numbers.",
  up: "First layer: up",
  upNote: "{n} pre-activations, the largest first (logarithmic axis). Only the orange ones pass the threshold.",
  active: "The few that are on",
  activeNote: "Activation, and the length of what it adds. A click selects the feature.",
  open: "Select feature {feature} {label}",
  more: "and {n} more",
  none: "No feature is on: the reconstruction is the offset alone.",
  down: "Second layer: down",
  downNote: "The sum of the parts, and an offset: the reconstruction.",
  error: "Error",
  errorNote: "What is left over, x − x̂: the SAE does not explain it.",
  length: "length {value}",
  kept: "{k} of {n}",
  unexplained: "{share} of the variance unexplained",
  check: "Sum of the parts minus what the decoder gives: at most {value}",
  curve: "{n} pre-activations from {high} to {low}; {k} pass",
  dismiss: "Dismiss the message",
};

function render({ model, el }) {
  const root = h("div", {
    class: "saew saew-architecture",
    role: "group",
    "aria-label": TEXT.widget,
    "data-lm-suppress-shortcuts": "true",
  });
  const error = banner(model, TEXT.dismiss);
  const link = kernelLink(model);
  const choose = (i) => link.put({ position: i });
  const select = (feature) => link.put({ feature });
  const strip = h("div", { class: "saew-picks", role: "radiogroup", "aria-label": TEXT.tokens });
  const tell = h("p", { class: "saew-note saew-tell" });
  const stages = ["input", "up", "active", "down", "error"].map((name) => {
    const value = h("span", { class: "saew-value" });
    const note = h("p", { class: "saew-note" });
    const picture = h("div", { class: "saew-stage-picture" });
    return {
      name,
      value,
      note,
      picture,
      el: h("section", { class: `saew-stage saew-stage-${name}` }, h("h3", {}, TEXT[name]), value, note, picture),
    };
  });
  const stage = Object.fromEntries(stages.map((one) => [one.name, one]));
  const check = h("p", { class: "saew-note" });
  root.append(error.el, strip, h("div", { class: "saew-stages" }, ...stages.map((one) => one.el)), tell, check);

  const mosaic = (name, values, most) => {
    const columns = Math.ceil(Math.sqrt(values.length * 1.6));
    const rows = Math.ceil(values.length / columns);
    const padded = Array.from({ length: rows * columns }, (_, k) => values[k] ?? 0);
    return matrixPicture(root, name, padded, rows, columns, { most, tell: (words) => (tell.textContent = words) });
  };
  const curve = (data, width) => {
    const [height, left, bottom, top] = [150, 34, 20, 8];
    const values = data.pre.map(([, v]) => v);
    const [high, low] = [Math.max(...values, 0), Math.min(...values, 0)];
    const y = (v) => top + (height - top - bottom) * (1 - (v - low) / (high - low || 1));
    const x = (rank) => left + ((width - left - 6) * Math.log10(rank + 1)) / (Math.log10(data.d_sae) || 1);
    const line = (points) =>
      points.map(([rank, v], k) => `${k ? "L" : "M"}${x(rank).toFixed(1)},${y(v).toFixed(1)}`).join("");
    const passed = data.pre.filter(([rank]) => rank < data.active);
    const svg = s("svg", {
      width,
      height,
      role: "img",
      "aria-label": say(TEXT.curve, { n: whole(data.d_sae), high: num(high), low: num(low), k: data.active }),
    });
    for (const value of [high, 0, low]) {
      if (value !== 0 && Math.abs(y(value) - y(0)) < 12) continue;
      svg.append(
        s("line", { x1: left, x2: width - 6, y1: y(value), y2: y(value), class: "saew-grid" }),
        s("text", { x: left - 5, y: y(value) + 4, class: "saew-tick", "text-anchor": "end" }, num(value, 2)),
      );
    }
    for (let rank = 1; rank <= data.d_sae; rank *= 10)
      svg.append(
        s("text", { x: x(rank - 1), y: height - 4, class: "saew-tick", "text-anchor": "middle" }, whole(rank)),
      );
    svg.append(s("path", { d: line(data.pre), class: "saew-line", style: { stroke: "var(--firm)" } }));
    if (passed.length)
      svg.append(s("path", { d: line(passed), class: "saew-line", style: { stroke: "var(--up)", "stroke-width": 4 } }));
    return svg;
  };
  const upHost = h("div", { class: "saew-chart" });
  stage.up.picture.append(upHost);

  const draw = () => {
    const data = model.get("_shown");
    const at = model.get("position");
    [...strip.children].forEach((button, i) => {
      button.setAttribute("aria-checked", String(i === at));
      button.setAttribute("tabindex", i === at ? "0" : "-1");
    });
    const most = Math.max(...data.x.map(Math.abs), 1e-9) * 0.6; // the largest few may saturate
    const long = (value) => say(TEXT.length, { value: num(value) });
    stage.input.value.textContent = long(data.x_length);
    stage.input.note.textContent = say(TEXT.inputNote, { d: data.x.length });
    stage.input.picture.replaceChildren(mosaic("x", data.x, most));
    stage.up.value.textContent = whole(data.d_sae);
    stage.up.note.textContent = say(TEXT.upNote, { n: whole(data.d_sae) });
    if (upHost.clientWidth) upHost.replaceChildren(curve(data, Math.floor(upHost.clientWidth)));
    stage.active.value.textContent = say(TEXT.kept, { k: data.active, n: whole(data.d_sae) });
    stage.active.note.textContent = data.active ? TEXT.activeNote : TEXT.none;
    const longest = Math.max(...data.rows.map((row) => row[3]), 1e-9);
    stage.active.picture.replaceChildren(
      h(
        "ol",
        { class: "saew-parts" },
        ...data.rows.map(([feature, label, activation, length]) =>
          h(
            "li",
            { title: label },
            h(
              "button",
              {
                type: "button",
                class: "saew-part",
                "data-key": `part ${feature}`,
                "aria-label": say(TEXT.open, { feature, label }),
                onclick: () => select(feature),
              },
              h("span", { class: "saew-id" }, `#${feature}`),
              h("span", { class: "saew-part-label" }, label),
              h("span", { class: "saew-number" }, num(activation)),
              h(
                "span",
                { class: "saew-track" },
                h("span", {
                  class: "saew-fill",
                  style: { width: `${(100 * length) / longest}%`, background: "var(--up)" },
                }),
              ),
              h("span", { class: "saew-number" }, num(length)),
            ),
          ),
        ),
        data.active > data.rows.length
          ? h("li", { class: "saew-faint" }, say(TEXT.more, { n: data.active - data.rows.length }))
          : null,
      ),
    );
    stage.down.value.textContent = long(data.x_hat_length);
    stage.down.note.textContent = TEXT.downNote;
    stage.down.picture.replaceChildren(mosaic("x̂", data.x_hat, most));
    stage.error.value.textContent = long(data.error_length);
    stage.error.note.textContent = `${TEXT.errorNote} ${say(TEXT.unexplained, { share: percent(data.unexplained) })}.`;
    stage.error.picture.replaceChildren(mosaic("x − x̂", data.error, most));
    check.textContent = say(TEXT.check, { value: num(data.mismatch, 2) });
    mark();
  };
  const mark = () => {
    const selected = `part ${model.get("feature")}`;
    for (const part of stage.active.picture.querySelectorAll(".saew-part"))
      part.setAttribute("aria-pressed", String(part.getAttribute("data-key") === selected));
  };
  strip.append(
    ...pieces(model.get("_tokens")).map(({ text, slim, raw }, i) =>
      h(
        "button",
        {
          type: "button",
          class: "saew-pick",
          role: "radio",
          "aria-label": say(TEXT.token, { i, text: raw }),
          onclick: () => choose(i),
        },
        running((slim ? raw : text) || " ", 60),
      ),
    ),
  );
  el.classList.add("saew-host");
  const help = explained(root, model, notes);
  help.begin();
  el.append(root);
  const stopTheme = followTheme(root);
  draw();
  const repaint = new MutationObserver(draw);
  repaint.observe(root, { attributes: true, attributeFilter: ["data-theme"] });
  const stops = [
    stopTheme,
    help.stop,
    ownKeys(
      root,
      help.keys((event) => {
        const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
        if (
          !by ||
          !strip.contains(/** @type {Node} */ (event.target)) ||
          event.target === strip ||
          event.ctrlKey ||
          event.metaKey ||
          event.altKey
        )
          return false;
        event.preventDefault();
        const next = Math.max(0, Math.min(strip.children.length - 1, model.get("position") + by));
        choose(next);
        /** @type {HTMLElement} */ (strip.children[next]).focus();
        return true;
      }),
    ),
    listen(model, ["_shown"], draw),
    listen(model, ["feature"], mark),
    responsive(root, draw), // also when it first belongs to a page: before that it has no colors
    () => repaint.disconnect(),
    error.stop,
    link.stop,
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

export default { render };
