// Tokens as chips: what they look like, their heat, their tooltip, and the keys that walk over them.

/** @import { TipLine } from "../types/host.js" */

import { h } from "./elements.js";

const LONGEST = 40; // characters of one token that are drawn; the tooltip shows more

const NAMED = new Map([
  ["\n", "⏎"],
  ["\r", "␍"],
  ["\t", "⇥"],
  ["\u00a0", "⍽"],
  ["\u2028", "⟨LS⟩"],
  ["\u2029", "⟨PS⟩"],
  ["\u007f", "␡"],
]);
// Controls, lone surrogates, and characters that have no width or that turn the direction of the text around them.
const UNSEEN = new RegExp(
  [
    String.raw`[\u0000-\u001f\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e]`,
    String.raw`[\u2000-\u200f\u2028-\u202f\u205f-\u206f]`,
    String.raw`[\u3000\u3164\ufeff\ufff9-\ufffb\p{Cs}\p{Cn}\p{Co}]`,
    String.raw`[\u{e0000}-\u{e0fff}]`,
  ].join("|"),
  "gu",
);

/** @param {string} character */
function named(character) {
  const name = NAMED.get(character);
  if (name) return name;
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCodePoint(0x2400 + code); // the control pictures ␀ to ␟
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
}

/**
 * A token with everything in it visible: spaces as ·, breaks as ⏎, controls by name. Never empty.
 *
 * @param {string} text
 */
export function glyphs(text, limit = LONGEST) {
  if (text === "") return "⟨empty⟩";
  const cut = cutTo(text, limit);
  const shown = cut.replace(UNSEEN, named).replace(/ /g, "·");
  return cut.length < text.length ? `${shown}…` : shown;
}

/**
 * A token as it stands in running text: single spaces stay spaces, unless there is nothing else.
 *
 * @param {string} text
 */
export function running(text, limit = LONGEST) {
  if (text.trim() === "") return glyphs(text, limit);
  const cut = cutTo(text, limit);
  const shown = cut.replace(UNSEEN, named).replace(/ {2,}/g, (run) => "·".repeat(run.length));
  return cut.length < text.length ? `${shown}…` : shown;
}

/** @param {string} text @param {number} limit characters */
function cutTo(text, limit) {
  if (text.length <= limit) return text;
  const last = text.charCodeAt(limit - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? limit - 1 : limit); // do not cut a pair in two
}

/**
 * Heat of an activation: 0 none, 1 the feature's maximum. Weak is still seen.
 *
 * @param {number} activation
 * @param {number} maximum of the feature, in the same units
 */
export function heat(activation, maximum) {
  if (!(activation > 0) || !(maximum > 0)) return 0;
  return Math.min(1, Math.max(0.1, activation / maximum));
}

// Between these heats neither black nor white ink is legible on every dark theme: nothing is drawn there.
const NEITHER = [0.57, 0.64];

/**
 * Give an element the background of `strength`; the style sheet mixes the color and picks a legible ink.
 *
 * @template {HTMLElement} E
 * @param {E} el
 * @param {number} strength 0 to 1, of `heat`
 */
export function warm(el, strength) {
  if (strength > 0) {
    const [cool, hot] = NEITHER;
    const shown = strength > cool && strength < hot ? (2 * strength < cool + hot ? cool : hot) : strength;
    el.style.setProperty("--h", shown.toFixed(3));
    el.classList.add("saew-warm");
    el.classList.toggle("saew-hot", shown >= hot); // in dark themes black ink is the more legible one from here on
  }
  return el;
}

/**
 * The parts of a token in running text: the space before a word stands outside the word's background.
 *
 * @param {string} shown of `running`
 */
export function wordOf(shown) {
  const [space, word] = shown.startsWith(" ") ? [" ", shown.slice(1)] : ["", shown];
  // Without a space it joins the token before it: "p" and "yramid" are one word.
  return [space, h("span", { class: space ? "saew-word" : "saew-word saew-joined" }, word)];
}

/**
 * One token in running text. `lines` are the rows of its tooltip: [name, value], or [name, value, share] with a bar.
 *
 * @param {string} text
 * @param {number} strength 0 to 1, of `heat`
 * @param {TipLine[]} lines
 */
export function chip(text, strength, lines, mark = "") {
  const el = h("span", { class: `saew-token ${mark}`.trim(), tabindex: -1 }, ...wordOf(running(text)));
  el.saewTip = lines;
  if (text.trim() === "") el.classList.add("saew-blank");
  return warm(el, strength);
}

/**
 * A tooltip for all chips inside `root`, by mouse and by focus. Returns the function that hides it.
 *
 * @param {HTMLElement} root
 */
export function tooltip(root) {
  const tip = h("div", { class: "saew-tip", role: "tooltip", hidden: true });
  root.append(tip);
  /** @param {Event} event */
  const show = (event) => {
    const target = closest(event, ".saew-token, [data-tip]");
    if (!target || !root.contains(target)) return hide();
    const lines = target.saewTip;
    if (!lines) return hide();
    tip.replaceChildren(
      ...lines.map(([name, value, share]) =>
        h(
          "div",
          {},
          h("span", { class: "saew-tip-name" }, name),
          share === undefined
            ? null
            : h(
                "span",
                { class: "saew-tip-bar" },
                h("span", { style: { width: `${Math.min(100, 100 * share).toFixed(1)}%` } }),
              ),
          h("span", {}, value),
        ),
      ),
    );
    tip.hidden = false;
    const box = root.getBoundingClientRect();
    const at = target.getBoundingClientRect();
    const left = Math.max(4, Math.min(at.left - box.left, box.width - tip.offsetWidth - 4));
    const below = at.bottom - box.top + 5;
    const fits = below + tip.offsetHeight < box.height;
    tip.style.setProperty("left", `${left}px`);
    tip.style.setProperty("top", `${fits ? below : Math.max(0, at.top - box.top - tip.offsetHeight - 5)}px`);
  };
  const hide = () => {
    tip.hidden = true;
  };
  root.addEventListener("mouseover", show);
  root.addEventListener("focusin", show);
  root.addEventListener("mouseleave", hide);
  root.addEventListener("focusout", hide);
  return hide;
}

/**
 * The element around the target of an event that a selector names.
 *
 * @param {Event} event
 * @param {string} selector
 * @returns {HTMLElement | null | undefined}
 */
function closest(event, selector) {
  return /** @type {Partial<Element> | null} */ (event.target)?.closest?.(selector);
}

/**
 * One tab stop for a whole list of tokens; arrows walk on from it. Call it from the instrument's key handler.
 * Left and right go to the next token, up and down to the token nearest in the next row, Home and End to the ends of
 * the row.
 *
 * @param {KeyboardEvent} event
 * @returns {boolean} whether it used the key
 */
export function walk(event) {
  const from = closest(event, ".saew-token");
  const list = from?.closest(".saew-walk");
  if (!from || !list) return false;
  const tokens = /** @type {NodeListOf<HTMLElement>} */ (list.querySelectorAll(".saew-token"));
  const all = [...tokens].filter((el) => el.offsetParent !== null);
  const at = all.indexOf(from);
  /** @param {Element} el */
  const row = (el) => el.closest(".saew-strip");
  /** @type {HTMLElement | undefined} */
  let to;
  if (event.key === "ArrowRight") to = all[at + 1];
  else if (event.key === "ArrowLeft") to = all[at - 1];
  else if (event.key === "Home") to = all.find((el) => row(el) === row(from));
  else if (event.key === "End") to = all.filter((el) => row(el) === row(from)).at(-1);
  else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const down = event.key === "ArrowDown";
    const here = from.getBoundingClientRect();
    const middle = here.left + here.width / 2;
    const others = all.filter((el) => {
      const top = el.getBoundingClientRect().top;
      return down ? top > here.top + here.height / 2 : top < here.top - here.height / 2;
    });
    const tops = others.map((el) => el.getBoundingClientRect().top);
    const line = down ? Math.min(...tops) : Math.max(...tops);
    /** @param {HTMLElement} el */
    const gap = (el) => Math.abs(el.getBoundingClientRect().left + el.offsetWidth / 2 - middle);
    const inLine = others.filter((el) => Math.abs(el.getBoundingClientRect().top - line) < here.height / 2);
    to = inLine.sort((a, b) => gap(a) - gap(b))[0];
  } else return false;
  event.preventDefault();
  if (to) {
    from.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  }
  return true;
}

/**
 * Make the first token of a list its tab stop.
 *
 * @template {Element} E
 * @param {E} list
 */
export function enterable(list) {
  list.querySelector(".saew-token")?.setAttribute("tabindex", "0");
  return list;
}
