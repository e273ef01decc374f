"""One pass of a logistic regression over sparse rows. Needs numba.

The plain version is `logistic.plain_pass`.
"""

from __future__ import annotations

import math

import numpy as np

from saewidgets.kernels.jit_numba import jit


@jit("contract")
def sparse_pass(start, column, value, target, weight, w, gradient, hessian):  # type: ignore[no-untyped-def]
    """Add gradient [width + 1] and the lower triangle of the Hessian in place; the loss is returned.

    A row costs its own few numbers, an exponential, and a logarithm where its odds are not far from 0 (else two terms
    of the series are exact to 1e-13).
    """
    width = len(w) - 1
    loss, across, along = 0.0, 0.0, 0.0  # the last two: the intercept's gradient and curvature
    for r in range(len(target)):
        first, stop = np.uint64(start[r]), np.uint64(start[r + 1])  # no index is negative: none is looked at for that
        s = w[width]
        for i in range(first, stop):
            s += value[i] * w[np.uint64(column[i])]
        e = math.exp(-abs(s))
        tail = e - 0.5 * e * e if e < 5e-5 else math.log(1.0 + e)
        loss += weight[r] * (max(s, 0.0) + tail - target[r] * s)
        inverse = 1.0 / (1.0 + e)
        p = inverse if s >= 0 else e * inverse
        slope = weight[r] * (p - target[r])
        curve = weight[r] * e * inverse * inverse
        across += slope
        along += curve
        for i in range(first, stop):
            at = np.uint64(column[i])
            gradient[at] += slope * value[i]
            bent = curve * value[i]
            hessian[width, at] += bent
            for j in range(first, i + np.uint64(1)):  # columns ascend within a row
                hessian[at, np.uint64(column[j])] += bent * value[j]
    gradient[width] += across
    hessian[width, width] += along
    return loss
