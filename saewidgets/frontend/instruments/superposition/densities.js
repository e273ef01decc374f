// How often each feature of a model is on, where they differ.

import { s } from "../../shared/elements.js";
import { num, percent } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { barHeight, featureRow } from "./bars.js";
import { featureColor } from "./colors.js";
import { chartView } from "./section.js";

/** @import { Scene } from "./math.js" */
/** @import { Room, View } from "./views.js" */

const [LEFT, RIGHT, HEIGHT] = [26, 58, 190];

/** @param {Room} room @returns {View} */
export function densitiesView({ words: { densities: words }, tell, put }) {
  const view = chartView(words, (scene, width) => densitiesPicture(scene, width, words, tell, put));
  view.el.hidden = true;
  /** @param {Scene} scene */
  const update = (scene) => {
    view.el.hidden = scene.data.density[scene.chosen].length < 2;
    if (!view.el.hidden) view.update(scene);
  };
  return { ...view, update };
}

/**
 * One bar per feature, from a third of the rarest on a logarithmic scale.
 *
 * @param {Scene} scene
 * @param {number} width
 * @param {{ label: string, tip: string }} words
 * @param {(words: string) => void} tell
 * @param {Room["put"]} put
 */
function densitiesPicture({ data, chosen, one, marked }, width, words, tell, put) {
  const row = data.density[chosen];
  const everywhere = data.density.flat().filter((p) => p > 0); // one scale for all models
  const [low, high] = [Math.log(Math.min(...everywhere) / 3), Math.log(Math.max(...everywhere))];
  const tall = barHeight(row.length, HEIGHT);
  const long = (/** @type {number} */ p) =>
    p > 0 ? Math.max(2, ((width - LEFT - RIGHT) * (Math.log(p) - low)) / (high - low)) : 0;
  return s(
    "svg",
    {
      ...{ width, height: tall * row.length + 4, role: "img" },
      "aria-label": say(words.label, { list: row.map(percent).join(", ") }),
    },
    ...row.map((p, i) => {
      const says = say(words.tip, { i, p: num(p), percent: percent(p) });
      const bar = { tall, width, left: LEFT, long: long(p), color: featureColor(i, one), marked };
      return featureRow(i, { ...bar, text: percent(p), end: width - 2, says }, { tell, put });
    }),
  );
}
