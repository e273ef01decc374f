// FeaturePlane: an activation is a point, a feature is a direction, and a read-out is how far along it the point lies.

import { banner, followTheme, h, listen, num, ownKeys, s, say, throttle } from "./dom.js";

const TEXT = {
  widget: "Feature plane",
  point: "Activation point",
  pointAt: "x {x}, y {y}",
  angle: "Angle of {name}",
  add: "Add a direction",
  remove: "Remove {name}",
  directions: "Directions",
  readouts: "What each feature reads",
  readoutsNote: "Dot product of the point with the direction; a ReLU lets only the positive part through.",
  interference: "What one feature lends another",
  interferenceNote: "A point at distance 1 along the row also reads this much on the column: the cosine of the angle between them.",
  on: "on",
  offState: "off",
  jump: "Snap the point",
  degrees: "{value}°",
  help: "Drag the point, or focus it and press the arrow keys (with Shift: bigger steps).",
  picture: "{n} feature directions in a plane and one activation point",
  dismiss: "Dismiss the message",
};
const MOST = 3; // directions
const REACH = 1.5; // the plane shows -REACH..REACH on both axes
const SIZE = 420; // viewBox, px
const SCALE = SIZE / 2 / REACH;
const unit = (degrees) => {
  const a = (degrees * Math.PI) / 180;
  return [Math.cos(a), Math.sin(a)];
};
const px = ([x, y]) => [SIZE / 2 + SCALE * x, SIZE / 2 - SCALE * y];
const dot = (a, b) => a[0] * b[0] + a[1] * b[1];
const colorOf = (i) => `var(--saew-d${i + 1})`;

function render({ model, el }) {
  const root = h("div", { class: "saew saew-plane", role: "group", "aria-label": TEXT.widget, "data-lm-suppress-shortcuts": "true" });
  const save = throttle(() => model.save_changes(), 40);
  const error = banner(model, TEXT.dismiss);
  const put = (name, value) => {
    model.set(name, value);
    save();
  };
  const names = () => model.get("labels");

  const layer = s("g", {});
  const handle = s("circle", { r: 10, class: "saew-handle", tabindex: 0, role: "slider", "aria-label": TEXT.point, "aria-valuenow": 0 });
  const svg = s("svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, class: "saew-plane-picture", role: "group" }, layer, handle);
  const within = (v) => Math.max(-REACH, Math.min(REACH, Number(v.toFixed(7))));
  const movePoint = (x, y) => put("point", [within(x), within(y)]);
  const fromPointer = (event) => {
    const box = svg.getBoundingClientRect();
    movePoint(((event.clientX - box.left) / box.width) * 2 * REACH - REACH, REACH - ((event.clientY - box.top) / box.height) * 2 * REACH);
  };
  svg.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    svg.setPointerCapture(event.pointerId);
    handle.focus();
    fromPointer(event);
  });
  svg.addEventListener("pointermove", (event) => {
    if (svg.hasPointerCapture(event.pointerId)) fromPointer(event);
  });

  const controls = h("div", { class: "saew-plane-rows" });
  const table = h("table", { class: "saew-table" });
  const reads = h("table", { class: "saew-table" });
  const add = h("button", { type: "button", class: "saew-pill", onclick: () => put("angles", [...model.get("angles"), 45]) }, TEXT.add);
  const tableTitle = h("h3", {}, TEXT.interference);
  const tableNote = h("p", { class: "saew-note" }, TEXT.interferenceNote);
  root.append(
    error.el,
    h(
      "div",
      { class: "saew-plane-body" },
      h("div", {}, svg, h("p", { class: "saew-note" }, TEXT.help)),
      h(
        "div",
        { class: "saew-plane-side" },
        h("section", { class: "saew-section" }, h("h3", {}, TEXT.directions), controls, add),
        h("section", { class: "saew-section" }, h("h3", {}, TEXT.readouts), h("p", { class: "saew-note" }, TEXT.readoutsNote), reads),
        h("section", { class: "saew-section" }, tableTitle, tableNote, table),
      ),
    ),
  );

  const build = () => {
    const angles = model.get("angles");
    controls.replaceChildren(
      ...angles.map((angle, i) => {
        const name = names()[i];
        const range = h("input", { type: "range", class: "saew-range saew-colored", min: 0, max: 360, step: 1, style: { "--c": colorOf(i) }, "aria-label": say(TEXT.angle, { name }) });
        range.value = angle;
        range.addEventListener("input", () => {
          const next = [...model.get("angles")];
          next[i] = Number(range.value);
          put("angles", next);
        });
        return h(
          "div",
          { class: "saew-plane-row", style: { "--c": colorOf(i) } },
          h("span", { class: "saew-name" }, h("span", { class: "saew-dot" }), name),
          range,
          h("output", {}, ""),
          h("button", { type: "button", class: "saew-pill", onclick: () => movePoint(...unit(model.get("angles")[i])) }, TEXT.jump),
          angles.length > 1
            ? h("button", { type: "button", class: "saew-icon saew-quiet", "aria-label": say(TEXT.remove, { name }), onclick: () => put("angles", model.get("angles").filter((_, j) => j !== i)) }, "×")
            : null,
        );
      }),
    );
  };

  const draw = () => {
    const point = model.get("point");
    const angles = model.get("angles");
    if (controls.children.length !== angles.length) build();
    add.hidden = angles.length >= MOST;
    const units = angles.map(unit);
    [...controls.children].forEach((row, i) => {
      row.querySelector("output").textContent = say(TEXT.degrees, { value: num(angles[i], 4) });
      const range = row.querySelector("input");
      if (document.activeElement !== range) range.value = angles[i];
    });

    const [cx, cy] = px([0, 0]);
    const [qx, qy] = px(point);
    const parts = [
      s("circle", { cx, cy, r: SCALE, class: "saew-unit" }),
      s("line", { x1: 0, x2: SIZE, y1: cy, y2: cy, class: "saew-grid" }),
      s("line", { x1: cx, x2: cx, y1: 0, y2: SIZE, class: "saew-grid" }),
    ];
    units.forEach((u, i) => {
      const read = dot(point, u);
      const [ex, ey] = px([u[0] * REACH * 1.5, u[1] * REACH * 1.5]);
      const [fx, fy] = px([u[0] * read, u[1] * read]);
      const [tx, ty] = px(u);
      const [lx, ly] = px([u[0] * 1.2, u[1] * 1.2]);
      const color = { stroke: colorOf(i), fill: colorOf(i) };
      parts.push(
        s("line", { x1: 2 * cx - ex, y1: 2 * cy - ey, x2: ex, y2: ey, class: "saew-ray", style: color }),
        s("line", { x1: qx, y1: qy, x2: fx, y2: fy, class: "saew-drop", style: color }),
        s("line", { x1: cx, y1: cy, x2: fx, y2: fy, class: read > 0 ? "saew-read" : "saew-read saew-negative", style: color }),
        s("circle", { cx: fx, cy: fy, r: 4.5, class: "saew-foot", style: color }),
        s("line", { x1: cx, y1: cy, x2: tx, y2: ty, class: "saew-arrow", style: color }),
        s("path", { d: head(u), style: color }),
        s("text", { x: lx, y: ly + 5, class: "saew-arrow-name", "text-anchor": "middle" }, names()[i]),
      );
    });
    layer.replaceChildren(...parts);
    handle.setAttribute("cx", qx);
    handle.setAttribute("cy", qy);
    handle.setAttribute("aria-valuetext", say(TEXT.pointAt, { x: num(point[0]), y: num(point[1]) }));
    svg.setAttribute("aria-label", say(TEXT.picture, { n: angles.length }));

    const cell = (value) => h("td", { class: value < 0 ? "saew-below" : "" }, value.toFixed(3).replace("-", "\u2212"));
    reads.replaceChildren(
      ...units.map((u, i) => {
        const read = Math.abs(dot(point, u)) < 5e-7 ? 0 : dot(point, u);
        return h(
          "tr",
          { style: { "--c": colorOf(i) } },
          h("th", { scope: "row" }, h("span", { class: "saew-dot" }), names()[i]),
          cell(read),
          h("td", { class: "saew-gauge" }, h("span", { style: { width: `${Math.min(100, (100 * Math.max(0, read)) / REACH)}%` } })),
          h("td", { class: "saew-faint" }, read > 0 ? TEXT.on : TEXT.offState),
        );
      }),
    );
    tableTitle.hidden = tableNote.hidden = table.hidden = units.length < 2;
    table.replaceChildren(
      h("tr", {}, h("td", {}), ...units.map((_, i) => h("th", { scope: "col" }, names()[i]))),
      ...units.map((a, i) =>
        h("tr", {}, h("th", { scope: "row" }, names()[i]), ...units.map((b, j) => {
          const cosine = dot(a, b);
          return cell(i === j ? 1 : Math.abs(cosine) < 5e-7 ? 0 : cosine);
        })),
      ),
    );
  };

  build();
  draw();
  el.classList.add("saew-host");
  el.append(root);
  const keys = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  const stops = [
    followTheme(root),
    ownKeys(root, (event) => {
      if (event.target !== handle || !(event.key in keys)) return false;
      event.preventDefault();
      const by = event.shiftKey ? 0.25 : 0.05;
      const [x, y] = model.get("point");
      movePoint(x + by * keys[event.key][0], y + by * keys[event.key][1]);
      return true;
    }),
    listen(model, ["point", "angles"], draw),
    listen(model, ["labels"], () => {
      build();
      draw();
    }),
    error.stop,
  ];
  return () => stops.forEach((stop) => stop());
}

/** The head of an arrow of length 1 along `u`. */
function head(u) {
  const [x, y] = px(u);
  const [dx, dy] = [u[0], -u[1]];
  const at = (along, across) => `${x - along * dx - across * dy},${y - along * dy + across * dx}`;
  return `M${x},${y}L${at(14, 6)}L${at(14, -6)}Z`;
}

export default { render };
