// Specificity beside sensitivity, by a threshold on the activation.

import { h, placed, s } from "../../shared/elements.js";
import { num, percent } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";

/** @import { Interval, Judge, Lab } from "./data.js" */
/** @typedef {typeof import("./words.js").words.en} Words */
/** @typedef {{ name: string, look: string, above: Interval[], what: string }} Line */

const [LEFT, RIGHT, TOP, TALL, BOTTOM] = [44, 12, 8, 200, 38];

/**
 * @param {Lab} lab
 * @param {Words} words
 */
export function curves(lab, words) {
  let judge = lab.judges[0];
  const names = /** @type {Record<string, string>} */ (words.recall);
  const lines = () => [
    { name: words.specific, look: "saew-spec-line3", above: judge.above, what: "" },
    ...lab.sensitivity.map(({ name, what, n, above }, i) => ({
      name: `${names[name] ?? name} (n = ${n})`,
      look: `saew-spec-recall${i % 2}`,
      above,
      what,
    })),
  ];
  const plot = placed((width) => picture(lab, lines(), width, words));
  const key = h("ul", { class: "saew-spec-key" });
  const none = lab.sensitivity.length ? null : h("p", { class: "saew-note" }, words.noRecall);
  const el = h("div", { class: "saew-spec-curves" }, plot.el, key, none);

  /** @param {Judge} now */
  const update = (now) => {
    judge = now;
    plot.redraw();
    const one = (/** @type {Line} */ { name, look, above, what }) => {
      const [value, low, high] = above[0];
      const told =
        value === null
          ? "–"
          : say(words.of, { share: percent(value), low: percent(low ?? 0), high: percent(high ?? 0) });
      const swatch = s("svg", { width: 22, height: 8, "aria-hidden": "true" });
      swatch.append(s("path", { class: `saew-spec-line ${look}`, d: "M0,4H22" }));
      return h("li", { title: what }, swatch, h("span", {}, name), h("strong", {}, told));
    };
    key.replaceChildren(...lines().map(one));
  };
  return { el, update, stop: plot.stop };
}

/**
 * @param {Lab} lab
 * @param {Line[]} lines
 * @param {number} width
 * @param {Words} words
 */
function picture(lab, lines, width, words) {
  const along = (width - LEFT - RIGHT) / lab.maximum;
  const x = (/** @type {number} */ at) => LEFT + along * at;
  const y = (/** @type {number} */ share) => TOP + TALL * (1 - share);
  const label = lines.map((line) => lineWords(line, words)).join("; ");
  const svg = s("svg", { width, height: TOP + TALL + BOTTOM, role: "img", "aria-label": label });
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    svg.append(
      s("line", { class: "saew-grid", x1: LEFT, x2: width - RIGHT, y1: y(share), y2: y(share) }),
      s("text", { class: "saew-tick", x: LEFT - 6, y: y(share) + 4, "text-anchor": "end" }, percent(share)),
    );
  }
  for (const at of [0, 0.25, 0.5, 0.75, 1]) {
    const place = { class: "saew-tick", x: x(at * lab.maximum), y: TOP + TALL + 16, "text-anchor": "middle" };
    svg.append(s("text", place, num(at * lab.maximum, 2)));
  }
  const middle = { class: "saew-tick", x: (LEFT + width - RIGHT) / 2, y: TOP + TALL + 32, "text-anchor": "middle" };
  svg.append(s("text", middle, words.threshold));
  for (const line of [...lines].reverse()) {
    const known = line.above.map((share, i) => ({ at: lab.edges[i], share })).filter(({ share }) => share[0] !== null);
    if (!known.length) continue;
    const point = (/** @type {{ at: number, share: Interval }} */ { at, share }, /** @type {0 | 1 | 2} */ i) =>
      `${x(at).toFixed(1)},${y(share[i] ?? 0).toFixed(1)}`;
    const band = [...known.map((p) => point(p, 2)), ...[...known].reverse().map((p) => point(p, 1))].join("L");
    svg.append(
      s("path", { class: `saew-spec-band ${line.look}`, d: `M${band}Z` }),
      s("path", { class: `saew-spec-line ${line.look}`, d: `M${known.map((p) => point(p, 0)).join("L")}` }),
    );
    for (const p of known) {
      const dot = s("circle", { class: `saew-spec-dot ${line.look}`, cx: x(p.at), cy: y(p.share[0] ?? 0), r: 3.2 });
      const [value, low, high] = p.share;
      const told = say(words.of, { share: percent(value ?? 0), low: percent(low ?? 0), high: percent(high ?? 0) });
      dot.saewTip = [
        [line.name, told],
        [words.threshold, num(p.at)],
      ];
      dot.setAttribute("data-tip", "");
      svg.append(dot);
    }
  }
  return svg;
}

/** @param {Line} line @param {Words} words */
function lineWords({ name, above }, words) {
  const told = (/** @type {number} */ i) => (above[i]?.[0] == null ? "–" : percent(above[i][0] ?? 0));
  return say(words.curvesLabel, { name, share: told(0), half: told(Math.floor(above.length / 2)) });
}
