// The tokens of the text: the heat of one feature, a line per pinned one, and what leaving one out would cost.

import { pieces } from "../../shared/bytes.js";
import { h } from "../../shared/elements.js";
import { roleName } from "../../shared/turns.js";
import { chip, enterable, heat, warm } from "../../shared/tokens.js";
import { ablated, costOf, scaleOf, shownOf, tipOf, valueAt } from "./reading.js";

/** @import { Piece } from "../../shared/bytes.js" */
/** @import { Feature, View, Words } from "./reading.js" */
/** @typedef {[color: string, strength: number]} Line under a token */

/**
 * `update(view)` draws another text; `paint(view)` what changes without one.
 *
 * @param {Words} words
 * @param {import("../../shared/turns.js").Words} common
 * @param {(at: number) => void} pick is called with the position of a token that was clicked
 */
export function tokenStrip(words, common, pick) {
  const look = "saew-text saew-strip saew-walk saew-probe-strip";
  const el = h("div", { class: look, dir: "auto", role: "group", "aria-label": words.strip });
  /** @type {View | null} */
  let now = null;
  /** @type {HTMLElement[]} */
  let chips = []; // of every token, those that are folded away too
  let whole = false; // the template's own tokens are shown as they are
  const raw = h(
    "button",
    {
      type: "button",
      class: "saew-pill saew-raw",
      onclick: () => {
        whole = !whole;
        if (now) update(now);
      },
    },
    words.raw,
  );
  /** @param {Piece} piece @param {number} at @param {boolean} counted */
  const tokenOf = (piece, at, counted) => {
    const token = chip(piece, 0, []);
    // Made when it is looked at: there may be many tokens.
    Object.defineProperty(token, "saewTip", { get: () => (now ? tipOf(now, at, words) : []) });
    if (!counted) token.classList.add("saew-blank", "saew-uncounted");
    token.setAttribute("role", "button");
    token.addEventListener("click", () => pick(at));
    return token;
  };
  /** @param {View} view */
  const paint = (view) => {
    now = view;
    const { prompt, pinned, position } = view;
    // The same room for every feature: a list that moves away from the pointer that points at it would never rest.
    el.style.setProperty("--pins", String(pinned.length + (ablated(view) ? 1 : 0)));
    for (const at of prompt.tokens.keys()) paintOne(chips[at], view, at, position);
  };
  /** @param {View} view */
  const update = (view) => {
    const { tokens, counted } = view.prompt;
    const focus = [...el.children].indexOf(/** @type {Element} */ (document.activeElement));
    chips = pieces(tokens.map(([, text]) => text)).map((piece, at) => tokenOf(piece, at, counted[at]));
    raw.hidden = !view.prompt.turn;
    raw.setAttribute("aria-pressed", String(whole));
    el.replaceChildren(...(view.prompt.turn && !whole ? folded(chips, view, common) : chips));
    if (!tokens.length) el.append(h("span", { class: "saew-faint" }, words.empty));
    enterable(el);
    const to = focus >= 0 ? el.children[Math.min(focus, el.children.length - 1)] : null;
    /** @type {HTMLElement | null} */ (to)?.focus();
    paint(view);
  };
  return { el, raw, update, paint };
}

/**
 * The tokens of what was said, under the names of who said it; what the template puts around them is in the tip.
 *
 * @param {HTMLElement[]} chips
 * @param {View} view
 * @param {import("../../shared/turns.js").Words} common
 */
function folded(chips, { prompt: { turn, roles, tokens } }, common) {
  /** @type {HTMLElement[]} */
  const shown = [];
  let [last, around] = [-1, ""];
  const name = (/** @type {string} */ role) => {
    shown.push(h("span", { class: "saew-role", title: around }, roleName(role, common)));
    around = "";
  };
  turn?.forEach((number, at) => {
    if (number < 0) {
      around += tokens[at][1];
      return;
    }
    if (number !== last) name(roles[number]);
    last = number;
    shown.push(chips[at]);
  });
  if (around) name("assistant"); // whose answer comes next
  return shown;
}

/**
 * The heat of a feature in place of another's.
 *
 * @param {HTMLElement} token
 * @param {Feature | undefined} f
 * @param {number} at
 */
export function reheat(token, f, at) {
  token.classList.remove("saew-warm", "saew-hot");
  token.style.removeProperty("--h");
  warm(token, f ? heat(valueAt(f, at), scaleOf(f)) : 0);
}

/**
 * @param {HTMLElement} token
 * @param {View} view
 * @param {number} at
 * @param {number | null} position the token whose features are listed
 */
function paintOne(token, view, at, position) {
  const { known, pinned } = view;
  const f = known.get(shownOf(view) ?? -1);
  reheat(token, f, at);
  token.setAttribute("aria-pressed", String(at === position));
  /** @type {Line[]} */
  const lines = pinned.map((feature, i) => {
    const pin = known.get(feature);
    return [`var(--saew-p${i + 1})`, heat(valueAt(pin, at), scaleOf(pin))];
  });
  const losses = costOf(view);
  if (losses) {
    const most = Math.max(...losses.map((value) => Math.abs(value ?? 0)), 1e-9);
    const loss = losses[at] ?? 0;
    lines.push([loss > 0 ? "var(--up)" : "var(--down)", Math.abs(loss) / most]);
  }
  const word = /** @type {HTMLElement} */ (token.querySelector(".saew-word"));
  // Earlier shadows lie on top: a gap, the first line, a gap, the second, each reaching further down.
  const shadows = lines.flatMap((line, i) => [
    `0 ${5 * i + 1}px 0 0 var(--card)`,
    `0 ${5 * i + 5}px 0 0 ${mixed(line)}`,
  ]);
  word.style.setProperty("box-shadow", shadows.join(", ") || "none");
}

/** @param {Line} line */
function mixed([color, strength]) {
  if (strength <= 0.02) return "var(--card)";
  return `color-mix(in srgb, ${color} ${Math.round(40 + 60 * strength)}%, var(--card))`;
}
