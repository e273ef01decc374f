"""What a person said of passages, one after the other and blind: a judge that has its answers already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
import pandas as pd

from saewidgets.records.arguments import expect, real, seed_of, whole
from saewidgets.records.features import FeatureExample
from saewidgets.records.judging import JudgeRun, Passage, Verdict
from saewidgets.records.saved import Saved
from saewidgets.records.specificity import Specificity
from saewidgets.records.tables import frame

LONGEST = 120.0  # seconds that one answer counts for at most: whoever takes longer has left the sheet

_Key = tuple[int, tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class Grade:
    """A person's answer on one passage."""

    score: int | None  # 0 to 3, see `RUBRIC`; None: cannot say
    seconds: float = 0.0  # from the passage's appearance to the answer, at most 120

    def __post_init__(self) -> None:
        Verdict(self.score)
        real(self.seconds, "seconds", minimum=0, maximum=LONGEST)


@dataclass(frozen=True)
class Grading(Saved):
    """Passages in the order in which a person sees them, and that person's answers so far.

    It is a judge: called with the claim and passages, it gives what the person said of each, and refuses those that
    were left out, that the person could not score or that are not on the sheet. Passages are known by their row and
    column of the corpus, so a judge that is shown more text around the same token meets the same answer. It holds
    neither the activation nor the interval of any passage. Make it with `GradingSheet`, or with `of`.

    Raises ValueError on more answers than passages, or the same passage twice.

    Example:
        >>> red = Passage((" the", " red"), (5, 9), (1,), context=3, position=7)
        >>> sheet = Grading.of("red", [red]).answered(3, 2.5)
        >>> sheet("red", [red, replace(red, context=4)])
        [Verdict(score=3, reason=''), Verdict(score=None, reason='not on the sheet')]
    """

    KIND = "grading sheet"
    MAX_BYTES = 256 << 20

    kind: ClassVar[str] = "person"

    claim: str
    passages: tuple[Passage, ...]  # as they are shown
    grades: tuple[Grade, ...] = ()  # of the first passages
    name: str = "a person"
    seed: int = 0  # of the order

    def __post_init__(self) -> None:
        if len(self.grades) > len(self.passages):
            raise ValueError(f"there are {len(self.grades)} answers and {len(self.passages)} passages")
        if len(self._places) < len(self.passages):
            raise ValueError("a passage is on the sheet twice: give each once")

    @classmethod
    def of(
        cls,
        claim: str,
        source: Specificity | Iterable[Passage],
        *,
        n: int | None = None,
        name: str = "a person",
        seed: int = 0,
    ) -> Grading:
        """A sheet without an answer, shuffled by `seed`.

        Of the activations of a `Specificity` n are drawn, as many from each interval as there are; of passages, n of
        all. None: every one of them. Raises ValueError where there is none, or fewer than n.
        """
        expect(claim, str, "claim", "a grading sheet", 'say what the feature stands for, such as "golden_gate_bridge"')
        seed = seed_of(seed)
        if isinstance(source, Specificity):
            given = [passage_of(e) for e in source.examples]
            level = np.array([e.interval for e in source.examples], np.int64)
        else:
            given = [expect(p, Passage, "passages", "a grading sheet", _HOW) for p in source]
            level = np.zeros(len(given), np.int64)
        if not given:
            raise ValueError("there is nothing to grade: no passage was given")
        n = len(given) if n is None else whole(n, "n", minimum=1)
        if n > len(given):
            raise ValueError(f"n is {n}, and there are {len(given)} passages: give at most as many")
        order = np.random.default_rng(seed).permutation(len(given))
        turn = np.zeros(len(given), np.int64)  # of each in its interval
        for one in np.unique(level):
            own = order[level[order] == one]
            turn[own] = np.arange(len(own))
        kept = set(order[np.argsort(turn[order], kind="stable")][:n].tolist())  # the first of every interval, ...
        return cls(claim, tuple(given[i] for i in order.tolist() if i in kept), name=str(name), seed=seed)

    # -- answers -----------------------------------------------------------------------------------------------------

    def answered(self, score: int | None, seconds: float = 0.0) -> Grading:
        """With an answer on the next passage; None: it cannot be said. Raises ValueError where all are answered."""
        return replace(self, grades=(*self.grades, Grade(score, min(float(seconds), LONGEST))))

    def undone(self) -> Grading:
        """Without the last answer."""
        return replace(self, grades=self.grades[:-1])

    @property
    def done(self) -> bool:
        """Whether every passage has an answer."""
        return len(self.grades) == len(self.passages)

    @property
    def n_refused(self) -> int:
        """Answers without a score."""
        return sum(grade.score is None for grade in self.grades)

    @property
    def seconds(self) -> float:
        """That all answers took together."""
        return sum(grade.seconds for grade in self.grades)

    # -- as a judge --------------------------------------------------------------------------------------------------

    def __call__(self, claim: str, passages: Sequence[Passage]) -> list[Verdict]:
        """What the person said of each passage.

        Raises ValueError on another claim than that of the sheet, or a passage of another corpus at the same place.
        """
        self.check(claim)
        return [self._said(passage) for passage in passages]

    def check(self, claim: str) -> None:
        """Raise ValueError unless it is the claim of the sheet."""
        if claim != self.claim:
            raise ValueError(f"{self.name!r} has graded the claim {self.claim!r}, not {claim!r}: use the sheet's own")

    def run(self, data: Specificity) -> JudgeRun:
        """What the person said of the activations of a `Specificity`, as one of its judges: `data.judged_by(run)`.

        Example:
            >>> data.judged_by(sheet.data.run(data)).agreement()  # doctest: +SKIP
        """
        said = self(data.claim, [passage_of(e) for e in data.examples])
        scores, reasons = tuple(v.score for v in said), tuple(v.reason for v in said)
        return JudgeRun(self.name, self.kind, scores, reasons, sum(v.seconds for v in said))

    def to_dataframe(self) -> pd.DataFrame:
        """One row per answer, in the order given: score, seconds, text, with the marked tokens between « and »."""
        pairs = list(zip(self.passages, self.grades, strict=False))
        columns = {
            "score": pd.array([grade.score for _, grade in pairs], dtype="Int64"),
            "seconds": [grade.seconds for _, grade in pairs],
            "text": [passage.shown() for passage, _ in pairs],
        }
        return frame(columns)

    @cached_property
    def _places(self) -> Mapping[_Key, int]:
        return {_key(passage): i for i, passage in enumerate(self.passages)}

    def _said(self, passage: Passage) -> Verdict:
        at = self._places.get(_key(passage))
        if at is None:
            return Verdict(None, "not on the sheet")
        own = self.passages[at]
        if [own.ids[i] for i in own.marked] != [passage.ids[i] for i in passage.marked]:
            raise ValueError(
                f"the passage at row {passage.context}, column {passage.position} is of another corpus than the "
                f"sheet of {self.name!r}"
            )
        if at >= len(self.grades):
            return Verdict(None, "not graded yet")
        grade = self.grades[at]
        return Verdict(grade.score, "" if grade.score is not None else "could not say", grade.seconds)


_HOW = "give those of sw.records.Passage, or a Specificity"


def passage_of(example: FeatureExample) -> Passage:
    """An example as a judge sees it: its text, its token marked, and nothing of its activation."""
    return Passage(example.tokens, example.token_ids, (example.peak,), example.context, example.position)


def _key(passage: Passage) -> _Key:
    """What a passage is known by, however much text stands around it: where its marked tokens are in the corpus, or all
    of it where it is of none or nothing is marked.
    """
    if passage.context < 0 or not passage.marked:
        return passage.context, tuple(passage.marked), (passage.position, *passage.ids)
    return passage.context, tuple(passage.position + i for i in passage.marked), ()
