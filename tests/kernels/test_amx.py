"""Products in bfloat16 by the processor's matrix unit, where there is one: float64's numbers, rounded once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("numba")
from saewidgets.kernels import amx_numba


@pytest.mark.parametrize(
    ("rows", "d_in", "d_out", "bias"),
    [(1, 32, 5, True), (16, 64, 16, False), (20, 576, 200, True), (97, 32, 33, False)],
)
def test_the_units_products_are_float64s_rounded_once(rows, d_in, d_out, bias):
    if not amx_numba.available():
        pytest.skip("no matrix unit for bfloat16 here")
    generator = torch.Generator().manual_seed(rows)
    x, W, b = (torch.randn(*shape, generator=generator).bfloat16() for shape in ((rows, d_in), (d_out, d_in), (d_out,)))
    b = b if bias else b[:0]
    weights, biases = (t.view(torch.int16).numpy().view(np.uint16) for t in (W, b))
    found = torch.from_numpy(amx_numba.product(x.float().numpy(), weights, biases))
    exact = x.double() @ W.double().T + (b.double() if bias else 0)
    assert ((found.double() - exact).abs() <= 2.0**-8 * exact.abs() + 1e-5 * d_in**0.5).all()
    assert (found == exact.bfloat16().float()).float().mean() > 0.98


def test_the_unit_is_left_alone_where_numba_compiles_for_another_processor(monkeypatch):
    """LLVM ends the whole process at an instruction that the processor it was told to compile for does not have."""
    monkeypatch.setattr(amx_numba.config, "CPU_NAME", "haswell")
    assert not amx_numba.available.__wrapped__()


@pytest.mark.parametrize(
    ("rows", "d_in", "d_out", "bias"), [(1, 32, 5, True), (64, 576, 49, True), (97, 64, 300, False)]
)
def test_many_rows_give_what_few_give_to_the_last_bit(rows, d_in, d_out, bias):
    if not amx_numba.available():
        pytest.skip("no matrix unit for bfloat16 here")
    from saewidgets.kernels import amx_rows_numba

    generator = torch.Generator().manual_seed(rows)
    x, W, b = (torch.randn(*shape, generator=generator).bfloat16() for shape in ((rows, d_in), (d_out, d_in), (d_out,)))
    weights, biases = (t.view(torch.int16).numpy().view(np.uint16) for t in (W, b if bias else b[:0]))
    found = amx_rows_numba.multiplied(amx_rows_numba.halves(x.float().numpy()), rows, weights, biases)
    assert np.array_equal(found, amx_numba.product(x.float().numpy(), weights, biases))
    assert np.array_equal(
        amx_rows_numba.halved_product(x.float().numpy(), weights, biases), found.view(np.uint32) >> 16
    )
