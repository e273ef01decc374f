"""Products of a few rows with weights that lie [out, in]: float64's numbers, each row alone to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")
from saewidgets.kernels import gemv_numba as kernels


def array(t: torch.Tensor) -> np.ndarray:
    """bfloat16 as uint16, float32 as it is."""
    return t.view(torch.int16).numpy().view(np.uint16) if t.dtype == torch.bfloat16 else t.numpy()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    rows=st.integers(1, 9),
    d_in=st.sampled_from([1, 31, 32, 33, 64, 200]),
    d_out=st.sampled_from([1, 3, 4, 15, 16, 17, 45]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    bias=st.booleans(),
    seed=st.integers(0, 9),
)
def test_a_product_is_float64s_and_each_row_its_own(rows, d_in, d_out, dtype, bias, seed):
    generator = torch.Generator().manual_seed(seed)
    x, W, b = (
        torch.randn(*shape, generator=generator).to(dtype) for shape in ((rows, d_in), (d_out + 2, d_in), (d_out,))
    )
    W = W[1:-1]  # some rows of a larger matrix
    b = b if bias else b[:0]
    found = kernels.product(x.float().numpy(), array(W), array(b))
    exact = x.double() @ W.double().T + (b.double() if bias else 0)
    ulp = 2.0**-8 if dtype == torch.bfloat16 else 2.0**-22
    size = (x.double().abs() @ W.double().abs().T).numpy() + 1
    assert (np.abs(found - exact.numpy()) <= ulp * np.abs(exact.numpy()) + 2e-6 * size).all()
    if dtype == torch.bfloat16:
        assert torch.equal(torch.from_numpy(found).bfloat16().float(), torch.from_numpy(found))
    for r in range(rows):
        assert np.array_equal(kernels.product(x[r : r + 1].float().numpy(), array(W), array(b))[0], found[r])


def test_rounding_is_torchs():
    halves = torch.arange(0, 2**32, 2**13 + 1, dtype=torch.int64).to(torch.int32).view(torch.float32)
    ties = torch.tensor(
        [0x3F808000, 0x3F818000, 0x3F808001, 0x3F807FFF, 0x7F7FFFFF, 0x7F800000, -0x800000], dtype=torch.int32
    )
    x = torch.cat([halves[torch.isfinite(halves)], ties.view(torch.float32), torch.tensor([0.0, -0.0, 1e-40])])
    found = np.array([kernels.rounded(v) for v in x.numpy()], np.float32)
    assert np.array_equal(found, x.bfloat16().float().numpy())
    assert np.isnan(kernels.rounded(np.float32(np.nan)))
