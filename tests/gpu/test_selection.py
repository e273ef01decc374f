"""Which activations are on, chosen on the device."""

from __future__ import annotations

import pytest
import torch

from saewidgets.kernels import bags, selection


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("n", [1500, 4096])
def test_the_k_largest_of_long_rows(n, dtype, device):
    pre = torch.randn(7, n, generator=torch.Generator().manual_seed(n)).to(dtype)
    values, indices = selection.top_k(pre.to(device), 20)
    expected = pre.topk(20).values
    assert torch.equal(values.to("cpu").sort(descending=True).values, expected)
    assert torch.equal(pre.gather(-1, indices.to("cpu")).sort(descending=True).values, expected)


def test_the_largest_of_all_without_a_hint_and_with_one(device):
    pre = torch.randn(9, 300, generator=torch.Generator().manual_seed(2))
    cut = pre.flatten().sort(descending=True).values[99]
    for hint in (None, cut * 0.7, cut * 2):
        places, found = selection.batch_largest(pre.to(device), 100, None if hint is None else hint.to(device))
        assert float(found) == float(cut)
        assert torch.equal(places.to("cpu"), (pre.flatten() >= cut).nonzero()[:, 0])


def test_tritons_kernels_are_torchs(device):
    if device.type != "cuda":
        pytest.skip("triton's kernels are for CUDA; tests/kernels runs them in its interpreter")
    triton = pytest.importorskip("saewidgets.kernels.bags_triton", reason="triton is not installed")
    assert bags.difference(triton, "cuda") < 1e-4
    assert bags.quick_on("cuda") is triton
