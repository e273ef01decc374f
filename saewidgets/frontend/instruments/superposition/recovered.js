// "Train an SAE on this toy": how large, which kind, the button, and what it has recovered.

import { h } from "../../shared/elements.js";
import { percent } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { outcome, recoveredPicture } from "./recovery.js";
import { section } from "./section.js";

/** @import { Scene } from "./math.js" */
/** @import { Room, View } from "./views.js" */

const MOST = 1000; // features of an SAE

/** @param {Room} room @returns {View} */
export function recoveryView({ root, words: { recovery: words }, tell, sae: { still, size, kind, train } }) {
  const count = h("input", { type: "number", class: "saew-input", min: 1, max: MOST, step: 1 });
  count.addEventListener("change", () => count.value !== "" && count.validity.valid && size(Number(count.value)));
  const kinds = h(
    "select",
    { class: "saew-input", onchange: () => kind(kinds.value) },
    ...Object.entries(words.kinds).map(([value, text]) => h("option", { value }, text)),
  );
  const button = h("button", { type: "button", class: "saew-button", onclick: train }, words.train);
  const field = (/** @type {string} */ name, /** @type {Node} */ input) =>
    h("label", { class: "saew-field" }, h("span", {}, name), input);
  const form = h("div", { class: "saew-recover" }, field(words.size, count), field(words.kind, kinds), button);
  const progress = h("progress", { class: "saew-job-progress", max: 1, "aria-label": words.progress });
  const says = h("p", { class: "saew-recovered-says", role: "status" });
  const picture = h("div", {});
  const inside = still ? [says, picture] : [form, progress, says, picture];
  const { el, note } = section({ title: words.title, look: "saew-full" }, ...inside);
  /** @param {Scene} scene */
  const update = (scene) => {
    const { recovered, features, architecture } = scene.sae;
    if (document.activeElement !== count) count.value = String(features || Math.min(MOST, 2 * scene.one.n));
    kinds.value = architecture;
    const own = recovered && recovered.model === scene.chosen ? recovered : null;
    const learning = Boolean(own?.busy);
    const look = scene.one.m <= 3 ? words.arrows : words.cells;
    note.textContent = still && !own ? words.never : `${words.note} ${look}`;
    button.disabled = scene.training && !learning;
    button.textContent = learning ? words.stop : words.train;
    progress.hidden = !learning;
    progress.value = own?.share ?? 0;
    picture.replaceChildren(...(own ? [recoveredPicture(root, scene, own, words, tell)] : []));
    const begun = learning ? `${say(words.under, { share: percent(own?.share ?? 0) })} ` : "";
    says.textContent = own ? begun + outcome(own, words) : scene.training ? words.wait : "";
  };
  return { el, update };
}
