"""Weighted sums of rows of words, at the pace at which the memory gives them. Needs numba.

The plain version is `sums.plain_sums`.
"""

from __future__ import annotations

import numpy as np

from saewidgets.kernels.jit_numba import jit


@jit()
def weighted_sums(words, weights):  # type: ignore[no-untyped-def]
    """int64 [row]: sum over j of words[row * n + j] * weights[j] modulo 2^64, n = len(weights).

    Four streams are read at once, a quarter of the memory apart: one alone waits for the memory half of the time.
    """
    n = len(weights)
    rows = len(words) // n
    found = np.empty(rows, np.int64)
    quarter = rows // 4
    for r in range(quarter):
        a, b, c, d = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
        for j in range(n):
            w = weights[j]
            a += words[r * n + j] * w
            b += words[(quarter + r) * n + j] * w
            c += words[(2 * quarter + r) * n + j] * w
            d += words[(3 * quarter + r) * n + j] * w
        found[r], found[quarter + r], found[2 * quarter + r], found[3 * quarter + r] = a, b, c, d
    for r in range(4 * quarter, rows):
        a = np.int64(0)
        for j in range(n):
            a += words[r * n + j] * weights[j]
        found[r] = a
    return found
