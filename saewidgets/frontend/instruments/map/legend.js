// The legend: which SAEs are drawn, and what the colors stand for; an entry shows its points alone.

import { h } from "../../shared/elements.js";
import { num, percent, whole } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { RAMP } from "./look.js";

/** @import { Look } from "./look.js" */
/** @import { Points } from "./points.js" */
/** @import { Scene } from "./scene.js" */

/**
 * @param {Scene} scene
 * @param {typeof import("./words.js").words.en} words
 * @param {{ light: (key: string | null) => void, show: (saes: number[]) => void }} asks
 */
export function legendPart({ points, look, shown }, words, { light, show }) {
  const el = h("div", { class: "saew-map-legend" });
  let drawn = shown;

  /** @param {[key: string, name: string]} entry */
  const button = ([key, name]) => {
    const pressed = look.only === key;
    const ink = pressed && key.startsWith("concept") ? "--up" : look.colorOf(key);
    return h(
      "button",
      {
        type: "button",
        class: "saew-pill saew-map-entry",
        "aria-pressed": String(pressed),
        "aria-label": say(words.only, { name }),
        onclick: () => light(pressed ? null : key),
      },
      h("span", { class: "saew-dot", style: { "--c": `var(${ink})` } }),
      name,
    );
  };
  /** @param {{ name: string, d_sae: number }} sae @param {number} s @param {boolean} colored */
  const tick = (sae, s, colored) => {
    const check = h("input", {
      type: "checkbox",
      onchange: () => show(points.saes.map((_, k) => k).filter((k) => (k === s ? check.checked : drawn.has(k)))),
    });
    check.checked = drawn.has(s);
    const dot = colored ? h("span", { class: "saew-dot", style: { "--c": `var(${look.colorOf(`sae ${s}`)})` } }) : null;
    const size = h("span", { class: "saew-faint" }, whole(sae.d_sae));
    return h("label", { class: "saew-tick-box" }, check, dot, `${sae.name} `, size);
  };

  /** @param {string} mode what the colors tell @param {Set<number>} saes which are drawn */
  const update = (mode, saes) => {
    drawn = saes;
    const entries = entriesOf(points, look, words, mode, (i) => saes.has(points.sae[i]));
    const boxes = points.saes.map((sae, s) => tick(sae, s, mode === "sae"));
    const controls = () => [...el.querySelectorAll("button, input")];
    const focused = document.activeElement ? controls().indexOf(document.activeElement) : -1;
    el.replaceChildren(
      h("div", { class: "saew-map-saes", hidden: points.saes.length < 2 }, ...boxes),
      h("div", { class: "saew-map-entries", hidden: !entries.length }, ...entries.map(button)),
    );
    const again = /** @type {HTMLElement | undefined} */ (controls()[focused]);
    again?.focus({ preventScroll: true });
  };
  return { el, update };
}

/**
 * [key, name] of the entries: the commonest concepts, or the steps of a figure that are seen; none for SAEs,
 * whose boxes tell.
 *
 * @param {Points} points
 * @param {Look} look
 * @param {typeof import("./words.js").words.en} words
 * @param {string} mode
 * @param {(i: number) => boolean} shown
 * @returns {[key: string, name: string][]}
 */
export function entriesOf(points, look, words, mode, shown) {
  if (mode === "concept") {
    /** @type {[string, string][]} */
    const named = look.commonest.map(([c]) => [`concept ${c}`, points.concepts[c].replaceAll("_", " ")]);
    return [...named, ["rest", words.others]];
  }
  if (mode === "cluster") {
    /** @type {[string, string][]} */
    const named = look.largestClusters.map(([at, n]) => [`cluster ${at}`, say(words.clusterOf, { at, n: whole(n) })]);
    return [...named, ["rest", words.noCluster]];
  }
  if (mode !== "density" && mode !== "output" && mode !== "input") return [];
  const edges = look.edges(mode);
  const said = mode === "output" ? (/** @type {number} */ x) => num(x, 2) : percent;
  const seen = new Set();
  for (let i = 0; i < points.n; i += 1) if (shown(i)) seen.add(look.entryOf(i));
  /** @type {[string, string][]} */
  const steps = Array.from({ length: RAMP }, (_, k) => [`level ${k}`, `${said(edges[k])} – ${said(edges[k + 1])}`]);
  /** @type {[string, string][]} */
  const others = [
    ["silent", words.silent],
    ["rest", words.unknown],
  ];
  return [...steps, ...others].filter(([key]) => seen.has(key));
}
