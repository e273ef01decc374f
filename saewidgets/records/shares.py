"""Shares of a number of cases, with Wilson's interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

Z = 1.959963984540054  # of a 95 % interval


@dataclass(frozen=True)
class Share:
    """`hits` of `n` cases: `value`, and the ends of its 95 % interval; nan where there is no case."""

    hits: int
    n: int
    value: float
    low: float
    high: float


def share(hits: int, n: int) -> Share:
    """The share of `hits` in `n` cases with Wilson's 95 % interval, see `wilson_bounds`.

    Raises ValueError unless 0 <= hits <= n.

    Example:
        >>> found = share(8, 10)
        >>> found.value, round(found.low, 3), round(found.high, 3)
        (0.8, 0.49, 0.943)
    """
    if not 0 <= hits <= n:
        raise ValueError(f"{hits} of {n} cases is no share")
    low, high = wilson_bounds(np.array(hits), np.array(n))
    return Share(hits, n, hits / n if n else math.nan, float(low), float(high))


def wilson_bounds(hits: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(low, high) of Wilson's 95 % interval (1927) of the shares hits / n, nan where n is 0.

        low, high = (p + z^2/2n -+ z sqrt(p(1 - p)/n + z^2/4n^2)) / (1 + z^2/n)

    Example:
        >>> low, high = wilson_bounds(np.array([8]), np.array([10]))
        >>> round(float(low[0]), 3), round(float(high[0]), 3)
        (0.49, 0.943)
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.asarray(hits, np.float64) / n
        center = p + Z**2 / (2 * n)
        half = Z * np.sqrt(p * (1 - p) / n + Z**2 / (4.0 * n**2))
        whole = 1 + Z**2 / n
        # at 0 and 1 exactly, where rounding would leave 1e-17
        low = np.where(p == 0, 0.0, (center - half) / whole)
        high = np.where(p == 1, 1.0, (center + half) / whole)
    return np.maximum(low, 0.0), np.minimum(high, 1.0)
