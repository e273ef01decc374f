"""The compiled draw of next tokens: torch's argmax of logits and noise, number for number."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("numba")
from saewidgets.kernels.draws_numba import drawn


@pytest.mark.parametrize("d_vocab", [1, 511, 512, 1300])
def test_what_is_drawn_is_the_argmax_of_the_row_and_the_noise_at_its_place(d_vocab):
    generator = torch.Generator().manual_seed(d_vocab)
    logits = 3 * torch.randn(40, d_vocab, generator=generator) - 5
    logits[:, 1:][torch.rand(40, d_vocab - 1, generator=generator) < 0.3] = -torch.inf  # ruled out
    noise = -torch.rand(3, d_vocab, generator=generator, dtype=torch.float64).log_().neg_().log_()
    place = torch.randint(0, 3, (40,), generator=generator)
    found = drawn(logits.numpy(), 0.7, noise.numpy(), place.numpy())
    assert np.array_equal(found, (logits.double() / 0.7 + noise[place]).argmax(-1).numpy())
    assert d_vocab == 1 or len(set(found.tolist())) > 10


def test_of_equal_ones_the_first_is_drawn_and_nan_ends_nothing():
    logits = torch.full((2, 1100), -2.0)
    logits[0, [700, 1050]] = 1.0
    logits[1, 3] = torch.nan
    found = drawn(logits.numpy(), 1.0, np.zeros((1, 1100)), np.zeros(2, np.int64))
    assert found[0] == 700 and 0 <= found[1] < 1100
