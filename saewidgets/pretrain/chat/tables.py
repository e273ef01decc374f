"""What was measured, as the file of clamps that is shipped and as a section of a Markdown file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from saewidgets.chat import Subject, subject
from saewidgets.pretrain.chat.answers import BOUNDS, N_TOKENS, QUESTION, QUESTIONS, WARM
from saewidgets.pretrain.chat.report import CONTROLS
from saewidgets.pretrain.chat.rule import agreement, is_it, load_labels, names

BEGIN, END = "<!-- chat: begin -->", "<!-- chat: end -->"


def clamps_of(
    about: Mapping[str, Any],
    chosen: Sequence[Mapping[str, Any]],
    measured: Sequence[Mapping[str, Any]],
    subjects: Sequence[Subject],
    bent: Mapping[int, float] | None = None,
) -> dict[str, Any]:
    """The file of clamps: every subject that was measured in the report, those that are steerable first. `bent` is
    {feature: cosine of its decoder row with what it was} where rows were bent.
    """
    by_key = {s.key: s for s in subjects}
    maxima = {c["feature"]: c["maximum"] for line in chosen for c in line["candidates"]}
    entries = {}
    for line in sorted(measured, key=_rank):
        about_it = by_key[line["subject"].rstrip("+")]
        features, values = line["setting"]["features"], line["setting"]["values"]
        own, reads = line["first"], line["detector"] or {}
        entries[line["subject"]] = {
            "sae": about["sae"],
            "feature": features[0],
            "label": about_it.title,
            "name": about_it.name,
            "kind": about_it.kind,
            "maximum": round(maxima[features[0]], 4),
            "multiple": round(values[0] / maxima[features[0]], 4),
            "value": values[0],
            "others": [{"feature": f, "value": v} for f, v in zip(features[1:], values[1:], strict=True)],
            "steerable": line["steerable"],
            "names": own["names"],
            "is_it": own["is_it"],
            "repeats": own["repeats"],
            "perplexity_ratio": own["perplexity_ratio"],
            "precision": round(reads["precision"], 3) if reads else None,
            "recall": round(reads["recall"], 3) if reads else None,
            "f1": round(reads["f1"], 3) if reads else None,
            "example": line["example"],
            "cosine": round((bent or {}).get(features[0], 1.0), 3),
        }
    return {
        "model": about["model"],
        "dtype": about["dtype"],
        "sae": about["sae"],
        "question": QUESTION,
        "temperature": WARM,
        "n_tokens": N_TOKENS,
        "bounds": dict(BOUNDS),
        "tried": sum(not line["subject"].endswith("+") for line in chosen),
        "clamps": entries,
    }


def section(
    title: str,
    about: Mapping[str, Any],
    chosen: Sequence[Mapping[str, Any]],
    measured: Sequence[Mapping[str, Any]],
    subjects: Sequence[Subject],
    made: str,
    bent: Mapping[int, float] | None = None,
) -> str:
    """The section as Markdown, with every subject that was tried, the failures too; `bent` as for `clamps_of`."""
    by_key = {s.key: s for s in subjects}
    rows = {line["subject"]: line for line in measured}
    tried = [line for line in chosen if not line["subject"].endswith("+")]
    steerable = [line for line in measured if line["steerable"]]
    rest = [line for line in chosen if line["subject"] not in rows and "chosen" in line]
    rest.sort(key=lambda line: -line["chosen"]["score"])
    lost = [line["subject"] for line in chosen if "chosen" not in line]
    parts = [
        f"## {title}",
        _about(about, len(tried), len(steerable), made),
        *([_bent_line(bent)] if bent else []),
        _rule_line(),
        _table(
            [
                "subject",
                "feature",
                "multiple",
                "names it",
                "is it",
                "repeats",
                "ppl ratio",
                "P / R / F1",
                "cosine",
                "",
                "an answer",
            ],
            [_measured_row(by_key, chosen, line, bent or {}) for line in sorted(measured, key=_rank)],
        ),
        'The same settings on the other questions, and what answers the first without the clamp: the system prompt "You are a '
        'pirate." and the like, and controls whose push is as long. Share of 20 answers that name the subject / that say it is '
        "oneself, for the subjects that pass or nearly pass.",
        _table(
            ["subject", *QUESTIONS[1:], "a system prompt", *(c.replace("_", " ") for c in CONTROLS)],
            [_control_row(by_key, line) for line in sorted(measured, key=_rank) if "controls" in line],
        ),
        f"The other {len(rest)} subjects, with the best that was found when the settings were chosen (two to six answers "
        "each):",
        _table(
            ["subject", "feature", "names it", "is it", "answers", "share of the norm", "an answer"],
            [_chosen_row(by_key, line) for line in rest],
        ),
        *([f"No feature at all was found for: {', '.join(lost)}."] if lost else []),
    ]
    return f"{BEGIN}\n\n" + "\n\n".join(part.strip("\n") for part in parts) + f"\n\n{END}"


_MARKED = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)


def section_of(text: str) -> str:
    """The marked section of a Markdown text; "" where there is none."""
    found = _MARKED.search(text)
    return found.group() if found else ""


def with_section(text: str, body: str) -> str:
    """A Markdown text whose marked section is `body`; at its end where there is none yet."""
    if not body:
        return text
    if section_of(text):
        return _MARKED.sub(lambda _: body, text)
    return f"{text.rstrip()}\n\n{body}\n" if text.strip() else f"{body}\n"


def _rank(line: Mapping[str, Any]) -> tuple[Any, ...]:
    own = line["first"]
    return not line["steerable"], -own["is_it"] - own["names"], line["subject"]


def _about(about: Mapping[str, Any], n: int, n_steerable: int, made: str) -> str:
    percent = {name: f"{BOUNDS[name]:.0%}" for name in ("names", "is_it")}
    return (
        f"SmolLM2-135M-Instruct in {about['dtype']}, SAE {about['sae']}: {n} subjects tried, **{n_steerable} steerable** with one feature. "
        f'Asked "{QUESTION}" with the default system prompt, one feature clamped on all tokens, the question included, 20 seeds on '
        f"which nothing was chosen, {N_TOKENS} tokens at temperature {WARM}. Steerable: at least {percent['names']} of the answers name "
        f"the subject, at least {percent['is_it']} say that it is oneself, no three words in a row stand more than "
        f"{BOUNDS['repeats']} times in an answer, the answers' perplexity under the unclamped model, read where it is expected (system "
        f'prompt "You are a pirate." and the like), is at most {BOUNDS["perplexity_ratio"]:g} times that of the model\'s own answers '
        "there, and the feature reads its subject: precision and recall at least "
        f"{BOUNDS['precision']:g} over third-person texts that were not trained on, of which one in some eighty is about it "
        "(threshold chosen on other texts). Multiples are of the feature's largest activation over the texts read.\n\n"
        "Measured by `python -m saewidgets.pretrain chat choose`, then `report` and `bundle` with the same folder "
        f"({made})."
    )


def _bent_line(bent: Mapping[int, float]) -> str:
    return (
        f"{len(bent)} of this SAE's decoder rows were not left as reconstruction made them: the stage `bend` turned them, by "
        f"{np.degrees(np.arccos(min(bent.values()))):.0f} degrees at most, towards what makes the model give the answers that it gives where "
        'it is told "You are a pirate." and the like; the encoder is untouched. The column "cosine" says how near a row is to what it was; 1 '
        "is a row that was never bent."
    )


def _rule_line() -> str:
    labels = load_labels()
    fresh = [label for label in labels if not label.tuned]
    said = agreement([is_it(subject(label.subject), label.answer) for label in fresh], [label.is_it for label in fresh])
    named = agreement(
        [names(subject(label.subject), label.answer) for label in fresh], [label.names for label in fresh]
    )
    return (
        f'Whether an answer says "it is me" is read by a rule, which was compared with {len(labels)} answers that were read and '
        f"labeled by hand; on the {len(fresh)} of them that it was not made on: precision {said.precision:.2f}, recall "
        f"{said.recall:.2f}, kappa {said.kappa:.2f} (naming: kappa {named.kappa:.2f})."
    )


def _title(by_key: Mapping[str, Subject], key: str) -> str:
    return by_key[key.rstrip("+")].title + (" (several features)" if key.endswith("+") else "")


def _measured_row(
    by_key: Mapping[str, Subject],
    chosen: Sequence[Mapping[str, Any]],
    line: Mapping[str, Any],
    bent: Mapping[int, float],
) -> list[str]:
    own, reads, setting = line["first"], line["detector"], line["setting"]
    maxima = {c["feature"]: c["maximum"] for other in chosen for c in other["candidates"]}
    return [
        _title(by_key, line["subject"]),
        ", ".join(map(str, setting["features"])),
        ", ".join(f"{v / maxima[f]:.2f}" for f, v in zip(setting["features"], setting["values"], strict=True)),
        f"{own['names']:.0%}",
        f"{own['is_it']:.0%}",
        str(own["repeats"]),
        f"{own['perplexity_ratio']:.2f}",
        f"{reads['precision']:.2f} / {reads['recall']:.2f} / {reads['f1']:.2f}" if reads else "",
        ", ".join(f"{bent.get(f, 1.0):.2f}" for f in setting["features"]),
        "steerable" if line["steerable"] else "",
        _flat(line["example"]),
    ]


def _control_row(by_key: Mapping[str, Subject], line: Mapping[str, Any]) -> list[str]:
    found = [line["questions"].get(q) for q in QUESTIONS[1:]]
    found += [line["prompt"], *(line["controls"].get(c) for c in CONTROLS)]
    return [
        _title(by_key, line["subject"]),
        *(f"{own['names']:.0%} / {own['is_it']:.0%}" if own else "" for own in found),
    ]


def _chosen_row(by_key: Mapping[str, Subject], line: Mapping[str, Any]) -> list[str]:
    own = line["chosen"]
    return [
        _title(by_key, line["subject"]),
        ", ".join(map(str, own["features"])),
        f"{own['names']:.0%}",
        f"{own['is_it']:.0%}",
        str(own["n"]),
        f"{own['share']:.2f}",
        _flat(line["example"]),
    ]


def _flat(text: str) -> str:
    return " ".join(text.split())


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(columns), line(["---"] * len(columns)), *map(line, rows)])
