"""Linear probes: logistic regressions that read many concepts off the same vectors at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from saewidgets.kernels.logistic import SparseRows, logistic_pass

HESSIAN_ROWS = 2048  # of the rows of largest weight; the rest enter the Hessian as their mean
_STEPS = 60
_TINY = 1e-3  # nats that one more step would save over all rows together, at which a fit is done


def fit_logistic(x: Tensor, y: Tensor, strength: Tensor | float = 1.0) -> tuple[Tensor, Tensor]:
    """(coefficients float32 [d, probe], intercepts float32 [probe]) of L2-penalized logistic regressions.

        w, b = argmin  sum_i (log(1 + exp(s_i)) - y_i s_i) + |w|^2 / 2C,    s_i = x_i . w + b

    The intercept is not penalized: this is what scikit-learn's `LogisticRegression(C=C)` minimizes. The objective is
    convex and has one minimum. Newton's method finds it, with the step halved where it overshoots. Rows whose
    p (1 - p) is small hardly curve it, so the Hessian is taken over the 2,048 heaviest, the others by their mean; this
    changes the path, not the minimum.

    Args:
        x: float32 [row, d]; best of unit variance, since the penalty is the same in all directions.
        y: float32 [row, probe], 0 or 1.
        strength: C, one for all or [probe].
    """
    x, y, weight = _gathered(x, y)
    n, d = x.shape
    ones = torch.ones(n, 1, device=x.device)
    x = torch.cat([x, ones], 1)  # [row, d + 1]
    penalty = torch.zeros(d + 1, y.shape[1], dtype=torch.float64, device=x.device)
    penalty[:d] = 1 / torch.as_tensor(strength, dtype=torch.float64, device=x.device)
    gram = (x * weight[:, None]).T.double() @ x.double() / weight.sum().double()  # mean of x x', float64
    base = ((weight @ y) / weight.sum()).double().clamp(1e-7, 1 - 1e-7)
    w = torch.zeros(d + 1, y.shape[1], dtype=torch.float64, device=x.device)
    w[-1] = torch.logit(base)
    step, size = torch.zeros_like(w), torch.ones_like(base)
    best = torch.full_like(base, torch.inf)
    going = torch.arange(y.shape[1], device=x.device)
    for _ in range(_STEPS):
        trial = w[:, going] + size[going] * step[:, going]
        s = x @ trial.float()  # [row, going]
        own = y[:, going]
        loss = (weight @ (softplus(s) - own * s)).double() + 0.5 * (penalty[:, going] * trial**2).sum(0)
        better = loss <= best[going] * (1 + 1e-7)  # float32 sums are not exact
        size[going] = torch.where(better, torch.ones_like(loss), size[going] / 2)
        took = going[better]
        w[:, took], best[took] = trial[:, better], loss[better]
        p = s[:, better].sigmoid()
        gradient = (x.T @ (weight[:, None] * (p - own[:, better]))).double() + penalty[:, took] * w[:, took]
        curve = weight[:, None] * p * (1 - p)
        done = size[going] < 1e-3
        for i, probe in enumerate(took.tolist()):
            step[:, probe] = -_solve(x, curve[:, i], gram, penalty[:, probe], gradient[:, i])
        decrement = torch.zeros_like(loss)
        decrement[better] = -(gradient * step[:, took]).sum(0) / 2
        near = better & (decrement < _TINY)
        w[:, going[near]] += step[:, going[near]]  # the last step is too small to overshoot
        done |= near
        going = going[~done]
        if not len(going):
            break
    return w[:-1].float(), w[-1].float()


def _solve(x: Tensor, curve: Tensor, gram: Tensor, penalty: Tensor, gradient: Tensor) -> Tensor:
    """H^-1 g, with H = sum_i curve_i x_i x_i' + the penalty, the lighter rows by the mean of all."""
    k = min(HESSIAN_ROWS, len(curve))
    heavy = curve.topk(k, sorted=False)
    rows = x[heavy.indices]
    rest = (curve.sum() - heavy.values.sum()).clamp_min(0).double()
    hessian = (rows.T @ (rows * heavy.values[:, None])).double() + rest * gram + penalty.diag()
    ridge = 1e-9 * hessian.diagonal().mean()
    hessian.diagonal().add_(ridge)
    solved: Tensor = torch.linalg.solve(hessian, gradient)
    return solved


def cross_fitted(x: Tensor, y: Tensor, fold: Tensor, strength: Tensor | float = 1.0) -> Tensor:
    """Log-odds [row, probe] of each row by the probes fitted to the rows of the other fold; fold is bool [row]."""
    out = torch.empty(len(x), y.shape[1], device=x.device)
    for side in (fold, ~fold):
        w, b = fit_logistic(x[~side], y[~side], strength)
        out[side] = x[side] @ w + b
    return out


def _gathered(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(x, y, weight) with the rows of nothing but zeros made one: the fit is the same, and of sparse numbers most rows
    are.
    """
    on = (x != 0).any(1)
    n = (~on).sum()
    if not int(n):
        return x, y, torch.ones(len(x), device=x.device)
    silent = y[~on].mean(0, keepdim=True)
    weight = torch.cat([torch.ones(int(on.sum()), device=x.device), n[None].to(x)])
    return torch.cat([x[on], torch.zeros_like(x[:1])]), torch.cat([y[on], silent]), weight


def fit_nested(x: np.ndarray, y: np.ndarray, ks: Sequence[int], strength: float = 1.0) -> list[np.ndarray]:
    """Of each k, ascending, float64 [k + 1]: the regression of `fit_logistic` on the first k columns of x, the
    intercept last.

    For one probe on few columns that are mostly 0: each row costs its own non-zero numbers, and each k begins where the
    one before ended.

    Args:
        x: [row, column].
        y: [row], 0 or 1.

    Example:
        >>> x = np.array([[1.0, 0.0], [0.0, 0.0], [2.0, 1.0], [0.0, 1.0]])
        >>> [w.round(2).tolist() for w in fit_nested(x, np.array([1, 0, 1, 0]), [1, 2])]
        [[0.92, -0.67], [0.92, -0.08, -0.63]]
    """
    row, column = np.nonzero(x)
    value, y = x[row, column].astype(np.float64), np.asarray(y, np.float64)
    base = np.clip(y.mean(), 1e-7, 1 - 1e-7)
    w = np.array([np.log(base / (1 - base))])
    out = []
    for k in ks:
        own = column < k
        on, start = np.unique(row[own], return_index=True)
        n_off = len(y) - len(on)  # rows of nothing but zeros: one of their weight stands for them all
        target = np.append(y[on], (y.sum() - y[on].sum()) / max(n_off, 1))
        starts = np.append(start, [own.sum()] * 2)
        weight = np.append(np.ones(len(on)), n_off)
        w = np.concatenate([w[:-1], np.zeros(k + 1 - len(w)), w[-1:]])
        w = _minimum(SparseRows(starts, column[own], value[own], target, weight, k), w, strength)
        out.append(w)
    return out


def _minimum(rows: SparseRows, w: np.ndarray, strength: float) -> np.ndarray:
    """Newton's method from w, with the step halved where it overshoots."""
    penalty = np.append(np.full(rows.width, 1 / strength), 0.0)

    def at(w: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        loss, gradient, hessian = logistic_pass(rows, w)
        return loss + 0.5 * penalty @ w**2, gradient + penalty * w, hessian + np.diag(penalty)

    loss, gradient, hessian = at(w)
    for _ in range(_STEPS):
        step = -np.linalg.solve(hessian + 1e-12 * np.trace(hessian) * np.eye(len(w)), gradient)
        if -(gradient @ step) / 2 < _TINY:
            return w + step  # too small to overshoot
        size = 1.0
        trial = at(w + step)
        while trial[0] > loss and size > 1e-3:
            size /= 2
            trial = at(w + size * step)
        if trial[0] > loss:
            return w
        w, (loss, gradient, hessian) = w + size * step, trial
    return w


def nested_aside(x: np.ndarray, y: np.ndarray, fold: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """`cross_fitted` of `fit_nested`: log-odds float64 [k, row] of each row by the probes of the other fold."""
    out = np.empty((len(ks), len(x)))
    for side in (fold, ~fold):
        for i, w in enumerate(fit_nested(x[~side], y[~side], ks)):
            out[i, side] = x[side, : len(w) - 1] @ w[:-1] + w[-1]
    return out
