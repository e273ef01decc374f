"""A judge whose mistakes are known, to try whether they are found out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from saewidgets.analysis.judges.running import name_of, run_judge
from saewidgets.records.arguments import real, seed_of
from saewidgets.records.judging import RUBRIC, Judge, Passage, Verdict


class FlippedJudge:
    """Another judge, each of whose scores is replaced, with a known probability, by one of the three others at random.

    `sw.records.altered` must find that probability, and kappa must fall with it.

    Args:
        judge: the one whose scores are flipped. Its refusals stay.
        probability: 0 to 1.
        seed: of the draws, the same at each call.

    Example:
        >>> always = lambda claim, passages: [3] * len(passages)
        >>> judge = FlippedJudge(always, 1.0)
        >>> judge("red", [Passage(("red",), (7,), (0,))])[0].score in (0, 1, 2)
        True
    """

    kind = "flipped"

    def __init__(self, judge: Judge, probability: float, *, seed: int = 0) -> None:
        self.judge, self.seed = judge, seed_of(seed)
        self.probability = real(probability, "probability", minimum=0, maximum=1)
        self.name = f"{name_of(judge)}, {probability:.0%} flipped"

    def __call__(self, claim: str, passages: Sequence[Passage]) -> list[Verdict]:
        run = run_judge(self.judge, claim, passages)
        rng = np.random.default_rng(self.seed)
        flips = rng.random(len(passages)) < self.probability
        steps = rng.integers(1, len(RUBRIC), len(passages))  # 1 to 3 further on, round the four scores
        return [
            Verdict((score + step) % len(RUBRIC), "flipped") if flip and score is not None else Verdict(score, reason)
            for score, reason, flip, step in zip(run.scores, run.reasons, flips.tolist(), steps.tolist(), strict=True)
        ]
