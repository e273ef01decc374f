// Specificity beside sensitivity, by a threshold on the activation.

import { tick } from "../../shared/axes.js";
import { h, placed, s } from "../../shared/elements.js";
import { num, percent } from "../../shared/numbers.js";
import { ranged, shareGrid } from "../../shared/shares.js";
import { say } from "../../shared/words.js";

/** @import { Interval } from "../../shared/shares.js" */
/** @import { Judge, Lab } from "./data.js" */
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
      const swatch = s("svg", { width: 22, height: 8, "aria-hidden": "true" });
      swatch.append(s("path", { class: `saew-spec-line ${look}`, d: "M0,4H22" }));
      return h("li", { title: what }, swatch, h("span", {}, name), h("strong", {}, ranged(above[0], words)));
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
  const label = lines.map((line) => lineWords(line, words)).join(words.between);
  const svg = s("svg", { width, height: TOP + TALL + BOTTOM, role: "img", "aria-label": label });
  svg.append(
    ...shareGrid(LEFT, width - RIGHT, y),
    ...[0, 0.25, 0.5, 0.75, 1].map((part) => {
      const at = part * lab.maximum;
      return tick(x(at), TOP + TALL + 16, num(at, 2));
    }),
    tick((LEFT + width - RIGHT) / 2, TOP + TALL + 32, words.threshold),
  );
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
      dot.saewTip = [
        [line.name, ranged(p.share, words)],
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
