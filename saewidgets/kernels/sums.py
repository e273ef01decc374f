"""Weighted sums of rows of 64-bit words, by which weights are seen to have changed: plain, or compiled where they are
many.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

MANY = 1 << 16  # words from which on the compiled way is worth asking for: 512 KB


def weighted_sums(words: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """int64 [row]: sum over j of words[row * n + j] * weights[j] modulo 2^64, for int64 words [row * n] and weights [n].

    Example:
        >>> weighted_sums(np.array([1, 2, 3, 4]), np.array([10, 1]))
        array([12, 34])
    """
    quick = _compiled() if len(words) >= MANY else None
    found: np.ndarray = plain_sums(words, weights) if quick is None else quick(words, weights)
    return found


def plain_sums(words: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`weighted_sums` by NumPy."""
    found: np.ndarray = np.einsum("ij,j->i", words.reshape(-1, len(weights)), weights)
    return found


@cache
def _compiled() -> Callable[[Any, Any], Any] | None:
    try:
        from saewidgets.kernels import sums_numba
    except ImportError:  # an extra
        return None
    found: Callable[[Any, Any], Any] = sums_numba.weighted_sums
    return found
