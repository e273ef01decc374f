"""Losses and divergences of logits: float64's, in every number format, compiled or not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from saewidgets.kernels import logits as kernels


def sets(dtype: torch.dtype) -> tuple[list[torch.Tensor], torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    first = 4 * torch.randn(7, 2500, generator=generator)
    near = first + 0.1 * torch.randn(7, 2500, generator=generator)
    far = 9 * torch.randn(7, 2500, generator=generator) - 200  # e^-200 is no float32
    return [t.to(dtype) for t in (first, near, far)], torch.randint(0, 2500, (7,), generator=generator)


@pytest.mark.parametrize("way", [kernels.compared, kernels.plain_compared])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_losses_and_divergences_are_float64s(way, dtype):
    logits, target = sets(dtype)
    loss, divergence = way(logits, target)
    logs = [own.double().log_softmax(-1) for own in logits]
    for i, log in enumerate(logs):
        exact = -log[torch.arange(7), target].numpy()
        apart = (logs[0].exp() * (logs[0] - log)).sum(-1).numpy()
        assert np.abs(loss[i] - exact).max() < 5e-4  # float32 of numbers about 200
        assert np.abs(divergence[i] - apart).max() < 5e-4
    assert divergence[1].max() < 0.01 < divergence[2].min()  # the sets do differ


def test_logits_that_are_not_finite_give_no_number():
    logits, target = sets(torch.bfloat16)
    logits[1][3, 5] = torch.nan
    loss, divergence = kernels.compared(logits, target)
    assert np.isnan(loss[1, 3]) and np.isnan(divergence[1, 3])
    assert np.isfinite(np.delete(loss, 3, 1)).all() and np.isfinite(np.delete(divergence, 3, 1)).all()
