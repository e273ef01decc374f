// The rows of a clamp panel: one feature each, with a switch (off is not 0), a slider and an exact value.

import { h } from "../../shared/elements.js";
import { num } from "../../shared/numbers.js";
import { glyphs } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";

const ROW_TEXT = {
  on: "Clamp {name}",
  slider: "{name}: clamp to this multiple of its maximum",
  box: "{name}: exact multiple of its maximum",
  remove: "Remove {name}",
  off: "off",
  ablated: "0 (ablated)",
  scale: [
    [-10, "−10×"],
    [-5, "−5×"],
    [0, "0 ablates"],
    [5, "5×"],
    [10, "10×"],
  ],
  head: "on",
  units: "= {value}",
  unitsTitle: "{value} in SAE units; the largest activation on the corpus is {maximum}",
  window: "works at {low} to {high}×",
  windowOne: "works at {low}×",
  windowTitle: "Measured: inside this window the concept appears and the text stays fluent. Click for the middle.",
  title: "Backspace switches it off, 0 ablates",
};
const LIMIT = 10; // multiples of the maximum at the ends of a slider
const THUMB = 16; // px, as in the style sheet

const place = (multiple) =>
  `calc(${THUMB / 2}px + (100% - ${THUMB}px) * ${(Math.max(-LIMIT, Math.min(LIMIT, multiple)) + LIMIT) / (2 * LIMIT)})`;

/** What a row is called, for a person and for a screen reader. */
export function rowName(row) {
  return row.label ? `#${row.feature} ${row.label}` : `#${row.feature}`;
}

/** The scale above the sliders. */
export function rowHead() {
  return h(
    "div",
    { class: "saew-clamp-row saew-clamp-head", "aria-hidden": "true" },
    h("span", {}, ROW_TEXT.head),
    h(
      "div",
      { class: "saew-scale" },
      ...ROW_TEXT.scale.map(([at, words]) => h("span", { style: { left: place(at) } }, words)),
    ),
  );
}

/** One row. `recorded` are the multiples that a recording holds, drawn as notches; [] for a live model. */
export function sliderRow(row, { change, remove, choose, frozen, fixed, recorded }) {
  const name = rowName(row);
  const toggle = h("input", {
    type: "checkbox",
    role: "switch",
    class: "saew-switch",
    "aria-label": say(ROW_TEXT.on, { name }),
    disabled: frozen,
  });
  const range = h("input", {
    type: "range",
    class: "saew-range",
    min: -LIMIT,
    max: LIMIT,
    step: 0.1,
    title: ROW_TEXT.title,
    "aria-label": say(ROW_TEXT.slider, { name }),
    disabled: frozen,
  });
  const box = h("input", {
    type: "number",
    class: "saew-input saew-multiple",
    step: "any",
    "aria-label": say(ROW_TEXT.box, { name }),
    disabled: frozen,
  });
  const units = h("output", { class: "saew-units" });
  const bar = h("span", { class: "saew-rail-fill" });
  const notches = recorded
    .filter((m) => Math.abs(m) <= LIMIT)
    .map((m) => h("span", { class: "saew-rail-notch", style: { left: place(m) } }));
  const rail = h(
    "span",
    { class: "saew-rail", "aria-hidden": "true" },
    h("span", { class: "saew-rail-zero", style: { left: place(0) } }),
    bar,
    ...notches,
  );
  let tuned = null;
  if (row.window) {
    const [low, high] = row.window;
    const middle = Math.round(5 * (low + high) + 1e-9) / 10;
    rail.prepend(
      h("span", {
        class: "saew-rail-window",
        style: { left: `calc(${place(low)} - 3px)`, right: `calc(100% - ${place(high)} - 3px)` },
      }),
    );
    tuned = h(
      "button",
      {
        type: "button",
        class: "saew-link",
        title: ROW_TEXT.windowTitle,
        disabled: frozen,
        onclick: () => change(row.feature, middle),
      },
      say(low === high ? ROW_TEXT.windowOne : ROW_TEXT.window, { low: num(low), high: num(high) }),
    );
  }
  let last = 0; // where the handle waits while the feature is off
  toggle.addEventListener("change", () => change(row.feature, toggle.checked ? Number(range.value) : null));
  range.addEventListener("input", () => change(row.feature, Number(range.value)));
  box.addEventListener("change", () => {
    if (box.validity.badInput) update(now, chosen);
    else change(row.feature, box.value === "" ? null : Number(box.value));
  });
  box.addEventListener("blur", () => update(now, chosen)); // while it is typed in, what the kernel says is not shown
  const el = h(
    "div",
    { class: "saew-clamp-row" },
    toggle,
    h(
      "div",
      { class: "saew-clamp-name" },
      h(
        "button",
        { type: "button", class: "saew-name", onclick: () => choose(row.feature) },
        h("span", { class: "saew-id" }, `#${row.feature}`),
        h("span", {}, row.label || row.promoted.map((t) => glyphs(t, 12)).join("  ")),
      ),
      tuned,
    ),
    h("div", { class: "saew-slider" }, rail, range),
    h("div", { class: "saew-exact" }, box, h("span", { "aria-hidden": "true" }, "×"), units),
    h(
      "button",
      {
        type: "button",
        class: "saew-icon saew-quiet",
        "aria-label": say(ROW_TEXT.remove, { name }),
        title: say(ROW_TEXT.remove, { name }),
        disabled: fixed,
        onclick: () => remove(row.feature),
      },
      "×",
    ),
  );
  let [now, chosen] = [null, false];
  function update(multiple, selected) {
    [now, chosen] = [multiple, selected];
    const on = multiple !== null && multiple !== undefined;
    el.classList.toggle("saew-off", !on);
    el.classList.toggle("saew-selected", selected);
    toggle.checked = on;
    if (on) last = multiple;
    if (Number(range.value) !== last) range.value = String(last);
    if (document.activeElement !== box || !box.matches(":focus-visible")) box.value = on ? multiple : "";
    box.placeholder = ROW_TEXT.off;
    range.setAttribute(
      "aria-valuetext",
      on ? (multiple === 0 ? ROW_TEXT.ablated : `${num(multiple, 4)}×`) : ROW_TEXT.off,
    );
    units.textContent = !on
      ? ROW_TEXT.off
      : multiple === 0
        ? ROW_TEXT.ablated
        : say(ROW_TEXT.units, { value: num(multiple * row.maximum) });
    units.title = say(ROW_TEXT.unitsTitle, {
      value: num((on ? multiple : 0) * row.maximum, 6),
      maximum: num(row.maximum, 6),
    });
    const [zero, value] = [place(0), place(last)];
    bar.style.setProperty("left", last >= 0 ? zero : value);
    bar.style.setProperty("right", `calc(100% - ${last >= 0 ? value : zero})`);
    bar.hidden = !on;
  }
  const key = (event) => {
    if (event.target !== range || frozen) return false;
    if (event.key === "Backspace" || event.key === "Delete") change(row.feature, null);
    else if (event.key === "0") change(row.feature, 0);
    else return false;
    event.preventDefault();
    return true;
  };
  return { el, update, key };
}
