// Dots, each painted once per color and size.

import { INKS } from "./look.js";

/** @param {(name: string) => string} color of a property of the style sheet */
export function mapSprites(color) {
  /** @type {Map<number, OffscreenCanvas>} */
  const ready = new Map();

  /** @param {string} ink @param {number} r @param {number} ratio */
  const painted = (ink, r, ratio) => {
    const size = 2 * Math.ceil(r + 1.5);
    const dot = new OffscreenCanvas(size, size);
    const pen = dot.getContext("2d");
    if (!pen) return dot;
    pen.beginPath();
    pen.arc(size / 2, size / 2, r, 0, 2 * Math.PI);
    pen.fillStyle = color(ink);
    pen.fill();
    if (ink !== "--saew-rest") {
      pen.lineWidth = 0.7 * ratio; // a rim, which parts a point from those below it
      pen.strokeStyle = color("--card");
      pen.stroke();
    }
    return dot;
  };
  return {
    /** The dot of an index into INKS and a radius in px, of which `ratio` device pixels make one. */
    get(/** @type {number} */ ink, /** @type {number} */ radius, /** @type {number} */ ratio) {
      const quarters = Math.round(radius * 4);
      const key = 1024 * ink + quarters;
      const dot = ready.get(key) ?? painted(INKS[ink], (quarters / 4) * ratio, ratio);
      ready.set(key, dot);
      return dot;
    },
    clear: () => ready.clear(),
  };
}
