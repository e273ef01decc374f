"""Products of a few dozen rows in bfloat16: torch's numbers by the matrix unit where there is one, and only where it is
the quicker way.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from saewidgets.kernels import few


@pytest.fixture(autouse=True)
def untried(monkeypatch):
    monkeypatch.delenv("SAEWIDGETS_PRODUCT", raising=False)
    own = few.most
    own.cache_clear()
    yield
    own.cache_clear()


def tensors(rows, d_in, d_out, bias=True, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x, W, b = (torch.randn(*shape, generator=generator).bfloat16() for shape in ((rows, d_in), (d_out, d_in), (d_out,)))
    return x, W.t(), b if bias else None


def unit(times=None):
    """A matrix unit that torch plays."""

    def many(to, x, W, b):
        found, own, weights = (torch.from_numpy(a.view(np.int16)).view(torch.bfloat16) for a in (to, x, W))
        bias = torch.from_numpy(b.view(np.int16)).view(torch.bfloat16) if len(b) else None
        found[...] = F.linear(own, weights, bias)
        if times is not None:
            times.append(len(own))

    return SimpleNamespace(many=many)


@pytest.mark.parametrize(
    ("rows", "d_in", "d_out", "bias"),
    [(1, 32, 5, True), (16, 64, 16, False), (20, 576, 100, True), (97, 32, 33, False)],
)
def test_the_units_products_are_float64s_rounded_once(rows, d_in, d_out, bias):
    amx = few._amx()
    if amx is None:
        pytest.skip("no matrix unit for bfloat16 here")
    x, W, b = tensors(rows, d_in, d_out, bias)
    found = few._by_unit(amx, x, W, b)
    exact = x.double() @ W.double() + (0 if b is None else b.double())
    assert found.shape == exact.shape and found.dtype == torch.bfloat16
    assert ((found.double() - exact).abs() <= 2.0**-8 * exact.abs() + 1e-4 * d_in**0.5).all()
    assert (found == exact.bfloat16()).float().mean() > 0.98


def test_the_product_is_the_units_up_to_the_rows_at_which_it_was_quicker(monkeypatch):
    asked: list[int] = []
    monkeypatch.setattr(few, "_amx", lambda: unit(asked))
    monkeypatch.setattr(few, "most", lambda threads: 32)
    x, W, b = tensors(33, 64, 48)
    torch.testing.assert_close(few.few_product(x[:32], W, b), F.linear(x[:32], W.t(), b), rtol=0, atol=0)
    assert asked == [32]
    assert few.few_product(x, W, b) is None
    assert few.few_product(x[:8], W.contiguous(), b) is None  # it lies [in, out]
    assert few.few_product(x[:8].float(), W, b) is None
    assert few.few_product(x[:8, :40], W[:40], b) is None  # 40 is no multiple of 32, and the rows have gaps
    assert few.few_product(x[:0], W, b) is None
    assert asked == [32]


def test_what_is_quicker_is_measured_and_an_environment_leaves_all_to_torch(monkeypatch):
    now = iter(range(10_000))
    clock = SimpleNamespace(thread_time=lambda: next(now), perf_counter=lambda: next(now))
    monkeypatch.setattr(few, "time", clock)  # each run takes one tick: level, so the unit may do it
    monkeypatch.setattr(few, "_TRIAL", (1, 32, 32))
    monkeypatch.setattr(few, "_amx", unit)
    assert few.most(1) == few.SIZES[-1]
    few.most.cache_clear()
    slow = iter([n for i in range(4000) for n in (3 * i, 3 * i + 1, 3 * i + 1, 3 * i + 3)])  # torch 1, the unit 2
    clock.thread_time = lambda: next(slow)
    assert few.most(1) == 0
    few.most.cache_clear()
    monkeypatch.setenv("SAEWIDGETS_PRODUCT", "addmm")
    assert few.most(1) == 0
    few.most.cache_clear()
    monkeypatch.delenv("SAEWIDGETS_PRODUCT")
    monkeypatch.setattr(few, "_amx", lambda: None)
    assert few.most(1) == 0
