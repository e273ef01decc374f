"""The compiled training step: exact selection, the same loss and gradients as the plain versions, whatever the way it
is cut.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets.kernels import numba_sparse, product, sparse
from saewidgets.kernels import relu as relu_kernel
from saewidgets.kernels.relu import FastReLU, relu_l1
from saewidgets.kernels.sparse import above, kept
from saewidgets.kernels.topk import AuxK, FastTopK, topk_loss

pytest.importorskip("numba")
from saewidgets.kernels import sparse_cpu, sparse_numba
from saewidgets.kernels.sparse_cpu import SparseCPU

ROOT = Path(__file__).parents[2]


def problem(seed=0, batch=40, d_in=6, d_sae=50, d_out=None, scale=1.0):
    """(x, y, (W_enc, b_enc, W_dec, b_dec)), float32."""
    g = torch.Generator().manual_seed(seed)
    d_out = d_in if d_out is None else d_out
    weights = tuple(torch.randn(*s, generator=g) for s in ((d_in, d_sae), (d_sae,), (d_sae, d_out), (d_out,)))
    x = scale * torch.randn(batch, d_in, generator=g)
    return x, (x if d_out == d_in else torch.randn(batch, d_out, generator=g)), weights


def by_autograd(loss, weights):
    """(loss, gradients) of loss(weights) in float64."""
    leaves = tuple(w.double().requires_grad_() for w in weights)
    value = loss(leaves)
    return float(value.detach()), torch.autograd.grad(value, leaves)


def close(found, expected, tolerance=1e-4):
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        assert float((a.double() - b).abs().max()) <= tolerance * max(1.0, float(b.abs().max()))


@pytest.fixture
def small_pieces(monkeypatch):
    """Seven rows at a time, so that a batch takes several pieces and the last is short."""
    monkeypatch.setattr(sparse_cpu, "PIECE", 1)
    monkeypatch.setattr(sparse_cpu, "LEAST_ROWS", 7)
    monkeypatch.setattr(relu_kernel, "PIECE", 1)


# -- selection -------------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000), rows=st.integers(1, 4), d=st.integers(1, 700), share=st.floats(0, 1),
    levels=st.sampled_from([0, 1, 2, 5, 40]),
)  # fmt: skip
def test_the_k_largest_are_those_of_a_stable_sort(seed, rows, d, share, levels):
    """levels: 0 draws real numbers; otherwise that many different ones, so that there are ties everywhere."""
    rng = np.random.default_rng(seed)
    pre = rng.standard_normal((rows, d)) if not levels else rng.integers(0, levels, (rows, d)) - levels // 2
    pre = np.ascontiguousarray(pre, np.float32)
    k = 1 + int(share * (d - 1))
    feature, value = np.full((rows + 1, k), -7), np.full((rows + 1, k), -7, np.float32)
    sparse_numba.top_k_rows(pre, k, 1, feature, value)
    assert (feature[0] == -7).all()
    for b in range(rows):
        expected = np.sort(np.argsort(-pre[b], kind="stable")[:k])  # among equal ones the first
        order = np.argsort(feature[b + 1])
        assert (feature[b + 1][order] == expected).all()
        assert (value[b + 1][order] == np.maximum(pre[b][expected], 0)).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [0, 17, 299])
def test_a_row_that_is_not_finite_says_so_and_no_other_does(bad, at):
    pre = np.random.default_rng(0).standard_normal((3, 300)).astype(np.float32)
    pre[1, at] = bad
    feature, value = np.zeros((3, 5), np.int64), np.zeros((3, 5), np.float32)
    sparse_numba.top_k_rows(pre, 5, 0, feature, value)
    assert np.isnan(value[1]).all() and np.isfinite(value[[0, 2]]).all()
    room = np.zeros(1000, np.int64), np.zeros(1000, np.float32)
    ends = np.zeros(3, np.int64), np.zeros(3, np.int64)
    assert sparse_numba.rows_above(pre, np.float32(0.5), 0, 0, *ends, *room) == -1


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 999), d=st.integers(1, 70), bound=st.floats(-1, 2, width=32), cut=st.floats(0, 2, width=32))
def test_what_reaches_a_bound_comes_by_row_and_feature(seed, d, bound, cut):
    pre = np.random.default_rng(seed).standard_normal((5, d)).astype(np.float32)
    start, stop = np.zeros(5, np.int64), np.zeros(5, np.int64)
    feature, value = np.zeros(5 * d + 1, np.int64), np.zeros(5 * d + 1, np.float32)
    n = sparse_numba.rows_above(pre, np.float32(bound), 0, 0, start, stop, feature, value)
    for reached in (bound, max(bound, cut)):
        row, column = np.nonzero((pre >= reached) & (pre > 0))
        assert n == len(row) and (feature[:n] == column).all() and (value[:n] == pre[row, column]).all()
        assert (np.repeat(np.arange(5), stop - start) == row).all()
        n = sparse_numba.keep_above(np.float32(max(bound, cut)), start, stop, feature, value)


# -- TopK ------------------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 1000), batch=st.integers(1, 30), d_in=st.integers(1, 20), d_sae=st.integers(1, 60),
    share=st.floats(0, 1), n_dead=st.integers(0, 20), k_aux=st.integers(1, 9), cuts=st.sets(st.integers(1, 59), max_size=3),
    dense=st.booleans(),
)  # fmt: skip
def test_loops_and_bags_are_the_definition(seed, batch, d_in, d_sae, share, n_dead, k_aux, cuts, dense):
    x, _, weights = problem(seed, batch, d_in, d_sae)
    k = 1 + int(share * (d_sae - 1))
    prefixes = (*sorted(c for c in cuts if c < d_sae), d_sae)
    dead = torch.randperm(d_sae, generator=torch.Generator().manual_seed(seed))[:n_dead].sort().values
    aux = AuxK(dead, k_aux, 0.7) if len(dead) else None
    expected, gradients = by_autograd(lambda w: topk_loss(x.double(), w, k, aux, prefixes), weights)
    fast, held = FastTopK(k, prefixes=prefixes), tuple(w.clone() for w in weights)
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(sparse_cpu, "DENSE", 0.0 if dense else 2.0)  # AuxK by products, or by loops
        patch.setattr(sparse, "DENSE", 0.0 if dense else 2.0)
        patch.setattr(sparse, "PIECE", 7 * d_sae)
        patch.setattr(sparse_cpu, "PIECE", 1)
        patch.setattr(sparse_cpu, "LEAST_ROWS", 8)
        loops, bags = fast._by_loops(SparseCPU, x, weights, aux), fast._by_bags(x, weights, aux)
    assert all(torch.equal(a, b) for a, b in zip(held, weights, strict=True))
    for step in (loops, bags):
        assert float(step.loss) == pytest.approx(expected, rel=1e-4)
        close(step.gradients, gradients)
    assert float(loops.auxiliary) == pytest.approx(float(bags.auxiliary), rel=1e-4)
    assert float(loops.squared_error) == pytest.approx(float(bags.squared_error), rel=1e-4)
    assert loops.indices.shape == bags.indices.shape == loops.values.shape == (batch, k)
    assert torch.allclose(loops.values.sort(-1).values, bags.values.sort(-1).values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n", [1, 64])
def test_rows_of_zeros_and_ties_everywhere(n):
    weights = torch.ones(3, 20), torch.zeros(20), torch.ones(20, 3), torch.zeros(3)
    step = FastTopK(4)(torch.zeros(n, 3), weights)
    assert float(step.loss) == 0 and all(not g.any() for g in step.gradients)
    assert (step.indices == torch.arange(4)).all()  # among equal ones the first


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_bad_number_shows_in_the_loss(bad):
    for where in range(5):
        x, _, weights = problem()
        tensors = [x.clone(), *(w.clone() for w in weights)]
        tensors[where].view(-1)[3] = bad
        x, weights = tensors[0], tuple(tensors[1:])
        assert not np.isfinite(float(FastTopK(3)(x, weights).loss)) or where == 3  # a row of W_dec that is not read
        step = FastReLU(SparseCPU)(x - weights[3], x, weights, 1.0, weighted=True, subtracted=True)
        assert not np.isfinite(float(step.loss))
        _, cut, _ = SparseCPU().batch_top_k(x, weights, 30)
        assert np.isnan(cut) == (where in (0, 1, 2))


def test_nothing_depends_on_threads_or_on_earlier_calls(monkeypatch):
    x, _, weights = problem(batch=100, d_in=8, d_sae=90)
    fast = FastTopK(5, prefixes=(30, 90))
    first = fast(x, weights)
    monkeypatch.setattr(sparse_cpu, "SMALL", 0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    fast(2 * x, weights)
    for again in (fast(x, weights), FastTopK(5, prefixes=(30, 90))(x, weights)):
        assert float(again.loss) == float(first.loss)
        assert all(torch.equal(a, b) for a, b in zip(first.gradients, again.gradients, strict=True))


def test_shapes_that_do_not_fit_are_refused():
    x, _, weights = problem()
    with pytest.raises(ValueError, match="k = 51 of 50 features"):
        FastTopK(51)(x, weights)
    with pytest.raises(ValueError, match="do not fit together"):
        SparseCPU().step(SparseCPU().top_k(x, weights, 2)[0], x, x[:, :3], weights, subtracted=True)
    with pytest.raises(ValueError, match="do not fit together"):
        FastReLU(SparseCPU)(x, x[:, :3], weights, 1.0, weighted=True, subtracted=True)


# -- BatchTopK -------------------------------------------------------------------------------------------------------


def same_set(rows, pre, cut):
    expected = above(pre, cut)
    row = np.repeat(np.arange(len(pre)), rows.stop - rows.start)
    assert (row == expected.row.numpy()).all() and (rows.feature[: rows.n] == expected.feature.numpy()).all()
    assert (rows.value[: rows.n] == expected.value.numpy()).all()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 999),
    n=st.integers(1, 900),
    scales=st.lists(st.sampled_from([0.0, 0.1, 1.0, 9.0]), min_size=1, max_size=5),
)
def test_the_batchs_largest_whatever_came_before(seed, n, scales):
    """The bound that a batch leaves for the next is too high after a larger one and too low after a smaller one."""
    _, _, weights = problem(seed)
    sparse = SparseCPU()
    for step, scale in enumerate(scales):
        x = problem(seed + step, scale=scale)[0]
        pre = torch.cat([p.clone() for _, p in SparseCPU().pieces(x, weights)])
        rows, cut, _ = sparse.batch_top_k(x, weights, n)
        assert cut == float(kept(pre, n).min())
        same_set(rows, pre, cut)


def test_a_given_cut_and_several_pieces(small_pieces):
    x, _, weights = problem()
    pre = torch.cat([p.clone() for _, p in SparseCPU().pieces(x, weights)])
    sparse = SparseCPU()
    rows, cut, _ = sparse.batch_top_k(x, weights, 60, cut=0.5)
    assert cut == 0.5
    same_set(rows, pre, 0.5)
    for _ in range(2):
        rows, cut, _ = sparse.batch_top_k(x, weights, 60)
        same_set(rows, pre, float(kept(pre, 60).min()))


# -- ReLU ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d_out", [6, 4])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("subtracted", [True, False])
@pytest.mark.parametrize("bias", [0.0, -4.0])
@pytest.mark.parametrize("l1", [0.0, 0.7])
def test_a_relu_step_is_the_definition_dense_and_sparse(small_pieces, d_out, weighted, subtracted, bias, l1):
    if subtracted and d_out != 6:
        return  # b_dec is not of the input's width
    x, y, (W_enc, b_enc, W_dec, b_dec) = problem(3, d_out=d_out)
    weights = W_enc, b_enc + bias, W_dec, b_dec

    def loss(w):
        z = x.double() - w[3] if subtracted else x.double()
        return relu_l1(z, y.double(), w, l1, weighted=weighted)

    expected, gradients = by_autograd(loss, weights)
    z = x - b_dec if subtracted else x
    step = FastReLU(SparseCPU)(z, y, weights, l1, weighted=weighted, subtracted=subtracted)
    assert step.sparse == (bias < 0)
    assert float(step.loss) == pytest.approx(expected, rel=1e-5)
    close(step.gradients, gradients)
    a = (z @ W_enc + b_enc + bias).relu()
    assert (step.fired == (a > 0).sum(0)).all() and step.fired.dtype == torch.int64
    norm = W_dec.norm(dim=-1) if weighted else torch.ones(50)
    assert float(step.cost) == pytest.approx(l1 * float((a @ norm).mean()), rel=1e-5)


def test_how_a_relu_step_is_done_depends_on_its_rows_alone():
    """A run that goes on from a checkpoint has no history of densities to go by."""
    x, _, weights = problem(batch=300)
    sparse = weights[0], weights[1] - 4, *weights[2:]
    used = FastReLU(SparseCPU)
    for w in (weights, sparse, weights, sparse):
        one = used(x, x, w, 1.0, weighted=True, subtracted=False)
        fresh = FastReLU(SparseCPU)(x, x, w, 1.0, weighted=True, subtracted=False)
        assert one.sparse == fresh.sparse == (w is sparse)
        assert all(torch.equal(a, b) for a, b in zip(one.gradients, fresh.gradients, strict=True))


# -- the dense product -----------------------------------------------------------------------------------------------


def test_every_way_of_the_product_gives_the_product():
    g = torch.Generator().manual_seed(0)
    a, b, bias = torch.randn(7, 5, generator=g), torch.randn(5, 9, generator=g), torch.randn(9, generator=g)
    expected = a.double() @ b.double()
    ways = [w for name, w in product.WAYS.items() if name == "addmm" or product._has_onednn()]
    for way in ways:
        for left in (a, a.t().contiguous().t()):
            for right in (b, b.t().contiguous().t()):
                assert torch.allclose(way(left, right, None, torch.empty(7, 9)).double(), expected, atol=1e-5)
                assert torch.allclose(way(left, right, bias, torch.empty(7, 9)).double(), expected + bias, atol=1e-5)


@pytest.mark.parametrize(("addmm", "onednn", "way"), [(1.0, 0.9, "addmm"), (1.0, 0.5, "onednn"), (1.0, 2.0, "addmm")])
def test_the_documented_way_stays_unless_the_other_is_clearly_faster(monkeypatch, addmm, onednn, way):
    monkeypatch.delenv("SAEWIDGETS_PRODUCT", raising=False)
    monkeypatch.setattr(product, "_has_onednn", lambda: True)
    monkeypatch.setattr(product, "trial", lambda: {"addmm": addmm, "onednn": onednn})
    assert product.chosen.__wrapped__() == way
    monkeypatch.setattr(product, "_has_onednn", lambda: False)
    assert product.chosen.__wrapped__() == "addmm"


def test_the_environment_decides_first(monkeypatch):
    monkeypatch.setenv("SAEWIDGETS_PRODUCT", "addmm")
    assert product.chosen.__wrapped__() == "addmm"
    monkeypatch.setenv("SAEWIDGETS_PRODUCT", "fastest")
    with pytest.raises(ValueError, match="'fastest'; it can be addmm or onednn"):
        product.chosen.__wrapped__()


def test_a_torch_without_the_private_operator_is_noticed(monkeypatch):
    def gone(*_):
        raise AttributeError("no such operator")

    monkeypatch.setattr(product, "_onednn", gone)
    assert not product._has_onednn()
    monkeypatch.setattr(product, "_onednn", lambda a, b, bias, out: out.zero_())
    assert not product._has_onednn()


# -- where it is not -------------------------------------------------------------------------------------------------


def test_only_float32_on_the_cpu_goes_by_loops():
    x = torch.ones(2, 2)
    assert numba_sparse(x, x) is SparseCPU
    assert numba_sparse(x, x.double()) is None and numba_sparse(torch.ones(0, 2)) is None
    assert numba_sparse(torch.empty(2, 2, device="meta")) is None


def test_without_numba_every_architecture_trains():
    script = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("numba", "llvmlite"):
            raise ImportError(name)
sys.meta_path.insert(0, Blocked())
import torch, saewidgets as sw
from saewidgets.kernels import numba_sparse
assert numba_sparse(torch.ones(2)) is None
for architecture in ("topk", "batchtopk", "relu"):
    sae = sw.SAE(sw.SAEConfig(6, 24, architecture, k=3) if "topk" in architecture else sw.SAEConfig(6, 24, architecture))
    batches = [torch.randn(40, 6, generator=torch.Generator().manual_seed(i)) for i in range(6)]
    steps = list(sw.train(sae, batches, sw.TrainConfig(steps=6, lr=0.01)))
    print(steps[-1].loss)
assert "numba" not in sys.modules
"""
    slow = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert slow.returncode == 0, slow.stderr
    trimmed = script.replace("sys.meta_path.insert(0, Blocked())", "").replace("assert ", "")
    fast = subprocess.run([sys.executable, "-c", trimmed], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert fast.returncode == 0, fast.stderr
    losses = [[float(v) for v in done.stdout.split()] for done in (slow, fast)]
    assert len(losses[0]) == 3 and losses[0] == pytest.approx(losses[1], rel=1e-4)
