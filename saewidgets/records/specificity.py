"""Whether a feature is active where its concept is and nowhere else: judged activations by interval, and recall."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import pandas as pd

from saewidgets.files import unknown
from saewidgets.records.agreement import agreement
from saewidgets.records.features import FeatureExample, Histogram
from saewidgets.records.judging import RUBRIC, JudgeRun
from saewidgets.records.marks import Axes, NanOr
from saewidgets.records.saved import Saved
from saewidgets.records.shares import Share, share
from saewidgets.records.tables import frame

DRAWS = 2000  # of the interval of a weighted share


@dataclass(frozen=True)
class Sensitivity:
    """The largest activation in each stretch of text that expresses the concept: how much of it the feature finds."""

    name: str  # "spans" or "new texts"
    what: str  # what one case is, in a sentence
    maxima: Annotated[tuple[float, ...], Axes("case")]  # SAE units, 0 where the feature is off throughout

    def recall(self, above: float = 0.0) -> Share:
        """The share of cases with an activation above a threshold, with Wilson's interval."""
        return share(sum(value > above for value in self.maxima), len(self.maxima))


@dataclass(frozen=True)
class FieldScore:
    """A score of an explanation by a published definition."""

    name: str  # "detection", "fuzzing", "intruder", "SAEBench" or "logits"
    value: float  # higher is better
    low: NanOr  # of its 95 % interval
    high: NanOr
    chance: float  # what guessing gives
    n: int  # answers behind it
    n_refused: int  # questions without an answer; they count as wrong
    judge: str
    what: str  # the definition, in a sentence


@dataclass(frozen=True)
class WrittenLabel:
    """A label that one reader wrote from examples of a feature, and its scores by a judge who has not seen them."""

    feature: int
    label: str
    n_shown: int  # windows that the writer saw
    detection: FieldScore
    fuzzing: FieldScore


@dataclass(frozen=True)
class Specificity(Saved):
    """Activations of one feature, drawn evenly from intervals of its strength, as judges see them (idea 1 of the article).

    The intervals are of equal width between 0 and the largest activation; the weakest comes first. `counts` say how
    many activations of the corpus each holds, so a share over several intervals can be weighted by how common they are.
    Make it with `sw.specificity`.
    """

    KIND = "specificity"
    MAX_BYTES = 256 << 20

    feature: int
    claim: str  # what the feature is said to stand for
    maximum: float  # largest activation over the corpus, SAE units
    counts: Annotated[tuple[int, ...], Axes("interval")]  # activations of the corpus
    histogram: Histogram  # of the non-zero activations
    examples: tuple[FeatureExample, ...]  # what was judged, each with its `interval`; `peak` is the judged token
    judges: tuple[JudgeRun, ...]  # the first one is drawn
    sensitivity: tuple[Sensitivity, ...] = ()
    scores: tuple[FieldScore, ...] = ()
    corpus: str = ""
    n_tokens: int = 0  # counted tokens of the corpus
    model_name: str = ""
    sae_name: str = ""
    hook_name: str = ""
    weights: str = ""  # number format of the model's weights, as in a `Passport`
    per_interval: int = 0  # at most so many were drawn from each
    seed: int = 0  # of the draw

    def __post_init__(self) -> None:
        if not self.maximum > 0:
            raise ValueError(
                f"maximum must be above 0, not {self.maximum}: a feature that never fires has no specificity"
            )
        if not self.judges:
            raise ValueError("nobody judged: give one judge or more")
        names = [run.name for run in self.judges]
        if len(set(names)) < len(names):
            raise ValueError(f"two judges have one name: {names}")
        for run in self.judges:
            if len(run.scores) != len(self.examples):
                raise ValueError(f"{run.name!r} has {len(run.scores)} scores of {len(self.examples)} examples")
        for example in self.examples:
            if not 0 <= example.interval < len(self.counts):
                raise ValueError(f"an example is of interval {example.interval}, and there are {len(self.counts)}")

    @property
    def n_intervals(self) -> int:
        """Number of intervals between 0 and the maximum."""
        return len(self.counts)

    @property
    def edges(self) -> tuple[float, ...]:
        """Of the intervals, SAE units, ascending, one more than there are intervals."""
        return tuple(self.maximum * i / self.n_intervals for i in range(self.n_intervals + 1))

    def run_of(self, judge: str | None = None) -> JudgeRun:
        """What one judge said; by default the first. Raises ValueError, with those there are, on another name."""
        for run in self.judges:
            if judge in (None, run.name):
                return run
        raise ValueError(unknown("judge", judge, [run.name for run in self.judges]))

    def table(self, judge: str | None = None) -> pd.DataFrame:
        """One row per interval, the weakest first: interval, low and high (SAE units), active (activations of the
        corpus), n (judged), refused, and for each score s the share `s0` to `s3` with Wilson's interval `s0_low`,
        `s0_high`.
        """
        counted = self._counted(judge)
        rows = []
        for i, row in enumerate(counted):
            cells: dict[str, Any] = {
                "interval": i,
                "low": self.edges[i],
                "high": self.edges[i + 1],
                "active": self.counts[i],
                "n": int(row[:4].sum()),
                "refused": int(row[4]),
            }
            for score in RUBRIC:
                found = share(int(row[score]), int(row[:4].sum()))
                cells |= {f"s{score}": found.value, f"s{score}_low": found.low, f"s{score}_high": found.high}
            rows.append(cells)
        return frame(rows, columns=TABLE)

    def specific(
        self, judge: str | None = None, *, at_least: int = 3, above: float = 0.0
    ) -> tuple[float, float, float]:
        """(share, low, high) of the feature's activations in the intervals that begin at `above` or higher with a score
        of `at_least`.

        The intervals are weighted by how many activations of the corpus they hold:

            share = sum_i N_i p_i / sum_i N_i

        Its 95 % interval is from 2,000 draws of each p_i of its Beta distribution under Jeffreys' prior, always the
        same ones. Intervals in which nothing was judged are left out. nan where nothing is left.
        """
        counted = self._counted(judge)
        hits, n = counted[:, at_least:4].sum(1), counted[:, :4].sum(1)
        own = (n > 0) & (np.array(self.edges[:-1]) >= above - 1e-9 * self.maximum)
        weight = np.array(self.counts, float) * own
        if not weight.sum():
            return math.nan, math.nan, math.nan
        p = hits[own] / n[own]
        draws = np.random.default_rng(0).beta(hits[own] + 0.5, n[own] - hits[own] + 0.5, size=(DRAWS, int(own.sum())))
        low, high = np.percentile(draws @ weight[own] / weight.sum(), [2.5, 97.5])
        value = float(p @ weight[own] / weight.sum())
        return value, min(float(low), value), max(float(high), value)

    def agreement(self, *, against: str | None = None, weights: str = "quadratic") -> pd.DataFrame:
        """One row per judge but the first, or but the one called `against`: how far it agrees with that one. judge, n,
        kappa (weighted) with low and high, same (share of equal scores), seconds, refused. See `sw.records.agreement`.
        """
        first = self.run_of(against)
        others = [run for run in self.judges if run is not first]
        rows = []
        for run in others:
            both = any(a is not None and b is not None for a, b in zip(first.scores, run.scores, strict=True))
            found = agreement(first.scores, run.scores, weights=weights) if both else None
            rows.append(
                {
                    "judge": run.name,
                    "n": found.n if found else 0,
                    "kappa": found.kappa if found else math.nan,
                    "low": found.low if found else math.nan,
                    "high": found.high if found else math.nan,
                    "same": found.same.value if found else math.nan,
                    "seconds": run.seconds,
                    "refused": run.n_refused,
                }
            )
        return frame(rows, columns=["judge", "n", "kappa", "low", "high", "same", "seconds", "refused"])

    def to_dataframe(self) -> pd.DataFrame:
        """One row per judged activation: interval, activation, token, text, and one column of scores per judge."""
        columns: dict[str, Sequence[Any]] = {
            "interval": [e.interval for e in self.examples],
            "activation": [e.maximum for e in self.examples],
            "token": [e.tokens[e.peak] for e in self.examples],
            "text": ["".join(e.tokens) for e in self.examples],
        }
        for run in self.judges:
            columns[run.name] = pd.array(list(run.scores), dtype="Int64")
        return frame(columns)

    def judged_by(self, *runs: JudgeRun) -> Specificity:
        """The same with more judges, or other answers of those there are."""
        names = {run.name for run in runs}
        kept = [run for run in self.judges if run.name not in names]
        return replace(self, judges=(*kept, *runs))

    def _counted(self, judge: str | None) -> np.ndarray:
        """int64 [interval, score or refusal]."""
        run = self.run_of(judge)
        interval = np.array([e.interval for e in self.examples], np.int64)
        score = np.array([4 if s is None else s for s in run.scores], np.int64)
        return np.bincount(interval * 5 + score, minlength=5 * self.n_intervals).reshape(-1, 5)


_SHARES = [f"s{score}{end}" for score in sorted(RUBRIC, reverse=True) for end in ("", "_low", "_high")]
TABLE = ["interval", "low", "high", "active", "n", "refused", *_SHARES]
