"""All that was measured of one feature on one sheet, with the points of the 14-point rubric, and what was not."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from saewidgets.files import unknown
from saewidgets.records.candidates import SteeringScores
from saewidgets.records.marks import NanOr
from saewidgets.records.saved import Saved
from saewidgets.records.specificity import FieldScore, Specificity
from saewidgets.records.tables import frame

NOT_MEASURED = "not measured"
POINTS = {"confidence": 3, "consistency of activations": 5, "consistency of logits": 3, "specificity": 3}  # 14
_KAPPAS = (0.4, 0.6, 0.8)  # between two judges, from which confidence has 1, 2 and 3 points
_SCORES = ("detection", "fuzzing", "intruder", "SAEBench")


@dataclass(frozen=True)
class SheetLine:
    """One line of a sheet. Raises ValueError on points outside 0 to `of`."""

    item: str
    value: NanOr  # points out of `of`, or the score itself; nan where it was not measured
    of: int  # points at most; 0 for a score that has none
    how: str  # how it was had, or "not measured", and what would measure it

    def __post_init__(self) -> None:
        if self.of and not math.isnan(self.value) and not 0 <= self.value <= self.of:
            raise ValueError(f"{self.item} has 0 to {self.of} points, not {self.value}")

    @property
    def measured(self) -> bool:
        """Whether there is a value."""
        return not math.isnan(self.value)


@dataclass(frozen=True)
class ScoreSheet(Saved):
    """What is known of one feature and one claim about it, a line each: first the four parts of the rubric of 14 points
    (Bricken et al. 2023, "Towards Monosemanticity": confidence, consistency of activations, consistency of logits,
    specificity), then the other scores.

    There a person gives the points. Here they are read from what was measured, by the rules that each line states, or
    given by a person. A part without a measurement has no points, and no total is made up for it.

    Example:
        >>> ScoreSheet.of(found, scores, points={"confidence": 2}).to_dataframe()  # doctest: +SKIP
    """

    KIND = "score sheet"

    feature: int
    claim: str
    lines: tuple[SheetLine, ...]

    @property
    def points(self) -> tuple[float, int]:
        """(points, of how many) of the parts that were measured: of 14 where all four were."""
        own = [line for line in self.lines if line.of and line.measured]
        return sum(line.value for line in own), sum(line.of for line in own)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per line: item, value (a number, or "not measured"), of (most points; 0 for a score without), how."""
        value = [line.value if line.measured else NOT_MEASURED for line in self.lines]
        rest = {name: [getattr(line, name) for line in self.lines] for name in ("of", "how")}
        return frame({"item": [line.item for line in self.lines], "value": value} | rest)

    @classmethod
    def of(
        cls,
        found: Specificity,
        steering: SteeringScores | None = None,
        *,
        points: Mapping[str, float] | None = None,
    ) -> ScoreSheet:
        """The sheet of a feature from the records there are.

        Args:
            found: of `sw.specificity`; its field's scores and sensitivity too, where it has them.
            steering: of `analysis.candidates.steering_scores`, over this feature and maybe others.
            points: what a person gave, {part of the rubric: points}; it stands instead of the rule.

        Raises ValueError on an unknown part or points beyond its most, and where both records are of other SAEs.
        """
        given = dict(points or {})
        for part in given:
            if part not in POINTS:
                raise ValueError(unknown("part of the rubric", part, POINTS))
        if steering is not None and steering.sae_name != found.sae_name:
            raise ValueError(f"the steering scores are of {steering.sae_name!r}, the claim's of {found.sae_name!r}")
        lines = []
        for part, most in POINTS.items():
            value, how = (float(given[part]), "by a person") if part in given else _RULES[part](found)
            lines.append(SheetLine(part, value, most, how))
        return cls(
            found.feature, found.claim, (*lines, *_sensitivity(found), *_field(found), *_steering(found, steering))
        )


def _confidence(found: Specificity) -> tuple[float, str]:
    table = found.agreement()
    known = table[table["kappa"].notna()]
    if not len(known):
        return math.nan, f"{NOT_MEASURED}: it takes a second judge, or a person's points"
    row = known.iloc[0]
    value = float(sum(row["kappa"] >= least for least in _KAPPAS))
    bounds = ", ".join(str(k) for k in _KAPPAS)
    return value, f"kappa {row['kappa']:.2f} of {row['judge']} with {found.run_of().name}; a point from {bounds} each"


def _activations(found: Specificity) -> tuple[float, str]:
    table = found.table()
    own = table[table["n"] > 0]
    if not len(own):
        return math.nan, f"{NOT_MEASURED}: no activation was judged"
    share = float((own["s3"] + own["s2"]).mean())
    return 5 * share, f"5 x the share with a score of 2 or 3, each of {len(own)} intervals weighing the same"


def _logits(found: Specificity) -> tuple[float, str]:
    score = _named(found, "logits")
    if score is None:
        return math.nan, f"{NOT_MEASURED}: it takes logit_judgment (sw.specificity with scores=True)"
    above = max(0.0, score.value - score.chance) / (1 - score.chance)
    return 3 * above, f"3 x how far {score.judge} is above chance on promoted tokens ({score.value:.2f} of {score.n})"


def _specific(found: Specificity) -> tuple[float, str]:
    value = found.specific(above=found.maximum / 2)[0]
    if math.isnan(value):
        return math.nan, f"{NOT_MEASURED}: no activation above half of the maximum was judged"
    return 3 * value, f"3 x the share with a score of 3 above half of the maximum, by {found.run_of().name}"


# (points, how they were had) of each part of the rubric
_RULES: dict[str, Callable[[Specificity], tuple[float, str]]] = {
    "confidence": _confidence,
    "consistency of activations": _activations,
    "consistency of logits": _logits,
    "specificity": _specific,
}


def _sensitivity(found: Specificity) -> list[SheetLine]:
    if not found.sensitivity:
        return [SheetLine("sensitivity", math.nan, 0, f"{NOT_MEASURED}: it takes a labeled corpus")]
    return [
        SheetLine(
            f"sensitivity, {one.name}",
            one.recall().value,
            0,
            f"share of {one.recall().n} with an activation: {one.what}",
        )
        for one in found.sensitivity
    ]


def _field(found: Specificity) -> list[SheetLine]:
    lines = []
    for name in _SCORES:
        score = _named(found, name)
        how = f"{NOT_MEASURED}: sw.specificity with scores=True, and enough windows"
        if score is not None:
            how = f"by {score.judge}, {score.n} answers, chance {score.chance:.2f}: {score.what}"
        lines.append(SheetLine(name, math.nan if score is None else score.value, 0, how))
    return lines


def _steering(found: Specificity, steering: SteeringScores | None) -> list[SheetLine]:
    if steering is None or found.feature not in steering.feature:
        how = f"{NOT_MEASURED}: it takes steering_scores of this feature"
        return [SheetLine(name, math.nan, 0, how) for name in ("input score", "output score")]
    i = steering.feature.index(found.feature)
    examples = f"over {steering.n_examples[i]} examples" if steering.n_examples[i] else f"{NOT_MEASURED}: no example"
    return [
        SheetLine("input score", steering.input[i], 0, f"Arad et al. 2025, by {steering.lens}, {examples}"),
        SheetLine("output score", steering.output[i], 0, f"Arad et al. 2025, by {steering.lens}"),
    ]


def _named(found: Specificity, name: str) -> FieldScore | None:
    return next((score for score in found.scores if score.name == name and not math.isnan(score.value)), None)
