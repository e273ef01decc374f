"""The kernels of the toy models: closed-form gradients, the sampler, Adam, and that the fused loop does what the plain
one does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from saewidgets.kernels import toy, toy_torch
from saewidgets.kernels.toy import ToySpec, ToyState
from saewidgets.toy import ToyConfig
from saewidgets.toy.training import spec_of

numba = pytest.importorskip("numba")
from saewidgets.kernels.toy_numba import NumbaToy  # noqa: E402

VARIANTS = {
    "tied": {},
    "linear": {"activation": "linear"},
    "hidden": {"hidden": "relu"},
    "absolute": {"task": "absolute", "hidden": "relu"},
    "absolute, linear hidden": {"task": "absolute"},
    "l1": {"l1": 0.3},
    "l1 on a hidden ReLU": {"l1": 0.3, "hidden": "relu"},
    "importance": {"importance": [1.0, 0.5, 2.0, 0.0, 4.0]},
    "correlated": {"sets": ((0, 3), (1, 4)), "relation": "correlated"},
    "anticorrelated": {"sets": ((0, 3), (1, 4)), "relation": "anticorrelated", "feature_probability": 0.4},
    "normalized": {"inputs": "normalized"},
    "binary, absolute": {"inputs": "binary", "task": "absolute"},
}


def problem(n_features: int = 5, n_hidden: int = 3, **changes) -> tuple[ToyConfig, ToySpec, ToyState]:
    config = ToyConfig(**{"n_instances": 3, "feature_probability": 0.5, "batch_size": 96, "steps": 50, "seed": 3, **changes},
                       n_features=n_features, n_hidden=n_hidden)  # fmt: skip
    spec = spec_of(config)
    state = ToyState.start(spec, n_hidden, untied=config.task == "absolute")
    state.b += np.linspace(-0.2, 0.3, n_features, dtype=np.float32)
    return config, spec, state


def batch(spec: ToySpec, step: int) -> np.ndarray:
    """The inputs that the fused loop draws at a step, by the plain sampler."""
    if spec.data is not None:
        return np.stack([taken(spec, i, step) for i in range(len(spec.lo))])
    u = [
        np.stack([toy.uniforms(spec.seed, i, step, s, spec.batch_size) for s in range(spec.n_streams)], axis=-1)
        for i in range(len(spec.lo))
    ]
    return toy.inputs(spec, np.stack(u))


def taken(spec: ToySpec, instance: int, step: int) -> np.ndarray:
    """float32 [batch, feature]: all of an instance's data set, or what stream 0 picks of it, with replacement."""
    own = spec.data.of(instance)
    if len(own) <= spec.batch_size:
        return own
    u = toy.uniforms(spec.seed, instance, step, 0, spec.batch_size)
    return own[(u.astype(np.float64) * len(own)).astype(int)]


def autograd(spec: ToySpec, state: ToyState, x: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Loss and gradients in float64 by differentiating the definition."""
    parts = {k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in state.parts.items()}
    x64, importance = torch.tensor(x, dtype=torch.float64), torch.tensor(spec.importance, dtype=torch.float64)
    loss = toy_torch.loss(spec, importance, x64, **parts)
    loss.sum().backward()
    return loss.detach().numpy(), {k: v.grad.numpy() for k, v in parts.items()}


# -- gradients -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize(("n", "m"), [(5, 3), (5, 2), (5, 1), (5, 4), (5, 9)])
def test_the_closed_form_is_what_autograd_gives(changes, n, m):
    _, spec, state = problem(n, m, **changes)
    x = batch(spec, 0)
    loss, expected = autograd(spec, state, x)
    parts = {k: torch.tensor(v) for k, v in state.parts.items()}
    closed, gradients = toy_torch.loss_and_gradients(spec, torch.tensor(spec.importance), torch.tensor(x), **parts)
    assert np.allclose(closed, loss, rtol=1e-5)
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        assert np.abs(gradient.numpy() - expected[name]).max() < 1e-5, name


def steepest(spec: ToySpec, importance: torch.Tensor, x: torch.Tensor, parts: dict[str, torch.Tensor]) -> torch.Tensor:
    """The attack of length spec.radius, its direction by differentiation."""
    leaf = x.clone().requires_grad_()
    held = {k: v.detach() for k, v in parts.items()}
    toy_torch.loss(replace(spec, l1=0.0), importance, x, **held, x_in=leaf).sum().backward()
    unit = leaf.grad / leaf.grad.norm(dim=-1, keepdim=True).clamp(min=1e-20)
    return torch.tensor(spec.radius)[:, None, None] * unit


ATTACKED = {
    "attacked": {"adversarial": 0.5},
    "attacked, hidden ReLU, untied": {"adversarial": 0.5, "task": "absolute", "hidden": "relu"},
}


@pytest.mark.parametrize("changes", [*VARIANTS.values(), *ATTACKED.values()], ids=[*VARIANTS, *ATTACKED])
@pytest.mark.parametrize(("n", "m"), [(5, 3), (5, 4), (5, 1)])
def test_the_fused_loop_takes_the_steps_that_autograd_and_torchs_adam_take(changes, n, m):
    """Eight steps on the very same inputs, the gradients by differentiation, the steps by torch.optim.AdamW."""
    config, spec, state = problem(n, m, lr=1e-2, schedule="linear", weight_decay=0.1, **changes)
    parts = {k: torch.tensor(v, requires_grad=True) for k, v in state.parts.items()}
    decayed = [v for k, v in parts.items() if k != "b"]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": [parts["b"]], "weight_decay": 0.0}]
    adam = torch.optim.AdamW(groups, lr=1e-2)
    losses = []
    for step in range(8):
        for group in adam.param_groups:
            group["lr"] = 1e-2 * (1 - step / config.steps)
        adam.zero_grad()
        importance, x = torch.tensor(spec.importance), torch.tensor(batch(spec, step))
        x_in = x if spec.radius is None else x + steepest(spec, importance, x, parts)
        loss = toy_torch.loss(spec, importance, x, **parts, x_in=x_in)
        losses.append(loss.detach().numpy())
        loss.sum().backward()
        adam.step()
    engine = NumbaToy(spec, state, threads=1)
    fused = np.stack([engine.advance(1) for _ in range(8)])
    assert np.allclose(fused, losses, rtol=2e-4)
    for name, value in parts.items():
        assert np.allclose(state.parts[name], value.detach().numpy(), atol=2e-4), name


@pytest.mark.parametrize("changes", [*VARIANTS.values(), {"adversarial": 0.5}], ids=[*VARIANTS, "adversarial"])
def test_the_plain_kernel_steps_as_torchs_adam_does(changes):
    config, spec, state = problem(5, 3, lr=1e-2, schedule="cosine", weight_decay=0.1, **changes)
    parts = {k: torch.tensor(v) for k, v in state.parts.items()}
    leaves = {k: v.clone().requires_grad_() for k, v in parts.items()}
    decayed = [v for k, v in leaves.items() if k != "b"]
    adam = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.1}, {"params": [leaves["b"]], "weight_decay": 0.0}], lr=1e-2
    )
    generator = torch.Generator().manual_seed(spec.seed)
    importance = torch.tensor(spec.importance)
    radius = None if spec.radius is None else torch.tensor(spec.radius)
    for step in range(6):
        for group in adam.param_groups:
            group["lr"] = 1e-2 * (0.5 + 0.5 * np.cos(np.pi * step / config.steps))
        x = toy_torch.sample(spec, spec.batch_size, generator)
        held = {k: v.detach() for k, v in leaves.items()}
        x_in = None if radius is None else x + toy_torch.attack(spec, importance, x, radius, **held)
        adam.zero_grad()
        if x_in is None:
            toy_torch.loss(spec, importance, x, **leaves).sum().backward()
        else:
            toy_torch.loss(spec, importance, x, **leaves, x_in=x_in).sum().backward()
        adam.step()
    toy_torch.TorchToy(spec, state).advance(6)
    for name, value in leaves.items():
        assert np.allclose(state.parts[name], value.detach().numpy(), atol=2e-4), name


def test_the_attack_is_the_steepest_way_up():
    """Its direction is that of autograd's gradient of each input's own squared error, its length the radius."""
    _, spec, state = problem(5, 3, adversarial=0.2, importance=[1.0, 0.5, 2.0, 1.0, 4.0])
    x = torch.tensor(batch(spec, 0), dtype=torch.float64)
    parts = {k: torch.tensor(v, dtype=torch.float64) for k, v in state.parts.items()}
    importance = torch.tensor(spec.importance, dtype=torch.float64)
    radius = torch.tensor(spec.radius, dtype=torch.float64)
    leaf = x.clone().requires_grad_()
    toy_torch.loss(spec, importance, x, **parts, x_in=leaf).sum().backward()
    step = toy_torch.attack(spec, importance, x, radius, **parts)
    there = leaf.grad.norm(dim=-1) > 0
    assert torch.allclose(step.norm(dim=-1)[there], radius[:, None].expand_as(there)[there], rtol=1e-6)
    unit = leaf.grad / leaf.grad.norm(dim=-1, keepdim=True).clamp(min=1e-30)
    assert torch.allclose((step * unit).sum(-1)[there], radius[:, None].expand_as(there)[there], rtol=1e-6)
    assert (step[~there] == 0).all()


@pytest.mark.parametrize("engine", [NumbaToy, toy_torch.TorchToy])
@pytest.mark.parametrize(("optimizer", "lr"), [("sgd", 0.1), ("adam", 1e-2)])
def test_steps_on_a_whole_data_set_are_those_of_torchs_optimizer(engine, optimizer, lr):
    """Three instances with 7, 40 and 96 inputs, and 96 in a batch: each step sees all of them, whatever the engine."""
    _, spec, state = problem(5, 3, data_size=[7, 40, 96], optimizer=optimizer, lr=lr, weight_decay=0.1,
                                  schedule="constant")  # fmt: skip
    parts = {k: torch.tensor(v, requires_grad=True) for k, v in state.parts.items()}
    groups = [{"params": [parts["W"]], "weight_decay": 0.1}, {"params": [parts["b"]], "weight_decay": 0.0}]
    steps = torch.optim.SGD(groups, lr=lr) if optimizer == "sgd" else torch.optim.AdamW(groups, lr=lr)
    losses = []
    for _ in range(6):
        steps.zero_grad()
        own = [
            toy_torch.loss(
                spec, torch.tensor(spec.importance[i : i + 1]), torch.tensor(spec.data.of(i)[None].copy()),
                **{k: v[i : i + 1] for k, v in parts.items()},
            )
            for i in range(3)
        ]  # fmt: skip
        losses.append(torch.cat(own).detach().numpy())
        torch.cat(own).sum().backward()
        steps.step()
    made = engine(spec, state)
    assert np.allclose([made.advance(1) for _ in range(6)], losses, rtol=2e-4)
    for name, value in parts.items():
        assert np.allclose(state.parts[name], value.detach().numpy(), atol=2e-5), name


def test_a_batch_of_a_larger_data_set_is_drawn_with_replacement():
    _, spec, state = problem(5, 3, data_size=500)
    for step in range(3):
        state.step = step
        expected, _ = autograd(spec, state, batch(spec, step))
        assert np.allclose(NumbaToy(spec, state, threads=1).advance(1), expected, rtol=1e-5)
    rows = {row.tobytes() for row in np.ascontiguousarray(spec.data.of(0))}
    drawn = toy_torch.TorchToy(spec, state)._inputs(slice(0, 1))[0].numpy()
    assert len(drawn) == 96 and all(row.tobytes() in rows for row in drawn)


# -- the sampler -----------------------------------------------------------------------------------------------------


def test_normalized_inputs_have_length_1_and_binary_ones_are_0_or_1():
    x = {kind: draws("numpy", inputs=kind) for kind in toy.INPUTS}
    there = (x["uniform"] != 0).any(-1)
    assert 0.9 < there.mean() < 1  # 5 features, each on in half: 1 of 32 inputs is empty
    assert np.linalg.norm(x["normalized"], axis=-1)[there] == pytest.approx(1, abs=1e-6)
    assert (x["normalized"][~there] == 0).all()
    length = np.linalg.norm(x["uniform"], axis=-1, keepdims=True)
    assert np.allclose(x["normalized"] * length, x["uniform"], atol=1e-6)
    assert (x["binary"] == (x["uniform"] != 0)).all()
    assert set(np.unique(draws("torch", inputs="binary", task="absolute"))) == {-1, 0, 1}
    lengths = np.linalg.norm(draws("torch", inputs="normalized"), axis=-1)
    assert lengths[lengths > 0] == pytest.approx(1, abs=1e-6)


def test_data_sets_are_the_first_inputs_of_one_list():
    """Whatever the seed of the weights and the number of instances; another list for other probabilities."""
    p = [[0.5], [0.2], [0.5], [0.5]]
    _, spec, _ = problem(n_instances=4, feature_probability=p, data_size=[3, 50, 20, 50], data_seed=7, seed=1)
    sets = [spec.data.of(i) for i in range(4)]
    assert [len(x) for x in sets] == [3, 50, 20, 50]
    assert (sets[0] == sets[3][:3]).all() and (sets[2] == sets[3][:20]).all()
    assert (sets[1] != sets[3]).any()
    assert spec.data.x.shape == (5, 100)  # two lists of 50
    _, alone, _ = problem(n_instances=1, data_size=50, data_seed=7, seed=2)
    assert (alone.data.of(0) == sets[3]).all()
    _, other, _ = problem(n_instances=1, data_size=50, seed=2)  # the data's seed is then 2 as well
    assert (other.data.of(0) != sets[3]).any()
    assert 0.35 < (sets[3] != 0).mean() < 0.65 and 0.1 < (sets[1] != 0).mean() < 0.3
    _, unit, _ = problem(n_instances=1, data_size=50, data_seed=7, inputs="normalized")
    length = np.linalg.norm(sets[3], axis=1, keepdims=True)
    assert np.allclose(unit.data.of(0) * length, sets[3], atol=1e-6)


def test_the_loss_on_the_data_set_is_the_same_by_both_and_right():
    _, spec, state = problem(data_size=[9, 300, 1], importance=[1.0, 0.5, 2.0, 0.0, 4.0])
    plain = toy.data_loss(spec, state.W, state.b, state.D)
    assert np.allclose(plain, NumbaToy(spec, state, threads=2).data_loss(spec, state.W, state.b, state.D), rtol=1e-5)
    x = spec.data.of(1)
    y = np.maximum(x @ state.W[1].T @ state.W[1] + state.b[1], 0)
    assert plain[1] == pytest.approx(np.mean((y - x) ** 2 @ np.array([1.0, 0.5, 2.0, 0.0, 4.0])), rel=1e-5)


def test_the_numbers_are_uniform_and_independent():
    """200,000 numbers of four streams over 50 steps: mean, variance, a chi-square of 64 bins, correlations, none
    repeated often.
    """
    u = np.concatenate(
        [np.stack([toy.uniforms(5, i, t, s, 1000) for s in range(4)]) for t in range(25) for i in range(2)], axis=1
    )
    assert u.dtype == np.float32
    assert u.min() >= 0 and u.max() < 1
    n = u.shape[1]
    assert np.abs(u.mean(1) - 0.5).max() < 4 / np.sqrt(12 * n)
    assert np.abs((u**2).mean(1) - 1 / 3).max() < 4 * np.sqrt(4 / 45 / n)
    counts = np.histogram(u, bins=64, range=(0, 1))[0]
    chi = ((counts - u.size / 64) ** 2 / (u.size / 64)).sum()
    assert 25 < chi < 115  # 63 degrees of freedom: 63 +- 11
    assert np.abs(np.corrcoef(u) - np.eye(4)).max() < 5 / np.sqrt(n)
    for lag in (1, 2, 1000, 2000):
        assert abs(np.corrcoef(u[0, :-lag], u[0, lag:])[0, 1]) < 5 / np.sqrt(n)
    assert len(np.unique(u)) > u.size * 0.98  # of 2^24 values, 200,000 draws repeat 0.6 % by chance


def test_another_seed_instance_step_or_stream_gives_other_numbers():
    base = toy.uniforms(1, 2, 3, 4, 500)
    for other in ((2, 2, 3, 4), (1, 3, 3, 4), (1, 2, 4, 4), (1, 2, 3, 5)):
        u = toy.uniforms(*other, 500)
        assert not (u == base).any()
        assert abs(np.corrcoef(u, base)[0, 1]) < 5 / np.sqrt(500)
    assert (toy.uniforms(1, 2, 3, 4, 500) == base).all()
    assert (toy.uniforms(1, 2, 3, 4, 100) == base[:100]).all()


def test_the_fused_loops_numbers_are_these():
    from saewidgets.kernels.toy_numba import _fill, _mix, _shape, _uniforms

    key = _mix(_mix(_mix(_mix(np.uint64(9)) + np.uint64(2)) + np.uint64(3)) + np.uint64(1))
    out = np.empty(700, np.float32)
    _uniforms(key, 0, out, 700)
    assert (out == toy.uniforms(9, 2, 3, 1, 700)).all()
    _uniforms(key, 300, out, 400)
    assert (out[:400] == toy.uniforms(9, 2, 3, 1, 700)[300:]).all()
    for changes in VARIANTS.values():
        _, spec, _ = problem(**changes)
        x = np.empty((spec.n_streams, 96), np.float32)
        key = _mix(_mix(_mix(np.uint64(spec.seed)) + np.uint64(1)) + np.uint64(4))
        _fill(x, 96, key, 0, spec.gate, spec.shared, spec.n_streams, spec.lo[1], spec.hi[1], spec.absolute)
        if spec.inputs != "uniform":
            _shape(x, 5, 96, toy.INPUTS.index(spec.inputs), np.empty(96, np.float32))
        assert np.allclose(x[:5].T, batch(spec, 4)[1], atol=1e-6)


def draws(which: str, **changes) -> np.ndarray:
    """[instance, n, feature] by one of the samplers."""
    _, spec, _ = problem(batch_size=60_000, **changes)
    if which == "torch":
        return toy_torch.sample(spec, 60_000, torch.Generator().manual_seed(0)).numpy()
    return batch(spec, 0)


@pytest.mark.parametrize("which", ["numpy", "torch"])
def test_features_are_on_as_often_as_asked_and_uniform_when_on(which):
    p = np.array([0.0, 0.02, 0.1, 0.5, 1.0])
    x = draws(which, feature_probability=p)
    n = x.shape[1]
    share = (x != 0).mean(1)
    assert (share[:, 0] == 0).all()
    assert (share[:, 4] > 1 - 1e-4).all()
    assert (np.abs(share - p) < 5 * np.sqrt(p * (1 - p) / n) + 1e-4).all()
    for i in range(1, 5):
        on = x[..., i][x[..., i] != 0]
        assert on.min() > 0 and on.max() <= 1
        assert abs(on.mean() - 1 / 2) < 5 * np.sqrt(1 / 12 / len(on))
        assert abs((on**2).mean() - 1 / 3) < 5 * np.sqrt(4 / 45 / len(on))
    off = np.corrcoef(x[0, :, 1:].T) - np.eye(4)
    assert np.abs(off).max() < 5 / np.sqrt(n)


@pytest.mark.parametrize("which", ["numpy", "torch"])
def test_for_the_absolute_value_they_lie_between_minus_one_and_one(which):
    x = draws(which, task="absolute", feature_probability=0.3)
    on = x[x != 0]
    assert -1 <= on.min() < -0.99 and 0.99 < on.max() <= 1
    assert abs(on.mean()) < 5 * np.sqrt(1 / 3 / len(on))
    assert abs((on**2).mean() - 1 / 3) < 5 * np.sqrt(4 / 45 / len(on))


@pytest.mark.parametrize("which", ["numpy", "torch"])
def test_a_correlated_set_is_on_together_with_values_of_its_own(which):
    x = draws(which, sets=((0, 3), (1, 4)), relation="correlated", feature_probability=0.2)
    on = x != 0
    n = x.shape[1]
    assert (on[..., 0] == on[..., 3]).mean() > 1 - 1e-4
    assert (on[..., 1] == on[..., 4]).mean() > 1 - 1e-4
    both = (on[..., 0] & on[..., 1]).mean(1)
    assert (np.abs(both - 0.04) < 5 * np.sqrt(0.04 / n)).all()  # the sets do not know of one another
    assert (np.abs((on[..., 0] & on[..., 2]).mean(1) - 0.04) < 5 * np.sqrt(0.04 / n)).all()
    assert (np.abs(on.mean(1) - 0.2) < 5 * np.sqrt(0.16 / n)).all()
    a, b = (x[0, :, i][on[0, :, 0] & on[0, :, 3]] for i in (0, 3))
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(len(a))
    assert abs(a.mean() - 0.5) < 0.02 and abs(b.mean() - 0.5) < 0.02


@pytest.mark.parametrize("which", ["numpy", "torch"])
def test_of_an_anticorrelated_set_one_is_on_at_most(which):
    p = np.array([0.1, 0.3, 0.25, 0.6, 0.7])  # set (0, 3): together 0.7; set (1, 4): together 1
    x = draws(which, sets=((0, 3), (1, 4)), relation="anticorrelated", feature_probability=p)
    on = x != 0
    assert not (on[..., 0] & on[..., 3]).any()
    assert not (on[..., 1] & on[..., 4]).any()
    assert (on[..., 1] | on[..., 4]).mean() > 1 - 1e-4
    assert (np.abs(on.mean(1) - p) < 5 * np.sqrt(p * (1 - p) / x.shape[1])).all()
    for i in range(5):
        values = x[..., i][on[..., i]]
        assert abs(values.mean() - 0.5) < 5 * np.sqrt(1 / 12 / len(values))
        assert abs((values**2).mean() - 1 / 3) < 5 * np.sqrt(4 / 45 / len(values))


# -- the same whoever looks ------------------------------------------------------------------------------------------


def trained(spec: ToySpec, state: ToyState, turns: tuple[int, ...], threads: int = 1) -> dict[str, np.ndarray]:
    engine = NumbaToy(spec, state, threads)
    for n in turns:
        engine.advance(n)
    return state.parts


def test_threads_turns_and_neighbors_change_nothing():
    p = np.linspace(0.05, 1, 7)[:, None]
    first = trained(*problem(n_instances=7, feature_probability=p)[1:], turns=(40,))
    for turns, threads in (((40,), 3), ((1, 17, 22), 2), ((40,), 7)):
        again = trained(*problem(n_instances=7, feature_probability=p)[1:], turns=turns, threads=threads)
        for name in first:
            assert (first[name] == again[name]).all()
    alone = trained(*problem(n_instances=2, feature_probability=p[:2])[1:], turns=(40,))
    for name in first:
        assert (first[name][:2] == alone[name]).all()
    other = trained(*problem(n_instances=7, feature_probability=p, seed=4)[1:], turns=(40,))
    assert not np.allclose(first["W"], other["W"], atol=0.1)


def test_a_batch_that_the_block_does_not_divide_is_still_whole():
    _, spec, state = problem(batch_size=100, n_features=7, n_hidden=6)
    x = batch(spec, 0)
    expected, _ = autograd(spec, state, x)
    engine = NumbaToy(spec, state, threads=1)
    engine._block = 48
    assert np.allclose(engine.advance(1), expected, rtol=1e-5)


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_the_expected_loss_is_the_same_by_both_and_right(changes):
    _, spec, state = problem(**changes)
    plain = toy.expected_loss(spec, state.W, state.b, state.D, 4000)
    fused = NumbaToy(spec, state, threads=2).expected_loss(spec, state.W, state.b, state.D, 4000)
    assert np.allclose(plain, fused, rtol=1e-4)
    x = toy_torch.sample(replace(spec, l1=0.0), 200_000, torch.Generator().manual_seed(1)).numpy()
    exact, _ = autograd(replace(spec, l1=0.0), state, x)
    assert np.allclose(plain, exact, rtol=0.1)


def test_both_kernels_end_at_losses_of_one_distribution():
    """64 models each, by different random numbers: means and quartiles agree within what 64 draws allow."""
    ends = []
    for device in (None, "torch"):
        config, spec, state = problem(
            5, 2, n_instances=64, feature_probability=0.2, importance=0.9 ** np.arange(5), steps=600, lr=2e-2,
            schedule="cosine", batch_size=256, seed=0 if device is None else 1,
        )  # fmt: skip
        state.b[:] = 0
        engine = NumbaToy(spec, state, 1) if device is None else toy_torch.TorchToy(spec, state)
        engine.advance(config.steps)
        ends.append(toy.expected_loss(replace(spec, seed=0), state.W, state.b, None, 8192))
    spread = max(np.std(ends[0]), np.std(ends[1]))
    assert abs(ends[0].mean() - ends[1].mean()) < 4 * spread * np.sqrt(2 / 64)
    assert np.abs(np.quantile(ends[0], [0.25, 0.5]) - np.quantile(ends[1], [0.25, 0.5])).max() < spread
    assert np.allclose(ends[0].min(), ends[1].min(), rtol=0.03)  # both find the best solution there is
