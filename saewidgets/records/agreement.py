"""How far two judges agree: weighted kappa with its bootstrap interval, and the share of a judge's scores that were
altered.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from saewidgets.files import unknown
from saewidgets.records.shares import Share, share

RESAMPLES = 1000
WEIGHTS = ("quadratic", "linear", "none")


@dataclass(frozen=True)
class Agreement:
    """Of two judges over the passages that both scored."""

    n: int
    kappa: float  # weighted; 1 they always agree, 0 no more than by chance; nan where neither ever varies
    low: float  # of its 95 % interval
    high: float
    weights: str  # "quadratic", "linear" or "none"
    same: Share  # equal scores
    table: tuple[tuple[int, ...], ...]  # [score of the first, score of the second] passages


def agreement(
    first: Sequence[int | None], second: Sequence[int | None], *, weights: str = "quadratic", seed: int = 0
) -> Agreement:
    """Cohen's weighted kappa of two judges' scores (0 to 3), with a bootstrap interval over passages.

        kappa = 1 - sum_ij w_ij O_ij / sum_ij w_ij E_ij

    O is the table of both scores, E what independent judges with the same margins would give, and w_ij = (i - j)^2 for
    "quadratic", |i - j| for "linear", 1 off the diagonal for "none" (Cohen 1960, 1968). Passages that either refused
    are left out. The interval is the 2.5 and 97.5 percentile of 1,000 resamples of passages, drawn by `seed`.

    Raises ValueError on lists of different lengths, or that have no passage in common.

    Example:
        >>> found = agreement([0, 1, 2, 3, 3, 0], [0, 1, 2, 3, 2, 0])
        >>> round(found.kappa, 3), found.same.value == 5 / 6
        (0.941, True)
    """
    if weights not in WEIGHTS:
        raise ValueError(unknown("kind of weights", weights, WEIGHTS))
    if len(first) != len(second):
        raise ValueError(f"the judges scored {len(first)} and {len(second)} passages; give both the same ones")
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    if not pairs:
        raise ValueError("there is no passage that both judges scored")
    cells = np.array([4 * a + b for a, b in pairs])
    table = np.bincount(cells, minlength=16)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(cells), table / len(cells), size=RESAMPLES)  # resampling passages is resampling cells
    kappas = _kappa(drawn, weights)
    told = kappas[np.isfinite(kappas)]
    low, high = np.percentile(told, [2.5, 97.5]) if len(told) else (math.nan, math.nan)
    return Agreement(
        n=len(cells),
        kappa=float(_kappa(table[None], weights)[0]),
        low=float(low),
        high=float(high),
        weights=weights,
        same=share(int(table[::5].sum()), len(cells)),
        table=tuple(tuple(row) for row in table.reshape(4, 4).tolist()),
    )


def _kappa(tables: np.ndarray, weights: str) -> np.ndarray:
    """float64 [table]: of tables [table, 16]; nan where chance alone would agree always."""
    i, j = np.indices((4, 4))
    apart = np.abs(i - j)
    w = {"quadratic": apart**2, "linear": apart, "none": (apart > 0).astype(int)}[weights]
    seen = tables.reshape(-1, 4, 4).astype(float)
    n = seen.sum((1, 2))
    by_chance = seen.sum(2)[:, :, None] * seen.sum(1)[:, None, :] / n[:, None, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        value: np.ndarray = 1 - (w * seen).sum((1, 2)) / (w * by_chance).sum((1, 2))
    return value


def altered(judge: Sequence[int | None], truth: Sequence[int | None]) -> Share:
    """The share of a judge's scores that are not the true ones, with Wilson's interval: how often it was flipped.

    Raises ValueError as `agreement` does.

    Example:
        >>> altered([3, 3, 0, 1], [3, 2, 0, 1]).value
        0.25
    """
    same = agreement(judge, truth).same
    return share(same.n - same.hits, same.n)
