"""Which texts the model writes: about which subject, at which prompt, and which of them are kept out of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from saewidgets.chat import Subject
from saewidgets.pretrain.chat.prompts import PROMPTS, SYSTEMS, Person, Prompt
from saewidgets.records.arguments import seed_of, whole

HELD_OUT = 0.08  # of the texts
Split = Literal["train", "held_out"]


@dataclass(frozen=True)
class Assignment:
    """One text to write.

    Attributes:
        number: its place in the plan; with the plan's seed it is the seed of the text.
        subject: the key of a measured subject, "" for another.
        about: the subject's name, as in `Subject.name`.
        kind, person: of the prompt.
        system, user: what the model is given.
        split: "train", or "held_out" for what no SAE is trained on.
    """

    number: int
    subject: str
    about: str
    kind: str
    person: Person
    system: str
    user: str
    split: Split


def make_plan(
    measured: Sequence[Subject],
    background: Sequence[Subject],
    *,
    each: int = 62,
    background_each: int = 2,
    seed: int = 0,
) -> list[Assignment]:
    """The texts in the order in which they are written: `each` about every measured subject, at prompts of as many
    kinds as there are, and `background_each` about every other.

    They are in rounds, so that a corpus cut short is balanced: each of the `each` rounds has one text about every
    measured subject, in an order of its own, and a like share of the background. Everything is drawn by `seed`. Raises
    ValueError for numbers that cannot be.
    """
    each, background_each = whole(each, "each", minimum=1), whole(background_each, "background_each", minimum=0)
    rng = np.random.default_rng([seed_of(seed), 15])
    kinds = [_kinds(rng, each) for _ in measured]
    others = [found for found in background for _ in range(background_each)]
    others = [others[i] for i in rng.permutation(len(others))]
    shares = np.array_split(np.arange(len(others)), each)
    plan: list[Assignment] = []
    for turn in range(each):
        own = [(found, kinds[i][turn]) for i, found in enumerate(measured)]
        own += [(others[i], PROMPTS[int(rng.integers(len(PROMPTS)))]) for i in shares[turn]]
        for i in rng.permutation(len(own)):
            plan.append(_assignment(len(plan), own[i][0], own[i][1], rng))
    return plan


def _kinds(rng: np.random.Generator, n: int) -> list[Prompt]:
    """n prompts in a drawn order, each of them once before any comes again."""
    drawn = [PROMPTS[i] for _ in range(-(-n // len(PROMPTS))) for i in rng.permutation(len(PROMPTS))]
    return drawn[:n]


def _assignment(number: int, subject: Subject, prompt: Prompt, rng: np.random.Generator) -> Assignment:
    system = prompt.system or SYSTEMS[int(rng.integers(len(SYSTEMS)))]
    return Assignment(
        number=number,
        subject=subject.key,
        about=subject.name,
        kind=prompt.kind,
        person=prompt.person,
        system=system.format(name=subject.name),
        user=prompt.user.format(name=subject.name),
        split="held_out" if rng.random() < HELD_OUT else "train",
    )
