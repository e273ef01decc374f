"""Asking a judge: its answers are checked, its time and costs counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from saewidgets.records.arguments import asked, expect
from saewidgets.records.judging import Judge, JudgeRun, Passage, Verdict


def run_judge(judge: Judge, claim: str, passages: Sequence[Passage], *, name: str = "") -> JudgeRun:
    """What a judge says of some passages, with the time it took (its own, where its verdicts say it), its refusals, and
    what it counts itself.

    Args:
        judge: called with the claim and the passages. Its `name` and `kind` are told where it has them, and what its
            `spent` (a mapping of counters, such as requests or dollars) rises by.
        claim: what is claimed of the marked tokens, such as "golden_gate_bridge".
        passages: what to judge.
        name: in place of the judge's own.

    Raises TypeError for what cannot be called; ValueError where there is not one `Verdict` (or score) per passage.

    Example:
        >>> run_judge(lambda claim, passages: [3] * len(passages), "red", [Passage(("red",), (7,), (0,))]).scores
        (3,)
    """
    expect(
        judge,
        asked(judge),
        "judge",
        "run_judge",
        "give a function of a claim and passages, such as planted_judge(corpus)",
    )
    before = dict(getattr(judge, "spent", {}))
    began = time.perf_counter()
    given = judge(claim, passages)
    seconds = time.perf_counter() - began
    own = name or name_of(judge)
    verdicts = [_verdict(v, own, i) for i, v in enumerate(given)] if isinstance(given, Iterable) else None
    if verdicts is None or len(verdicts) != len(passages):
        count = "no list" if verdicts is None else f"{len(verdicts)} answers"
        raise ValueError(
            f"the judge {own!r} gave {count} on {len(passages)} passages; it must give one verdict for each"
        )
    after = getattr(judge, "spent", {})
    return JudgeRun(
        name=own,
        kind=str(getattr(judge, "kind", "function")),
        scores=tuple(v.score for v in verdicts),
        reasons=tuple(v.reason for v in verdicts),
        seconds=sum(v.seconds for v in verdicts) or seconds,
        spent={key: float(value - before.get(key, 0)) for key, value in after.items()},
    )


def _verdict(given: Any, judge: str, at: int) -> Verdict:
    """A judge's answer on passage `at`; a bare score, truth value or None will do."""
    if isinstance(given, Verdict):
        return given
    try:
        return Verdict(3 * given if isinstance(given, bool) else given)
    except ValueError as error:
        raise ValueError(f"the judge {judge!r} on passage {at}: {error}") from None


def name_of(judge: Any) -> str:
    """What a judge, or a function that it asks, is called: its `name`, or that of its function or class."""
    return str(getattr(judge, "name", "") or getattr(judge, "__name__", "") or type(judge).__name__)


class FunctionJudge:
    """A judge that asks a function of one's own about each passage, on its own: it returns a score (0 to 3), a truth
    value (3 or 0), a `Verdict`, or None for a refusal.

    Example:
        >>> loud = FunctionJudge(lambda claim, passage: passage.text.isupper(), name="loud")
        >>> loud("shouting", [Passage(("STOP",), (1,), (0,)), Passage(("go",), (2,), (0,))])
        [Verdict(score=3, reason=''), Verdict(score=0, reason='')]
    """

    kind = "function"

    def __init__(self, score: Callable[[str, Passage], Any], *, name: str = "") -> None:
        expect(score, asked(score), "score", "FunctionJudge", "give a function of a claim and a passage")
        self.score, self.name = score, name or name_of(score)

    def __call__(self, claim: str, passages: Sequence[Passage]) -> list[Verdict]:
        return [_verdict(self.score(claim, passage), self.name, i) for i, passage in enumerate(passages)]
