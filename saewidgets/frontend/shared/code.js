// Python that makes an instrument again, to copy.

import { h } from "./elements.js";

/**
 * A fold with code in it.
 *
 * @param {string} title
 * @param {string} code
 */
export const codeFold = (title, code) =>
  h("details", { class: "saew-details" }, h("summary", {}, title), h("pre", { class: "saew-pre", tabindex: 0 }, code));
