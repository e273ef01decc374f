"""Spearman's rank correlation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd


def centered_ranks(x: Sequence[float] | np.ndarray) -> np.ndarray:
    """float64 [n]: the ranks less their mean; equal values share theirs.

    Example:
        >>> centered_ranks([5.0, 1.0, 5.0]).tolist()
        [0.5, -1.0, 0.5]
    """
    ranks = pd.Series(x, dtype=float).rank().to_numpy()
    value: np.ndarray = ranks - ranks.mean() if len(ranks) else ranks
    return value


def spearman(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> float:
    """Pearson's correlation of the ranks; nan for fewer than two values, or where all of one side are equal.

    Example:
        >>> spearman([1, 2, 3], [1, 3, 2])
        0.5
    """
    a, b = centered_ranks(x), centered_ranks(y)
    length = math.sqrt(float((a @ a) * (b @ b)))
    return float(a @ b) / length if len(a) > 1 and length > 0 else math.nan
