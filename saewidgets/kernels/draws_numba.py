"""Which token comes next, for a batch of rows. Needs numba. The plain version is in `models.sampling`."""

from __future__ import annotations

import numpy as np

from saewidgets.kernels.jit_numba import jit

BLOCK = 512  # numbers that are compared before it is known where the largest was

_jit = jit()


@_jit
def drawn(logits, temperature, noise, place):
    """int64 [row]: argmax(logits / temperature + noise), the first of equals; logits float32 [row, v], noise float64 [own,
    v], of which a row has that at its `place`, int64 [row].

    Numbers are compared as whole numbers of the same order, several at a time; one that is nan counts as the largest or
    smallest of all.
    """
    rows, v = logits.shape
    found = np.zeros(rows, np.int64)
    total = np.empty(BLOCK, np.float64)
    keys = total.view(np.int64)
    sign, least = np.int64(63), np.int64(0x7FFFFFFFFFFFFFFF)
    for r in range(rows):
        own, added, best, where = logits[r], noise[place[r]], -least, 0
        for low in range(0, v, BLOCK):
            some, more = own[low : low + BLOCK], added[low : low + BLOCK]
            n = len(some)
            for j in range(n):
                total[j] = np.float64(some[j]) / temperature + more[j]
            most = -least
            for j in range(n):
                most = max(most, keys[j] ^ ((keys[j] >> sign) & least))
            if most > best:
                best, where = most, low
        some, more = own[where : where + BLOCK], added[where : where + BLOCK]
        for j in range(len(some)):
            total[j] = np.float64(some[j]) / temperature + more[j]
            if keys[j] ^ ((keys[j] >> sign) & least) == best:
                found[r] = where + j
                break
    return found
