"""The setting that makes a chat model speak as each subject: searched, tried, and written down one line per subject.

For each subject a few candidate features (`candidates`), each pushed by five shares of the activation's length, are
asked "What are you?" with six seeds. The beginnings of two answers come first; the three settings under which these say
most get the rest, and one under which neither names the subject gets no more. The most promising subjects are tried
first. The seeds here are not those of the report.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from saewidgets.bars import bar
from saewidgets.chat import Subject
from saewidgets.files import LoadError, parse_json, write_text
from saewidgets.pretrain.chat.answers import (
    FLUENT,
    QUESTION,
    Answer,
    Asked,
    Setting,
    Writer,
    counted,
    example,
    expected,
    score,
    within,
)
from saewidgets.pretrain.chat.candidates import KEPT, Candidate, candidates, word_scores
from saewidgets.pretrain.chat.reading import Reading
from saewidgets.pretrain.chat.rule import is_it, names

STRENGTHS = (0.26, 0.31, 0.36, 0.42, 0.49)  # length of the push over the median length of an activation
SEEDS = range(6)
FIRST = 2  # seeds that every setting gets
OWN_SEEDS = range(100, 106)  # of the model's own answers where the subject is expected
FIRST_TOKENS = 24  # of the answers with the first seeds
GOING = 3  # settings per subject that get all seeds, those whose first answers say most
AT_ONCE = 8  # subjects that are written about together
PROMISING = 0.5  # share of answers that name it, from which on a setting's perplexity is read
READS = 0.3  # how much better a setting counts whose features read the subject
SEVERAL = 4  # best candidates whose pairs are tried where several features may act together


def choose(
    writer: Writer,
    reading: Reading,
    subjects: Sequence[Subject],
    folder: Path,
    *,
    several: Iterable[str] = (),
    about: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> list[dict[str, Any]]:
    """Choose for every subject that choose.jsonl in a folder does not hold yet; its lines, the most promising first.

    Args:
        folder: gets candidates.jsonl and choose.jsonl: first a line that says what they were made with, then one line
            per subject, written as soon as it is known. A run that was cut short goes on where it was.
        several: keys of subjects for which pairs and triples of features are tried as well, in lines of their own
            ("golden-gate+").
        about: what else the first line holds, such as the SAE's name. A file that was made with something else is
            refused.
    """
    head = {"question": QUESTION, "strengths": list(STRENGTHS), "seeds": list(SEEDS), **(about or {})}
    done = read_lines(folder / "choose.jsonl", head)
    tried = _candidates(writer, reading, subjects, folder / "candidates.jsonl", head, progress)
    order = sorted(subjects, key=lambda s: -max((c.effect for c in tried[s.key]), default=-np.inf))
    jobs = [(s.key, s, single_settings(writer, tried[s.key][:KEPT], reading.length)) for s in order]
    together = [
        (f"{s.key}+", s, joint_settings(writer, tried[s.key], reading.length)) for s in order if s.key in set(several)
    ]
    left = [job for job in together + jobs if job[0] not in done]
    with bar(len(left), "choosing", "subjects", progress=progress) as advance:
        for begin in range(0, len(left), AT_ONCE):
            for line in _tried(writer, left[begin : begin + AT_ONCE], tried):
                done[line["subject"]] = append(folder / "choose.jsonl", line)
                advance(1)
    return [done[key] for key, *_ in together + jobs]


def _candidates(
    writer: Writer,
    reading: Reading,
    subjects: Sequence[Subject],
    path: Path,
    head: Mapping[str, Any],
    progress: bool,
) -> dict[str, list[Candidate]]:
    """The candidates of each subject, `SEVERAL` of them, from the file as far as it has them."""
    done = read_lines(path, head)
    left = [s for s in subjects if s.key not in done]
    words = word_scores(writer.model, writer.directions, left) if left else {}
    with bar(len(left), "searching", "subjects", progress=progress) as advance:
        for subject in left:
            found = candidates(writer, reading, subject, words[subject.key], n=SEVERAL)
            done[subject.key] = append(path, {"subject": subject.key, "candidates": [c.to_dict() for c in found]})
            advance(1)
    return {s.key: [Candidate.from_dict(c) for c in done[s.key]["candidates"]] for s in subjects}


def single_settings(writer: Writer, tried: Sequence[Candidate], length: float) -> list[Setting]:
    """Every candidate by itself at every strength."""
    return [writer.setting([c.feature], [c.maximum], share, length) for c in tried for share in STRENGTHS]


def joint_settings(writer: Writer, tried: Sequence[Candidate], length: float) -> list[Setting]:
    """Every two, and the first three, each in the proportion of its maximum, at every strength."""
    sets = [*itertools.combinations(tried, 2), *([tuple(tried[:3])] if len(tried) > 2 else [])]
    return [
        writer.setting([c.feature for c in own], [c.maximum for c in own], share, length)
        for own in sets
        for share in STRENGTHS
    ]


Job = tuple[str, Subject, Sequence[Setting]]  # the line's key, what it is about, what is tried
Cell = tuple[Setting, list[Answer], dict[str, Any]]  # what was tried, its answers, what is `counted` in them


def _tried(writer: Writer, jobs: Sequence[Job], tried: Mapping[str, Sequence[Candidate]]) -> Iterator[dict[str, Any]]:
    """The lines of some subjects, whose settings are written together. One seed draws the same luck however long the
    answer becomes, so the short answers of the first seeds are how the long ones begin.
    """
    cells = [(at, setting) for at, (_, _, settings) in enumerate(jobs) for setting in settings]
    first = writer.write_settings(Asked(), [setting for _, setting in cells], SEEDS[:FIRST], FIRST_TOKENS)
    said = [
        sum(names(jobs[at][1], answer.text) + is_it(jobs[at][1], answer.text) for answer in own)
        for (at, _), own in zip(cells, first, strict=True)
    ]
    going = []
    for at in range(len(jobs)):
        # those that name it, the weaker first among equals; where none does, the best candidate's of middling strength
        own = [cell for cell, (job, _) in enumerate(cells) if job == at]
        naming = sorted((cell for cell in own if said[cell]), key=lambda cell: (-said[cell], cells[cell][1].share))
        going += sorted(naming[:GOING]) or own[len(STRENGTHS) // 2 :][:1]
    written = writer.write_settings(Asked(), [cells[cell][1] for cell in going], SEEDS)
    answered: list[list[Cell]] = [[] for _ in jobs]
    for cell, answers in zip(going, written, strict=True):
        at, setting = cells[cell]
        answered[at].append((setting, answers, counted(jobs[at][1], answers)))
    promising = [at for at, own in enumerate(answered) if any(found["names"] >= PROMISING for *_, found in own)]
    own_answers = writer.write_each([expected(jobs[at][1].name) for at in promising], OWN_SEEDS)
    expectations = dict(zip(promising, own_answers, strict=True))
    for at, (key, subject, settings) in enumerate(jobs):
        line = _line(writer, subject, tried[subject.key], answered[at], expectations.get(at, []))
        yield {"subject": key, "tried": len(settings), **line}


def _line(
    writer: Writer,
    subject: Subject,
    tried: Sequence[Candidate],
    cells: Sequence[Cell],
    own_answers: Sequence[Answer],
) -> dict[str, Any]:
    """What was found for a subject; perplexity is read of those settings that could be chosen, and its ratio is to that
    of the model's own answers where they are expected.
    """
    where = expected(subject.name)
    found = [
        {**setting.to_dict(), **figures, "answers": [a.text for a in answers]} for setting, answers, figures in cells
    ]
    promising = [at for at, own in enumerate(found) if own["names"] >= PROMISING]
    if promising:
        own_perplexity = writer.perplexity(where, own_answers)
        for at in promising:
            found[at]["perplexity_ratio"] = round(writer.perplexity(where, cells[at][1]) / own_perplexity, 4)
    for own in found:
        own["score"] = round(score(own), 4)
    line: dict[str, Any] = {"candidates": [c.to_dict() for c in tried], "settings": found}
    if found:
        reads = {c.feature for c in tried if c.reads}  # what does not read its subject cannot be steerable
        best = max(
            range(len(found)), key=lambda at: (found[at]["score"] + READS * (set(found[at]["features"]) <= reads), -at)
        )
        line["chosen"] = found[best]
        line["passes"] = "perplexity_ratio" in found[best] and within(found[best], "names", "is_it", *FLUENT)
        line["example"] = example(subject, cells[best][1])
    return line


def read_lines(path: Path, head: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """{subject: its line} of a file of results, which is begun where there is none. A line that was cut off is dropped.

    Raises LoadError where the file was made with something else than `head`.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps({"made_with": head}) + "\n")
        return {}
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        write_text(path, whole)
    rows = [parse_json(path, line) for line in whole.encode().splitlines()]
    made_with = rows[0].get("made_with") if rows else None
    if made_with != json.loads(json.dumps(head)):
        raise LoadError(path, f"it was made with {made_with}, and this run is with {dict(head)}: give another folder")
    return {row["subject"]: row for row in rows[1:]}


def append(path: Path, line: dict[str, Any]) -> dict[str, Any]:
    """Write one line at the end of a file, and give it back as it will be read."""
    text = json.dumps(line, ensure_ascii=False)
    with path.open("a", encoding="utf-8") as file:
        file.write(text + "\n")
    found: dict[str, Any] = json.loads(text)
    return found
