// FeatureProbe: which features a text sets off, token by token.

import { banner } from "../../shared/banner.js";
import { pieces } from "../../shared/bytes.js";
import { fitRows, h } from "../../shared/elements.js";
import { listen } from "../../shared/events.js";
import { explained } from "../../shared/explained.js";
import { ownKeys } from "../../shared/keys.js";
import { kernelLink } from "../../shared/link.js";
import { aligned, fixed, num, whole } from "../../shared/numbers.js";
import { followTheme } from "../../shared/theme.js";
import { chip, enterable, glyphs, heat, tooltip, walk, warm } from "../../shared/tokens.js";
import { say } from "../../shared/words.js";
import { featureTable, nameOf, PIN_LETTERS, rowsOf, SIGNED, sorted } from "./table.js";
import { notes } from "./notes.js";

const TEXT = {
  widget: "Feature probe",
  text: "Text: type or paste",
  saved: "A saved reading: the text stays as it is.",
  status: { idle: "ready", reading: "reading", measuring: "measuring", error: "failed" },
  waiting: "waiting: a cell or another thread holds hooks on this model",
  tokens: "The text, token by token",
  tokensNote:
    "Point at a token, or walk with the arrow keys, for its strongest features. Click it, or press Enter, to list them all.",
  strip: "Tokens of the text",
  empty: "There is nothing to read yet.",
  picked: "#{feature} {name}: the more orange, the stronger",
  pick: "Pick a feature below to see where it is active.",
  pins: "Pinned, as lines under the tokens from top to bottom:",
  unpin: "Unpin #{feature}",
  whole: "Features of the whole text",
  wholeNote: "The largest activation of each; attribution and ablation are sums over its tokens.",
  one: "Features at token {position}, {token}",
  oneNote: "Every feature that is active there.",
  back: "List the whole text",
  count: "{n} features",
  token: "token",
  position: "position",
  id: "id",
  silent: "no feature",
  loss: "loss without #{feature}",
  measure: "What pushes one next token over another?",
  measureNote:
    "Attribution: activation × (decoder direction · gradient of the difference of the two logits after the last token). Ablation: how much that difference falls when the feature is set to zero there. A space in front of a word belongs to its token.",
  target: "Next token",
  baseline: "rather than (empty: the average token)",
  mean: "the average token",
  go: "Measure",
  result: "After the last token the logit of {target} minus that of {baseline} is {difference}.",
  correlations:
    "Correlation with the ablation, over {n} activations: attribution {attribution}, plain activation {activation}.",
  ablate: "Ablate #{feature}: what each token would cost",
  ablateAll: "Ablate each of the listed features",
  ablateAllTitle:
    "One pass of the model a feature; of a long text, those that come nearest to their maximum. The table then sorts by loss effect.",
  ablated: "Last line: what becomes harder to predict without #{feature} (orange), and what easier (blue)",
  notAblated: "Last line: not measured for #{feature}",
  dismiss: "Dismiss the message",
};
const PAUSE = 150; // ms without a key before the text is sent
const TIP = 5; // features in a token's tooltip

function coefficient(r) {
  return r === null ? "–" : fixed(r);
}

function render({ model, el }) {
  const frozen = Boolean(model.get("_static"));
  const root = h("div", {
    class: "saew saew-probe",
    role: "group",
    "aria-label": TEXT.widget,
    "data-lm-suppress-shortcuts": "true",
  });
  const link = kernelLink(model);
  const set = (name, value) => link.put({ [name]: value });
  const error = banner(model, TEXT.dismiss);
  let open = false; // all rows of the table
  let looked = null; // a feature that is pointed at, for as long as it is

  // -- the text
  const box = h("textarea", { class: "saew-input saew-prompt", rows: 2, spellcheck: "false", "aria-label": TEXT.text });
  const state = h("span", { class: "saew-status", role: "status" });
  let timer = 0;
  box.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = 0;
      set("text", box.value);
    }, PAUSE);
  });
  const typed = () => {
    clearTimeout(timer);
    timer = 0;
  };
  const ask = h(
    "div",
    { class: "saew-ask" },
    h("label", {}, h("span", { class: "saew-probe-line" }, h("span", { class: "saew-kicker" }, TEXT.text), state), box),
  );
  const saved = h("p", { class: "saew-note" }, TEXT.saved);

  // -- the tokens
  const strip = h("div", {
    class: "saew-text saew-strip saew-walk saew-probe-strip",
    dir: "auto",
    role: "group",
    "aria-label": TEXT.strip,
  });
  const legend = h("div", { class: "saew-legend saew-probe-legend" });
  const list = h("div", { class: "saew-probe-list" });
  const asked = h("div", {});

  const prompt = () => model.get("_prompt");
  const byFeature = () => new Map(prompt().features.map((f) => [f.feature, f]));
  const position = () => {
    const at = model.get("position");
    return Number.isInteger(at) && at >= 0 && at < prompt().tokens.length ? at : null;
  };
  const pinned = () => model.get("pinned");
  const sort = () => {
    const by = model.get("sort");
    if (by === "loss_effect") return measuredLosses() ? by : "activation"; // what was not measured orders nothing
    return by === "activation" || prompt().features.some((f) => (by === "share" ? f.maximum : f[by]))
      ? by
      : "activation";
  };
  const valueAt = (f, at) => {
    const i = f ? f.p.indexOf(at) : -1;
    return i < 0 ? 0 : f.a[i];
  };
  const shown = () => looked ?? model.get("feature");
  const measuredLosses = () => Object.keys(prompt().losses).length > 0;
  const cost = () => prompt().losses[String(shown())] ?? null; // nats a token, where the feature was ablated
  const scale = (f) => (f ? f.maximum || Math.max(...f.a) : 0);
  const act = {
    pick: (feature) => set("feature", feature),
    pin: (feature) =>
      set("pinned", pinned().includes(feature) ? pinned().filter((f) => f !== feature) : [...pinned(), feature]),
    sort: (column) => set("sort", column),
    look: (feature) => {
      looked = feature;
      paint();
    },
    open: (all) => {
      open = all;
      drawList();
    },
  };

  const tip = (at) => {
    const [id, text] = prompt().tokens[at];
    const known = byFeature();
    const lines = [
      [TEXT.token, glyphs(text, 200)],
      [TEXT.position, say("{at}", { at })],
      [TEXT.id, String(id)],
    ];
    const here = sorted(rowsOf(prompt(), at), sort());
    const by = sort();
    const line = (row, mark = "") => [
      `${mark}#${row.feature} ${nameOf(row).slice(0, 34)}`,
      SIGNED.includes(by) ? (row[by] === null ? "–" : num(row[by], 2)) : aligned(row.activation),
      row.share ?? row.activation / (scale(known.get(row.feature)) || 1),
    ];
    for (const row of here.slice(0, TIP)) lines.push(line(row));
    for (const row of here.slice(TIP)) {
      const pin = pinned().indexOf(row.feature);
      if (pin >= 0) lines.push(line(row, `${PIN_LETTERS[pin]} `));
    }
    if (!here.length) lines.push(["", TEXT.silent]);
    const losses = cost();
    if (losses && losses[at] !== null)
      lines.push([say(TEXT.loss, { feature: shown() }), `${losses[at] > 0 ? "+" : ""}${num(losses[at], 2)}`]);
    return lines;
  };

  const drawTokens = () => {
    const { tokens } = prompt();
    const focus = [...strip.children].indexOf(document.activeElement);
    strip.replaceChildren(
      ...pieces(tokens.map(([, text]) => text)).map((piece, at) => {
        const token = chip(piece, 0, []);
        Object.defineProperty(token, "saewTip", { get: () => tip(at) }); // made when it is looked at: there may be many tokens
        if (!prompt().counted[at]) token.classList.add("saew-blank", "saew-uncounted");
        token.setAttribute("role", "button");
        token.addEventListener("click", () => set("position", position() === at ? null : at));
        return token;
      }),
    );
    if (!tokens.length) strip.append(h("span", { class: "saew-faint" }, TEXT.empty));
    enterable(strip);
    if (focus >= 0) /** @type {HTMLElement} */ (strip.children[Math.min(focus, strip.children.length - 1)])?.focus();
    paint();
  };

  // Heat, lines and marks: what changes without a new text.
  const paint = () => {
    const known = byFeature();
    const f = known.get(shown());
    const pins = pinned().map((feature) => known.get(feature));
    const losses = cost();
    const most = losses ? Math.max(...losses.map((v) => Math.abs(v ?? 0)), 1e-9) : 0;
    // The same room for every feature: a list that moves away from the pointer that points at it would never rest.
    strip.style.setProperty("--pins", String(pins.length + (measuredLosses() ? 1 : 0)));
    prompt().tokens.forEach((_, at) => {
      const token = /** @type {HTMLElement} */ (strip.children[at]);
      token.classList.remove("saew-warm", "saew-hot");
      token.style.removeProperty("--h");
      warm(token, f ? heat(valueAt(f, at), scale(f)) : 0);
      token.setAttribute("aria-pressed", String(at === position()));
      const lines = pins.map((pin, i) => [`var(--saew-p${i + 1})`, pin ? heat(valueAt(pin, at), scale(pin)) : 0]);
      if (losses) lines.push([losses[at] > 0 ? "var(--up)" : "var(--down)", Math.abs(losses[at] ?? 0) / most]);
      const word = /** @type {HTMLElement} */ (token.querySelector(".saew-word"));
      const mixed = ([color, strength]) =>
        strength > 0.02
          ? `color-mix(in srgb, ${color} ${Math.round(40 + 60 * strength)}%, var(--card))`
          : "var(--card)";
      // Earlier shadows lie on top: a gap, the first line, a gap, the second, each reaching further down.
      const shadows = lines.flatMap((line, i) => [
        `0 ${5 * i + 1}px 0 0 var(--card)`,
        `0 ${5 * i + 5}px 0 0 ${mixed(line)}`,
      ]);
      word.style.setProperty("box-shadow", shadows.join(", ") || "none");
    });
    drawLegend(known);
  };

  const drawLegend = (known) => {
    const chosen = shown();
    const named = (feature) =>
      known.get(feature) ? nameOf(known.get(feature)) : (model.get("_names")[String(feature)] ?? "");
    const parts = [
      chosen === null || chosen === undefined
        ? h("span", { class: "saew-probe-one" }, TEXT.pick)
        : h(
            "span",
            { class: "saew-probe-one" },
            h("span", { class: "saew-probe-swatch" }),
            h("span", {}, say(TEXT.picked, { feature: chosen, name: named(chosen) })),
          ),
    ];
    if (pinned().length) {
      parts.push(h("span", {}, TEXT.pins));
      pinned().forEach((feature, i) =>
        parts.push(
          h(
            "span",
            {},
            h("span", { class: `saew-pin saew-pin-${i + 1}`, "aria-hidden": "true" }, PIN_LETTERS[i]),
            h("span", {}, `#${feature} ${named(feature)}`),
            h(
              "button",
              {
                type: "button",
                class: "saew-icon saew-quiet",
                "aria-label": say(TEXT.unpin, { feature }),
                title: say(TEXT.unpin, { feature }),
                "data-key": `unpin ${feature}`,
                onclick: () => act.pin(feature),
              },
              "×",
            ),
          ),
        ),
      );
    }
    if (measuredLosses())
      parts.push(
        h(
          "span",
          { class: "saew-probe-one" },
          h("span", {}, say(cost() ? TEXT.ablated : TEXT.notAblated, { feature: shown() ?? "" })),
        ),
      );
    keeping(legend, parts);
  };

  const drawList = () => {
    const at = position();
    const n = rowsOf(prompt(), at).length;
    const title = at === null ? TEXT.whole : say(TEXT.one, { position: at, token: glyphs(prompt().tokens[at][1], 24) });
    keeping(list, [
      h(
        "div",
        { class: "saew-probe-head" },
        h("h3", { "aria-live": "polite" }, title),
        h("span", { class: "saew-faint" }, say(TEXT.count, { n: whole(n) })),
        at === null
          ? null
          : h(
              "button",
              { type: "button", class: "saew-pill", "data-key": "back", onclick: () => set("position", null) },
              TEXT.back,
            ),
      ),
      h("p", { class: "saew-note" }, at === null ? TEXT.wholeNote : TEXT.oneNote),
      featureTable(
        prompt(),
        { feature: model.get("feature"), pinned: pinned(), position: at, sort: sort(), open },
        act,
      ),
    ]);
  };

  // -- on demand
  const field = (name, label) => {
    const input = h("input", {
      type: "text",
      class: "saew-input",
      spellcheck: "false",
      autocomplete: "off",
      onchange: () => set(name, input.value),
    });
    return { input, el: h("label", { class: "saew-field" }, h("span", {}, label), input) };
  };
  const target = field("target", TEXT.target);
  const baseline = field("baseline", TEXT.baseline);
  const go = h("button", { type: "button", class: "saew-button saew-plain" }, TEXT.go);
  const ablate = h("button", { type: "button", class: "saew-pill", onclick: () => link.ask("ablate") });
  const ablateAll = h(
    "button",
    { type: "button", class: "saew-pill", title: TEXT.ablateAllTitle, onclick: () => link.ask("ablate_listed") },
    TEXT.ablateAll,
  );
  const said = h("div", { class: "saew-probe-said", role: "status" });
  const measure = () => {
    link.ask("measure", { target: target.input.value, baseline: baseline.input.value });
  };
  go.addEventListener("click", measure);
  asked.append(
    h(
      "section",
      { class: "saew-section saew-probe-measure" },
      h("h3", {}, TEXT.measure),
      h("p", { class: "saew-note" }, TEXT.measureNote),
      h("div", { class: "saew-settings" }, target.el, baseline.el, go, ablate, ablateAll),
      said,
    ),
  );
  const drawAsked = () => {
    const can = model.get("_can");
    const { measured } = prompt();
    asked.hidden = frozen ? !measured : !can.includes("measure") && !can.includes("ablate");
    for (const part of [target.el, baseline.el, go]) part.hidden = frozen || !can.includes("measure");
    for (const [name, { input }] of Object.entries({ target, baseline })) {
      if (document.activeElement !== input) input.value = model.get(name);
    }
    ablate.hidden = frozen || !can.includes("ablate") || model.get("feature") === null;
    ablateAll.hidden = frozen || !can.includes("ablate") || !prompt().features.length;
    ablate.textContent = say(TEXT.ablate, { feature: model.get("feature") });
    ablate.setAttribute("aria-pressed", String(Boolean(cost())));
    const lines = [];
    if (measured) {
      const against = measured.baseline ? glyphs(measured.baseline, 24) : TEXT.mean;
      lines.push(
        h(
          "p",
          {},
          say(TEXT.result, {
            target: glyphs(measured.target, 24),
            baseline: against,
            difference: num(measured.difference),
          }),
        ),
      );
      lines.push(
        h(
          "p",
          {},
          say(TEXT.correlations, {
            n: whole(measured.n),
            attribution: coefficient(measured.attribution),
            activation: coefficient(measured.activation),
          }),
        ),
      );
    }
    said.replaceChildren(...lines);
  };
  const drawStatus = () => {
    const status = model.get("status");
    state.textContent = model.get("waiting") ? TEXT.waiting : TEXT.status[status];
    state.title = model.get("waiting") || "";
    state.setAttribute("data-status", status === "reading" || status === "measuring" ? "writing" : status);
    for (const button of [go, ablateAll]) button.disabled = status === "measuring";
  };

  const footer = h("footer", { class: "saew-footer" }, h("p", {}, model.get("_passport")));
  root.append(
    frozen || !model.get("_can").includes("read") ? saved : ask,
    error.el,
    h(
      "section",
      { class: "saew-section" },
      h("h3", {}, TEXT.tokens),
      h("p", { class: "saew-note" }, TEXT.tokensNote),
      strip,
      legend,
    ),
    list,
    asked,
    footer,
  );
  const drawText = () => {
    if (!timer && document.activeElement !== box) box.value = model.get("text");
    fitRows(box);
  };
  const drawAll = () => {
    looked = null;
    drawTokens();
    drawList();
    drawAsked();
    footer.firstChild.textContent = model.get("_passport");
  };
  const drawChoice = () => {
    paint();
    drawList();
    drawAsked();
  };
  drawText();
  drawAll();
  drawStatus();
  tooltip(root);
  el.classList.add("saew-host");
  const help = explained(root, model, notes);
  help.begin();
  el.append(root);
  const key = (event) => {
    const token = event.target.closest?.(".saew-probe-strip .saew-token");
    if (token && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      token.click();
      return true;
    }
    if (
      event.key === "Escape" &&
      position() !== null &&
      event.target.closest?.(".saew-probe-strip, .saew-probe-list")
    ) {
      set("position", null);
      return true;
    }
    if (event.key === "Enter" && (event.target === target.input || event.target === baseline.input)) {
      measure();
      return true;
    }
    return walk(event);
  };
  const stops = [
    followTheme(root),
    help.stop,
    ownKeys(root, help.keys(key)),
    listen(model, ["_prompt"], drawAll),
    listen(model, ["feature", "pinned", "position", "sort", "_names"], drawChoice),
    listen(model, ["target", "baseline", "_can"], drawAsked),
    listen(model, ["text"], drawText),
    listen(model, ["status", "waiting"], drawStatus),
    error.stop,
    link.stop,
    typed,
  ];
  return () => {
    for (const stop of stops) stop();
  };

  // Put new children in the place of the old, and the focus back on the control that had it.
  function keeping(host, children) {
    const key = host.contains(document.activeElement) ? document.activeElement.getAttribute("data-key") : null;
    host.replaceChildren(...children);
    if (key !== null)
      [...host.querySelectorAll("[data-key]")]
        .find((control) => control.getAttribute("data-key") === key)
        ?.focus({ preventScroll: true });
  }
}

export default { render };
