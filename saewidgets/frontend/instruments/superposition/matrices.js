// Matrices of one model: its weights, and what each feature gives to each read-out.

import { matrixPicture } from "../../shared/matrix.js";
import { measures } from "./math.js";

/** @import { Models, Toy } from "./math.js" */
/** @typedef {{ small?: boolean, tell: ((words: string) => void) | null }} Look */

/**
 * @param {HTMLElement} root
 * @param {Toy} one
 * @param {Models} data
 * @param {Look} look
 */
export function weightsPicture(root, one, data, look) {
  return matrixPicture(root, "W", one.W, one.m, one.n, { most: data.reach, ...look });
}

/**
 * The matrix in letters: W'W, W2 W1, or W2 ReLU(W1).
 *
 * @param {Toy} one
 */
export function readoutName(one) {
  const first = one.D ? "W₁" : "W";
  return `${one.D ? "W₂" : "W′"}${one.neurons ? ` ReLU(${first})` : first}`;
}

/**
 * @param {HTMLElement} root
 * @param {Toy} one
 * @param {Models} data
 * @param {Look} look
 */
export function readoutPicture(root, one, data, look) {
  const most = one.D || one.neurons ? 1 : data.reach ** 2;
  return matrixPicture(root, readoutName(one), measures(one).read, one.n, one.n, { most, ...look });
}
