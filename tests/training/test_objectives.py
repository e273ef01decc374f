"""The losses: their numbers and gradients by a second method, their papers' promises, and the directions they find.

The second method is numpy in float64, written from the papers' equations; gradients are held against its finite
differences.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets.analysis.toys.recovery import recovery
from saewidgets.kernels.pseudo import jump, step_function
from saewidgets.kernels.sparse import above, kept, largest, nth_largest, sparse_step
from saewidgets.kernels.topk import AuxK
from saewidgets.records import ActivationSite
from saewidgets.sae import SAE, SAEConfig
from saewidgets.training import OBJECTIVES, TrainConfig, train
from saewidgets.training.objectives import geometric_median, objective
from saewidgets.training.objectives.relu import FLAT_BELOW

NONE = torch.arange(0)  # no dead features

# name -> SAEConfig's fields. The sites' scales are not 1, so that a forgotten factor shows.
KINDS = {
    "relu": {"architecture": "relu", "l1_coefficient": 0.7},
    "relu_unit_norm": {"architecture": "relu", "l1_coefficient": 0.7, "apply_b_dec_to_input": True},
    "relu_p_annealing": {"architecture": "relu", "l1_coefficient": 0.7, "apply_b_dec_to_input": True},
    "topk": {"architecture": "topk", "k": 2},
    "batchtopk": {"architecture": "batchtopk", "k": 2},
    "jumprelu": {"architecture": "jumprelu", "l1_coefficient": 0.7},
    "jumprelu_tanh": {"architecture": "jumprelu", "l1_coefficient": 0.7},
    "gated": {"architecture": "gated", "l1_coefficient": 0.7},
}
DENSE = [name for name in KINDS if name not in ("topk", "batchtopk")]
STEPS = 100


def make(name, d_in=4, d_sae=7, *, transcoder=False, seed=0, **more):
    """A float64 SAE whose weights all matter, and its objective with full lambda."""
    fields = KINDS[name] | more
    if transcoder:
        fields = {k: v for k, v in fields.items() if k != "apply_b_dec_to_input"} | {"d_out": 3}
    sae = SAE(SAEConfig(d_in, d_sae, seed=seed, **fields)).double()
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for weight in sae.weights.values():
            weight.copy_(0.6 * torch.randn(weight.shape, generator=generator, dtype=torch.float64))
        if "threshold" in sae.weights:
            sae.threshold.abs_()
    bandwidth = 0.5 if name.startswith("jumprelu") else None
    config = TrainConfig(steps=STEPS, l1_warmup=0.0, objective=name, bandwidth=bandwidth, pre_act_coefficient=0.3)
    return sae, objective(sae, config)


def rows(n=5, d=4, seed=7):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# -- the losses in numpy --------------------------------------------------------------------------------------------


def relu(v):
    return np.maximum(v, 0)


def encoder_input(w, x, subtract):
    return x - w["b_dec"] if subtract else x


def square(v):
    return (v**2).sum()


def loss_relu(w, x, y, subtract, _frozen, _step):
    a = relu(encoder_input(w, x, subtract) @ w["W_enc"] + w["b_enc"])
    norms = np.sqrt((w["W_dec"] ** 2).sum(1))
    return (square(a @ w["W_dec"] + w["b_dec"] - y) + 0.7 * (a * norms).sum()) / len(x)


def loss_unit_norm(w, x, y, subtract, _frozen, _step):
    a = relu(encoder_input(w, x, subtract) @ w["W_enc"] + w["b_enc"])
    return (square(a @ w["W_dec"] + w["b_dec"] - y) + 0.7 * a.sum()) / len(x)


def loss_p_annealing(w, x, y, subtract, _frozen, step):
    """p is 1 for the first 30 of 100 steps, then 0.92, 0.84, ... for 7 steps each."""
    p = 1.0 if step < 30 else 1 - 0.08 * (1 + (step - 30) // 7)
    a = relu(encoder_input(w, x, subtract) @ w["W_enc"] + w["b_enc"])
    powered = np.where(a >= FLAT_BELOW, np.maximum(a, 1e-9) ** p, a * FLAT_BELOW ** (p - 1))
    return (square(a @ w["W_dec"] + w["b_dec"] - y) + 0.7 * powered.sum()) / len(x)


def loss_jumprelu(w, x, y, subtract, _frozen, _step):
    pre = encoder_input(w, x, subtract) @ w["W_enc"] + w["b_enc"]
    on = pre > w["threshold"]
    return (square((pre * on) @ w["W_dec"] + w["b_dec"] - y) + 0.7 * on.sum()) / len(x)


def loss_tanh(w, x, y, subtract, _frozen, _step):
    pre = encoder_input(w, x, subtract) @ w["W_enc"] + w["b_enc"]
    a = pre * (pre > w["threshold"])
    norms = np.sqrt((w["W_dec"] ** 2).sum(1))
    off = (relu(w["threshold"] - pre) * norms).sum()
    return (square(a @ w["W_dec"] + w["b_dec"] - y) + 0.7 * np.tanh(4 * a * norms).sum() + 0.3 * off) / len(x)


def loss_gated(w, x, y, subtract, frozen, _step):
    shared = encoder_input(w, x, subtract) @ w["W_enc"]
    gate = shared + w["b_gate"]
    a = (gate > 0) * relu(shared * np.exp(w["r_mag"]) + w["b_mag"])
    aux = square(relu(gate) @ frozen["W_dec"] + frozen["b_dec"] - y)
    return (square(a @ w["W_dec"] + w["b_dec"] - y) + 0.7 * relu(gate).sum() + aux) / len(x)


NUMPY = {
    "relu": loss_relu,
    "relu_unit_norm": loss_unit_norm,
    "relu_p_annealing": loss_p_annealing,
    "jumprelu": loss_jumprelu,
    "jumprelu_tanh": loss_tanh,
    "gated": loss_gated,
}


@pytest.mark.parametrize("transcoder", [False, True])
@pytest.mark.parametrize("step", [0, 61])
@pytest.mark.parametrize("name", DENSE)
def test_loss_and_gradients_are_those_of_the_equations(name, step, transcoder):
    """Every weight's gradient against central differences of the numpy loss; thresholds against the written formula."""
    sae, own = make(name, transcoder=transcoder)
    x = rows()
    y = rows(d=3, seed=8) if transcoder else x
    own.survey([(x, y)], step, len(x))
    found = own.gradients(x, y, step=step, dead=NONE)
    w = {key: value.detach().numpy().copy() for key, value in sae.weights.items()}
    subtract = sae.config.subtracts_b_dec

    def loss(weights):
        return NUMPY[name](weights, x.numpy(), y.numpy(), subtract, w, step)

    assert float(found.loss) == pytest.approx(loss(w), rel=1e-12)
    assert sum(float(part) for part in found.parts.values()) == pytest.approx(loss(w), rel=1e-12)
    for key, value in w.items():
        if key == "threshold":
            continue
        slope = np.zeros_like(value)
        for at in np.ndindex(*value.shape):
            ends = []
            for sign in (1, -1):
                moved = value.copy()
                moved[at] += sign * 1e-6
                ends.append(loss(w | {key: moved}))
            slope[at] = (ends[0] - ends[1]) / 2e-6
        np.testing.assert_allclose(getattr(sae, key).grad.numpy(), slope, rtol=1e-6, atol=2e-7, err_msg=key)


@pytest.mark.parametrize("name", ["jumprelu", "jumprelu_tanh"])
def test_thresholds_move_by_the_written_pseudo_derivative(name):
    sae, own = make(name)
    x = rows(40)
    own.gradients(x, x, step=0, dead=NONE)
    w = {key: value.detach().numpy() for key, value in sae.weights.items()}
    theta, eps = w["threshold"], 0.5
    pre = x.numpy() @ w["W_enc"] + w["b_enc"]
    a = pre * (pre > theta)
    near = np.abs((pre - theta) / eps) < 0.5
    slope_a = 2 * (a @ w["W_dec"] + w["b_dec"] - x.numpy()) @ w["W_dec"].T  # d loss / d a, a row at a time
    if name == "jumprelu":
        expected = (-(theta / eps) * near * slope_a - (1 / eps) * near * 0.7).sum(0) / len(x)
    else:
        norms = np.sqrt((w["W_dec"] ** 2).sum(1))
        slope_a = slope_a + 0.7 * 4 * norms / np.cosh(4 * a * norms) ** 2
        expected = (-(theta / eps) * near * slope_a + 0.3 * norms * (theta > pre)).sum(0) / len(x)
    assert near.sum() > 10
    np.testing.assert_allclose(sae.threshold.grad.numpy(), expected, rtol=1e-9, atol=1e-12)


def test_the_jump_and_the_step_by_hand():
    """z = 0.4, 0.6, 1.2 about theta = 0.5, eps = 0.4: the first two are within 0.2 of it."""
    z = torch.tensor([[0.4], [0.6], [1.2]], dtype=torch.float64, requires_grad=True)
    theta = torch.tensor([0.5], dtype=torch.float64, requires_grad=True)
    y = jump(z, theta, 0.4)
    assert y.flatten().tolist() == [0.0, 0.6, 1.2]
    (y * torch.tensor([[1.0], [10.0], [100.0]])).sum().backward()
    assert z.grad.flatten().tolist() == [0.0, 10.0, 100.0]
    assert theta.grad.tolist() == pytest.approx([-(0.5 / 0.4) * 11])
    theta.grad = z.grad = None
    on = step_function(z, theta, 0.4)
    assert on.flatten().tolist() == [0.0, 1.0, 1.0]
    (on * torch.tensor([[1.0], [10.0], [100.0]])).sum().backward()
    assert theta.grad.tolist() == pytest.approx([-11 / 0.4])
    assert z.grad is None or not z.grad.any()


@pytest.mark.parametrize("name", ["relu", "jumprelu_tanh"])
def test_free_norms_the_loss_is_the_same_for_a_f_and_w_over_a(name):
    sae, own = make(name)
    x = rows()
    before = float(own.loss(x, x, 50)[0].detach())
    c = torch.linspace(0.2, 4, 7, dtype=torch.float64)
    with torch.no_grad():
        for weight in (sae.W_enc, sae.b_enc, *([sae.threshold] if name != "relu" else [])):
            weight.mul_(c)
        sae.W_dec.div_(c[:, None])
    assert float(own.loss(x, x, 50)[0].detach()) == pytest.approx(before, rel=1e-12)


def test_the_gates_term_leaves_the_decoder_alone():
    """Without lambda and with a = 0 everywhere, only the auxiliary term is left, and W_dec gets no gradient from it."""
    sae, own = make("gated")
    with torch.no_grad():
        sae.b_mag.fill_(-1e3)
    own.gradients(rows(), rows(), step=0, dead=NONE)
    assert not sae.W_dec.grad.any()
    assert sae.W_enc.grad.abs().max() > 0.01
    assert not sae.r_mag.grad.any()


# -- the sparse step ------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 1000),
    n=st.integers(1, 9),
    d_in=st.integers(1, 6),
    d_sae=st.integers(2, 20),
    d_out=st.integers(1, 6),
    k=st.integers(1, 6),
    n_dead=st.integers(0, 5),
    cuts=st.sets(st.integers(1, 19), max_size=3),
    subtracted=st.booleans(),
    across=st.booleans(),
)
def test_sparse_gradients_equal_dense_autograd(seed, n, d_in, d_sae, d_out, k, n_dead, cuts, subtracted, across):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    d_out = d_in if subtracted else d_out
    weights = [draw(d_in, d_sae), draw(d_sae), draw(d_sae, d_out), draw(d_out)]
    x, y = draw(n, d_in), draw(n, d_out)
    y = x if subtracted else y
    dead = torch.randperm(d_sae, generator=generator)[: min(n_dead, d_sae)].sort().values
    aux = AuxK(dead, 2, coefficient=0.7) if len(dead) else None
    prefixes = (*sorted(c for c in cuts if c < d_sae), d_sae) if cuts else ()
    k = min(k, d_sae)

    leaves = [w.clone().requires_grad_() for w in weights]
    W_enc, b_enc, W_dec, b_dec = leaves
    pre = (x - b_dec if subtracted else x) @ W_enc + b_enc
    if across:
        least = pre.detach().flatten().sort(descending=True).values[min(k * n, pre.numel()) - 1]
        on = pre >= least
    else:
        on = pre >= pre.detach().sort(dim=1, descending=True).values[:, k - 1 : k]
    a = pre.relu() * on
    x_hats = [a[:, :p] @ W_dec[:p] + b_dec for p in prefixes or (d_sae,)]
    loss = sum((h - y).square().sum() / n for h in x_hats) / len(x_hats)
    if aux is not None:
        best = pre[:, dead].sort(dim=1, descending=True).values[:, min(2, len(dead)) - 1].detach()
        a_dead = pre[:, dead].relu() * (pre[:, dead] >= best[:, None])
        loss = loss + 0.7 * ((y - x_hats[-1]).detach() - a_dead @ W_dec[dead]).square().sum() / n
    expected = torch.autograd.grad(loss, leaves)

    pre = pre.detach()
    active = above(pre, kept(pre, k * n).min()) if across else largest(pre, k)
    z = x - weights[3] if subtracted else x
    ones = None if aux is None else largest(pre[:, dead], 2)
    step = sparse_step(active, z, y, tuple(weights), subtracted=subtracted, prefixes=prefixes, aux=aux, dead=ones)
    assert float(step.loss) == pytest.approx(float(loss.detach()), rel=1e-9)
    for found, exact in zip(step.gradients, expected, strict=True):
        assert torch.allclose(found, exact, rtol=1e-9, atol=1e-10)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1000), n=st.integers(1, 40), hint=st.floats(0, 3), shift=st.floats(-2, 2))
def test_the_nth_largest_is_found_whatever_the_hint(seed, n, hint, shift):
    pre = torch.randn(4, 8, generator=torch.Generator().manual_seed(seed)) + shift
    expected = max(0.0, float(np.sort(pre.numpy().ravel())[::-1][min(n, 32) - 1]))
    assert float(nth_largest(pre, n, hint)) == expected == float(kept(pre, n).min())
    pre[2, 3] = torch.nan
    assert math.isnan(float(nth_largest(pre, 1, hint)))


def test_batchtopk_shares_k_among_the_rows():
    """3 rows, k = 2: the six largest of all, whoever has them. Checked by sorting."""
    sae, own = make("batchtopk")
    sae.float()
    x = rows(3).float()
    own.survey([(x, x)], 0, len(x))
    found = own.gradients(x, x, step=0, dead=NONE)
    pre = sae.pre_activations(x).detach()
    on = (pre >= pre.flatten().sort(descending=True).values[5]) & (pre > 0)
    assert int(on.sum()) == 6
    assert len({int(n) for n in on.sum(1)}) > 1, "every row has two: the case shows nothing"
    assert found.fired.tolist() == on.sum(0).tolist()
    error = ((pre * on) @ sae.W_dec + sae.b_dec - x).square().sum().detach()
    assert float(found.squared_error) == pytest.approx(float(error), rel=1e-5)


def test_batchtopk_threshold_is_the_running_mean_of_the_smallest_kept():
    sae = SAE(SAEConfig(4, 12, "batchtopk", k=2))
    batches = [2 * rows(16, seed=s).float() for s in range(6)]
    run = train(sae, batches, TrainConfig(steps=6, lr=1e-3))
    least = []
    for x in batches:
        if not least:
            with torch.no_grad():
                sae.b_dec.copy_(x.mean(0))
        pre = sae.pre_activations(x).detach()
        least.append(float(pre.flatten().sort(descending=True).values[31]))
        next(run)
        weights = 0.99 ** np.arange(len(least))[::-1]
        expected = (weights * least).sum() / weights.sum()
        assert sae.threshold.tolist() == pytest.approx([expected] * 12, rel=1e-5)


def test_batchtopk_at_inference_is_about_as_sparse_as_in_training():
    _, batches = planted(24, 16, 2)
    sae = SAE(SAEConfig(16, 32, "batchtopk", k=2))
    list(train(sae, batches, TrainConfig(steps=200, lr=5e-3)))
    l0 = float((sae.encode(next(batches)) > 0).sum(-1).float().mean())
    assert 1.6 < l0 < 2.4


@pytest.mark.parametrize("name", ["topk", "batchtopk"])
def test_fewer_positive_than_k_and_equal_rows_do_no_harm(name):
    for x in (torch.zeros(3, 4), torch.ones(5, 4), torch.ones(1, 4)):
        sae = SAE(SAEConfig(4, 6, **(KINDS[name] | {"k": 5})))
        steps = list(train(sae, [x] * 3, TrainConfig(steps=3, dead_window=1)))
        assert all(p.isfinite().all() for p in sae.parameters())
        assert all(s.l0 <= 6 for s in steps)


# -- where training begins and what the rows keep to ----------------------------------------------------------------


def test_the_geometric_median_has_the_least_sum_of_distances():
    x = rows(41, 3)
    x[:5] += 100.0  # it does not mind
    point = geometric_median(x)

    def total(p):
        return float((x - p).norm(dim=-1).sum())

    around = [point + 1e-3 * step for step in torch.cat([torch.eye(3), -torch.eye(3)]).double()]
    assert all(total(point) < total(p) for p in around)
    assert (point - x[5:].median(0).values).norm() < 1.5
    assert (x.mean(0) - x[5:].median(0).values).norm() > 10


@pytest.mark.parametrize("name", [n for n in KINDS if not OBJECTIVES[n].unit_rows])
def test_free_norms_stay_free(name):
    sae = SAE(SAEConfig(4, 9, **KINDS[name]))
    list(train(sae, [rows(32, seed=s).float() for s in range(20)], TrainConfig(steps=20, lr=0.05, objective=name)))
    norms = sae.W_dec.norm(dim=-1)
    assert norms.max() - norms.min() > 0.01


@pytest.mark.parametrize("name", [n for n in KINDS if OBJECTIVES[n].unit_rows])
def test_unit_rows_after_every_step_and_no_gradient_along_them(name):
    sae = SAE(SAEConfig(4, 9, **KINDS[name]))
    run = train(sae, [rows(32, seed=s).float() for s in range(8)], TrainConfig(steps=8, lr=0.05, objective=name))
    for _ in run:
        assert (sae.W_dec.norm(dim=-1) - 1).abs().max() < 1e-6
    x = rows(32).float()
    run.objective.survey([(x, x)], 7, len(x))
    run.objective.gradients(x, x, step=7, dead=NONE)
    run.objective.project()
    assert (sae.W_dec * sae.W_dec.grad).sum(-1).abs().max() < 1e-5 * max(1.0, float(sae.W_dec.grad.abs().max()))


@pytest.mark.parametrize("name", ["relu_unit_norm", "jumprelu", "gated"])
def test_rows_of_other_norms_are_folded_into_the_encoder(name):
    """A fine-tuned SAE starts as the function that it was."""
    sae, own = make(name)
    x = rows(9)
    before = sae(x).detach()
    own.prepare(x, x)
    assert (sae.W_dec.norm(dim=-1) - 1).abs().max() < 1e-12
    assert torch.allclose(sae(x), before, atol=1e-12)


@pytest.mark.parametrize("name", ["topk", "batchtopk"])
def test_a_topk_sae_with_other_norms_is_refused(name):
    sae = SAE(SAEConfig(4, 9, **KINDS[name]))
    with torch.no_grad():
        sae.W_dec[2] *= 1.5
    with pytest.raises(ValueError, match=r"norms 1 to 1.5, and training keeps them at 1"):
        next(train(sae, [rows().float()], TrainConfig(steps=1)))


def test_a_trained_bias_is_not_overwritten_by_the_mean():
    sae = SAE(SAEConfig(4, 9, "topk", k=2))
    with torch.no_grad():
        sae.b_dec.fill_(3.0)
    next(train(sae, [rows().float()], TrainConfig(steps=1, lr=1e-3)))
    assert (sae.b_dec - 3).abs().max() < 2e-3


def test_january_2025_biases_let_a_feature_on_at_the_stated_share():
    """d_sae = 40,000: at a quarter of the tokens."""
    sae = SAE(SAEConfig(3, 40_000, "jumprelu"))
    own = objective(sae, TrainConfig.anthropic_january_2025(10))
    x = rows(64, 3).float()
    own.prepare(x, x)
    assert sae.threshold.unique().tolist() == pytest.approx([0.1])
    share = (sae.encode(x) > 0).float().mean(0)
    assert set((64 * share).tolist()) <= {15.0, 16.0}  # the 16th of 64 stands at the threshold itself


# -- lambda, p, thresholds ------------------------------------------------------------------------------------------


def test_p_annealing_keeps_the_sparsity_terms_size():
    """At each change of p, lambda takes the ratio of sums of the last ten batches: by hand from the activations."""
    sae = SAE(SAEConfig(4, 9, **KINDS["relu_p_annealing"]))
    config = TrainConfig(steps=40, lr=1e-3, l1_warmup=0.0, objective="relu_p_annealing", p_hold=0.5)
    batches = [rows(16, seed=s).float() for s in range(40)]
    run, factor, sums, ps = train(sae, batches, config), 1.0, [], []
    for s, x in enumerate(batches):
        assert config.p_at(s) == pytest.approx(1 - 0.08 * max(0, s // 2 - 9))
        with torch.no_grad():
            first = s == 0
            a = None if first else sae.encode(x).double().numpy()
        assert next(run).sparsity == pytest.approx(0.7 * factor, rel=1e-5)
        if first:
            sums.append(None)
            continue
        p, q = config.p_at(s), config.p_at(min(39, s + 2 if s >= 19 else 20))

        def total(power, a=a):
            return np.where(a >= FLAT_BELOW, np.maximum(a, 1e-9) ** power, a * FLAT_BELOW ** (power - 1)).sum()

        nxt = next((config.p_at(t) for t in range(s, 40) if config.p_at(t) != p), p)
        del q
        sums.append((total(p), total(nxt)))
        if config.p_at(min(s + 1, 39)) != p:
            recent = [pair for pair in sums[-10:] if pair]
            factor *= sum(old for old, _ in recent) / sum(new for _, new in recent)
            sums.clear()
            ps.append(p)
    assert len(ps) == 10
    assert config.p_at(39) == pytest.approx(0.2)


@pytest.mark.parametrize(("name", "bandwidth"), [("jumprelu", None), ("jumprelu", 0.1), ("jumprelu_tanh", None)])
def test_jumprelu_thresholds_really_move(name, bandwidth):
    """Known bug 22: under Adam the logarithm of a small threshold hardly moves it."""
    _, batches = planted(24, 16, 2)
    sae = SAE(SAEConfig(16, 32, "jumprelu", l1_coefficient=0.3))
    run = train(sae, batches, TrainConfig(steps=200, lr=1e-3, objective=name, bandwidth=bandwidth))
    next(run)
    before = sae.threshold.detach().clone()
    list(run)
    assert (sae.threshold - before).abs().median() > 1e-3
    assert (sae.threshold >= 0).all()


@pytest.mark.parametrize("name", ["jumprelu", "jumprelu_tanh"])
def test_thresholds_stop_at_0(name):
    """Where every feature is wanted and nothing is sparse, thresholds fall as far as they may."""
    sae = SAE(SAEConfig(4, 9, "jumprelu", l1_coefficient=0.0))
    x = rows(64).float()
    config = TrainConfig(steps=40, lr=0.05, lr_decay=0.0, objective=name, bandwidth=1.0)
    list(train(sae, [x] * 40, config))
    assert (sae.threshold >= 0).all()
    assert (sae.threshold == 0).any()


# -- what they are for ----------------------------------------------------------------------------------------------


def planted(n, d, k, *, batch=256, seed=11):
    """(directions [n, d], an endless stream of sums of k of them with random lengths in 1..2).

    The seed is not the SAEs': the same one would draw the same directions, and nothing would be left to find.
    """
    generator = torch.Generator().manual_seed(seed)
    truth = torch.nn.functional.normalize(torch.randn(n, d, generator=generator), dim=-1)

    def stream():
        while True:
            on = torch.rand(batch, n, generator=generator).topk(k).indices
            yield torch.zeros(batch, n).scatter(1, on, 1 + torch.rand(batch, k, generator=generator)) @ truth

    return truth, stream()


# name -> (of SAEConfig, of TrainConfig, least share of true directions found, most unexplained variance); a fresh SAE
# finds none
FINDS = {
    "relu": ({}, {}, 0.95, 0.1),
    "relu_unit_norm": ({}, {}, 0.95, 0.1),
    "relu_p_annealing": ({}, {}, 0.9, 0.1),
    "topk": ({}, {}, 0.85, 0.1),
    "batchtopk": ({}, {}, 0.85, 0.1),
    "jumprelu": ({}, {"bandwidth": 0.1}, 0.85, 0.1),
    "jumprelu_tanh": ({}, {"bandwidth": 0.5}, 0.85, 0.15),
    "gated": ({"l1_coefficient": 1.0}, {}, 0.85, 0.1),
}


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("name", FINDS)
def test_planted_directions_are_found(name, precision):
    """24 random unit directions in 16 dimensions, 2 at a time."""
    own, more, least, most = FINDS[name]
    truth, batches = planted(24, 16, 2)
    fields = KINDS[name] | ({"l1_coefficient": 0.3} if name in DENSE else {}) | own
    sae = SAE(SAEConfig(16, 32, site=ActivationSite("m", "h", 16), **fields))
    fresh = recovery(truth.numpy(), sae.decoder_directions.numpy())
    config = TrainConfig(steps=400, lr=1e-2, dead_window=5000, objective=name, precision=precision, **more)
    run = train(sae, batches, config)
    last = list(run)[-1]
    found = recovery(truth.numpy(), sae.decoder_directions.numpy(), alive=run.firing_rates() > 1e-3)
    assert (fresh.best >= 0.9).mean() < 0.2
    assert (found.best >= 0.9).mean() >= least
    assert last.fvu < most
    assert last.l0 < 6


def test_matryoshka_batchtopk_learns_nested_dictionaries():
    """The first 8 features alone explain more of x than the first 8 of a flat SAE."""

    def first_eight(prefixes):
        _, batches = planted(24, 16, 2)
        sae = SAE(SAEConfig(16, 32, "batchtopk", k=2))
        list(train(sae, batches, TrainConfig(steps=300, lr=5e-3, prefixes=prefixes)))
        x = next(batches)
        a = sae.encode(x)
        a[:, 8:] = 0
        return float((sae.decode(a) - x).square().sum().detach() / (x - x.mean(0)).square().sum())

    assert first_eight((8, 32)) < first_eight(()) - 0.1


# -- which objective ------------------------------------------------------------------------------------------------


def test_the_first_objective_of_an_architecture_is_its_own():
    for name in KINDS:
        sae = SAE(SAEConfig(4, 9, **KINDS[name]))
        assert type(objective(sae, TrainConfig(steps=1))) is OBJECTIVES[sae.config.architecture]


@pytest.mark.parametrize(
    ("fields", "settings_", "message"),
    [
        ({"architecture": "relu"}, {"objective": "gated"}, "not for relu SAEs, whose are: relu, relu_unit_norm"),
        ({"architecture": "relu"}, {"objective": "jumpreul"}, "unknown objective 'jumpreul'; nearest: jumprelu"),
        ({"architecture": "relu"}, {"objective": "relu_unit_norm"}, "apply_b_dec_to_input=True"),
        ({"architecture": "relu"}, {"prefixes": (3, 9)}, "prefixes nest the dictionaries of topk"),
        ({"architecture": "gated"}, {"k_start": 3}, "k_start is for topk"),
        ({"architecture": "topk", "k": 2}, {"k_start": 10}, "k_start = 10 active features do not fit"),
        ({"architecture": "topk", "k": 2}, {"resample_at": (1,)}, "AuxK revives"),
        ({"architecture": "jumprelu"}, {"resample_at": (1,)}, "no resampling"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_runs(fields, settings_, message):
    with pytest.raises(ValueError, match=message):
        train(SAE(SAEConfig(4, 9, **fields)), [], TrainConfig(steps=1, **settings_))
