// Points without a color as a shade: where there are many of them it is darker. Painted once, then moved and scaled.

/** @import { Places } from "./points.js" */

const CELLS = 256; // of the shade, a side
const SPAN = 1.15; // units of the map from its middle to an edge of the shade
const BLUR = 4; // cells on either side of a cell that are averaged, three times over
const STEPS = 5; // of the shade, as on a map of heights
const STRONGEST = 0.2; // opacity where it is darkest

/**
 * How crowded each cell of a square grid is by the taken points, 0 to 1 for the most crowded one, row by row from the
 * top. Three averages over a square come near to a Gaussian.
 *
 * @param {Places} places
 * @param {(i: number) => boolean} taken
 */
export function crowding({ n, x, y }, taken, cells = CELLS, blur = BLUR) {
  let grid = new Float32Array(cells * cells);
  const cell = (/** @type {number} */ v) => Math.floor(((v / SPAN + 1) / 2) * cells);
  for (let i = 0; i < n; i += 1) if (taken(i)) grid[cell(-y[i]) * cells + cell(x[i])] += 1;
  for (let round = 0; round < 3; round += 1) {
    grid = averaged(grid, cells, blur, 1, cells);
    grid = averaged(grid, cells, blur, cells, 1);
  }
  const most = grid.reduce((a, b) => Math.max(a, b), 0);
  return most > 0 ? grid.map((v) => v / most) : grid;
}

/**
 * Each cell of a grid as the sum of those up to `blur` away along one axis.
 *
 * @param {Float32Array} grid
 * @param {number} cells
 * @param {number} blur
 * @param {number} step between neighbors along the axis
 * @param {number} line between neighbors across it
 */
function averaged(grid, cells, blur, step, line) {
  const out = new Float32Array(grid.length);
  for (let l = 0; l < cells; l += 1) {
    let sum = 0;
    for (let k = -blur; k < cells; k += 1) {
      if (k + blur < cells) sum += grid[l * line + (k + blur) * step];
      if (k - blur > 0) sum -= grid[l * line + (k - blur - 1) * step];
      if (k >= 0) out[l * line + k * step] = sum;
    }
  }
  return out;
}

/** A shade that is painted when it is first drawn and after `reset`. */
export function mapShade() {
  /** @type {OffscreenCanvas | null} */
  let painted = null;

  /** @param {Float32Array} grid @param {string} color */
  const paint = (grid, color) => {
    const canvas = new OffscreenCanvas(CELLS, CELLS);
    const pen = canvas.getContext("2d");
    if (!pen) return canvas;
    pen.fillStyle = color;
    pen.fillRect(0, 0, CELLS, CELLS);
    const image = pen.getImageData(0, 0, CELLS, CELLS);
    for (let c = 0; c < grid.length; c += 1) {
      const height = Math.sqrt(grid[c]) * STEPS;
      const soft = Math.floor(height) + Math.min(1, (height % 1) * 3); // a step with a soft edge
      image.data[4 * c + 3] = 255 * STRONGEST * Math.min(1, soft / STEPS);
    }
    pen.putImageData(image, 0, 0);
    return canvas;
  };

  return {
    reset() {
      painted = null;
    },
    /**
     * @param {OffscreenCanvasRenderingContext2D | CanvasRenderingContext2D} pen in device pixels
     * @param {{ left: number, top: number, unit: number, alpha: number }} where the map's middle lies, and px per unit
     * @param {() => Float32Array} grid of `crowding`
     * @param {() => string} color
     */
    draw(pen, { left, top, unit, alpha }, grid, color) {
      painted = painted ?? paint(grid(), color());
      pen.globalAlpha = alpha;
      pen.imageSmoothingEnabled = true;
      pen.drawImage(painted, left - SPAN * unit, top - SPAN * unit, 2 * SPAN * unit, 2 * SPAN * unit);
      pen.globalAlpha = 1;
    },
  };
}
