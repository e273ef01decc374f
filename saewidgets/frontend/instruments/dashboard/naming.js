// The label in the heading, which its reader can change: the pencil or a click opens a box, Enter keeps, Escape leaves.

import { h } from "../../shared/elements.js";
import { say } from "../../shared/words.js";

/** @import { Shown, Words } from "./data.js" */

const LONGEST = 200; // characters, as records/labels.py has it

/**
 * @param {Shown} shown
 * @param {Words} words
 * @param {((label: string) => void) | null} keep takes the reader's label, "" for none; null where none can be given
 */
export function namingPart(shown, words, keep) {
  const { heading, naming } = words;
  let own = "";
  const title = h("span", { class: "saew-title" });
  const beside = h("span", { class: "saew-note saew-given" });
  const h2 = h(
    "h2",
    { tabindex: -1 },
    h("span", { class: "saew-kicker" }, say(heading.feature, { n: shown.feature })),
    title,
  );
  const pencil = h("button", { type: "button", class: "saew-icon saew-quiet saew-pencil", onclick: () => open() }, "✎");
  const box = h("input", {
    type: "text",
    class: "saew-input saew-name-box",
    maxlength: LONGEST,
    "aria-label": say(naming.box, { n: shown.feature }),
    title: naming.hint,
    spellcheck: "false",
    autocomplete: "off",
    onblur: () => close(true), // what was typed is not lost by a click elsewhere
  });
  const form = h("span", { class: "saew-naming", hidden: true }, box, h("span", { class: "saew-note" }, naming.hint));
  const el = h("div", { class: "saew-named" }, h2, keep ? pencil : null, form, beside);
  if (keep) title.addEventListener("click", () => open());
  title.classList.toggle("saew-editable", Boolean(keep));

  function open() {
    if (!keep || !form.hidden) return;
    box.value = own || shown.label;
    form.hidden = false;
    title.hidden = true;
    pencil.hidden = true;
    box.focus();
    box.select();
  }
  /** @param {boolean} kept */
  function close(kept) {
    if (form.hidden) return;
    const typed = box.value.trim();
    form.hidden = true;
    title.hidden = false;
    pencil.hidden = false;
    const next = typed === shown.label ? "" : typed;
    if (kept && keep && next !== own) keep(next);
  }
  /** @param {KeyboardEvent} event */
  const key = (event) => {
    if (event.target !== box || event.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return false;
    event.preventDefault();
    close(event.key === "Enter");
    pencil.focus();
    return true;
  };
  /** @param {string} label the reader's, "" for none */
  const update = (label) => {
    own = label;
    title.replaceChildren(h("bdi", {}, own || shown.label || heading.unlabeled));
    title.classList.toggle("saew-faint", !own && !shown.label);
    title.classList.toggle("saew-own", own !== "");
    const given = shown.label ? say(naming.given, { label: shown.label }) : "";
    beside.replaceChildren(h("bdi", {}, [naming.own, given].filter(Boolean).join(" · ")));
    beside.hidden = !own;
    const name = own ? naming.rename : naming.name;
    pencil.setAttribute("aria-label", name);
    pencil.title = name;
  };
  return { el, update, key, focus: () => h2.focus({ preventScroll: true }) };
}
