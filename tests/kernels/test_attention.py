"""Compiled attention over a cache: torch's numbers, and each token's the same to the last bit whatever else is asked."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("numba")
from saewidgets.decoder.attention import Seen, attended
from saewidgets.kernels import attention_numba as kernels

D_HEAD = 72  # two tiles of 32 inputs, and eight more


def array(t: torch.Tensor) -> np.ndarray:
    """bfloat16 as uint16, float32 as it is."""
    return t.view(torch.int16).numpy().view(np.uint16) if t.dtype == torch.bfloat16 else t.numpy()


def drawn(rows: int, total: int, kv: int, heads: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Queries [row, pos, head, d_head] of all tokens, and a cache [row, pos, 2, kv_head, d_head]."""
    generator = torch.Generator().manual_seed(total)
    queries = torch.randn(rows, total, heads, D_HEAD, generator=generator).to(dtype)
    return queries, torch.randn(rows, total, 2, kv, D_HEAD, generator=generator).to(dtype)


def compiled(q: torch.Tensor, cache: torch.Tensor, n: int, window: int, cap: float) -> torch.Tensor:
    """What the last tokens, whose queries q are, gather; n tokens were read at once."""
    rows, kept, heads, d_head = q.shape
    flat = q.float().reshape(rows * kept, heads * d_head).numpy()
    start, scale = cache.shape[1] - n, np.float32(d_head**-0.5)
    found = kernels.gathered(flat, array(cache), start, n, kept, window, scale, np.float32(cap))
    return torch.from_numpy(found).view(rows, kept, heads * d_head)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize(("kv", "heads", "window", "cap"), [(1, 3, 0, 0.0), (2, 2, 0, 2.0), (2, 8, 5, 0.0)])
def test_what_tokens_gather_is_torchs_and_each_ones_own(dtype, kv, heads, window, cap):
    total = 23
    q, cache = drawn(2, total, kv, heads, dtype)
    seen = Seen(total, total, window or None)
    expected = attended(q, cache[:, :, 0], cache[:, :, 1], seen, D_HEAD**-0.5, cap or None, stepwise=True).float()
    whole = compiled(q, cache, total, window, cap)
    off = (whole - expected).abs().max() / expected.abs().max()
    assert off < (2e-6 if dtype == torch.float32 else 0.01)
    if dtype == torch.bfloat16:
        assert (whole == expected).float().mean() > 0.8
    for t in (0, 1, 6, 22):  # one at a time
        alone = compiled(q[1:, t : t + 1], cache[1:, : t + 1], 1, window, cap)
        assert torch.equal(alone[0, 0], whole[1, t])
    last = compiled(q[:, -3:], cache, 9, window, cap)
    assert torch.equal(last, whole[:, -3:])


def test_the_largest_of_numbers_is_found_among_infinities_and_nan_stays():
    for numbers in ([-3.0, 2.0, -1.0], [-3.0, -0.5, -np.inf], [-np.inf, -np.inf], [1.0, np.inf]):
        assert kernels.largest(np.array(numbers, np.float32)) == max(numbers)
    assert np.isnan(kernels.largest(np.array([1.0, np.nan, 2.0], np.float32)))


def test_the_short_exponential_is_float64s():
    y = np.linspace(-87, 88, 5001).astype(np.float32)
    found = np.array([kernels.short_exp(one) for one in y])
    assert np.abs(found / np.exp(y.astype(np.float64)) - 1).max() < 5e-7
    assert np.isnan(kernels.short_exp(np.float32(np.nan))) and kernels.short_exp(np.float32(-np.inf)) < 1e-37
