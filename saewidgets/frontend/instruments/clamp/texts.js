// The two texts of a clamp panel: token by token, with what each token cost and how far the clamp moved it.

import { h } from "../../shared/elements.js";
import { num, percent } from "../../shared/numbers.js";
import { chip, enterable, glyphs, running, wordOf } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";

const PANE_TEXT = {
  count: "{n} tokens",
  different: "the first token that differs",
  token: "token",
  id: "id",
  probability: "probability",
  kl: "moved by (KL)",
  nats: "{value} nats",
  copy: "Copy",
  copyLabel: "Copy the {title} text",
  copied: "Copied",
  notCopied: "Press Ctrl+C",
};

/** Index of the first token at which two texts part, -1 where one is a beginning of the other. */
export function parting(a, b) {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i += 1) if (a[i][0] !== b[i][0]) return i;
  return -1;
}

/** One text: update(tokens, busy, note) draws what changed; mark(at) points at the first token that differs. */
export function pane(title, mark) {
  const detail = h("span", { class: "saew-under" });
  const count = h("span", { class: "saew-count" });
  const copy = h(
    "button",
    {
      type: "button",
      class: "saew-pill",
      "aria-label": say(PANE_TEXT.copyLabel, { title: title.toLowerCase() }),
      onclick: () => copyText(),
    },
    PANE_TEXT.copy,
  );
  const text = h("div", {
    class: "saew-text saew-strip saew-walk",
    role: "log",
    "aria-label": title,
    "aria-live": "off",
    dir: "auto",
  });
  const el = h(
    "section",
    { class: `saew-pane ${mark}`.trim() },
    h("div", { class: "saew-pane-head" }, h("h3", {}, title), detail, count, copy),
    text,
  );
  let drawn = [];
  const same = (a, b) => a[0] === b[0] && a[1] === b[1] && a[2] === b[2];
  const one = ([id, piece, logprob, kl]) => {
    /** @type {import("../../types/host.js").TipLine[]} */
    const lines = [
      [PANE_TEXT.token, glyphs(piece, 200)],
      [PANE_TEXT.id, String(id)],
      [
        PANE_TEXT.probability,
        logprob === null ? "–" : percent(Math.exp(logprob)),
        logprob === null ? undefined : Math.exp(logprob),
      ],
    ];
    if (kl !== null && kl > 0) lines.push([PANE_TEXT.kl, say(PANE_TEXT.nats, { value: num(kl) }), 1 - Math.exp(-kl)]);
    const el = chip(piece || " ", 0, lines);
    // A piece can be empty (half of a character) or hold a line break; both keep their place.
    el.replaceChildren(...(piece === "" ? [] : wordOf(running(piece, 400).replaceAll("⏎", "⏎\n"))));
    if (kl > 0) el.style.setProperty("--k", (1 - Math.exp(-kl)).toFixed(3));
    return el;
  };
  async function copyText() {
    const whole = drawn.map(([, piece]) => piece).join("");
    let done = true;
    try {
      await navigator.clipboard.writeText(whole);
    } catch {
      // no permission, or a page without a secure context
      const helper = h("textarea", { class: "saew-helper", "aria-hidden": "true" });
      helper.value = whole;
      el.append(helper);
      helper.select();
      done = document.execCommand("copy");
      helper.remove();
      copy.focus();
    }
    copy.textContent = done ? PANE_TEXT.copied : PANE_TEXT.notCopied;
    setTimeout(() => {
      copy.textContent = PANE_TEXT.copy;
    }, 1500);
  }
  const update = (tokens, busy, note) => {
    let kept = 0;
    while (kept < drawn.length && kept < tokens.length && same(drawn[kept], tokens[kept])) kept += 1;
    while (text.children.length > kept) text.lastChild.remove();
    text.append(...tokens.slice(kept).map(one));
    drawn = tokens;
    if (kept === 0) enterable(text);
    text.classList.toggle("saew-busy", busy);
    text.setAttribute("aria-busy", String(busy));
    count.textContent = tokens.length ? say(PANE_TEXT.count, { n: tokens.length }) : "";
    copy.hidden = !tokens.length;
    detail.textContent = note;
    detail.title = note;
  };
  const point = (at) => {
    for (const el of text.querySelectorAll(".saew-diff")) {
      el.classList.remove("saew-diff");
      el.removeAttribute("aria-description");
    }
    const el = at >= 0 ? text.children[at] : null;
    el?.classList.add("saew-diff");
    el?.setAttribute("aria-description", PANE_TEXT.different);
  };
  const rename = (name) => {
    el.querySelector("h3").textContent = name;
    text.setAttribute("aria-label", name);
    copy.setAttribute("aria-label", say(PANE_TEXT.copyLabel, { title: name.toLowerCase() }));
  };
  return { el, update, mark: point, rename };
}
