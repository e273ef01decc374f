// The training as a film: a slider over its snapshots, and a button that plays them.

import { h } from "../../shared/elements.js";

/** @import { Scene } from "./math.js" */

const FRAME = 90; // ms between two snapshots while playing

/**
 * @param {{ scrub: string, play: string, pause: string }} words
 * @param {(snapshot: number) => void} seek
 */
export function playerPart(words, seek) {
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;
  let [at, last] = [0, 0];
  const scrub = h("input", { type: "range", class: "saew-range", min: 0, max: 0, step: 1, "aria-label": words.scrub });
  const reads = h("output", { class: "saew-number" });
  const play = h("button", { type: "button", class: "saew-icon", "aria-label": words.play }, "▶");
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
    play.textContent = "▶";
    play.setAttribute("aria-label", words.play);
  };
  const begin = () => {
    if (at === last) seek(0);
    play.textContent = "⏸";
    play.setAttribute("aria-label", words.pause);
    timer = setInterval(() => {
      const next = Math.min(at + 1, last);
      seek(next);
      if (next === last) stop();
    }, FRAME);
  };
  play.addEventListener("click", () => (timer ? stop() : begin()));
  scrub.addEventListener("input", () => {
    stop();
    seek(Number(scrub.value));
  });
  const el = h(
    "div",
    { class: "saew-player" },
    play,
    h("span", { class: "saew-slider" }, h("span", { class: "saew-rail", "aria-hidden": "true" }), scrub),
    reads,
  );
  /**
   * @param {Scene} scene
   * @param {string} step where it stands, in words
   */
  const update = (scene, step) => {
    [at, last] = [scene.at, scene.data.snapshots - 1];
    scrub.max = String(last);
    scrub.value = String(at);
    scrub.setAttribute("aria-valuetext", step);
    reads.textContent = step;
  };
  return { el, update, stop };
}
