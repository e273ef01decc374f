// A matrix as a picture.

import { h } from "./elements.js";
import { num } from "./numbers.js";
import { say, sent } from "./words.js";

/** @typedef {[red: number, green: number, blue: number]} RGB */

/**
 * A matrix as colored cells: orange above zero, blue below.
 *
 * @param {HTMLElement} root gives the colors
 * @param {string} name
 * @param {ArrayLike<number>} values row by row
 * @param {number} rows
 * @param {number} columns
 * @param {{ most: number, small?: boolean, tell?: ((words: string) => void) | null,
 *   at?: ((row: number, column: number) => void) | null, press?: ((row: number, column: number) => void) | null,
 *   words?: { label: string, cell: string } }} look
 *   `most` is the value of the full color; `tell` is called with what is under the mouse in words, `at` with its row
 *   and column, -1 where it has left, `press` with those of a click
 */
export function matrixPicture(
  root,
  name,
  values,
  rows,
  columns,
  { most, small = false, tell = null, at = null, press = null, words = sent.matrix },
) {
  const { up, down, ink } = palette(root);
  // Nearly twice what is shown: sharp on most screens.
  const cell = small ? 1 : Math.max(4, Math.min(80, Math.floor(600 / Math.max(rows, columns))));
  const canvas = h("canvas", {
    class: small ? "saew-matrix saew-small-matrix" : "saew-matrix",
    width: columns * cell,
    height: rows * cell,
    role: "img",
    "aria-label": say(words.label, { name, rows, columns }),
  });
  const pen = canvas.getContext("2d");
  if (!pen) return canvas; // the browser gives no more of them
  for (let i = 0; i < rows; i += 1)
    for (let j = 0; j < columns; j += 1) {
      const value = values[i * columns + j];
      const [r, g, b] = value >= 0 ? up : down;
      pen.fillStyle = `rgba(${r}, ${g}, ${b}, ${Math.min(1, Math.abs(value) / most).toFixed(3)})`;
      pen.fillRect(j * cell, i * cell, cell, cell);
      if (cell >= 80) {
        pen.fillStyle = Math.abs(value) > 0.55 * most ? "#000" : ink;
        pen.font = `${Math.round(cell / 3.4)}px system-ui, sans-serif`;
        pen.textAlign = "center";
        pen.textBaseline = "middle";
        pen.fillText(short2(value), (j + 0.5) * cell, (i + 0.5) * cell + 1);
      }
    }
  /** @param {MouseEvent} event @returns {[row: number, column: number]} */
  const cellOf = (event) => {
    const box = canvas.getBoundingClientRect();
    const column = Math.min(columns - 1, Math.floor(((event.clientX - box.left) / box.width) * columns));
    const row = Math.min(rows - 1, Math.floor(((event.clientY - box.top) / box.height) * rows));
    return [Math.max(0, row), Math.max(0, column)];
  };
  if (press) canvas.addEventListener("click", (event) => press(...cellOf(event)));
  if (tell || at) {
    canvas.addEventListener("pointermove", (event) => {
      const [row, column] = cellOf(event);
      at?.(row, column);
      tell?.(say(words.cell, { name, row, column, value: num(values[row * columns + column]) }));
    });
    canvas.addEventListener("pointerleave", () => {
      at?.(-1, -1);
      tell?.("");
    });
  }
  return canvas;
}

/**
 * The colors of an instrument, looked up once a theme: a look-up after each change of the page would lay it out anew.
 *
 * @param {HTMLElement & { saewPalette?: { theme?: string, up: RGB, down: RGB, ink: string } }} root
 */
function palette(root) {
  const theme = root.dataset.theme;
  if (!root.saewPalette || root.saewPalette.theme !== theme) {
    const style = getComputedStyle(root);
    const [up, down] = ["--up", "--down"].map((key) => hex(style.getPropertyValue(key)));
    const found = { theme, up, down, ink: style.color };
    if (!style.color) return found; // not part of a page yet
    root.saewPalette = found;
  }
  return root.saewPalette;
}

/**
 * Two decimals without the zero before them: .31, −1.02, 0.
 *
 * @param {number} value
 */
function short2(value) {
  return Math.abs(value) < 0.005
    ? "0"
    : value
        .toFixed(2)
        .replace("-", "\u2212")
        .replace(/^(\u2212?)0\./, "$1.");
}

/**
 * @param {string} color #rrggbb
 * @returns {RGB}
 */
function hex(color) {
  const digits = color.trim().replace("#", "");
  const [red, green, blue] = [0, 2, 4].map((at) => parseInt(digits.slice(at, at + 2), 16));
  return [red, green, blue];
}
