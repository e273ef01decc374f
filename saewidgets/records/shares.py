"""A share of a number of cases, with Wilson's interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

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
    """The share of `hits` in `n` cases with Wilson's 95 % interval (1927).

    low, high = (p + z^2/2n -+ z sqrt(p(1 - p)/n + z^2/4n^2)) / (1 + z^2/n)

    Raises ValueError unless 0 <= hits <= n.

    Example:
        >>> found = share(8, 10)
        >>> found.value, round(found.low, 3), round(found.high, 3)
        (0.8, 0.49, 0.943)
    """
    if not 0 <= hits <= n:
        raise ValueError(f"{hits} of {n} cases is no share")
    if not n:
        return Share(0, 0, math.nan, math.nan, math.nan)
    p = hits / n
    center = p + Z**2 / (2 * n)
    half = Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    whole = 1 + Z**2 / n
    low = (center - half) / whole if hits else 0.0  # exactly, where rounding would leave 1e-17
    high = (center + half) / whole if hits < n else 1.0
    return Share(hits, n, p, max(low, 0.0), min(high, 1.0))
