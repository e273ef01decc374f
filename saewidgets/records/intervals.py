"""Intervals of shares."""

from __future__ import annotations

import numpy as np

Z = 1.959963984540054  # of a normal distribution, 95 % between -Z and Z


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
        whole = 1 + Z**2 / n
        center = (p + Z**2 / (2 * n)) / whole
        half = Z * np.sqrt(p * (1 - p) / n + Z**2 / (4.0 * n**2)) / whole
        return np.maximum(center - half, 0.0), np.minimum(center + half, 1.0)
