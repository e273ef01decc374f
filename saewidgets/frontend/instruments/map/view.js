// Which part of the map is seen: the arithmetic of places and pixels. No drawing.

const CLOSEST = 400; // the largest zoom
const EDGE = 20; // px from an edge within which a place is not in view

/** @typedef {ReturnType<typeof mapView>} View */

export function mapView() {
  const at = { x: 0, y: 0, zoom: 1 };
  const box = { width: 0, height: 0, inset: 0 }; // px; what covers the right edge by `inset` is left free
  const free = () => box.width - box.inset;
  const unit = () => 0.48 * Math.min(free(), box.height) * at.zoom; // px for one unit of the map
  const right = (/** @type {number} */ x) => free() / 2 + (x - at.x) * unit();
  const down = (/** @type {number} */ y) => box.height / 2 - (y - at.y) * unit();
  /** @type {(px: number, py: number) => [number, number]} */
  const place = (px, py) => [at.x + (px - free() / 2) / unit(), at.y - (py - box.height / 2) / unit()];
  const kept = () => {
    at.zoom = Math.max(1, Math.min(CLOSEST, at.zoom));
    at.x = Math.max(-1, Math.min(1, at.x));
    at.y = Math.max(-1, Math.min(1, at.y));
  };
  return {
    at,
    box,
    unit,
    right,
    down,
    place,
    /** How much larger a dot is than on the whole map. */
    grown: () => Math.min(2.4, at.zoom ** 0.3),
    /** Zoom by a factor and keep what lies under (px, py) where it is. */
    zoom(/** @type {number} */ factor, px = free() / 2, py = box.height / 2) {
      const [x, y] = place(px, py);
      at.zoom *= factor;
      kept();
      at.x = x - (px - free() / 2) / unit();
      at.y = y + (py - box.height / 2) / unit();
      kept();
    },
    pan(/** @type {number} */ dx, /** @type {number} */ dy) {
      at.x -= dx / unit();
      at.y += dy / unit();
      kept();
    },
    whole() {
      Object.assign(at, { x: 0, y: 0, zoom: 1 });
    },
    /** Bring a place into view, in the middle if it is outside. Says whether the view has moved. */
    reveal(/** @type {number} */ x, /** @type {number} */ y) {
      const [px, py] = [right(x), down(y)];
      const inside = px >= EDGE && py >= EDGE && px <= free() - EDGE && py <= box.height - EDGE;
      if (inside || at.zoom <= 1) return false; // the whole map holds every place
      Object.assign(at, { x, y });
      kept();
      return true;
    },
  };
}
