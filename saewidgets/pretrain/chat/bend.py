"""The stage `bend`: decoder rows that are turned, by a bounded angle, towards what their feature should do.

    python -m saewidgets.pretrain chat bend --out RUN --sae NAME

A dictionary that is trained to reconstruct has features that read a subject well; what their rows add to the residual
stream need not be what makes the model speak as it. Here the objective looks downstream. For each subject one feature
is taken that reads it; its row d becomes the direction v, of the same length, under whose push the model is most likely
to give the answers that it gives anyway where it is told "You are a pirate.", read after the ordinary question:

    maximize  mean over answers, mean over tokens, log p(token | question, answer so far; x + share * length * v)
    subject to  |v| = 1,  cos(v, d) >= COSINE

by a few steps along the gradient, projected onto the cone. The encoder, and with it all that a feature reads, stays as
it is to the bit. The new SAE stands beside the old one as NAME-bent, with bent.jsonl: one line per subject, what its
row was and became. An SAE whose rows were bent was not found so: whoever shows it says so.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saewidgets.bars import bar
from saewidgets.chat import DTYPE, MODEL, Subject, subject, subjects
from saewidgets.files import LoadError, read_json
from saewidgets.models import load_model
from saewidgets.models.writing import padded
from saewidgets.pretrain.chat.answers import QUESTION, Asked, Writer
from saewidgets.pretrain.chat.become import BENT, AddStage, reading_of, texts_for
from saewidgets.pretrain.chat.candidates import contrast, sayings
from saewidgets.pretrain.chat.choose import append, read_lines
from saewidgets.pretrain.chat.reading import Reading, best_detection
from saewidgets.pretrain.chat.rule import is_it
from saewidgets.pretrain.chat.saes import KINDS, SAES, finish, held_out
from saewidgets.sae import SAE

COSINE = 0.85  # between a row and what it was, at least
SHARE = 0.32  # length of the push over the median length of an activation
STEPS, STEP = 6, 0.4  # of the gradient's direction, added to a unit vector; the last is half as long
ASKED = (  # what answers as a subject: the system prompt, and the question
    ("You are {}.", QUESTION),
    ("You are {}.", "Who are you?"),
    ("", 'You are {}. What are you? Start with "I am".'),
)
SEEDS = range(500, 510)  # per way to ask
TOKENS = 24  # of an answer
MOST = 8  # answers that a row is bent towards
READERS = 8  # features, by contrast, among which the one that reads its subject best is sought
SUFFIX = "-bent"


@dataclass(frozen=True)
class Bent:
    """One decoder row that was bent.

    Attributes:
        feature: whose row it is.
        reads: F1 of the feature over third-person texts about the subject.
        answers: how many the row was bent towards.
        before, after: the mean log-probability of a token of them under the push, nats.
        cosine: between the row and what it was.
        row: the new direction, of length 1.
    """

    feature: int
    reads: float
    answers: int
    before: float
    after: float
    cosine: float
    row: tuple[float, ...]


def readers(reading: Reading, keys: Sequence[str]) -> dict[str, tuple[int, float]]:
    """{key: (feature, F1)}: for each subject the feature that tells third-person texts about it best, among the first
    by contrast; no two subjects get the same one, and who tells it better is served first.
    """
    third = reading.of(lambda text: not text.first_person)
    found: list[tuple[float, int, str, int]] = []
    for place, key in enumerate(keys):
        about, values = third.about(key), contrast(reading, key)
        for feature in np.argsort(-values, kind="stable")[:READERS]:
            if values[feature] > 0 and about.any():
                found.append((-best_detection(third.peak[:, feature], about).f1, place, key, int(feature)))
    served: dict[str, tuple[int, float]] = {}
    for f1, _, key, feature in sorted(found, key=lambda one: one[:2]):
        if key not in served and feature not in {other for other, _ in served.values()}:
            served[key] = feature, -f1
    return served


def answers_as(writer: Writer, who: Subject) -> list[list[int]]:
    """Token ids of answers in which the model says that it is a subject, since it is told so; and the shortest ones."""
    asked = [Asked(user.format(who.name), system.format(who.name)) for system, user in ASKED]
    written = writer.write_each(asked, SEEDS, TOKENS)
    own = [list(a.ids) for turn in zip(*written, strict=True) for a in turn if is_it(who, a.text)]
    return own[:MOST] + [writer.model.continuation(f"{said},").tolist() for said in sayings(who)]


def turned(
    score: Callable[[Tensor], tuple[float, Tensor]],
    row: Tensor,
    *,
    cosine: float = COSINE,
    steps: int = STEPS,
    step: float = STEP,
) -> tuple[Tensor, list[float]]:
    """The unit vector near a row [d_in] that raises a score, and the score before every step and at the end.

    `score` gives a number and its gradient [d_in] at a unit vector. The result's cosine with the row is `cosine` at
    least. Each step goes along the gradient's part across the vector, and back onto the cone if it left it.
    """
    first = row / row.norm()
    v, scores = first.clone(), []
    for n in range(steps):
        value, gradient = score(v)
        scores.append(value)
        across = gradient - (gradient @ v) * v
        v = v + step * (1 - 0.5 * n / max(steps - 1, 1)) * across / across.norm().clamp_min(1e-12)
        v = within_cone(v / v.norm(), first, cosine)
    return v, [*scores, score(v)[0]]


def within_cone(v: Tensor, axis: Tensor, cosine: float) -> Tensor:
    """The unit vector nearest to a unit vector v among those whose cosine with a unit axis is `cosine` at least.

    Example:
        >>> within_cone(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0]), 0.6)
        tensor([0.6000, 0.8000])
    """
    along = float(v @ axis)
    if along >= cosine:
        return v
    across = v - along * axis
    nearest: Tensor = cosine * axis + (1 - cosine**2) ** 0.5 * across / across.norm().clamp_min(1e-12)
    return nearest


def likelihood(
    writer: Writer, answers: Sequence[Sequence[int]], length: float
) -> Callable[[Tensor], tuple[float, Tensor]]:
    """The score for `turned`: how likely answers to the question are under a push of some length along a unit
    vector.
    """
    prompt, device = writer.ids(Asked()).tolist(), writer.model.device
    # Causal: what fills up the end changes nothing.
    tokens, pushed = padded([[*prompt, *own[:-1]] for own in answers], device)
    target, real = padded(answers, device)

    def per_answer(logits: Tensor) -> Tensor:
        found = logits.float().log_softmax(-1).gather(-1, target[..., None])[..., 0]
        mean: Tensor = (found * real).sum(1) / real.sum(1)
        return mean

    def score(v: Tensor) -> tuple[float, Tensor]:
        push = (length * v).expand(*tokens.shape, len(v)).to(device)
        scores, gradient = writer.model.gradient(tokens, writer.hook_name, per_answer, push, wanted=target.shape[1])
        return float(scores.mean()), (gradient.float() * pushed[..., None]).sum((0, 1)).cpu() / len(answers)

    return score


def bend(
    writer: Writer,
    reading: Reading,
    wanted: Sequence[Subject],
    path: Path,
    *,
    cosine: float = COSINE,
    about: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> dict[str, Bent]:
    """Bend one row per subject, and go on where a run was cut short: {key: what was done}.

    `path` is a file of lines, one per subject, whose first line says what it was made with; `about` is added to that.
    A subject that no feature reads is left out.
    """
    head = {"cosine": cosine, "share": SHARE, "steps": STEPS, "step": STEP, "seeds": list(SEEDS), **(about or {})}
    done = read_lines(path, head)
    chosen = readers(reading, [who.key for who in wanted])
    left = [who for who in wanted if who.key in chosen and who.key not in done]
    with bar(len(left), "bending", "subjects", progress=progress) as advance:
        for who in left:
            feature, f1 = chosen[who.key]
            answers = answers_as(writer, who)
            row = torch.from_numpy(writer.directions[feature]).float()
            v, scores = turned(likelihood(writer, answers, SHARE * reading.length), row, cosine=cosine, steps=STEPS)
            near = float(v @ row / row.norm())
            own = Bent(feature, f1, len(answers), scores[0], scores[-1], near, tuple(map(float, v)))
            done[who.key] = append(path, {"subject": who.key, **_rounded(own)})
            advance(1)
    fields = Bent.__dataclass_fields__
    return {key: Bent(**{f: line[f] for f in fields} | {"row": tuple(line["row"])}) for key, line in done.items()}


def _rounded(bent: Bent) -> dict[str, Any]:
    own = asdict(bent)
    for name in ("reads", "before", "after", "cosine"):
        own[name] = round(own[name], 4)
    return {**own, "row": [round(x, 6) for x in bent.row]}


@torch.no_grad()
def with_rows(sae: SAE, bent: Iterable[Bent]) -> SAE:
    """The SAE with bent rows in place, each as long as it was; nothing else is changed, and it is changed in place."""
    for own in bent:
        row = sae.W_dec[own.feature]
        v = torch.tensor(own.row, dtype=row.dtype, device=row.device)
        sae.W_dec[own.feature] = v / v.norm() * row.norm()
    return sae


def add_bend(stage: AddStage) -> None:
    """Add the stage with a function that adds one."""
    own = stage("bend", bend_stage, "turn decoder rows, by a bounded angle, towards what their features should do")
    own.add_argument("--sae", required=True, metavar="NAME", help="of a finished SAE, such as smollm2-12-8192-k32-5M")
    own.add_argument("--only", nargs="+", default=[], metavar="KEY", help="these subjects, such as pirate")
    own.add_argument("--cosine", type=_cosine, default=COSINE, help="with what a row was, at least (%(default)s)")


def _cosine(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"a cosine above 0 and below 1, not {text}")
    return value


def bend_stage(chosen: argparse.Namespace) -> None:
    """Bend the rows of an SAE into one beside it."""
    source = chosen.out / SAES / chosen.sae
    if not (source / "figures.json").exists():
        raise LoadError(source, "no finished SAE: run the stage `saes` first")
    wanted = tuple(map(subject, chosen.only)) or subjects()
    into = chosen.out / SAES / (chosen.sae + SUFFIX)
    sae = SAE.load(source)
    writer = Writer(load_model(MODEL, dtype=DTYPE), sae)
    reading = reading_of(texts_for(chosen.out, wanted), writer)
    bent = bend(writer, reading, wanted, into / BENT, cosine=chosen.cosine, about={"sae": chosen.sae})
    for key, own in bent.items():
        print(f"{key}: {own.before:.2f} -> {own.after:.2f}, cos {own.cosine:.2f}", flush=True)
    sae.name = into.name
    with_rows(sae, bent.values()).save(into, dtype="float16")
    found = {k: v for k, v in read_json(source / "figures.json").items() if k != "model"}
    layer = int(writer.hook_name.split(".")[1])
    measured = finish(into, {**found, "bent": len(bent)}, held_out(chosen.out, layer))
    print(json.dumps({k: measured[k]["fvu"] for k in KINDS}), flush=True)
