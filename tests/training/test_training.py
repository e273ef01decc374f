"""The training loop: gradients against autograd, schedules against their formulas, resuming bit for bit."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets.activations import ActivationStore
from saewidgets.files import LoadError
from saewidgets.kernels.topk import AuxK, FastTopK, topk_loss
from saewidgets.models import site
from saewidgets.records import ActivationSite, TrainStep
from saewidgets.sae import SAE, SAEConfig
from saewidgets.training import TrainConfig, relu_loss, train

SITE = ActivationSite("m", "h", 6, scale=0.5)


def make(architecture="topk", d_sae=24, k=3, seed=0, site=SITE):
    return SAE(SAEConfig(6, d_sae, architecture, k=k, site=site, seed=seed))


def noise(n, rows=32, d=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [2 * torch.randn(rows, d, generator=generator) + 1 for _ in range(n)]


# -- the fast step is the plain one --


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 1000),
    batch=st.integers(1, 9),
    d_in=st.integers(1, 7),
    d_sae=st.integers(2, 30),
    k=st.integers(1, 6),
    n_dead=st.integers(0, 5),
    k_aux=st.integers(1, 6),
    cuts=st.sets(st.integers(1, 29), max_size=3),
)
def test_fast_gradients_equal_dense_autograd(seed, batch, d_in, d_sae, k, n_dead, k_aux, cuts):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    k = min(k, d_sae)
    weights = (draw(d_in, d_sae), draw(d_sae), draw(d_sae, d_in), draw(d_in))
    x = draw(batch, d_in)
    dead = torch.randperm(d_sae, generator=generator)[: min(n_dead, d_sae)].sort().values
    aux = AuxK(dead, k_aux, coefficient=0.7) if len(dead) else None

    prefixes = (*sorted(c for c in cuts if c < d_sae), d_sae) if cuts else ()  # of a Matryoshka SAE; (): a flat one

    leaves = tuple(w.clone().requires_grad_() for w in weights)
    loss = topk_loss(x, leaves, k, aux, prefixes)
    expected = torch.autograd.grad(loss, leaves)
    loss = loss.detach()
    step = FastTopK(k, prefixes=prefixes)(x.float(), tuple(w.float() for w in weights), aux)
    assert float(step.loss) == pytest.approx(float(loss), rel=1e-4)
    for found, exact in zip(step.gradients, expected, strict=True):
        assert found.shape == exact.shape
        assert torch.allclose(found.double(), exact, rtol=1e-3, atol=1e-4 * max(1.0, float(exact.abs().max())))


def test_the_matryoshka_loss_by_hand():
    # one token x = (2, 0), two features with rows (1, 0) and (0, 1), activations 1 and 3, no biases:
    # the first alone leaves (1, 0), both leave (1, -3): (1 + 10) / 2
    weights = (torch.tensor([[0.5, 1.5], [0.0, 0.0]]), torch.zeros(2), torch.eye(2), torch.zeros(2))
    step = FastTopK(2, prefixes=(1, 2))(torch.tensor([[2.0, 0.0]]), weights)
    assert (float(step.loss), float(step.squared_error)) == (5.5, 10.0)


@pytest.mark.parametrize("prefixes", [(4, 2), (0, 8), (2, 2, 8)])
def test_prefixes_that_do_not_ascend_are_refused(prefixes):
    with pytest.raises(ValueError, match="prefixes must be positive and ascending"):
        TrainConfig(steps=1, prefixes=prefixes)


def test_prefixes_end_at_the_whole_dictionary():
    with pytest.raises(ValueError, match=r"must be d_sae = 16"):
        train(SAE(SAEConfig(d_in=4, d_sae=16, architecture="topk", k=2)), [], TrainConfig(steps=1, prefixes=(4, 8)))


def test_the_plain_loss_is_the_sae():
    """|x - x_hat|^2 summed over d_in, mean over the batch, in SAE units."""
    sae, (x,) = make(), noise(1)
    plain = topk_loss(SITE.scale * x, (sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec), 3)
    expected = (SITE.scale * (x - sae(x))).square().sum(-1).mean()
    assert float(plain.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)


def test_the_auxiliary_loss_moves_dead_features_only():
    """Known bug 21: through a residual that is not held fixed it would move the live ones too."""
    sae, (x,) = make(), noise(1)
    weights = tuple(w.detach() for w in (sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec))
    dead = torch.tensor([2, 5, 11])
    fast = FastTopK(3)
    without, with_aux = fast(x, weights), fast(x, weights, AuxK(dead, 2, 1.0))
    live = torch.tensor([i for i in range(24) if i not in dead.tolist()])
    for i, axis in ((0, 1), (1, 0), (2, 0)):
        a, b = without.gradients[i], with_aux.gradients[i]
        assert torch.equal(a.index_select(axis, live), b.index_select(axis, live))
        assert not torch.equal(a.index_select(axis, dead), b.index_select(axis, dead))


def test_bf16_differs_by_a_percent_or_so():
    sae, (x,) = make(), noise(1, rows=256)
    weights = (sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec)
    exact, coarse = FastTopK(3)(x, weights), FastTopK(3, bf16=True)(x, weights)
    assert coarse.values.dtype == torch.float32
    assert float(coarse.loss) == pytest.approx(float(exact.loss), rel=0.02)


def test_relu_loss_by_hand():
    """One token x = (1, -1), scale 2; a = (2.5, 1, 0), x_hat = (2.5, 3) in SAE units, decoder norms 1, 2, sqrt 50."""
    sae = SAE(SAEConfig(2, 3, "relu", site=ActivationSite("m", "h", 2, scale=2.0)))
    with torch.no_grad():
        sae.W_enc.copy_(torch.tensor([[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]]))
        sae.b_enc.copy_(torch.tensor([0.5, 3.0, 1.0]))
        sae.W_dec.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0], [5.0, 5.0]]))
        sae.b_dec.copy_(torch.tensor([0.0, 1.0]))
    with torch.no_grad():
        loss, squared_error, _ = relu_loss(sae, torch.tensor([[1.0, -1.0]]), 5.0)
    assert float(squared_error) == 0.5**2 + 5.0**2
    assert float(loss) == 25.25 + 5.0 * (2.5 * 1 + 1.0 * 2)


def test_relu_loss_is_the_same_for_a_f_and_w_over_a():
    sae, other, (x,) = make("relu"), make("relu"), noise(1)
    a = torch.linspace(0.2, 4, 24)
    with torch.no_grad():
        for p in (sae.b_enc, sae.b_dec):
            p.normal_(generator=torch.Generator().manual_seed(1))
        other.W_enc.copy_(sae.W_enc * a)
        other.b_enc.copy_(sae.b_enc * a)
        other.W_dec.copy_(sae.W_dec / a[:, None])
        other.b_dec.copy_(sae.b_dec)
    first, second = (float(relu_loss(s, x, 5.0)[0].detach()) for s in (sae, other))
    assert first == pytest.approx(second, rel=1e-5)


# -- schedules --


def test_the_april_2024_schedule():
    config = TrainConfig.anthropic_april_2024(steps=1000)
    assert (config.betas, config.grad_clip, config.aux_k) == ((0.9, 0.999), 1.0, 0)
    assert TrainConfig.anthropic_april_2024().steps == 200_000
    assert [config.lr_at(s) for s in (0, 50, 800, 1000)] == [5e-5, 5e-5, 5e-5, 0.0]
    assert config.lr_at(900) == pytest.approx(2.5e-5)
    assert [config.l1_at(s) for s in (0, 50, 800, 1000)] == [0.0, 1.0, 1.0, 1.0]
    assert config.l1_at(25) == 0.5


def test_warmup_rises_linearly_to_the_full_rate():
    config = TrainConfig(steps=100, lr=1.0, lr_warmup=0.1, lr_decay=0.0)
    assert [config.lr_at(s) for s in (0, 4, 10, 99)] == pytest.approx([1 / 11, 5 / 11, 1, 1])


@pytest.mark.parametrize("architecture", ["relu", "topk"])
def test_a_run_uses_the_schedule(architecture):
    config = TrainConfig(steps=10, lr=1e-3, lr_decay=0.5)
    steps = list(train(make(architecture), noise(10), config))
    assert [s.lr for s in steps] == [config.lr_at(i) for i in range(10)]
    assert [s.step for s in steps] == list(range(1, 11))
    assert [s.tokens for s in steps] == [32 * i for i in range(1, 11)]


def test_lambda_grows_with_its_warmup():
    """At the first step the loss is the squared error alone; half-way through the warm-up it has half of lambda."""
    sae, (x,) = make("relu"), noise(1)
    run = train(sae, [x] * 100, TrainConfig(steps=100, l1_warmup=0.1))
    for i in range(6):
        expected = relu_loss(sae, x, 5.0 * i / 10)[0].detach()
        assert next(run).loss == pytest.approx(float(expected), rel=1e-5)


def test_configs_that_cannot_be_are_refused():
    for wrong in ({"steps": 0}, {"lr": 0.0}, {"lr": math.nan}, {"lr_decay": 2}, {"grad_clip": 0}, {"precision": "fp8"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            TrainConfig(**({"steps": 5} | wrong))


# -- the loop --


def test_nothing_runs_before_it_is_asked_and_a_table_comes_out():
    sae = make()
    before = sae.W_dec.clone()
    run = train(sae, noise(4), TrainConfig(steps=4))
    assert torch.equal(sae.W_dec, before)
    table = pd.DataFrame(run)
    assert list(table.columns) == list(TrainStep.__dataclass_fields__)
    assert len(table) == 4
    assert not torch.equal(sae.W_dec, before)
    assert list(run) == []
    assert len(run.history) == 4


@pytest.mark.parametrize("architecture", ["relu", "topk"])
def test_a_step_reports_the_batch_as_it_was_before_the_update(architecture):
    sae, (x,) = make(architecture), noise(1)
    if architecture == "topk":
        with torch.no_grad():  # where training begins
            sae.b_dec.copy_(SITE.scale * x.mean(0))
    a = sae.encode(x).detach()
    fvu = float(((x - sae(x)) ** 2).sum().detach() / ((x - x.mean(0)) ** 2).sum())
    step = next(train(sae, [x], TrainConfig(steps=1)))
    assert step.fvu == pytest.approx(fvu, rel=1e-4)
    assert step.l0 == pytest.approx(float((a > 0).sum(-1).float().mean()))


def test_topk_starts_at_the_mean_and_keeps_unit_rows():
    sae, batches = make(), noise(20)
    run = train(sae, batches, TrainConfig(steps=20, lr=0.05, lr_warmup=0.0))
    sae_bias_before = 0.5 * batches[0].mean(0)
    for i, _ in enumerate(run):
        assert (sae.W_dec.norm(dim=-1) - 1).abs().max() < 1e-6
        if i == 0:
            assert (sae.b_dec - sae_bias_before).abs().max() <= 0.05 * 1.01  # one Adam step away


def test_relu_keeps_its_norms_free():
    sae = make("relu")
    list(train(sae, noise(20), TrainConfig(steps=20, lr=0.05)))
    norms = sae.W_dec.norm(dim=-1)
    assert norms.max() - norms.min() > 0.01


def test_the_gradient_has_no_part_along_a_row():
    sae = make()
    run = train(sae, noise(1), TrainConfig(steps=1))
    x = SITE.scale * noise(1)[0]
    run.objective.gradients(x, x, step=0, dead=torch.arange(0))
    along = (sae.W_dec * sae.W_dec.grad).sum(-1).abs().max()
    run.objective.project()
    assert along > 1e-3
    assert (sae.W_dec * sae.W_dec.grad).sum(-1).abs().max() < 1e-5 * along + 1e-6


@pytest.mark.parametrize("architecture", ["relu", "topk"])
def test_dead_is_a_count_of_features_that_have_not_fired_lately(architecture):
    """dead_window 64 tokens = the last two batches of 32."""
    sae, batches = make(architecture, d_sae=64, k=2), noise(8, rows=32)
    fired = []
    run = train(sae, batches, TrainConfig(steps=8, dead_window=64, aux_k=0))
    for batch in batches:
        if not fired and architecture == "topk":
            with torch.no_grad():
                sae.b_dec.copy_(SITE.scale * batch.mean(0))
        fired.append((sae.encode(batch) > 0).any(0))
        step = next(run)
        lately = torch.stack(fired[-2:]).any(0)
        assert step.dead == pytest.approx(0 if len(fired) < 2 else float((~lately).float().mean()))


def planted(n, d, k, *, rows=512, seed=11):
    """(directions [n, d], an endless stream of sums of k of them with random lengths in 1..2).

    The seed is not the SAEs': the same one would draw the same directions, and nothing would be left to find.
    """
    generator = torch.Generator().manual_seed(seed)
    truth = torch.nn.functional.normalize(torch.randn(n, d, generator=generator), dim=-1)

    def stream():
        while True:
            on = torch.rand(rows, n, generator=generator).topk(k).indices
            yield torch.zeros(rows, n).scatter(1, on, 1 + torch.rand(rows, k, generator=generator)) @ truth

    return truth, stream()


def test_auxk_brings_dead_features_back():
    """64 planted directions, 64 features, half of them born nearly dead: a third stay dead without AuxK, a tenth with."""

    def last(aux_k):
        sae = SAE(SAEConfig(32, 64, "topk", k=3))
        with torch.no_grad():
            sae.b_enc[:32] = -1.0
        config = TrainConfig(steps=300, lr=1e-2, dead_window=5_000, aux_k=aux_k)
        return list(train(sae, planted(64, 32, 3, rows=256)[1], config))[-1]

    without, with_aux = last(0), last(None)
    assert with_aux.dead < 0.5 * without.dead
    assert with_aux.fvu < 0.9 * without.fvu


def test_topk_finds_planted_directions():
    """32 random unit directions in 16 dimensions, 2 at a time: most decoder rows end at one of them."""
    truth, batches = planted(32, 16, 2)
    sae = SAE(SAEConfig(16, 48, "topk", k=2))
    last = list(train(sae, batches, TrainConfig(steps=600, lr=5e-3, dead_window=5_000)))[-1]
    assert last.fvu < 0.1
    assert (truth @ sae.W_dec.detach().T).max(1).values.mean() > 0.95


def test_the_global_random_state_is_left_alone():
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    list(train(make(), noise(3), TrainConfig(steps=3)))
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()


def test_same_seed_twice_is_the_same_bit_for_bit():
    a, b = make(), make()
    for sae in (a, b):
        list(train(sae, noise(10), TrainConfig(steps=10)))
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


# -- what goes wrong --


@pytest.mark.parametrize("architecture", ["relu", "topk"])
@pytest.mark.parametrize("value", [math.nan, math.inf, 1e30])
@pytest.mark.parametrize("at", [0, 3])
def test_a_loss_that_is_not_finite_stops_before_any_weight_moves(architecture, value, at, tmp_path):
    sae, batches = make(architecture), noise(6)
    batches[at][5, 2] = value
    run = train(sae, batches, TrainConfig(steps=6))
    for _ in range(at):
        next(run)
    before = [p.clone() for p in sae.parameters()]
    with pytest.raises(FloatingPointError, match=f"step {at + 1}"):
        next(run)
    assert all(torch.equal(p, q) for p, q in zip(sae.parameters(), before, strict=True))
    assert all(p.isfinite().all() for p in sae.parameters())
    assert run.step == at
    run.save(tmp_path / "checkpoint")  # what is there is finite
    assert len(run.history) == at


def test_batches_that_run_out_say_so():
    run = train(make(), noise(2), TrainConfig(steps=5))
    next(run), next(run)
    with pytest.raises(ValueError, match="ran out after 2 of 5"):
        next(run)


def test_batches_of_another_width_say_so():
    with pytest.raises(ValueError, match="d_in = 6"):
        next(train(make(), [torch.zeros(4, 7)], TrainConfig(steps=1)))


# -- checkpoints --


class Jumping:
    """Batches that can be entered anywhere, as an ActivationStore's."""

    def __init__(self, batches):
        self.all, self.started_at = batches, []

    def batches(self, start=0):
        self.started_at.append(start)
        yield from self.all[start:]


@pytest.mark.parametrize("architecture", ["relu", "topk"])
@pytest.mark.parametrize("cut", [0, 1, 7, 19, 20])
@pytest.mark.parametrize("kind", [list, Jumping])
def test_resuming_equals_not_stopping_bit_for_bit(architecture, cut, kind, tmp_path):
    config = TrainConfig(steps=20, lr=5e-3, dead_window=100)
    straight = make(architecture)
    whole = list(train(straight, noise(20), config))

    first = train(make(architecture), noise(20), config)
    for _ in range(cut):
        next(first)
    first.save(tmp_path / "checkpoint.safetensors")
    del first

    sae, batches = make(architecture), kind(noise(20))
    with torch.no_grad():
        sae.W_enc.zero_()  # everything comes from the checkpoint
    rest = train(sae, batches, config, resume=tmp_path / "checkpoint.safetensors")
    assert list(rest) == whole[cut:]
    assert all(torch.equal(p, q) for p, q in zip(sae.parameters(), straight.parameters(), strict=True))
    if kind is Jumping and cut < 20:
        assert batches.started_at == [cut]


def test_a_run_over_a_model_resumes_in_the_middle_of_its_activations(tiny_model, tmp_path):
    """What a person types: a store, an SAE at its site, a run; stopped, and taken up by a new store and SAE."""
    texts = ["The bridge over the bay", "is red", "and the fog is cold. The fog is over the bay.", "Bay"]

    def begin(resume=None):
        store = ActivationStore(
            tiny_model, site(tiny_model, "blocks.1.hook_resid_pre"), texts, batch_size=16, buffer_tokens=40
        )
        sae = SAE(SAEConfig(store.site.d_in, 64, "topk", k=4, site=store.site))
        return train(sae, store, TrainConfig(steps=9), resume=resume)

    straight, first = begin(), begin()
    whole = list(straight)
    next(first), next(first), next(first), next(first)
    first.save(tmp_path / "checkpoint")
    second = begin(resume=tmp_path / "checkpoint")
    assert list(second) == whole[4:]
    assert all(torch.equal(p, q) for p, q in zip(second.sae.parameters(), straight.sae.parameters(), strict=True))


def test_a_checkpoint_does_not_disturb_the_run_that_wrote_it(tmp_path):
    a, b = make(), make()
    list(train(a, noise(6), TrainConfig(steps=6)))
    for step in (run := train(b, noise(6), TrainConfig(steps=6))):
        run.save(tmp_path / f"{step.step}")
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def test_equal_rows_have_no_variance_to_explain():
    """The FVU would be an error over the rounding of a mean: 8e13 for rows of noise that are all the same."""
    for row in (torch.randn(6, generator=torch.Generator().manual_seed(3)), torch.zeros(6), torch.full((6,), 0.1)):
        step = next(train(make(), [row.expand(50, 6).clone()], TrainConfig(steps=1)))
        assert math.isnan(step.fvu) and math.isfinite(step.loss)
    small = torch.ones(64, 6)
    small[0, 0] += 0.01  # a variance of a ten-millionth of the squares is one
    assert next(train(make(), [small], TrainConfig(steps=1))).fvu > 0


def test_a_checkpoint_of_another_run_or_a_broken_one_gives_load_error(tmp_path):
    config, path = TrainConfig(steps=4), tmp_path / "checkpoint"
    run = train(make(), noise(4), config)
    next(run)
    run.save(path)
    for sae, other, words in (
        (make(seed=1), config, r"SAEConfig.seed is 0 in it and 1 here$"),
        (
            make(),
            TrainConfig(steps=5),
            r"TrainConfig.steps is 4 in it and 5 here\. To train a finished run further, .*sw.train",
        ),
        (
            make(),
            TrainConfig(steps=4, lr=0.5, aux_k=2, micro_batch=8),
            r"TrainConfig.aux_k is None in it and 2 here; TrainConfig.lr is .* 0.5 here; TrainConfig.micro_batch is None in it and 8 here$",
        ),
    ):
        with pytest.raises(LoadError, match="another SAEConfig or TrainConfig: .*" + words):
            train(sae, noise(4), other, resume=path)
    with pytest.raises(LoadError):
        train(make(), noise(4), config, resume=tmp_path / "nothing")
    raw = path.read_bytes()
    for broken in (raw[: len(raw) // 2], raw[:-1], b"", b"\xff" * 100):
        path.write_bytes(broken)
        sae = make()
        before = sae.W_enc.clone()
        with pytest.raises(LoadError):
            train(sae, noise(4), config, resume=path)
        assert torch.equal(sae.W_enc, before)


def test_the_loss_falls():
    for architecture in ("relu", "topk"):
        losses = [s.fvu for s in train(make(architecture), noise(200), TrainConfig(steps=200, lr=5e-3))]
        means = [float(np.mean(losses[i : i + 50])) for i in (0, 50, 100, 150)]
        assert all(b < a for a, b in pairwise(means[:2])), means
