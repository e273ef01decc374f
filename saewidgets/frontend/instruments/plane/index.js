// FeaturePlane: an activation is a point, a feature is a direction, and a read-out is how far along it the point lies.

import { banner } from "../../shared/banner.js";
import { h, s } from "../../shared/elements.js";
import { listen } from "../../shared/events.js";
import { explained } from "../../shared/explained.js";
import { ownKeys } from "../../shared/keys.js";
import { kernelLink } from "../../shared/link.js";
import { num } from "../../shared/numbers.js";
import { followTheme } from "../../shared/theme.js";
import { say } from "../../shared/words.js";
import { notes } from "./notes.js";

const TEXT = {
  widget: "Feature plane",
  point: "Activation point",
  pointAt: "x {x}, y {y}",
  angle: "Angle of {name}",
  arrow: "Direction of {name}",
  add: "Add a direction",
  spread: "Spread evenly",
  remove: "Remove {name}",
  directions: "Directions",
  readouts: "What each feature reads",
  readoutsNote: "Dot product of the point with the direction, and what a ReLU lets through of it.",
  feature: "feature",
  readout: "read-out",
  relu: "ReLU",
  interference: "What one feature lends another",
  interferenceNote:
    "A point at distance 1 along the row also reads this much on the column: the cosine of the angle between them.",
  circle: "circle: length {unit}",
  on: "on",
  offState: "off",
  jump: "Snap the point",
  degrees: "{value}°",
  help: "Drag the point or the head of an arrow; or focus one and press the arrow keys (with Shift: bigger steps). Dashed: what the point casts on each direction. Dotted: what the arrow under the mouse casts on the others.",
  picture: "{n} feature directions in a plane and one activation point",
  dismiss: "Dismiss the message",
};
const MOST = 8; // directions
const REACH = 1.5; // the plane shows -REACH..REACH units on both axes
const SIZE = 420; // viewBox, px
const SCALE = SIZE / 2 / REACH; // px a unit
const unit = (degrees) => {
  const a = (degrees * Math.PI) / 180;
  return [Math.cos(a), Math.sin(a)];
};
const px = (/** @type {number[]} */ [x, y]) => [SIZE / 2 + SCALE * x, SIZE / 2 - SCALE * y];
const dot = (a, b) => a[0] * b[0] + a[1] * b[1];
const colorOf = (i) => `var(--saew-d${i + 1})`;
const turned = (degrees) => ((degrees % 360) + 360) % 360;
const signed = (value, digits) => (Math.abs(value) < 5e-7 ? 0 : value).toFixed(digits).replace("-", "\u2212");

function render({ model, el }) {
  const root = h("div", {
    class: "saew saew-plane",
    role: "group",
    "aria-label": TEXT.widget,
    "data-lm-suppress-shortcuts": "true",
  });
  const link = kernelLink(model);
  const error = banner(model, TEXT.dismiss);
  const put = (name, value) => link.put({ [name]: value });
  const names = () => model.get("labels");
  const far = () => REACH * model.get("unit"); // the plane's edge, in units of the activation

  const layer = s("g", {});
  const tips = s("g", {});
  const handle = s("circle", {
    r: 9,
    class: "saew-handle",
    tabindex: 0,
    role: "slider",
    "aria-label": TEXT.point,
    "aria-valuenow": 0,
  });
  const svg = s(
    "svg",
    { viewBox: `0 0 ${SIZE} ${SIZE}`, class: "saew-plane-picture", role: "group" },
    layer,
    tips,
    handle,
  );
  const within = (v) => Math.max(-far(), Math.min(far(), Number(v.toPrecision(8))));
  const movePoint = (x, y) => put("point", [within(x), within(y)]);
  const turn = (i, degrees) => {
    const next = [...model.get("angles")];
    next[i] = Number(turned(degrees).toFixed(1)) % 360;
    put("angles", next);
  };
  const at = (event) => {
    const box = svg.getBoundingClientRect();
    const there = (share) => (2 * share - 1) * REACH;
    return [there((event.clientX - box.left) / box.width), -there((event.clientY - box.top) / box.height)];
  };
  let held = -1; // the direction that is dragged; -1 for the point
  let lit = -1; // the direction whose interference is drawn
  const follow = (event) => {
    const [x, y] = at(event);
    if (held < 0) movePoint(x * model.get("unit"), y * model.get("unit"));
    else if (x || y) turn(held, (Math.atan2(y, x) * 180) / Math.PI);
  };
  const light = (i) => {
    if (i === lit) return;
    lit = i;
    draw();
  };
  const tipOf = (target) => [...tips.children].indexOf(target.closest?.(".saew-plane-tip"));
  svg.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    held = tipOf(event.target);
    svg.setPointerCapture(event.pointerId);
    /** @type {SVGElement} */ (held < 0 ? handle : tips.children[held]).focus();
    if (held < 0) follow(event); // an arrow does not jump to where it was touched
  });
  svg.addEventListener("pointermove", (event) => {
    if (svg.hasPointerCapture(event.pointerId)) follow(event);
    else light(tipOf(event.target));
  });
  svg.addEventListener("pointerleave", () => light(-1));
  svg.addEventListener("focusin", (event) => light(tipOf(event.target)));
  svg.addEventListener("focusout", () => light(-1));

  const controls = h("div", { class: "saew-plane-rows" });
  const table = h("table", { class: "saew-table" });
  const reads = h("table", { class: "saew-table" });
  const caption = h("p", { class: "saew-note saew-plane-caption" });
  const button = (words, onclick) => h("button", { type: "button", class: "saew-pill", onclick }, words);
  const add = button(TEXT.add, () => put("angles", [...model.get("angles"), roomiest(model.get("angles"))]));
  const spread = button(TEXT.spread, () => {
    const angles = model.get("angles");
    put(
      "angles",
      angles.map((_, i) => Number(turned(angles[0] + (360 * i) / angles.length).toFixed(6))),
    );
  });
  const tableTitle = h("h3", {}, TEXT.interference);
  const tableNote = h("p", { class: "saew-note" }, TEXT.interferenceNote);
  root.append(
    error.el,
    h(
      "div",
      { class: "saew-plane-body" },
      h(
        "div",
        { class: "saew-plane-left" },
        h("div", {}, svg, caption, h("p", { class: "saew-note" }, TEXT.help)),
        h("section", { class: "saew-section" }, tableTitle, tableNote, table),
      ),
      h(
        "div",
        { class: "saew-plane-side" },
        h(
          "section",
          { class: "saew-section" },
          h("h3", {}, TEXT.directions),
          controls,
          h("div", { class: "saew-buttons" }, add, spread),
        ),
        h(
          "section",
          { class: "saew-section" },
          h("h3", {}, TEXT.readouts),
          h("p", { class: "saew-note" }, TEXT.readoutsNote),
          reads,
        ),
      ),
    ),
  );

  const build = () => {
    const angles = model.get("angles");
    held = lit = -1;
    tips.replaceChildren(
      ...angles.map((_, i) =>
        s(
          "g",
          {
            class: "saew-plane-tip",
            tabindex: 0,
            role: "slider",
            "aria-label": say(TEXT.arrow, { name: names()[i] }),
            "aria-valuemin": 0,
            "aria-valuemax": 360,
            style: { "--c": colorOf(i) },
          },
          s("circle", { r: 13, class: "saew-plane-grip" }),
          s("path", {}),
          s("text", { class: "saew-arrow-name", "text-anchor": "middle" }, shorten(names()[i])),
        ),
      ),
    );
    controls.replaceChildren(
      ...angles.map((angle, i) => {
        const name = names()[i];
        const range = h("input", {
          type: "range",
          class: "saew-range saew-colored",
          min: 0,
          max: 360,
          step: 1,
          style: { "--c": colorOf(i) },
          "aria-label": say(TEXT.angle, { name }),
        });
        range.value = angle;
        range.addEventListener("input", () => {
          const next = [...model.get("angles")];
          next[i] = Number(range.value);
          put("angles", next);
        });
        return h(
          "div",
          { class: "saew-plane-row", style: { "--c": colorOf(i) } },
          h("span", { class: "saew-name", title: name }, h("span", { class: "saew-dot" }), h("span", {}, name)),
          range,
          h("output", {}, ""),
          button(TEXT.jump, () => movePoint(...unit(model.get("angles")[i]).map((v) => v * model.get("unit")))),
          angles.length > 1
            ? h(
                "button",
                {
                  type: "button",
                  class: "saew-icon saew-quiet",
                  "aria-label": say(TEXT.remove, { name }),
                  onclick: () =>
                    put(
                      "angles",
                      model.get("angles").filter((_, j) => j !== i),
                    ),
                },
                "×",
              )
            : null,
        );
      }),
    );
  };

  function draw() {
    const scale = model.get("unit");
    const point = model.get("point").map((v) => v / scale); // in units of the picture
    const angles = model.get("angles");
    if (controls.children.length !== angles.length) build();
    add.hidden = angles.length >= MOST;
    spread.hidden = angles.length < 2;
    const units = angles.map(unit);
    [...controls.children].forEach((row, i) => {
      row.querySelector("output").textContent = say(TEXT.degrees, { value: num(angles[i], 4) });
      const range = row.querySelector("input");
      if (document.activeElement !== range) range.value = String(turned(angles[i]));
    });

    const [cx, cy] = px([0, 0]);
    const [qx, qy] = px(point);
    const line = (from, to, attributes) => {
      const [[x1, y1], [x2, y2]] = [px(from), px(to)];
      return s("line", { x1, y1, x2, y2, ...attributes });
    };
    const parts = [
      s("circle", { cx, cy, r: SCALE, class: "saew-unit" }),
      line([-REACH, 0], [REACH, 0], { class: "saew-grid" }),
      line([0, -REACH], [0, REACH], { class: "saew-grid" }),
      s(
        "text",
        { x: SIZE - 8, y: SIZE - 8, class: "saew-tick", "text-anchor": "end" },
        say(TEXT.circle, { unit: num(scale) }),
      ),
    ];
    units.forEach((u, i) => {
      const read = dot(point, u);
      const foot = [u[0] * read, u[1] * read];
      const color = { stroke: colorOf(i), fill: colorOf(i) };
      parts.push(
        line([-2 * REACH * u[0], -2 * REACH * u[1]], [2 * REACH * u[0], 2 * REACH * u[1]], {
          class: "saew-ray",
          style: color,
        }),
        line(point, foot, { class: "saew-drop", style: color }),
        line([0, 0], foot, { class: read > 0 ? "saew-read" : "saew-read saew-negative", style: color }),
        s("circle", { cx: px(foot)[0], cy: px(foot)[1], r: 4.5, class: "saew-foot", style: color }),
        line([0, 0], u, { class: "saew-arrow", style: color }),
      );
      if (lit >= 0 && i !== lit) {
        const lent = dot(units[lit], u);
        parts.push(line(units[lit], [u[0] * lent, u[1] * lent], { class: "saew-lent", style: color }));
      }
    });
    layer.replaceChildren(...parts);
    [...tips.children].forEach((tip, i) => {
      const [grip, path, name] = tip.children;
      const [x, y] = px(units[i]);
      const [lx, ly] = px([units[i][0] * 1.2, units[i][1] * 1.17]);
      const half = 4.2 * name.textContent.length; // px that a name takes on either side of its middle, at most
      const kept = Math.max(half, Math.min(SIZE - half, lx));
      grip.setAttribute("cx", String(x));
      grip.setAttribute("cy", String(y));
      path.setAttribute("d", head(units[i]));
      name.setAttribute("x", String(kept));
      const beside = Math.abs(kept - lx) > 8 && Math.abs(units[i][1]) < 0.2; // its arrow, not on it
      name.setAttribute("y", String(beside ? ly - 14 : ly + 5));
      tip.setAttribute("aria-valuenow", num(turned(angles[i]), 4));
      tip.setAttribute("aria-valuetext", say(TEXT.degrees, { value: num(angles[i], 4) }));
    });
    handle.setAttribute("cx", String(qx));
    handle.setAttribute("cy", String(qy));
    handle.setAttribute("aria-valuetext", say(TEXT.pointAt, { x: num(point[0] * scale), y: num(point[1] * scale) }));
    svg.setAttribute("aria-label", say(TEXT.picture, { n: angles.length }));
    caption.textContent = model.get("note");
    caption.hidden = !model.get("note");

    const cell = (value, digits = 3) => h("td", { class: value < 0 ? "saew-below" : "" }, signed(value, digits));
    reads.replaceChildren(
      h(
        "tr",
        { class: "saew-head" },
        h("th", { scope: "col" }, TEXT.feature),
        h("th", { scope: "col" }, TEXT.readout),
        h("th", { scope: "col" }, TEXT.relu),
        h("td"),
        h("td"),
      ),
      ...units.map((u, i) => {
        const read = Math.abs(dot(point, u)) < 5e-7 ? 0 : dot(point, u);
        return h(
          "tr",
          { style: { "--c": colorOf(i) } },
          h("th", { scope: "row", title: names()[i] }, h("span", { class: "saew-dot" }), names()[i]),
          cell(read * scale),
          cell(Math.max(0, read) * scale),
          h(
            "td",
            { class: "saew-gauge" },
            h("span", { style: { width: `${Math.min(100, (100 * Math.max(0, read)) / REACH)}%` } }),
          ),
          h("td", { class: "saew-faint" }, read > 0 ? TEXT.on : TEXT.offState),
        );
      }),
    );
    tableTitle.hidden = tableNote.hidden = table.hidden = units.length < 2;
    table.classList.toggle("saew-dense", units.length > 4);
    table.replaceChildren(
      h(
        "tr",
        {},
        h("td", {}),
        ...units.map((_, i) =>
          h(
            "th",
            { scope: "col", title: names()[i], style: { "--c": colorOf(i) } },
            h("span", { class: "saew-dot" }),
            h("span", { class: "saew-named" }, names()[i]),
          ),
        ),
      ),
      ...units.map((a, i) =>
        h(
          "tr",
          { style: { "--c": colorOf(i) } },
          h(
            "th",
            { scope: "row", title: names()[i] },
            h("span", { class: "saew-dot" }),
            h("span", { class: "saew-named" }, names()[i]),
          ),
          ...units.map((b, j) => cell(i === j ? 1 : dot(a, b), units.length > 4 ? 2 : 3)),
        ),
      ),
    );
  }

  build();
  draw();
  el.classList.add("saew-host");
  const help = explained(root, model, notes);
  help.begin();
  el.append(root);
  const keys = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  const stops = [
    followTheme(root),
    help.stop,
    ownKeys(
      root,
      help.keys((event) => {
        if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return false;
        const [right, up] = keys[event.key];
        const i = tipOf(event.target);
        if (event.target !== handle && i < 0) return false;
        event.preventDefault();
        if (i >= 0) {
          // up and left turn counterclockwise
          turn(i, model.get("angles")[i] + (up - right) * (event.shiftKey ? 15 : 1));
          return true;
        }
        const by = (event.shiftKey ? 0.25 : 0.05) * model.get("unit");
        const [x, y] = model.get("point");
        movePoint(x + by * right, y + by * up);
        return true;
      }),
    ),
    listen(model, ["point", "angles", "unit", "note"], draw),
    listen(model, ["labels"], () => {
      build();
      draw();
    }),
    error.stop,
    link.stop,
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

function shorten(name) {
  return name.length > 22 ? `${name.slice(0, 21)}…` : name;
}

/** Where one more direction is farthest from the lines of all others: the middle of the widest gap between them. */
function roomiest(angles) {
  const lines = [...new Set(angles.map((a) => turned(a) % 180))].sort((a, b) => a - b);
  const gaps = lines.map((a, i) => (lines[i + 1] ?? lines[0] + 180) - a);
  const widest = gaps.reduce((best, gap, i) => (gap > gaps[best] + 1e-9 ? i : best), 0);
  return turned(lines[widest] + gaps[widest] / 2);
}

/** The head of an arrow of length 1 along `u`. */
function head(u) {
  const [x, y] = px(u);
  const [dx, dy] = [u[0], -u[1]];
  const at = (along, across) => `${x - along * dx - across * dy},${y - along * dy + across * dx}`;
  return `M${x},${y}L${at(14, 6)}L${at(14, -6)}Z`;
}

export default { render };
