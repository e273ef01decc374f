// The error line of an instrument.

import { h } from "./elements.js";
import { listen } from "./events.js";

/** @import { Model } from "../types/host.js" */

/**
 * The error line of an instrument: the trait `error`, shown and dismissed here.
 *
 * @param {Model<any>} model
 * @param {string} dismiss what the button says to a screen reader
 */
export function banner(model, dismiss) {
  const message = h("span", { class: "saew-banner-text" });
  const close = h("button", { type: "button", class: "saew-icon", "aria-label": dismiss, onclick: clear }, "×");
  const el = h("div", { class: "saew-banner", role: "alert", hidden: true }, message, close);
  function clear() {
    model.set("error", "");
    model.save_changes();
  }
  const update = () => {
    message.textContent = model.get("error");
    el.hidden = !model.get("error");
  };
  update();
  return { el, stop: listen(model, ["error"], update) };
}
