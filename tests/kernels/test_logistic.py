"""One pass of a logistic regression over sparse rows: by autograd, plainly and compiled."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from saewidgets.kernels import logistic


def rows_of(x, target, weight):
    row, column = np.nonzero(x)
    start = np.searchsorted(row, np.arange(len(x) + 1))
    return logistic.SparseRows(start, column, x[row, column], target, weight, x.shape[1])


@pytest.mark.parametrize("compiled", [False, True])
def test_loss_gradient_and_curvature_are_autograds(monkeypatch, compiled):
    if compiled:
        pytest.importorskip("numba")
        monkeypatch.setattr(logistic, "plain_pass", None)  # by no other way
    else:
        monkeypatch.setattr(logistic, "_compiled", lambda: None)
    dice = np.random.default_rng(2)
    x = dice.standard_normal((40, 5)) * (dice.random((40, 5)) < 0.4)
    target, weight = dice.random(40), dice.integers(1, 9, 40).astype(float)
    for scale in (0.3, 30.0):  # odds of a few, and so large that a naive exponential overflows
        w = dice.standard_normal(6) * scale
        loss, gradient, hessian = logistic.logistic_pass(rows_of(x, target, weight), w)

        def exact(w):
            s = torch.tensor(x) @ w[:-1] + w[-1]
            each = torch.nn.functional.softplus(s, threshold=1e9) - torch.tensor(target) * s
            return (torch.tensor(weight) * each).sum()

        at = torch.tensor(w, requires_grad=True)
        assert loss == pytest.approx(exact(at).item(), rel=1e-10)
        assert gradient == pytest.approx(torch.autograd.grad(exact(at), at)[0].numpy(), abs=1e-8)
        assert hessian == pytest.approx(torch.autograd.functional.hessian(exact, at).detach().numpy(), abs=1e-8)
