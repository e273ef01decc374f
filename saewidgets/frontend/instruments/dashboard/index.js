// FeatureDashboard: everything that is known of one feature.

import { h } from "../../shared/elements.js";
import { binKeys } from "../../shared/histograms.js";
import { named, renamed } from "../../shared/labels.js";
import { mount } from "../../shared/mount.js";
import { tooltip, walk } from "../../shared/tokens.js";
import { topBar } from "./bar.js";
import { chooser } from "./choose.js";
import { exampleFilter } from "./filter.js";
import { notes } from "./notes.js";
import { featurePage } from "./page.js";
import { words } from "./words.js";

/** @import { Context } from "../../types/host.js" */
/** @import { FeatureDashboardTraits } from "../../types/model.js" */
/** @import { About, Bin, Pooled, Shown, Words } from "./data.js" */

/** @param {Context<FeatureDashboardTraits & { _pool?: Pooled[] }, Words>} context */
function draw({ model, root, link, words, common, banner, still, on, ends }) {
  const index = () => named(model.get("_index"), model.get("names"));
  const body = h("div", { class: "saew-body" });
  /** @type {ReturnType<typeof featurePage> | null} */
  let page = null;
  let far = false; // the feature was chosen elsewhere than in the heading, which then takes the focus
  const go = (/** @type {number} */ feature, away = false) => {
    far = away;
    link.put({ feature });
  };
  const bar = topBar(index, () => model.get("feature"), words.bar, go);
  const filter = exampleFilter(() => page?.main ?? body, words.filter);
  const keep = (/** @type {number} */ feature, /** @type {string} */ label) =>
    link.put({ names: renamed(model.get("names"), feature, label) });
  const desk = {
    words,
    scale: common.tokens,
    about: /** @type {About} */ (model.get("_about") ?? {}),
    passport: model.get("_passport"),
    pool: () => model.get("_pool") ?? [],
    index,
    interval: () => model.get("interval"),
    bin: () => /** @type {Bin | null} */ (model.get("_bin")),
    token: () => model.get("token"),
    measuring: () => model.get("_measuring"),
    carried: still,
    filter: filter.el,
    filtered: filter.apply,
    keep: still || !model.get("_about")?.named ? null : keep, // a page without a kernel would forget it
    go: (/** @type {number} */ feature) => go(feature, true),
    setInterval: (/** @type {number[] | null} */ interval) => link.put({ interval }),
    setToken: (/** @type {number[] | null} */ token) => link.put({ token }),
  };
  const update = () => {
    const shown = /** @type {Shown | null} */ (model.get("_shown"));
    if (!shown) return;
    if (page?.fits(shown)) return page.update(shown);
    page?.stop();
    page = featurePage(shown, desk);
    body.replaceChildren(page.el);
    bar.update();
    page.begin(); // the same words are looked for in the next feature, the same token ringed
    if (far) page.focus();
    far = false;
  };
  root.append(bar.el, banner, body);
  update();
  tooltip(root, common.tokens);
  on(["_shown"], update);
  on(["names"], () => page?.names());
  on(["_measuring"], () => page?.measured());
  on(["interval", "_bin"], () => page?.bins());
  on(["token"], () => page?.mark());
  ends(() => page?.stop());
  const choose = chooser(root, desk.token, desk.setToken);
  return (/** @type {KeyboardEvent} */ event) =>
    bar.key(event) || page?.key(event) || binKeys(event) || choose(event) || walk(event);
}

export default mount({ name: "dashboard", words, notes, draw });
