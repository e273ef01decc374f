// FeatureMap: decoder directions as points in a plane.

import { banner } from "../../shared/banner.js";
import { h, responsive } from "../../shared/elements.js";
import { listen } from "../../shared/events.js";
import { explained } from "../../shared/explained.js";
import { ownKeys } from "../../shared/keys.js";
import { kernelLink } from "../../shared/link.js";
import { num, percent, whole } from "../../shared/numbers.js";
import { followTheme } from "../../shared/theme.js";
import { glyphs } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";
import { mapCanvas, nameOfPoint } from "./canvas.js";
import { findPoints, inside, toward, unpackMap } from "./points.js";
import { notes } from "./notes.js";

const TEXT = {
  widget: "Feature map",
  picture:
    "Map of {n} features. Arrow keys go to the nearest point on that side, plus and minus zoom, 0 shows the whole map, Space adds the point to the chosen ones.",
  tool: "Dragging",
  tools: { pan: "moves", lasso: "lassos", box: "boxes" },
  color: "Color",
  colors: { concept: "planted concept", density: "density", sae: "SAE" },
  size: "Size",
  sizes: { density: "density", maximum: "maximum", same: "the same" },
  links: "Links between sizes",
  linksOf: { selected: "of the selected", all: "all", none: "none" },
  whole: "Whole map",
  closer: "Zoom in",
  farther: "Zoom out",
  search: "Find a feature or token",
  placeholder: "Label, concept, token or number",
  found: "{n} found",
  notFound: "nothing found",
  results: "Points that were found",
  clear: "Clear",
  others: "no or another concept",
  unknown: "not known",
  silent: "never active",
  only: "Show only {name}",
  of: "#{feature} of {sae}",
  unlabelled: "no label",
  concept: "fires on",
  conceptShare: "{name} ({share} of its tokens)",
  density: "Density",
  maximum: "Maximum",
  promotes: "Promotes",
  parents: "Comes from, in a smaller SAE",
  children: "Splits into, in a larger SAE",
  noLinks: "No feature of another size has a cosine of {threshold} or more with it.",
  away: "A feature of another SAE than the views beside this one show: they stay where they are.",
  chosen: "{n} chosen",
  chosenHow: "In Python: .to_dataframe()",
  help: "Click a point, or focus the map and press the arrow keys. The wheel zooms; Shift and drag lassos.",
  said: "{name}, {label}. {density}",
  dismiss: "Dismiss the message",
};
const NAMED_CONCEPTS = 7; // of the most common ones, in colors of their own
const RAMP = 5; // colors of the ramp, --saew-r1 the least
const REACH = 14; // px around the pointer in which a point is found
const LISTED = 12; // rows of a list
const SIZES = { density: 1.4, maximum: 1.4, same: 2.1 }; // px, the smallest radius

function render({ model, el }) {
  const points = unpackMap(model.get("_map"), () => model.get("_names") ?? {});
  const home = model.get("_home");
  const root = h("div", {
    class: "saew saew-map",
    role: "group",
    "aria-label": TEXT.widget,
    "data-lm-suppress-shortcuts": "true",
  });
  const error = banner(model, TEXT.dismiss);
  const link = kernelLink(model);
  const commonest = topConcepts(points);
  const log = logScale(points.density);
  const largest = points.saes.map((_, sae) =>
    points.maximum.reduce((most, v, i) => (points.sae[i] === sae && v > most ? v : most), 0),
  );
  const numbered = (letter, n) => Array.from({ length: n }, (_, k) => `--saew-${letter}${k + 1}`);
  const inks = [...numbered("k", NAMED_CONCEPTS), ...numbered("r", RAMP), "--saew-rest"];
  const conceptColor = new Map(commonest.map(([concept], rank) => [concept, `--saew-k${rank + 1}`]));
  const state = {
    points,
    inks, // names of the colors
    ink: new Uint8Array(points.n), // of each point, index into `inks`
    radius: new Float32Array(points.n), // px
    asked: false, // whether the search or the legend asks for some of them
    bright: new Uint8Array(points.n), // 1 for those, and for all where nothing is asked
    order: new Uint32Array(0), // in which they are drawn
    selected: -1,
    hover: -1,
    chosen: [],
    lasso: null,
    links: model.get("links"),
    only: null, // the legend's entry that alone is lit
    found: null, // a Set of points, while there is a search
  };
  const visible = () => new Set(model.get("shown"));
  let drawn = visible();
  state.shown = (i) => drawn.has(points.sae[i]);
  const allowed = (i) => state.shown(i) && state.bright[i] === 1;

  // -- colors and sizes ----------------------------------------------------------------------------------------------

  /** The legend's entry of a point: what is lit together. */
  const entryOf = (i) => {
    const mode = model.get("color");
    if (mode === "sae") return `sae ${points.sae[i]}`;
    if (mode === "concept") return conceptColor.has(points.concept[i]) ? `concept ${points.concept[i]}` : "rest";
    const level = log(points.density[i]);
    return level === null
      ? points.density[i] === 0
        ? "silent"
        : "rest"
      : `level ${Math.min(RAMP - 1, Math.floor(level * RAMP))}`;
  };
  const colorOf = (i) => {
    const [kind, number] = entryOf(i).split(" ");
    if (kind === "sae") return `--saew-k${(Number(number) % NAMED_CONCEPTS) + 1}`;
    if (kind === "concept") return conceptColor.get(points.concept[i]);
    return kind === "level" ? `--saew-r${Number(number) + 1}` : "--saew-rest";
  };
  const radiusOf = (i) => {
    const by = model.get("size");
    const share =
      by === "same"
        ? 0
        : by === "density"
          ? (log(points.density[i]) ?? 0)
          : largest[points.sae[i]]
            ? Math.max(0, points.maximum[i] / largest[points.sae[i]]) || 0
            : 0;
    return SIZES[by] + (inks[state.ink[i]] === "--saew-rest" ? 1.6 : 3) * share; // what has no color stands back
  };
  /** Each point's color and size, and which are drawn first; once for all the frames that follow. */
  const arrange = () => {
    const rest = inks.indexOf("--saew-rest");
    for (let i = 0; i < points.n; i += 1) {
      state.ink[i] = inks.indexOf(colorOf(i));
      state.radius[i] = radiusOf(i);
    }
    // Gray below, so that what has a color is seen; small above large, so that nothing is covered.
    const key = Float32Array.from(state.radius, (r, i) => (state.ink[i] === rest ? 0 : 100) - r);
    state.order = Uint32Array.from({ length: points.n }, (_, i) => i).sort((a, b) => key[a] - key[b] || a - b);
    light(state.only);
  };
  const relight = () => {
    state.asked = state.found !== null || state.only !== null;
    for (let i = 0; i < points.n; i += 1)
      state.bright[i] = Number(
        (!state.found || state.found.has(i)) && (state.only === null || entryOf(i) === state.only),
      );
  };

  // -- the picture ---------------------------------------------------------------------------------------------------

  const frame = h("div", { class: "saew-map-frame" });
  const canvas = mapCanvas(frame, root, state);
  const picture = canvas.above;
  const tip = h("div", { class: "saew-tip", role: "tooltip", hidden: true });
  frame.append(tip);
  for (const [name, value] of Object.entries({
    tabindex: 0,
    role: "application",
    "aria-label": say(TEXT.picture, { n: whole(points.n) }),
  }))
    picture.setAttribute(name, String(value));

  const select = (i) => {
    link.put(points.sae[i] === home ? { point: i, feature: points.feature[i] } : { point: i });
  };
  const choose = (list) => {
    link.put({ chosen: list });
  };
  const at = (event) => {
    const box = picture.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const under = (px, py) => nearPointer(canvas, points, px, py, allowed);
  const point = (i) => {
    if (i === state.hover) return;
    state.hover = i;
    picture.style.setProperty("cursor", i >= 0 ? "pointer" : "");
    tip.hidden = i < 0;
    if (i >= 0) {
      tip.replaceChildren(
        ...tipLines(points, i).map(([name, value]) =>
          h("div", {}, h("span", { class: "saew-tip-name" }, name), h("span", {}, value)),
        ),
      );
      const [x, y] = [canvas.right(i), canvas.down(i)];
      const box = frame.getBoundingClientRect();
      tip.style.setProperty("left", `${Math.max(4, Math.min(box.width - tip.offsetWidth - 4, x + 14))}px`);
      tip.style.setProperty("top", `${y + 16 + tip.offsetHeight > box.height ? y - tip.offsetHeight - 12 : y + 14}px`);
    }
    canvas.draw(false);
  };

  let held = null; // {x, y, moved, tool} of the button that is down
  let tool = "pan";
  picture.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    picture.focus({ preventScroll: true });
    picture.setPointerCapture(event.pointerId);
    const [x, y] = at(event);
    held = { x, y, lastX: x, lastY: y, moved: false, tool: event.shiftKey ? "lasso" : tool };
    point(-1);
  });
  picture.addEventListener("pointermove", (event) => {
    const [x, y] = at(event);
    if (!held) return point(under(x, y));
    if (!held.moved && Math.hypot(x - held.x, y - held.y) < 4) return undefined;
    held.moved = true;
    if (held.tool === "pan") canvas.pan(x - held.lastX, y - held.lastY);
    else if (held.tool === "box")
      state.lasso = [
        [held.x, held.y],
        [x, held.y],
        [x, y],
        [held.x, y],
      ];
    else state.lasso = [...(state.lasso ?? [[held.x, held.y]]), [x, y]];
    if (held.tool !== "pan") canvas.draw(false);
    [held.lastX, held.lastY] = [x, y];
    return undefined;
  });
  picture.addEventListener("pointerup", (event) => {
    if (!held) return;
    const [was, polygon] = [held, state.lasso];
    held = state.lasso = null;
    if (was.moved && polygon) {
      const border = polygon.map(([x, y]) => canvas.place(x, y));
      choose(
        Array.from({ length: points.n }, (_, i) => i).filter(
          (i) => allowed(i) && inside(border, points.x[i], points.y[i]),
        ),
      );
    } else if (!was.moved) {
      const i = under(...at(event));
      if (i >= 0) select(i);
    }
    canvas.draw(false);
  });
  picture.addEventListener("pointercancel", () => {
    held = state.lasso = null;
    canvas.draw(false);
  });
  picture.addEventListener("pointerleave", () => point(-1));
  picture.addEventListener(
    "wheel",
    (event) => {
      const factor = Math.exp(-Math.max(-120, Math.min(120, event.deltaY * (event.deltaMode ? 30 : 1))) * 0.0022);
      if (factor < 1 && canvas.view.zoom <= 1) return; // nothing left to zoom out of: the page scrolls on
      event.preventDefault();
      point(-1);
      canvas.zoom(factor, ...at(event));
    },
    { passive: false },
  );

  // -- controls ------------------------------------------------------------------------------------------------------

  const chooser = (name, label, words) => {
    const box = h(
      "select",
      { class: "saew-input", onchange: () => link.put({ [name]: box.value }) },
      ...Object.entries(words).map(([value, text]) => h("option", { value }, text)),
    );
    const update = () => (box.value = model.get(name));
    update();
    return { el: h("label", { class: "saew-field" }, h("span", {}, label), box), stop: listen(model, [name], update) };
  };
  const known = { concept: commonest.length > 0, density: points.density.some((v) => v > 0), sae: true };
  const some = (words, has) => Object.fromEntries(Object.entries(words).filter(([name]) => has[name] ?? true));
  const color = chooser("color", TEXT.color, some(TEXT.colors, known));
  const size = chooser(
    "size",
    TEXT.size,
    some(TEXT.sizes, { density: known.density, maximum: points.maximum.some((v) => v > 0) }),
  );
  const linked = chooser("links", TEXT.links, TEXT.linksOf);
  linked.el.hidden = points.parent.length === 0;
  const toolBox = h(
    "select",
    { class: "saew-input", onchange: () => (tool = toolBox.value) },
    ...Object.entries(TEXT.tools).map(([value, text]) => h("option", { value }, text)),
  );
  const icon = (text, label, onclick) =>
    h("button", { type: "button", class: "saew-icon", "aria-label": label, title: label, onclick }, text);

  const box = h("input", {
    type: "search",
    class: "saew-input",
    "aria-label": TEXT.search,
    placeholder: TEXT.placeholder,
    autocomplete: "off",
    spellcheck: "false",
  });
  const count = h("span", { class: "saew-faint", role: "status" });
  const results = h("div", { class: "saew-map-list", role: "group", "aria-label": TEXT.results });
  let foundList = [];
  const search = () => {
    foundList = box.value.trim() ? findPoints(points, box.value, state.shown) : [];
    state.found = box.value.trim() ? new Set(foundList) : null;
    count.textContent = !state.found
      ? ""
      : foundList.length
        ? say(TEXT.found, { n: whole(foundList.length) })
        : TEXT.notFound;
    relight();
    drawResults();
    canvas.draw();
  };
  box.addEventListener("input", search);
  const row = (i, extra = "") =>
    h(
      "button",
      { type: "button", class: "saew-feature saew-map-row", "data-point": i, onclick: () => go(i) },
      h("span", { class: "saew-id" }, `#${points.feature[i]}`),
      h("span", { class: "saew-list-label" }, nameOfPoint(points, i, 40)),
      h("span", { class: "saew-faint" }, extra || (points.saes.length > 1 ? points.saes[points.sae[i]].name : "")),
    );
  const go = (i) => {
    select(i);
    canvas.reveal(i);
  };
  const drawResults = () => results.replaceChildren(...foundList.slice(0, LISTED).map((i) => row(i)));

  // -- legend --------------------------------------------------------------------------------------------------------

  const legend = h("div", { class: "saew-map-legend" });
  const drawLegend = () => {
    const mode = model.get("color");
    const entry = (key, ink, name) =>
      h(
        "button",
        {
          type: "button",
          class: "saew-pill saew-map-entry",
          "aria-pressed": String(state.only === key),
          "aria-label": say(TEXT.only, { name }),
          onclick: () => light(state.only === key ? null : key),
        },
        h("span", { class: "saew-dot", style: { "--c": `var(${ink})` } }),
        name,
      );
    const found = new Set();
    for (let i = 0; i < points.n; i += 1) if (state.shown(i)) found.add(entryOf(i));
    let entries = [];
    if (mode === "concept")
      entries = [
        ...commonest.map(([concept]) =>
          entry(`concept ${concept}`, conceptColor.get(concept), points.concepts[concept].replaceAll("_", " ")),
        ),
        entry("rest", "--saew-rest", TEXT.others),
      ];
    else if (mode === "density") {
      const edges = log.edges;
      entries = [
        ...edges
          .slice(0, -1)
          .map((low, k) => entry(`level ${k}`, `--saew-r${k + 1}`, `${percent(low)} – ${percent(edges[k + 1])}`)),
        entry("silent", "--saew-rest", TEXT.silent),
        entry("rest", "--saew-rest", TEXT.unknown),
      ].filter((_, k) => found.has([...edges.slice(1).map((__, l) => `level ${l}`), "silent", "rest"][k]));
    }
    const boxes = points.saes.map((sae, s) => {
      const check = h("input", {
        type: "checkbox",
        onchange: () =>
          link.put({ shown: points.saes.map((_, k) => k).filter((k) => (k === s ? check.checked : drawn.has(k))) }),
      });
      check.checked = drawn.has(s);
      const dot =
        mode === "sae"
          ? h("span", { class: "saew-dot", style: { "--c": `var(--saew-k${(s % NAMED_CONCEPTS) + 1})` } })
          : null;
      return h(
        "label",
        { class: "saew-tick-box" },
        check,
        dot,
        `${sae.name} `,
        h("span", { class: "saew-faint" }, whole(sae.d_sae)),
      );
    });
    const focused = legend.contains(document.activeElement)
      ? [...legend.querySelectorAll("button, input")].indexOf(document.activeElement)
      : -1;
    legend.replaceChildren(
      h("div", { class: "saew-map-saes", hidden: points.saes.length < 2 }, ...boxes),
      h("div", { class: "saew-map-entries", hidden: !entries.length }, ...entries),
    );
    if (focused >= 0)
      /** @type {HTMLElement} */ ([...legend.querySelectorAll("button, input")][focused])?.focus({
        preventScroll: true,
      });
  };
  const light = (key) => {
    state.only = key;
    relight();
    drawLegend();
    canvas.draw();
  };

  // -- what is selected ----------------------------------------------------------------------------------------------

  const title = h("h3", { class: "saew-map-title" });
  const said = h("p", { class: "saew-map-said", role: "status" });
  const about = h("div", { class: "saew-map-about" });
  const chosenBox = h("section", { class: "saew-section", hidden: true });
  const drawSelected = () => {
    const i = state.selected;
    if (i < 0) {
      title.textContent = "";
      said.textContent = "";
      about.replaceChildren(h("p", { class: "saew-note" }, TEXT.help));
      return;
    }
    const fact = (name, value) =>
      h("div", { class: "saew-map-fact" }, h("span", { class: "saew-faint" }, name), h("span", {}, value));
    const links = points.linked(i);
    const group = (words, of) =>
      of.length
        ? [
            h("h4", {}, words),
            h(
              "div",
              { class: "saew-map-list" },
              ...of
                .slice(0, 40)
                .map(({ point: other, cosine }) =>
                  row(other, `${num(cosine, 2)} · ${points.saes[points.sae[other]].name}`),
                ),
            ),
          ]
        : [];
    title.textContent = say(TEXT.of, { feature: points.feature[i], sae: points.saes[points.sae[i]].name });
    const label = points.label(i) ? glyphs(points.label(i), 120).replaceAll("·", " ") : "";
    const density = Number.isNaN(points.density[i]) ? "" : `${TEXT.density} ${percent(points.density[i])}`;
    said.textContent = label || points.about(i) || TEXT.unlabelled;
    said.setAttribute("aria-label", say(TEXT.said, { name: title.textContent, label: said.textContent, density }));
    about.replaceChildren(
      ...(points.concept[i] >= 0
        ? [fact(TEXT.concept, say(TEXT.conceptShare, { name: points.about(i), share: percent(points.precision[i]) }))]
        : []),
      ...(Number.isNaN(points.density[i]) ? [] : [fact(TEXT.density, percent(points.density[i]))]),
      ...(Number.isNaN(points.maximum[i]) ? [] : [fact(TEXT.maximum, num(points.maximum[i]))]),
      ...(points.tokens(i).length
        ? [
            h(
              "div",
              { class: "saew-map-fact" },
              h("span", { class: "saew-faint" }, TEXT.promotes),
              h(
                "span",
                { class: "saew-search-tokens" },
                ...points.tokens(i).map((token) => h("code", { class: "saew-code" }, glyphs(token, 20))),
              ),
            ),
          ]
        : []),
      ...(points.sae[i] !== home && model.get("_shared") ? [h("p", { class: "saew-note" }, TEXT.away)] : []),
      ...group(
        TEXT.parents,
        links.filter((link) => !link.child),
      ),
      ...group(
        TEXT.children,
        links.filter((link) => link.child),
      ),
      ...(points.parent.length && !links.length
        ? [h("p", { class: "saew-note" }, say(TEXT.noLinks, { threshold: num(points.threshold) }))]
        : []),
    );
  };
  const drawChosen = () => {
    state.chosen = model.get("chosen");
    const n = state.chosen.length;
    chosenBox.hidden = !n;
    chosenBox.replaceChildren(
      h(
        "div",
        { class: "saew-map-chosen" },
        h("h4", { role: "status" }, say(TEXT.chosen, { n: whole(n) })),
        h("button", { type: "button", class: "saew-pill", onclick: () => choose([]) }, TEXT.clear),
      ),
      h("p", { class: "saew-note" }, TEXT.chosenHow),
      h("div", { class: "saew-map-list" }, ...state.chosen.slice(0, LISTED).map((i) => row(i))),
    );
    canvas.draw(false);
  };

  const moved = () => {
    const i = model.get("point");
    state.selected = i === null || i === undefined ? -1 : i;
    if (state.selected >= 0 && (held === null || !held.moved)) canvas.reveal(state.selected);
    drawSelected();
    canvas.draw(false);
  };
  const featureMoved = () => {
    const wanted = model.get("feature");
    const i = model.get("point");
    if (
      wanted === null ||
      wanted === undefined ||
      (i !== null && points.sae[i] === home && points.feature[i] === wanted)
    )
      return;
    const there = points.at(wanted, home);
    if (there >= 0) model.set("point", there);
  };

  const side = h(
    "div",
    { class: "saew-map-side" },
    h("div", { class: "saew-map-find" }, box, count),
    results,
    h("section", { class: "saew-section" }, title, said, about),
    chosenBox,
  );
  const buttons = h(
    "div",
    { class: "saew-map-zoom" },
    icon("+", TEXT.closer, () => canvas.zoom(1.6)),
    icon("−", TEXT.farther, () => canvas.zoom(1 / 1.6)),
    icon("⤢", TEXT.whole, () => canvas.whole()),
  );
  frame.append(buttons);
  root.append(
    error.el,
    h(
      "div",
      { class: "saew-settings saew-map-settings" },
      color.el,
      size.el,
      linked.el,
      h("label", { class: "saew-field" }, h("span", {}, TEXT.tool), toolBox),
    ),
    h("div", { class: "saew-map-body" }, h("div", { class: "saew-map-left" }, frame, legend), side),
    h("footer", { class: "saew-footer" }, h("p", {}, model.get("_passport"))),
  );
  el.classList.add("saew-host");
  const help = explained(root, model, notes);
  help.begin();
  el.append(root);

  const repaint = () => {
    arrange();
    canvas.repaint();
  };
  const themes = new MutationObserver(() => canvas.repaint());
  themes.observe(root, { attributes: true, attributeFilter: ["data-theme"] });
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  const key = (event) => {
    if (event.target === box && (event.key === "Enter" || event.key === "ArrowDown")) {
      if (event.key === "Enter" && foundList.length) go(foundList[0]);
      else results.querySelector("button")?.focus();
    } else if (event.target === box && event.key === "Escape") {
      box.value = "";
      search();
    } else if (event.target.closest?.(".saew-map-list") && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      const rows = [...event.target.closest(".saew-map-list").querySelectorAll("button")];
      const next = rows.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1);
      if (next < 0 && rows[0].closest(".saew-map-list") === results) box.focus();
      else rows[next]?.focus();
    } else if (event.target === picture && !event.ctrlKey && !event.metaKey && !event.altKey) {
      if (event.key in steps && event.shiftKey)
        canvas.pan(...steps[event.key].map((d, axis) => (axis ? 60 * d : -60 * d)));
      else if (event.key in steps) {
        const from = state.selected;
        const next =
          from < 0 || !state.shown(from)
            ? points.near(canvas.view.x, canvas.view.y, 3, allowed)
            : toward(points, from, ...steps[event.key], allowed);
        if (next >= 0) go(next);
      } else if (event.key === "+" || event.key === "=") canvas.zoom(1.4);
      else if (event.key === "-") canvas.zoom(1 / 1.4);
      else if (event.key === "0") canvas.whole();
      else if (event.key === " " && state.selected >= 0)
        choose(
          state.chosen.includes(state.selected)
            ? state.chosen.filter((i) => i !== state.selected)
            : [...state.chosen, state.selected].sort((a, b) => a - b),
        );
      else if (event.key === "Escape") choose([]);
      else return false;
    } else return false;
    event.preventDefault();
    return true;
  };
  state.chosen = model.get("chosen");
  arrange();
  const stops = [
    followTheme(root),
    responsive(frame, (wide) => canvas.size(wide, Math.round(Math.max(340, Math.min(680, 0.72 * wide))))),
    help.stop,
    ownKeys(root, help.keys(key)),
    listen(model, ["point", "_names"], moved),
    listen(model, ["feature"], featureMoved),
    listen(model, ["chosen"], drawChosen),
    listen(model, ["color", "size"], () => {
      state.only = null;
      repaint();
    }),
    listen(model, ["links"], () => {
      state.links = model.get("links");
      canvas.draw();
    }),
    listen(model, ["shown"], () => {
      drawn = visible();
      if (state.found) search();
      drawLegend();
      canvas.draw();
    }),
    () => themes.disconnect(),
    () => canvas.stop(),
    color.stop,
    size.stop,
    linked.stop,
    error.stop,
    link.stop,
  ];
  moved();
  featureMoved();
  drawChosen();
  return () => {
    for (const stop of stops) stop();
  };
}

/** The point under the pointer: the nearest within reach, so that a small one need not be met exactly. */
function nearPointer(canvas, points, px, py, allowed) {
  return points.near(...canvas.place(px, py), REACH / canvas.unit(), allowed);
}

/** [concept, number of points] of the most common ones. */
function topConcepts(points) {
  const counts = new Map();
  for (const concept of points.concept) if (concept >= 0) counts.set(concept, (counts.get(concept) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, NAMED_CONCEPTS);
}

/** Density on a logarithmic scale: 0 for the smallest there is, 1 for the largest; null where it is 0 or not known. */
function logScale(density) {
  let [least, most] = [Infinity, 0];
  for (const v of density) {
    if (v > 0 && v < least) least = v;
    if (v > most) most = v;
  }
  const span = Math.log(most / least) || 1;
  const scale = (v) => (v > 0 ? Math.log(v / least) / span : null);
  scale.edges = Array.from({ length: RAMP + 1 }, (_, k) => least * Math.exp((span * k) / RAMP));
  return scale;
}

function tipLines(points, i) {
  const name = points.label(i) || points.about(i);
  const tokens = points
    .tokens(i)
    .slice(0, 3)
    .map((token) => glyphs(token, 16));
  return [
    [say(TEXT.of, { feature: points.feature[i], sae: points.saes[points.sae[i]].name }), ""],
    ...(name ? [[glyphs(name, 60).replaceAll("·", " "), ""]] : []),
    ...(tokens.length ? [[TEXT.promotes, tokens.join("  ")]] : []),
    ...(Number.isNaN(points.density[i]) ? [] : [[TEXT.density, percent(points.density[i])]]),
  ];
}

export default { render };
