// The texts behind a point: what was measured of them in a sentence, and each to read.

import { h } from "../../shared/elements.js";
import { num, percent } from "../../shared/numbers.js";
import { say } from "../../shared/words.js";
import { ofKind } from "./sweep.js";

/** @import { Point, Shown, Sweep, Text } from "./sweep.js" */
/** @typedef {typeof import("./words.js").words.en} Words */

/**
 * @param {Sweep} sweep
 * @param {Words} words
 */
export function textsPart(sweep, words) {
  const says = h("p", { class: "saew-dose-says", role: "status" });
  const list = h("ol", { class: "saew-dose-texts", tabindex: 0, "aria-label": words.widget });
  const el = h("div", { class: "saew-dose-reading" }, says, list);

  /** @param {Shown} shown */
  const update = (shown) => {
    const point = sweep.points.find(({ key }) => key === shown.key); // the chosen one's may be on their way
    if (!point) return;
    const { name } = sweep.kinds[point.kind];
    const several = ofKind(sweep, point.kind).length > 1;
    const title = several ? say(words.at, { kind: name, multiple: num(point.multiple) }) : name;
    const { head, between, end } = words.says;
    says.replaceChildren(h("strong", {}, say(head, { title })), findings(point, words).join(between) + end);
    list.setAttribute("aria-label", title);
    list.replaceChildren(...shown.texts.map((text) => item(text, words)));
    list.scrollTop = 0;
  };
  return { el, update };
}

/**
 * What was measured at a point, in words.
 *
 * @param {Point} point
 * @param {Words} words
 */
function findings(point, words) {
  const [rate] = point.concept_rate;
  const [ratio] = point.perplexity_ratio;
  return [
    ...(rate === null ? [] : [say(words.rate, { share: percent(rate), n: point.n })]),
    ...(ratio === null ? [] : [say(words.ratio, { value: num(ratio) })]),
    say(words.repeats, { n: num(point.repeats[0]) }),
    ...(point.stopped ? [say(words.broke, { n: point.stopped, of: point.n })] : []),
    ...(point.passes ? [words.passes] : []),
  ];
}

/**
 * One text: its seed, whether the concept was found in it (null: not looked for), and a mark where it broke off.
 *
 * @param {Text} text
 * @param {Words} words
 */
function item([seed, text, concept, stopped], words) {
  const [look, verdict] = concept ? ["saew-dose-yes", words.yes] : ["saew-dose-no", words.no];
  const broken = stopped ? h("span", { class: "saew-dose-stopped", title: stopped }, words.stopped) : null;
  return h(
    "li",
    {},
    h("span", { class: "saew-faint" }, say(words.seed, { seed })),
    concept === null ? h("span") : h("span", { class: look }, verdict),
    h("p", { dir: "auto" }, text.trim() || words.empty, broken),
  );
}
