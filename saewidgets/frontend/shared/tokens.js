// Tokens as chips: what they look like, their heat, their tooltip, and the keys that walk over them.

import { h } from "./elements.js";
import { marked } from "./marks.js";
import { say, sent } from "./words.js";

/** @import { Piece } from "./bytes.js" */
/** @import { TipLine } from "../types/host.js" */

const LONGEST = 40; // characters of one token that are drawn; the tooltip shows more
const UNBROKEN = 24; // characters of one token that stand on one line
const LEFTWARD = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/; // Hebrew, Arabic and their like
const RIGHTWARD = /[\p{L}\p{N}]/gu;
const SCALE = [0.1, 0.35, 0.57, 0.8, 1]; // heats of the sample

/**
 * A token with everything in it visible: spaces as ·, breaks as ⏎, controls by name. Never empty.
 *
 * @param {string} text
 */
export function glyphs(text, limit = LONGEST) {
  if (text === "") return "⟨empty⟩";
  const cut = cutTo(text, limit);
  const shown = marked(cut).replace(/ /g, "·");
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
  const shown = marked(cut).replace(/ {2,}/g, (run) => "·".repeat(run.length));
  return cut.length < text.length ? `${shown}…` : shown;
}

/** @param {string} text @param {number} limit */
function cutTo(text, limit) {
  if (text.length <= limit) return text;
  const last = text.charCodeAt(limit - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? limit - 1 : limit); // do not cut a pair in two
}

/**
 * Heat of an activation: 0 none, 1 the feature's maximum. Weak is still seen.
 *
 * @param {number} activation
 * @param {number} maximum
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

const SURE_TO_NOT = 7; // nats from no shade to the darkest

/**
 * Shade a token by its log-probability, where a list with the class saew-logprobs is around it.
 *
 * @template {HTMLElement} E
 * @param {E} el
 * @param {number | null} logprob natural, 0 or below
 */
export function unlikely(el, logprob) {
  if (logprob !== null) el.style.setProperty("--l", Math.min(1, -logprob / SURE_TO_NOT).toFixed(3));
  return el;
}

/**
 * What the colors of tokens mean, as a small scale in the colors of the theme, dark or light.
 *
 * @param {{ weak: string, strong: string }} text
 */
export function heatScale(text = sent.tokens) {
  const steps = SCALE.map((heat) => warm(h("span", { class: "saew-scale-step" }), heat));
  return h(
    "span",
    { class: "saew-scale" },
    text.weak,
    h("span", { class: "saew-scale-steps", "aria-hidden": "true" }, ...steps),
    text.strong,
  );
}

/**
 * The parts of a token in running text: the space before a word stands outside the word's background.
 *
 * @param {string} shown
 */
export function wordOf(shown) {
  const [space, word] = shown.startsWith(" ") ? [" ", shown.slice(1)] : ["", shown];
  const long = word.length > UNBROKEN ? " saew-long" : "";
  const joined = space ? "" : " saew-joined"; // "p" and "yramid" are one word
  return [space, h("span", { class: `saew-word${joined}${long}` }, word)];
}

/** @param {string} text @returns {boolean} whether it is written from right to left, and nothing in it is not */
function leftward(text) {
  return LEFTWARD.test(text) && (text.match(RIGHTWARD) ?? []).every((c) => LEFTWARD.test(c));
}

/**
 * One token in running text: its display text, or what `pieces` makes of it beside its neighbors.
 *
 * @param {string | Piece} token
 * @param {number} strength 0 to 1
 * @param {TipLine[] | null} lines the rows of its tooltip: [name, value], or [name, value, share] with a bar
 */
export function chip(token, strength, lines, mark = "") {
  const { text, slim, raw, share } = typeof token === "string" ? { ...WHOLE, text: token, raw: token } : token;
  const el = h("span", { class: `saew-token ${mark}`.trim(), tabindex: -1 }, ...wordOf(slim ? raw : running(text)));
  el.saewTip = lines ?? undefined;
  el.saewShare = share ?? undefined;
  el.classList.toggle("saew-slim", slim);
  el.classList.toggle("saew-blank", text.trim() === "" && !slim);
  el.classList.toggle("saew-leftward", leftward(slim ? (share?.character ?? "") : text));
  return warm(el, strength);
}
const WHOLE = { slim: false, share: null };

/**
 * What a tooltip says of a token that shares a character with its neighbors.
 *
 * @param {Piece["share"] | undefined} share
 * @param {{ share: string, shareOf: string }} text
 * @returns {TipLine[]}
 */
function shareLine(share, text) {
  if (!share) return [];
  const { character, at, of } = share;
  return [[text.share, say(text.shareOf, { character: glyphs(character), at, of })]];
}

/**
 * A tooltip for all chips inside `root`, by mouse and by focus. Returns the function that hides it.
 *
 * @param {HTMLElement} root
 */
export function tooltip(root, text = sent.tokens) {
  const tip = h("div", { class: "saew-tip", role: "tooltip", hidden: true });
  root.append(tip);
  /** @param {Event} event */
  const show = (event) => {
    const target = closest(event, ".saew-token, [data-tip]");
    if (!target || !root.contains(target)) return hide();
    const lines = target.saewTip;
    if (!lines) return hide();
    tip.replaceChildren(
      ...[...lines, ...shareLine(target.saewShare, text)].map(([name, value, share]) =>
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
 * One tab stop for a whole list of tokens; arrows walk on from it. Call it from the instrument's key handler.
 * Left and right go to the next token, up and down to the token nearest in the next line, Home and End to the row's
 * ends.
 *
 * @param {KeyboardEvent} event
 */
export function walk(event) {
  const from = closest(event, ".saew-token");
  const list = from?.closest(".saew-walk");
  if (!from || !list) return false;
  const all = /** @type {HTMLElement[]} */ ([...list.querySelectorAll(".saew-token")]).filter((el) => el.offsetParent);
  const at = all.indexOf(from);
  const row = (/** @type {Element} */ el) => el.closest(".saew-strip");
  /** @type {HTMLElement | undefined} */
  let to;
  if (event.key === "ArrowRight") to = all[at + 1];
  else if (event.key === "ArrowLeft") to = all[at - 1];
  else if (event.key === "Home") to = all.find((el) => row(el) === row(from));
  else if (event.key === "End") to = all.filter((el) => row(el) === row(from)).at(-1);
  else if (event.key === "ArrowDown" || event.key === "ArrowUp") to = inNextLine(all, from, event.key === "ArrowDown");
  else return false;
  event.preventDefault();
  if (to) {
    from.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  }
  return true;
}

/**
 * The token nearest in the line below, or above.
 *
 * @param {HTMLElement[]} all
 * @param {HTMLElement} from
 * @param {boolean} down
 */
function inNextLine(all, from, down) {
  const here = from.getBoundingClientRect();
  const middle = here.left + here.width / 2;
  const others = all.filter((el) => {
    const top = el.getBoundingClientRect().top;
    return down ? top > here.top + here.height / 2 : top < here.top - here.height / 2;
  });
  const tops = others.map((el) => el.getBoundingClientRect().top);
  const line = down ? Math.min(...tops) : Math.max(...tops);
  const gap = (/** @type {HTMLElement} */ el) =>
    Math.abs(el.getBoundingClientRect().left + el.offsetWidth / 2 - middle);
  const inLine = others.filter((el) => Math.abs(el.getBoundingClientRect().top - line) < here.height / 2);
  return inLine.sort((a, b) => gap(a) - gap(b))[0];
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
 * Make the first token of a list its tab stop.
 *
 * @template {Element} E
 * @param {E} list
 */
export function enterable(list) {
  const first = /** @type {HTMLElement | null} */ (list.querySelector(".saew-token"));
  if (first) first.tabIndex = 0;
  return list;
}
