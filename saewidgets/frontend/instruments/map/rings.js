// The upper canvas: what changes with the pointer and the selection.

/** @import { Scene } from "./scene.js" */

/**
 * @param {CanvasRenderingContext2D} pen in px
 * @param {Scene} scene
 * @param {(i: number) => boolean} shown
 * @param {(name: string) => string} color of a property of the style sheet
 */
export function drawRings(pen, { points, look, view, selected, hover, chosen, lasso, links }, shown, color) {
  pen.clearRect(0, 0, view.box.width, view.box.height);
  /** @type {(i: number) => [number, number]} */
  const at = (i) => [view.right(points.x[i]), view.down(points.y[i])];
  /** @param {number} i @param {number} around px */
  const circle = (i, around) => {
    pen.beginPath();
    pen.arc(...at(i), look.radius[i] * view.grown() + around, 0, 2 * Math.PI);
  };
  pen.strokeStyle = color("--ink");
  pen.lineWidth = 1;
  for (const i of chosen) {
    if (!shown(i)) continue;
    circle(i, 1.5);
    pen.stroke();
  }
  for (const { point, child } of selected >= 0 && links !== "none" ? points.linked(selected) : []) {
    if (!shown(point)) continue;
    pen.strokeStyle = color("--focus");
    pen.lineWidth = 1.6;
    pen.setLineDash(child ? [] : [5, 4]);
    pen.beginPath();
    pen.moveTo(...at(selected));
    pen.lineTo(...at(point));
    pen.stroke();
    pen.setLineDash([]);
    circle(point, 2.5);
    pen.stroke();
  }
  /** @param {number} i @param {number} wide @param {string} ink @param {number} around */
  const ring = (i, wide, ink, around) => {
    if (i < 0 || !shown(i)) return;
    circle(i, around);
    pen.lineWidth = wide + 3;
    pen.strokeStyle = color("--card");
    pen.stroke();
    pen.lineWidth = wide;
    pen.strokeStyle = color(ink);
    pen.stroke();
  };
  ring(hover, 1.5, "--ink", 3);
  ring(selected, 2.6, "--focus", 5);
  if (lasso && lasso.length > 1) drawLasso(pen, lasso, color("--focus"));
}

/** @param {CanvasRenderingContext2D} pen @param {number[][]} lasso @param {string} color */
function drawLasso(pen, lasso, color) {
  pen.beginPath();
  for (const [x, y] of lasso) pen.lineTo(x, y);
  pen.closePath();
  pen.fillStyle = color;
  pen.globalAlpha = 0.12;
  pen.fill();
  pen.globalAlpha = 1;
  pen.lineWidth = 1.5;
  pen.strokeStyle = color;
  pen.stroke();
}
