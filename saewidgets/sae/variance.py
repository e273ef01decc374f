"""The fraction of variance unexplained, and where there is none to explain."""

from __future__ import annotations

import math

ROUNDING = 1e-11  # of the squared mean: what is left of a variance of equal float32 vectors about their rounded mean


def unexplained(squared_error: float, variance: float, squared_mean: float) -> float:
    """FVU = sum |x - x_hat|^2 / sum |x - m|^2 over n vectors x with the mean m; nan where they do not vary.

    Vectors that are all the same differ from their own mean by rounding, and any error over that is a huge number
    without a meaning: a variance of less than 1e-11 of n |m|^2 counts as none.

    Args:
        squared_error: sum |x - x_hat|^2.
        variance: sum |x - m|^2.
        squared_mean: n |m|^2.

    Example:
        >>> unexplained(2.0, 8.0, 100.0), unexplained(2.0, 1e-12, 100.0)
        (0.25, nan)
    """
    return squared_error / variance if variance > ROUNDING * squared_mean else math.nan
