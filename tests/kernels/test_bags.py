"""Sums over bags, and the selection that a GPU uses: the plain versions here, Triton's kernels in its interpreter."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets.kernels import bags, selection
from saewidgets.kernels.bags import bag_dots, bag_sum, starts_of

ROOT = Path(__file__).parents[2]


def test_bags_by_hand():
    matrix = torch.tensor([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
    start, row = torch.tensor([0, 2, 2, 3]), torch.tensor([0, 0, 2])
    index, weight = torch.tensor([2, 0, 1]), torch.tensor([1.0, 5.0, -1.0])
    assert bag_sum(start, index, weight, matrix).tolist() == [[8.0, 80.0], [0.0, 0.0], [-2.0, -20.0]]
    left = torch.tensor([[1.0, 0.0], [9.0, 9.0], [0.0, 2.0]])
    assert bag_dots(left, start, row, index, matrix).tolist() == [3.0, 1.0, 40.0]


def test_bags_without_an_entry():
    start, none = torch.zeros(4, dtype=torch.int64), torch.zeros(0, dtype=torch.int64)
    assert bag_sum(start, none, torch.zeros(0), torch.ones(2, 5)).tolist() == [[0.0] * 5] * 3
    assert bag_dots(torch.ones(3, 5), start, none, none, torch.ones(2, 5)).shape == (0,)
    assert starts_of(none, 3).tolist() == [0, 0, 0, 0]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 1000), n=st.integers(8, 300), k=st.integers(1, 8), levels=st.sampled_from([0, 2, 7]),
    half=st.booleans(),
)  # fmt: skip
def test_the_k_largest_by_groups_are_those_of_a_sort(seed, n, k, levels, half):
    """levels: 0 draws real numbers; otherwise that many different ones, so that there are ties everywhere."""
    g = torch.Generator().manual_seed(seed)
    pre = torch.randn(3, n, generator=g) if not levels else torch.randint(levels, (3, n), generator=g).float() - 1
    pre = pre.bfloat16() if half else pre
    values, indices = selection.grouped_top_k(pre, k)
    assert torch.equal(values.sort(descending=True).values, pre.sort(descending=True).values[:, :k])
    assert torch.equal(pre.gather(-1, indices), values)
    assert all(len(set(row)) == k for row in indices.tolist())


def test_a_nan_is_among_the_largest():
    pre = torch.zeros(2, 100)
    pre[1, 37] = torch.nan
    values, indices = selection.grouped_top_k(pre, 3)
    assert values[1].isnan().sum() == 1 and 37 in indices[1].tolist() and not values[0].isnan().any()


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 1000), n=st.integers(1, 60), shift=st.floats(-2, 2), hint=st.sampled_from([None, 0.3, 5.0]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float64]), levels=st.booleans(),
)  # fmt: skip
def test_the_n_largest_of_all_are_those_of_a_sort(seed, n, shift, hint, dtype, levels):
    pre = torch.randn(5, 12, generator=torch.Generator().manual_seed(seed)) + shift
    pre = (pre.round() if levels else pre).to(dtype)
    least = pre.flatten().sort(descending=True).values[n - 1].clamp(min=0)
    given = None if hint is None else torch.tensor(hint)
    places, cut = selection.batch_largest(pre, n, given)
    assert float(cut) == float(least) == float(selection.nth_by_bits(pre, n))
    flat = pre.flatten()
    assert torch.equal(places, ((flat >= least) & (flat > 0)).nonzero()[:, 0])
    expected = flat.clamp(min=0).to(cut.dtype).sort(descending=True).values[:n]
    assert torch.equal(selection.largest_values(pre, n), expected)


@pytest.mark.parametrize("sign", [1.0, -1.0])  # a processor's own nan has its sign bit set
def test_a_nan_makes_the_cut_one(sign):
    pre = torch.tensor([[1.0, 2.0, sign * float("nan")]])
    assert selection.nth_by_bits(pre, 2).isnan()
    assert selection.batch_largest(pre, 1, torch.tensor(0.5))[1].isnan()


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
def test_tritons_kernels_are_the_plain_versions_in_its_interpreter():
    """In a process of its own: triton asks the environment when it is imported."""
    code = "from saewidgets.kernels import bags, bags_triton; print(bags.difference(bags_triton, 'cpu'))"
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout) < 1e-5


def test_a_way_that_gives_other_numbers_is_not_used(monkeypatch):
    class Wrong:
        @staticmethod
        def bag_sum(*given):
            return bags.plain_bag_sum(*given) + 1

        @staticmethod
        def bag_dots(left, row, index, matrix):
            return (left[row] * matrix[index]).sum(-1)

    monkeypatch.setitem(sys.modules, "saewidgets.kernels.bags_triton", Wrong)
    monkeypatch.setattr("saewidgets.kernels.bags_triton", Wrong, raising=False)
    bags.quick_on.cache_clear()
    with pytest.warns(UserWarning, match="torch's own take their place: other numbers"):
        assert bags.quick_on("cpu") is None
    monkeypatch.setattr(Wrong, "bag_sum", staticmethod(bags.plain_bag_sum))
    bags.quick_on.cache_clear()
    assert bags.quick_on("cpu") is Wrong
    monkeypatch.setenv("SAEWIDGETS_BAGS", "cuda")
    bags.quick_on.cache_clear()
    with pytest.raises(ValueError, match="'cuda'; it can be triton or torch"):
        bags.quick_on("cpu")
    monkeypatch.undo()
    bags.quick_on.cache_clear()
