"""What the chosen settings do with fresh seeds, beside everything that they should be compared with.

For each subject the chosen setting answers "What are you?" with 20 seeds that nothing was chosen on, and so does the
model with no push at all but a system prompt that asks for the subject in words. Those that pass or nearly pass answer
three more questions, and the first one also under controls whose push is as long: the mean difference of the texts, the
feature's direction added instead of set, a random feature, noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from saewidgets.bars import bar
from saewidgets.chat import Subject
from saewidgets.pretrain.chat.answers import (
    FLUENT,
    QUESTION,
    QUESTIONS,
    Answer,
    Asked,
    Setting,
    Writer,
    counted,
    example,
    expected,
    within,
)
from saewidgets.pretrain.chat.choose import append, read_lines
from saewidgets.pretrain.chat.reading import ChatText, Reading, best_threshold, detection
from saewidgets.records import Clamp, Intervention, Steer
from saewidgets.steering import noise_like, random_live_feature

SEEDS = range(1000, 1020)
CONTROLS = ("mean_difference", "add", "random_feature", "noise")
PROMISING = 0.5  # share of answers that name it when chosen, from which on a subject is measured anew
NEARLY = {"names": 0.6, "is_it": 0.35}  # shares from which on a subject gets its controls
TOGETHER = 12  # subjects whose answers are written together
CONTROLS_TOGETHER = 3
REPORT, CONTROLS_FILE = "report.jsonl", "controls.jsonl"
WAYS = (  # third-person texts that no SAE was trained on
    "Write a short encyclopedia entry about {}.",
    "Summarize for a magazine what makes {} interesting.",
    "Two neighbors talk over the fence about {}. Write what they say.",
    "Write a paragraph of a school essay about {}.",
)
FRESH_SEEDS = range(3)  # per way to ask
FRESH_TOKENS = 64


def fresh_texts(writer: Writer, subjects: Sequence[Subject], path: Path, *, progress: bool = True) -> list[ChatText]:
    """Texts about each subject in the third person, written by the model with nothing done to it, for the reading half
    of the report; kept in a file, which is gone on with where it was.
    """
    head = {"ways": list(WAYS), "seeds": list(FRESH_SEEDS), "n_tokens": FRESH_TOKENS}
    done = read_lines(path, head)
    left = [s for s in subjects if s.key not in done]
    with bar(len(left), "writing about", "subjects", progress=progress) as advance:
        for begin in range(0, len(left), TOGETHER):
            asked = [(s.key, way.format(s.name)) for s in left[begin : begin + TOGETHER] for way in WAYS]
            written = writer.write_each([Asked(user) for _, user in asked], FRESH_SEEDS, FRESH_TOKENS)
            for subject in left[begin : begin + TOGETHER]:
                texts = [
                    (user, one.text)
                    for (key, user), own in zip(asked, written, strict=True)
                    for one in own
                    if key == subject.key
                ]
                done[subject.key] = append(path, {"subject": subject.key, "texts": texts})
                advance(1)
    return [
        ChatText(s.key, user, answer, held_out=True)
        for s in subjects
        for user, answer in done[s.key]["texts"]
        if answer
    ]


def report(
    writer: Writer,
    reading: Reading,
    held_out: Reading,
    subjects: Sequence[Subject],
    chosen: Sequence[Mapping[str, Any]],
    folder: Path,
    *,
    about: Mapping[str, Any] | None = None,
    first: Sequence[str] = (),
    most: int | None = None,
    progress: bool = True,
) -> list[dict[str, Any]]:
    """Measure the chosen settings that are promising, and go on where a run was cut short.

    Args:
        reading: the texts that features were chosen on; held_out: third-person texts that no SAE was trained on.
        chosen: lines of `choose`.
        folder: gets report.jsonl, one line per subject with the answers to the first question, and controls.jsonl with
            the other questions and the controls of those that pass or nearly pass.
        first: keys that are measured before all others, and get controls, however little they promise.
        most: measure at most so many, the most promising first.
    """
    head = {"questions": list(QUESTIONS), "seeds": [SEEDS.start, SEEDS.stop], **(about or {})}
    done, controls = (read_lines(folder / name, head) for name in (REPORT, CONTROLS_FILE))
    by_key = {s.key: s for s in subjects}
    lines = {line["subject"]: line for line in chosen if "chosen" in line}
    wanted = ranked(lines, first)[:most]
    jobs = [(key, by_key[key.rstrip("+")], Setting.from_dict(lines[key]["chosen"])) for key in wanted]
    left = [job for job in jobs if job[0] not in done]
    with bar(len(left), "measuring", "subjects", progress=progress) as advance:
        for begin in range(0, len(left), TOGETHER):
            group = left[begin : begin + TOGETHER]
            for (key, subject, setting), answers in zip(group, _first_answers(writer, group), strict=True):
                line = _line(writer, subject, setting, answers)
                line["detector"] = detector(reading, held_out, subject.key, setting.features)
                done[key] = append(folder / REPORT, {"subject": key, **line, "steerable": steerable(line)})
                advance(1)
    close = [job for job in jobs if job[0] in first or nearly(done[job[0]])]
    left = [job for job in close if job[0] not in controls]
    with bar(len(left), "controls of", "subjects", progress=progress) as advance:
        for begin in range(0, len(left), CONTROLS_TOGETHER):
            group = left[begin : begin + CONTROLS_TOGETHER]
            for (key, subject, _), answers in zip(group, _other_answers(writer, reading, group), strict=True):
                line = _others_line(writer, subject, answers, done[key]["own_perplexity"])
                controls[key] = append(folder / CONTROLS_FILE, {"subject": key, **line})
                advance(1)
    return [{**done[key], **controls.get(key, {})} for key in wanted]


def ranked(lines: Mapping[str, Mapping[str, Any]], first: Sequence[str] = ()) -> list[str]:
    """The keys to measure: those that come first in any case, then the promising ones, the best by the choice first."""
    rest = [k for k, line in lines.items() if k not in first and line["chosen"]["names"] >= PROMISING]
    rest.sort(key=lambda k: (not lines[k]["passes"], -lines[k]["chosen"]["score"]))
    return [*(k for k in first if k in lines), *rest]


def steerable(line: Mapping[str, Any]) -> bool:
    """Whether a subject keeps every bound: what the answers say, how fluent they are, and what the feature reads."""
    reads = line["detector"]
    return (
        within(line["first"], "names", "is_it", *FLUENT)
        and reads is not None
        and len(line["setting"]["features"]) == 1
        and within(reads, "precision", "recall")
    )


def nearly(line: Mapping[str, Any]) -> bool:
    """Whether the answers come so near to the bounds that the other questions and the controls are worth their time."""
    return bool(line["first"]["names"] >= NEARLY["names"] and line["first"]["is_it"] >= NEARLY["is_it"])


def detector(reading: Reading, held_out: Reading, key: str, features: Sequence[int]) -> dict[str, Any] | None:
    """How the features tell third-person texts about the subject, by the largest of their activations over their
    maxima; the threshold is the one with the best F1 on the texts that they were chosen on. None without such texts.
    """
    own = reading.of(lambda text: not text.first_person)
    if not own.about(key).any() or not held_out.about(key).any():
        return None
    columns, scale = list(features), np.maximum(reading.maximum[list(features)], 1e-9)

    def level(of: Reading) -> np.ndarray:
        strongest: np.ndarray = (of.peak[:, columns].astype(np.float64) / scale).max(1)
        return strongest

    threshold = best_threshold(level(own), own.about(key))
    return asdict(detection(level(held_out), held_out.about(key), threshold))


Job = tuple[str, Subject, Setting]


def _first_answers(writer: Writer, jobs: Sequence[Job]) -> list[dict[str, list[Answer]]]:
    """{QUESTION: 20 answers, "prompt": 20 answers} of each subject."""
    clamped = writer.write_settings(Asked(), [setting for _, _, setting in jobs], SEEDS)
    prompted = writer.write_each([expected(subject.name) for _, subject, _ in jobs], SEEDS)
    return [{QUESTION: own, "prompt": asked} for own, asked in zip(clamped, prompted, strict=True)]


def _other_answers(writer: Writer, reading: Reading, jobs: Sequence[Job]) -> list[dict[str, list[Answer]]]:
    """{another question or a control: 20 answers} of each subject."""
    found: list[dict[str, list[Answer]]] = [{} for _ in jobs]
    rows: list[tuple[int, str, tuple[Intervention, ...], int]] = []
    for at, (_, subject, setting) in enumerate(jobs):
        for name, done in pushes(writer, reading, subject, setting).items():
            rows += [(at, name, done(seed), seed) for seed in SEEDS]
    written = writer.write(Asked(), [(done, seed) for _, _, done, seed in rows])
    for (at, name, _, _), answer in zip(rows, written, strict=True):
        found[at].setdefault(name, []).append(answer)
    for question in QUESTIONS[1:]:
        each = writer.write_settings(Asked(question), [setting for _, _, setting in jobs], SEEDS)
        for own, answers in zip(found, each, strict=True):
            own[question] = answers
    return found


def pushes(
    writer: Writer, reading: Reading, subject: Subject, setting: Setting
) -> dict[str, Callable[[int], tuple[Intervention, ...]]]:
    """{control: what is done with a seed}, each with a push as long as the setting's; no mean difference where no text
    is about the subject, or all are.
    """
    push = writer.push(setting)
    length = float(np.linalg.norm(push))
    along = Steer(tuple(push.tolist()), 1.0, "all", "the features' push")
    lengths = np.linalg.norm(writer.directions, axis=1)
    live = {int(f): float(reading.maximum[f]) for f in np.flatnonzero(reading.maximum > 0)}

    def random_feature(seed: int) -> tuple[Intervention, ...]:
        other = random_live_feature(live, seed, exclude=setting.features)
        return (Clamp(other, length / float(lengths[other])),)

    ways: dict[str, Callable[[int], tuple[Intervention, ...]]] = {
        "add": lambda seed: (along,),
        "random_feature": random_feature,
        "noise": lambda seed: (noise_like(along, seed),),
    }
    about = reading.about(subject.key)
    if about.any() and not about.all():
        others = [reading.flow[reading.about(key)].mean(0) for key in reading.by_subject if key != subject.key]
        apart = (reading.flow[about].mean(0) - np.mean(others, 0)).astype(np.float64)
        apart *= length / max(float(np.linalg.norm(apart)), 1e-12)
        difference = Steer(tuple(apart.tolist()), 1.0, "all", "mean difference")
        ways["mean_difference"] = lambda seed: (difference,)
    return ways


def _line(writer: Writer, subject: Subject, setting: Setting, answers: Mapping[str, list[Answer]]) -> dict[str, Any]:
    """What was counted in the answers to the first question, and in those to the system prompt that asks for it."""
    where = expected(subject.name)
    own = writer.perplexity(where, answers["prompt"])
    ratio = writer.perplexity(where, answers[QUESTION]) / own
    return {
        "setting": setting.to_dict(),
        "own_perplexity": round(own, 4),
        "first": {**counted(subject, answers[QUESTION]), "perplexity_ratio": round(ratio, 4)},
        "prompt": {**counted(subject, answers["prompt"]), "perplexity_ratio": 1.0},
        "example": example(subject, answers[QUESTION]),
        "answers": {name: [a.text for a in given] for name, given in answers.items()},
    }


def _others_line(
    writer: Writer, subject: Subject, answers: Mapping[str, list[Answer]], own_perplexity: float
) -> dict[str, Any]:
    """What was counted in the answers to the other questions and under the controls."""

    def control(name: str) -> dict[str, Any]:
        ratio = writer.perplexity(expected(subject.name), answers[name]) / own_perplexity
        return {**counted(subject, answers[name]), "perplexity_ratio": round(ratio, 4)}

    return {
        "questions": {q: counted(subject, answers[q]) for q in QUESTIONS[1:]},
        "controls": {c: control(c) for c in CONTROLS if c in answers},
        "other_answers": {name: [a.text for a in given] for name, given in answers.items()},
    }
