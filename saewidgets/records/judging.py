"""What a judge is asked and what it answers: passages with marked tokens, and scores from 0 to 3 with a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Annotated, Protocol

from saewidgets.languages import to_say
from saewidgets.records.marks import Axes

# How well the marked text bears out what is claimed of a feature. The four grades are those of Templeton et al. 2024
# ("Scaling Monosemanticity", on the specificity of features), in words of our own.
RUBRIC: Mapping[int, str] = {
    3: to_say("The marked text is the concept itself: it names it or plainly is an instance of it."),
    2: to_say("The marked text has only a loose tie to the concept, or the concept stands right beside it."),
    1: to_say("The concept is somewhere in the passage, but not near the marked text; or the tie is vague."),
    0: to_say("The concept is nowhere in the passage."),
}
NEAR = 5  # tokens on each side that count as "right beside", where a rule or a label decides


@dataclass(frozen=True)
class Passage:
    """A piece of text with the tokens that a judge is asked about. It says nothing of how strongly a feature is active.

    Without marks it is the passage as a whole that is asked about: then a judge answers 3 (the concept is in it) or 0
    (it is not).

    Example:
        >>> passage = Passage(("The", " red", " bridge"), (5, 9, 7), (2,))
        >>> passage.text, passage.characters(2)
        ('The red bridge', (8, 14))
    """

    tokens: Annotated[tuple[str, ...], Axes("token")]  # exact text of each, "" where a character is incomplete
    ids: Annotated[tuple[int, ...], Axes("token")]
    marked: tuple[int, ...]  # indices of `tokens`
    context: int = -1  # row of the corpus that it was cut from; -1: of none
    position: int = 0  # column of the corpus at which `tokens[0]` stands

    def __post_init__(self) -> None:
        for at in self.marked:
            if not 0 <= at < len(self.tokens):
                raise ValueError(f"token {at} is marked in a passage of {len(self.tokens)}")

    @property
    def text(self) -> str:
        """The tokens together."""
        return "".join(self.tokens)

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(map(len, self.tokens)))

    def characters(self, token: int) -> tuple[int, int]:
        """The characters [first, stop) of `text` that a token stands for, the space before a word left out. A token
        that is a part of a character has that character.
        """
        stop = self._ends[token]
        text = self.tokens[token]
        if not text:
            return stop, stop + 1
        solid = text.lstrip()
        return stop - len(solid or text), stop

    def shown(self, left: str = "«", right: str = "»") -> str:
        """The text with each run of marked tokens between two signs, the space before a word outside."""
        marked, out = set(self.marked), []
        for i, token in enumerate(self.tokens):
            first, last = i in marked and i - 1 not in marked, i in marked and i + 1 not in marked
            space = token[: len(token) - len(token.lstrip())] if first and token.strip() else ""
            out.append(f"{space}{left if first else ''}{token[len(space) :]}{right if last else ''}")
        return "".join(out)


@dataclass(frozen=True)
class Verdict:
    """A judge's answer on one passage. A score of None is a refusal; `reason` then says why there is none."""

    score: int | None  # 0 to 3, see `RUBRIC`
    reason: str = ""
    seconds: float = field(default=0.0, repr=False)  # that it took, where that is not the time of the call

    def __post_init__(self) -> None:
        if self.score is not None and (type(self.score) is not int or self.score not in RUBRIC):
            raise ValueError(f"a score is 0, 1, 2 or 3, or None for a refusal, not {self.score!r}")


class Judge(Protocol):
    """Who says how well passages bear out a claim: planted labels, a rule, a language model, a person, a function of
    one's own.
    """

    def __call__(self, claim: str, passages: Sequence[Passage], /) -> Sequence[Verdict]:
        """One verdict per passage, in order."""


@dataclass(frozen=True)
class JudgeRun:
    """What one judge said of all the passages, and what it cost."""

    name: str
    kind: str  # "planted", "spans", "rule", "likelihood", "language model", "person", "flipped" or "function"
    scores: Annotated[tuple[int | None, ...], Axes("passage")]  # 0 to 3; None where it refused
    reasons: Annotated[tuple[str, ...], Axes("passage")]
    seconds: float = 0.0  # that it took for all of them together; a person's own time, not that of the call
    spent: Mapping[str, float] = field(default_factory=dict)  # what it counts itself: requests, tokens, dollars, ...

    def __post_init__(self) -> None:
        for score, reason in zip(self.scores, self.reasons, strict=True):
            Verdict(score, reason)

    @property
    def n_refused(self) -> int:
        """Passages without a score."""
        return sum(score is None for score in self.scores)
