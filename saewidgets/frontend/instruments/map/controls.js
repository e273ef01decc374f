// The settings: what color and size tell, which links are drawn, what a drag does; and the buttons that zoom.

import { h } from "../../shared/elements.js";

/** @import { Context } from "../../types/host.js" */
/** @import { FeatureMapTraits } from "../../types/model.js" */
/** @import { Look } from "./look.js" */
/** @import { Points } from "./points.js" */
/** @import { Tool } from "./pointer.js" */
/** @typedef {typeof import("./words.js").words.en} Words */

/**
 * @param {Context<FeatureMapTraits, Words>} context
 * @param {Points} points
 * @param {Look} look
 * @param {(tool: Tool) => void} pick
 */
export function settings({ model, link, words, on }, points, look, pick) {
  /** @param {"color" | "size" | "links"} name @param {string} label @param {Record<string, string>} table */
  const chooser = (name, label, table) => {
    const box = h(
      "select",
      { class: "saew-input", onchange: () => link.put({ [name]: box.value }) },
      ...Object.entries(table).map(([value, text]) => h("option", { value }, text)),
    );
    const update = () => {
      box.value = model.get(name);
    };
    update();
    on([name], update);
    return field(label, box);
  };
  const density = points.density.some((v) => v > 0);
  const maximum = points.maximum.some((v) => v > 0);
  const colors = {
    concept: look.commonest.length > 0,
    density,
    cluster: look.largestClusters.length > 0,
    output: points.output !== null,
    input: points.input !== null,
  };
  const tool = h(
    "select",
    { class: "saew-input", onchange: () => pick(/** @type {Tool} */ (tool.value)) },
    ...Object.entries(words.tools).map(([value, text]) => h("option", { value }, text)),
  );
  const links = chooser("links", words.links, words.linksOf);
  links.hidden = points.parent.length === 0;
  return [
    chooser("color", words.color, some(words.colors, colors)),
    chooser("size", words.size, some(words.sizes, { density, maximum })),
    links,
    field(words.tool, tool),
  ];
}

/** @param {string} label @param {HTMLElement} box */
const field = (label, box) => h("label", { class: "saew-field" }, h("span", {}, label), box);

/** @param {Record<string, string>} table @param {Record<string, boolean>} has */
const some = (table, has) => Object.fromEntries(Object.entries(table).filter(([name]) => has[name] ?? true));

/** @param {Words} words @param {(factor: number) => void} zoom @param {() => void} whole */
export function zoomButtons(words, zoom, whole) {
  /** @param {string} text @param {string} label @param {() => void} onclick */
  const icon = (text, label, onclick) =>
    h("button", { type: "button", class: "saew-icon", "aria-label": label, title: label, onclick }, text);
  return h(
    "div",
    { class: "saew-map-zoom" },
    icon("+", words.closer, () => zoom(1.6)),
    icon("−", words.farther, () => zoom(1 / 1.6)),
    icon("⤢", words.whole, whole),
  );
}
