"""Loss, gradient and curvature of one logistic regression over sparse rows: plain, or in one compiled pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class SparseRows:
    """Rows of few non-zero numbers, those of row r at `start[r]:start[r + 1]`, each with a target and a weight."""

    start: np.ndarray  # int64 [row + 1]
    column: np.ndarray  # int64 [nnz]
    value: np.ndarray  # float64 [nnz]
    target: np.ndarray  # float64 [row], 0 to 1
    weight: np.ndarray  # float64 [row]: a row stands for so many
    width: int  # columns


def logistic_pass(rows: SparseRows, w: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """(loss, its gradient float64 [width + 1], its Hessian float64 [width + 1, width + 1]) at w, the last the intercept.

        loss = sum_r weight_r (log(1 + exp(s_r)) - target_r s_r),    s_r = x_r . w[:-1] + w[-1]

    Example:
        >>> two = SparseRows(np.array([0, 1, 1]), np.array([0]), np.array([2.0]), np.array([1.0, 0.0]), np.ones(2), 1)
        >>> loss, gradient, _ = logistic_pass(two, np.zeros(2))
        >>> round(loss, 4), gradient.tolist()  # 2 log 2; half of one row's 2 below
        (1.3863, [-1.0, 0.0])
    """
    quick = _compiled()
    if quick is None:
        return plain_pass(rows, w)
    gradient, hessian = np.zeros(rows.width + 1), np.zeros((rows.width + 1, rows.width + 1))
    loss = quick(rows.start, rows.column, rows.value, rows.target, rows.weight, w, gradient, hessian)
    return float(loss), gradient, np.tril(hessian) + np.tril(hessian, -1).T


def plain_pass(rows: SparseRows, w: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """`logistic_pass` by NumPy."""
    x = np.zeros((len(rows.target), rows.width + 1))
    x[np.repeat(np.arange(len(x)), np.diff(rows.start)), rows.column] = rows.value
    x[:, -1] = 1
    s = x @ w
    p = np.exp(-np.logaddexp(0, -s))
    loss = rows.weight @ (np.logaddexp(0, s) - rows.target * s)
    curve = rows.weight * p * (1 - p)
    return float(loss), x.T @ (rows.weight * (p - rows.target)), (x * curve[:, None]).T @ x


@cache
def _compiled() -> Callable[..., Any] | None:
    try:
        from saewidgets.kernels import logistic_numba
    except ImportError:  # an extra
        return None
    found: Callable[..., Any] = logistic_numba.sparse_pass
    return found
