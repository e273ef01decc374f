// One text of a clamp panel: token by token, with what each token cost and how far the clamp moved it.

import { h } from "../../shared/elements.js";
import { num, percent } from "../../shared/numbers.js";
import { chip, enterable, glyphs, running, unlikely, wordOf } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";

/** @import { TipLine } from "../../types/host.js" */
/** @import { Token } from "./state.js" */
/** @typedef {typeof import("./words.js").words.en.texts} Words */
/** @typedef {{ busy: boolean, done: boolean, full: boolean, note: string, logprobs: boolean }} Being */
// `full`: the text ends where the context does; `logprobs`: their mean is said

const LONGEST = 400; // characters of one token in running text
const THANKS = 1500; // ms that "Copied" stands

/**
 * @param {string} title
 * @param {string} look a class
 * @param {Words} words
 */
export function pane(title, look, words) {
  const name = h("h3", {}, title);
  const note = h("p", { class: "saew-under" });
  const count = h("span", { class: "saew-count" });
  /** @type {Token[]} */
  let drawn = [];
  const copy = copyButton(words, () => drawn.map(([, piece]) => piece).join(""));
  const text = h("div", {
    class: "saew-text saew-strip saew-walk",
    role: "log",
    "aria-live": "off",
    dir: "auto",
  });
  const el = h(
    "section",
    { class: `saew-pane ${look}`.trim() },
    h("div", { class: "saew-pane-head" }, name, count, copy.el),
    note,
    text,
  );
  /** @param {Token[]} tokens @param {Being} being */
  const update = (tokens, { busy, done, full, note: under, logprobs }) => {
    let kept = 0;
    while (kept < drawn.length && kept < tokens.length && same(drawn[kept], tokens[kept])) kept += 1;
    while (text.children.length > kept) text.lastChild?.remove();
    text.append(...tokens.slice(kept).map((token) => tokenChip(token, words)));
    drawn = tokens;
    if (kept === 0) enterable(text);
    if (done && !tokens.length) text.append(h("span", { class: "saew-faint" }, words.empty));
    text.classList.toggle("saew-busy", busy);
    text.setAttribute("aria-busy", String(busy));
    count.textContent = tokens.length ? countWords(tokens, full, logprobs, words) : "";
    copy.el.hidden = !tokens.length && !done;
    note.textContent = under;
  };
  /** Point at the first token that differs. @param {number} at its index, -1 for none */
  const point = (at) => {
    for (const chip of text.querySelectorAll(".saew-diff")) {
      chip.classList.remove("saew-diff");
      chip.removeAttribute("aria-description");
    }
    const chip = at >= 0 ? text.children[at] : null;
    chip?.classList.add("saew-diff");
    chip?.setAttribute("aria-description", words.different);
  };
  /** @param {string} now */
  const rename = (now) => {
    name.textContent = now;
    text.setAttribute("aria-label", now);
    copy.el.setAttribute("aria-label", say(words.copyLabel, { title: now.toLowerCase() }));
  };
  rename(title);
  return { el, text, update, point, rename };
}

/**
 * How long a text is, and how likely its tokens were.
 *
 * @param {Token[]} tokens
 * @param {boolean} full
 * @param {boolean} logprobs
 * @param {Words} words
 */
export function countWords(tokens, full, logprobs, words) {
  const count = say(full ? words.full : words.count, { n: tokens.length });
  const known = tokens.flatMap(([, , logprob]) => (logprob === null ? [] : [logprob]));
  if (!logprobs || !known.length) return count;
  return say(words.mean, { count, mean: num(known.reduce((sum, x) => sum + x, 0) / known.length) });
}

/** @param {Token} a @param {Token} b */
const same = (a, b) => a[0] === b[0] && a[1] === b[1] && a[2] === b[2];

/** @param {Token} token @param {Words} words */
function tokenChip([id, piece, logprob, kl], words) {
  const likely = logprob === null ? null : Math.exp(logprob);
  const moved = kl === null ? 0 : 1 - Math.exp(-kl); // as a share
  /** @type {TipLine[]} */
  const lines = [
    [words.token, glyphs(piece, 200)],
    [words.id, String(id)],
    likely === null ? [words.probability, "–"] : [words.probability, percent(likely), likely],
  ];
  if (logprob !== null) lines.push([words.logprob, say(words.nats, { value: num(logprob) })]);
  if (moved > 0) lines.push([words.kl, say(words.nats, { value: num(kl) }), moved]);
  const el = unlikely(chip(piece || " ", 0, lines), logprob);
  // A piece can be empty (half of a character) or hold a line break; both keep their place.
  el.replaceChildren(...(piece === "" ? [] : wordOf(running(piece, LONGEST).replaceAll("⏎", "⏎\n"))));
  if (moved > 0) el.style.setProperty("--k", moved.toFixed(3));
  return el;
}

/**
 * A button that copies a text.
 *
 * @param {Words} words
 * @param {() => string} textNow
 */
function copyButton(words, textNow) {
  const el = h("button", { type: "button", class: "saew-pill", onclick: () => copied(textNow()) }, words.copy);
  /** @param {string} whole */
  async function copied(whole) {
    let done = true;
    try {
      await navigator.clipboard.writeText(whole);
    } catch {
      done = copiedByHand(whole); // no permission, or a page without a secure context
    }
    el.textContent = done ? words.copied : words.notCopied;
    setTimeout(() => {
      el.textContent = words.copy;
    }, THANKS);
  }
  /** @param {string} whole */
  function copiedByHand(whole) {
    const helper = h("textarea", { class: "saew-helper", "aria-hidden": "true" });
    helper.value = whole;
    el.after(helper);
    helper.select();
    const done = document.execCommand("copy");
    helper.remove();
    el.focus();
    return done;
  }
  return { el };
}
