"""Losses and divergences of logits, a row after the other while it is in the cache. Needs numba.

The plain version is `logits.plain_compared`.
"""

from __future__ import annotations

import math

import numpy as np

from saewidgets.kernels.attention_numba import largest, short_exp
from saewidgets.kernels.gemv_numba import widened
from saewidgets.kernels.jit_numba import jit

BLOCK = 1024  # numbers that are summed in float32, before these sums are in float64

_jit = jit("contract")
_reordered = jit("contract", "reassoc", "nsz")


@_reordered
def _powers(x):
    """The sum of x [n], which becomes e^x, in place."""
    total = np.float64(0)
    for low in range(0, len(x), BLOCK):
        part = np.float32(0)
        own = x[low : low + BLOCK]
        for j in range(len(own)):
            own[j] = short_exp(own[j])
            part += own[j]
        total += part
    return total


@_reordered
def _dot(x, y):
    """The sum of x y, float32 [n] and what `widened` reads."""
    total = np.float64(0)
    for low in range(0, len(x), BLOCK):
        own, other, part = x[low : low + BLOCK], y[low : low + BLOCK], np.float32(0)
        for j in range(len(own)):
            part += own[j] * widened(other[j])
        total += part
    return total


@_jit
def _shares(to, logits):
    """to [v] = e^(logits [v] - the largest); the logsumexp, and the sum of `to`."""
    for j in range(len(to)):
        to[j] = widened(logits[j])
    most = largest(to)
    for j in range(len(to)):
        to[j] -= most
    total = _powers(to)
    return most + math.log(total), total


@_jit
def compared(first, logits, target, loss, divergence, parted):
    """loss [n] of the logits [n, v] on the targets int64 [n]; where they are `parted` from those that come `first`, the
    KL divergence from those to these [n].
    """
    own = np.empty(logits.shape[1], np.float32)
    for r in range(len(logits)):
        size, _ = _shares(own, logits[r])
        loss[r] = size - widened(logits[r, target[r]])
        if parted:
            from_size, total = _shares(own, first[r])
            divergence[r] = (_dot(own, first[r]) - _dot(own, logits[r])) / total - from_size + size
