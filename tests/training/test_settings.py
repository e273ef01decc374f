"""Schedules, resampling, firing rates, bf16, transcoders, and what a trained SAE becomes on disk."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

import saewidgets as sw
from saewidgets.activations import ActivationStore
from saewidgets.files import LoadError
from saewidgets.formats import load_sae, save_sae
from saewidgets.models import site
from saewidgets.records import ActivationSite, Clamp
from saewidgets.sae import SAE, SAEConfig
from saewidgets.training import OBJECTIVES, Pairs, TrainConfig, train
from saewidgets.training.resampling import resample

UNIT = {"architecture": "relu", "apply_b_dec_to_input": True}
KINDS = {
    "relu": {"architecture": "relu"},
    "relu_unit_norm": UNIT,
    "relu_p_annealing": UNIT,
    "topk": {"architecture": "topk", "k": 3},
    "batchtopk": {"architecture": "batchtopk", "k": 3},
    "jumprelu": {"architecture": "jumprelu"},
    "jumprelu_tanh": {"architecture": "jumprelu"},
    "gated": {"architecture": "gated"},
}


def noise(n, rows=32, d=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [2 * torch.randn(rows, d, generator=generator) + 1 for _ in range(n)]


# -- schedules -------------------------------------------------------------------------------------------------------


def test_the_cosine_decay():
    config = TrainConfig(steps=100, lr=2.0, lr_warmup=0.0, lr_decay=0.5, lr_shape="cosine")
    expected = [2.0, 2.0, 1 + math.cos(math.pi / 4), 1.0, 0.0]
    assert [config.lr_at(s) for s in (0, 50, 62.5, 75, 100)] == pytest.approx(expected)


def test_lambda_rises_from_a_share_of_itself():
    config = TrainConfig(steps=100, l1_warmup=0.5, l1_start=0.2)
    assert [config.l1_at(s) for s in (0, 25, 50, 99)] == pytest.approx([0.2, 0.6, 1.0, 1.0])


@pytest.mark.parametrize("kind", ["topk", "batchtopk"])
def test_k_falls_to_the_saes_own(kind):
    config = TrainConfig(steps=10, k_start=6, k_anneal=0.5, aux_k=0)
    assert [config.k_at(s, 3) for s in range(10)] == [6, 5, 5, 4, 4, 3, 3, 3, 3, 3]  # 5.4, 4.8, 4.2, 3.6
    steps = list(train(SAE(SAEConfig(6, 24, **KINDS[kind])), noise(10), config))
    assert [s.sparsity for s in steps] == [6, 5, 5, 4, 4, 3, 3, 3, 3, 3]
    assert all(s.l0 <= s.sparsity for s in steps)
    assert steps[0].l0 > 4.5


def test_each_step_says_its_lambda_and_its_losss_parts():
    for name, fields in KINDS.items():
        sae = SAE(SAEConfig(6, 24, l1_coefficient=2.0, **fields))
        steps = list(train(sae, noise(5), TrainConfig(steps=5, l1_warmup=0.4, p_hold=1.0, objective=name)))
        if "topk" not in name:
            assert [s.sparsity for s in steps] == pytest.approx([0.0, 1.0, 2.0, 2.0, 2.0])
        assert all(sum(s.parts.values()) == pytest.approx(s.loss, rel=1e-5) for s in steps)
        assert "error" in steps[0].parts and len(steps[0].parts) >= 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"lr_shape": "sine"}, {"l1_start": 2}, {"k_start": 0}, {"k_anneal": -1}, {"bandwidth": 0}, {"p_end": 0}, {"p_hold": 2},
        {"micro_batch": 0}, {"resample_at": (0,)}, {"resample_at": (6,)}, {"pre_act_coefficient": -1}, {"tanh_scale": math.inf},
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TrainConfig(steps=5, **wrong)


def test_the_recipes():
    """Values that their authors state; see the docstrings."""
    january = TrainConfig.anthropic_january_2025(1000)
    assert (january.lr, january.bandwidth, january.tanh_scale, january.pre_act_coefficient) == (2e-4, 2.0, 4.0, 3e-6)
    assert [january.l1_at(s) for s in (0, 500, 1000)] == [0.0, 0.5, 1.0]
    bricken = TrainConfig.bricken_2023()
    assert bricken.resample_at == (25_000, 50_000, 75_000, 100_000)
    assert bricken.dead_window == 12_500 * 8192
    sae = SAE(SAEConfig(6, 24, **UNIT))
    list(train(sae, noise(8), TrainConfig.bricken_2023(8)))
    list(train(SAE(SAEConfig(6, 24, "jumprelu", l1_coefficient=20)), noise(8), TrainConfig.anthropic_january_2025(8)))


# -- firing rates ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_firing_rates_are_counted_over_the_stated_window(name):
    """dead_window = 64 tokens = 2 batches: after 5, the counts cover batches 3 to 5; after 6, batches 3 to 6."""
    sae = SAE(SAEConfig(6, 24, **KINDS[name]))
    run = train(sae, noise(7), TrainConfig(steps=7, dead_window=64, objective=name, lr=1e-3))
    assert np.isnan(run.firing_rates()).all()
    own, counts = run.objective.gradients, []

    def counted(*args, **more):
        found = own(*args, **more)
        counts.append(found.fired.numpy())
        return found

    run.objective.gradients = counted
    for n, first in ((1, 0), (2, 0), (3, 0), (4, 0), (5, 2), (6, 2), (7, 4)):
        step = next(run)
        expected = np.sum(counts[first:n], axis=0) / (32 * (n - first))
        np.testing.assert_allclose(run.firing_rates(), expected)
        assert step.l0 == pytest.approx(counts[-1].sum() / 32)


# -- resampling ------------------------------------------------------------------------------------------------------


def ready_to_resample(unit=True, seed=0):
    sae = SAE(SAEConfig(6, 24, **(UNIT if unit else KINDS["relu"]), seed=4))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in sae.weights.values():
            weight.add_(0.3 * torch.randn(weight.shape, generator=generator))
        if unit:
            sae.W_dec.div_(sae.W_dec.norm(dim=-1, keepdim=True))
    moments = {n: {m: torch.ones_like(w.detach()) for m in ("exp_avg", "exp_avg_sq")} for n, w in sae.weights.items()}
    return sae, noise(1, rows=50)[0], moments


@pytest.mark.parametrize("unit", [True, False])
def test_resampling_does_what_t13_says(unit):
    sae, x, moments = ready_to_resample(unit)
    before = {name: w.detach().clone() for name, w in sae.weights.items()}
    dead = torch.tensor([2, 5, 17])
    live = torch.tensor([i for i in range(24) if i not in (2, 5, 17)])
    error = torch.zeros(50)
    error[[3, 8, 31]] = torch.tensor([1.0, 4.0, 2.0])  # three dead features, three rows with any loss: all are drawn
    assert resample(sae, x, x, error, dead, moments, seed=0).tolist() == dead.tolist()
    for name, w in sae.weights.items():
        axis = 1 if name == "W_enc" else 0
        if name == "b_dec":
            assert torch.equal(w, before[name])
        else:
            assert torch.equal(w.index_select(axis, live), before[name].index_select(axis, live))
    encoder_norm = 0.2 * before["W_enc"].norm(dim=0)[live].mean()
    decoder_norm = before["W_dec"].norm(dim=-1)[live].mean()
    target = (x - sae.b_dec).detach()[[3, 8, 31]]
    read = target if unit else x[[3, 8, 31]]
    cosine = torch.nn.functional.cosine_similarity(sae.W_dec[dead].detach()[:, None], target[None], dim=-1)
    drawn = cosine.argmax(1)
    assert sorted(drawn.tolist()) == [0, 1, 2]
    assert cosine.max(1).values.min() > 1 - 1e-5
    assert sae.W_dec[dead].norm(dim=-1).tolist() == pytest.approx([float(decoder_norm)] * 3, rel=1e-5)
    assert sae.W_enc[:, dead].norm(dim=0).tolist() == pytest.approx([float(encoder_norm)] * 3, rel=1e-5)
    along = torch.nn.functional.cosine_similarity(sae.W_enc[:, dead].T, read[drawn], dim=-1)
    assert along.min() > 1 - 1e-5
    assert not sae.b_enc[dead].any()
    for name, pair in moments.items():
        for moment in pair.values():
            rows = moment[:, dead] if name == "W_enc" else moment[dead] if name != "b_dec" else torch.zeros(1)
            assert not rows.any()
            assert float(moment.sum()) == moment.numel() - (0 if name == "b_dec" else rows.numel())


def test_rows_are_drawn_with_p_proportional_to_the_loss_squared():
    """Losses 1, 2 and 3: p = 1/14, 4/14, 9/14. 700 draws, four standard deviations."""
    counts = np.zeros(3)
    _, x, _ = ready_to_resample()
    x = x[:3]
    for seed in range(700):
        sae = SAE(SAEConfig(6, 24, **UNIT))
        resample(sae, x, x, torch.tensor([1.0, 2.0, 3.0]), torch.tensor([7]), {}, seed)
        counts[torch.nn.functional.cosine_similarity(sae.W_dec[7:8].detach(), x, dim=-1).argmax()] += 1
    p = np.array([1, 4, 9]) / 14
    assert (np.abs(counts - 700 * p) < 4 * np.sqrt(700 * p * (1 - p))).all()


def test_a_perfect_reconstruction_leaves_nothing_to_resample():
    sae, x, moments = ready_to_resample()
    before = sae.W_dec.detach().clone()
    assert resample(sae, x, x, torch.zeros(50), torch.tensor([1, 2]), moments, 0).tolist() == []
    assert torch.equal(sae.W_dec, before)


@pytest.mark.parametrize("name", ["relu", "relu_unit_norm", "gated"])
def test_resampling_brings_dead_features_back(name):
    """Half of the features are born dead for good: a bias of -30."""

    def dead(resample_at):
        sae = SAE(SAEConfig(6, 24, l1_coefficient=0.1, **KINDS[name]))
        with torch.no_grad():
            (sae.b_gate if name == "gated" else sae.b_enc)[:12] = -30.0
        config = TrainConfig(steps=80, lr=3e-3, objective=name, dead_window=320, resample_at=resample_at)
        return list(train(sae, noise(80), config))[-1].dead

    assert dead(()) >= 0.5
    assert dead((20, 40)) < 0.25


def test_resampling_leaves_the_global_random_state_alone():
    state = torch.get_rng_state()
    sae = SAE(SAEConfig(6, 24, **UNIT))
    with torch.no_grad():
        sae.b_enc[:12] = -30.0
    config = TrainConfig(steps=4, objective="relu_unit_norm", dead_window=32, resample_at=(2,))
    list(train(sae, noise(4), config))
    assert torch.equal(torch.get_rng_state(), state)
    assert not sae.b_enc[:12].lt(-1).any()


# -- bf16 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_bf16_is_a_coarser_float32(name):
    """Losses within 5 %, weights kept in float32, and not the same bits: it did something."""
    ends = []
    for precision in ("float32", "bf16"):
        sae = SAE(SAEConfig(6, 24, l1_coefficient=0.2, **KINDS[name]))
        config = TrainConfig(steps=10, lr=1e-3, objective=name, precision=precision)
        steps = list(train(sae, noise(10, rows=128), config))
        assert all(p.dtype == torch.float32 for p in sae.parameters())
        ends.append((np.array([s.loss for s in steps]), sae.W_enc.detach()))
    np.testing.assert_allclose(ends[0][0], ends[1][0], rtol=0.05)
    assert not torch.equal(ends[0][1], ends[1][1])


# -- on disk, and on from there --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_a_trained_sae_is_the_same_in_both_formats_and_trains_on(name, tmp_path):
    where = ActivationSite("m", "blocks.0.hook_resid_pre", 6, scale=0.5)
    sae = SAE(SAEConfig(6, 24, l1_coefficient=0.2, site=where, **KINDS[name]))
    list(train(sae, noise(30), TrainConfig(steps=30, lr=3e-3, objective=name)))
    x = noise(1, seed=5)[0]
    sae.save(tmp_path / "own")
    own = SAE.load(tmp_path / "own")
    assert all(torch.equal(a, b) for a, b in zip(sae.weights.values(), own.weights.values(), strict=True))
    save_sae(sae, tmp_path / "saelens", "saelens")
    theirs = load_sae(tmp_path / "saelens")
    assert torch.allclose(theirs(x), sae(x), atol=1e-5)
    assert torch.equal(theirs.encode(x) > 0, sae.encode(x) > 0)
    for loaded in (own, theirs):
        objective = name if loaded.config.architecture in OBJECTIVES[name].architectures else ""
        before = loaded(x).detach()
        first = next(run := train(loaded, noise(10), TrainConfig(steps=10, lr=1e-4, objective=objective)))
        assert (loaded(x) - before).abs().max() < 0.1 * before.abs().max()  # it goes on from where it was
        assert math.isfinite(first.loss)
        assert len(list(run)) == 9


@pytest.mark.parametrize("name", KINDS)
def test_what_finish_gives_has_unit_rows_and_reconstructs_the_same(name):
    sae = SAE(SAEConfig(6, 24, **KINDS[name]))
    run = train(sae, noise(9), TrainConfig(steps=9, lr=3e-2, objective=name))
    list(run)
    done, x = run.finish(), noise(1, seed=3)[0]
    assert (done.W_dec.norm(dim=-1) - 1).abs().max() < 1e-5
    assert torch.allclose(done(x), sae(x), atol=1e-4)
    assert (done is sae) == OBJECTIVES[name].unit_rows


@pytest.mark.parametrize("normalization", ["layer_norm", "unit_norm"])
def test_an_sae_that_normalizes_its_inputs_trains_in_normalized_units(normalization):
    sae = SAE(SAEConfig(6, 24, "topk", k=3, input_normalization=normalization))
    x = noise(1)[0]
    z = (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + 1e-5)
    if normalization == "unit_norm":
        z = x * 6**0.5 / x.norm(dim=-1, keepdim=True)
    run = train(sae, [x, x], TrainConfig(steps=2))
    next(run)
    with torch.no_grad():
        values, indices = ((z - sae.b_dec) @ sae.W_enc + sae.b_enc).topk(3)
        a = torch.zeros(32, 24).scatter(1, indices, values.relu())
        error = (a @ sae.W_dec + sae.b_dec - z).square().sum()
    assert next(run).parts["error"] == pytest.approx(float(error) / 32, rel=1e-4)


# -- transcoders -----------------------------------------------------------------------------------------------------


def pairs(n, seed=0):
    """y is a fixed map of relu features of x."""
    generator = torch.Generator().manual_seed(99)
    first, second = torch.randn(6, 9, generator=generator), torch.randn(9, 4, generator=generator)
    return [(x, (x @ first).relu() @ second) for x in noise(n, rows=128, seed=seed)]


def transcoder(name="topk", **more):
    fields = {k: v for k, v in KINDS[name].items() if k != "apply_b_dec_to_input"}
    return SAE(SAEConfig(6, 32, seed=2, **({"d_out": 4} | fields | more)))


@pytest.mark.parametrize("name", KINDS)
def test_a_transcoder_learns_another_sites_activations(name):
    sae = transcoder(name, l1_coefficient=0.02)
    steps = list(train(sae, pairs(300), TrainConfig(steps=300, lr=1e-2, objective=name, bandwidth=0.3)))
    assert steps[-1].fvu < 0.5 * steps[0].fvu
    assert steps[-1].fvu < 0.35
    x, y = pairs(1, seed=5)[0]
    fvu = float(((sae(x) - y).square().sum() / (y - y.mean(0)).square().sum()).detach())
    assert fvu < 0.4


def test_a_transcoders_loss_is_about_its_target_in_its_targets_units():
    """Scales 0.5 and 3: |3 y - (a W_dec + b_dec)|^2, a from 0.5 x without b_dec; a linear map by hand."""
    sites = ActivationSite("m", "mid", 2, scale=0.5), ActivationSite("m", "out", 1, scale=3.0)
    sae = SAE(SAEConfig(2, 1, "relu", site=sites[0], out_site=sites[1], l1_coefficient=0.0))
    assert (sae.config.d_out, sae.config.is_transcoder, sae.config.subtracts_b_dec) == (1, True, False)
    with torch.no_grad():
        sae.W_enc.copy_(torch.tensor([[1.0], [2.0]]))
        sae.W_dec.fill_(4.0)
        sae.b_dec.fill_(0.5)
    x, y = torch.tensor([[2.0, 4.0]]), torch.tensor([[1.0]])  # pre = 1 + 4 = 5; 20.5 in SAE units; 3 wanted
    assert float(sae(x).detach()) == pytest.approx(20.5 / 3)
    assert float(sae.decoder_directions) == pytest.approx(4 / 3)
    step = next(train(sae, [(x, y)], TrainConfig(steps=1)))
    assert step.loss == pytest.approx((20.5 - 3.0) ** 2)
    assert math.isnan(step.fvu)  # one row has no variance


def test_a_transcoders_files():
    """Formats 1 and 2 are as they were; a transcoder's is 3, and older readers refuse what they do not know."""
    assert SAEConfig(4, 8).to_dict()["format"] == 1
    assert "d_out" not in SAEConfig(4, 8, "gated").to_dict()
    data = SAEConfig(4, 8, d_out=3).to_dict()
    assert (data["format"], data["d_out"], data["out_site"]) == (3, 3, None)


def test_a_transcoder_round_trips(tmp_path):
    sae = transcoder("jumprelu", d_out=None, out_site=ActivationSite("m", "out", 4, scale=2.0))
    list(train(sae, pairs(3), TrainConfig(steps=3)))
    sae.save(tmp_path)
    again = SAE.load(tmp_path)
    assert again.config == sae.config
    x = pairs(1)[0][0]
    assert torch.equal(again(x), sae(x))
    data = json.loads((tmp_path / "config.json").read_text())
    for wrong in ({"d_out": 5}, {"d_out": 0}, {"out_site": {"model_name": 3}}, {"apply_b_dec_to_input": True}):
        (tmp_path / "config.json").write_text(json.dumps(data | wrong))
        with pytest.raises(LoadError):
            SAE.load(tmp_path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"d_out": 0}, "d_out must be a positive whole number, not 0"),
        ({"d_out": True}, "d_out must be"),
        ({"d_out": 3, "out_site": ActivationSite("m", "out", 4)}, "the site out is 4 wide"),
        ({"d_out": 3, "apply_b_dec_to_input": True}, "means nothing to a transcoder"),
        ({"d_out": 3, "input_normalization": "layer_norm"}, "takes its inputs as they are"),
    ],
)
def test_transcoders_that_cannot_be(fields, message):
    with pytest.raises(ValueError, match=message):
        SAEConfig(6, 32, **fields)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (torch.zeros(3, 6), r"expected pairs \(x, y\)"),
        ((torch.zeros(3, 6), torch.zeros(3, 5)), "d_out = 4"),
        ((torch.zeros(3, 6), torch.zeros(2, 4)), "3 and 2 rows"),
    ],
)
def test_wrong_pairs_say_so(batch, message):
    with pytest.raises(ValueError, match=message):
        next(train(transcoder(), [batch], TrainConfig(steps=1)))
    with pytest.raises(ValueError, match="one tensor a batch"):
        next(train(SAE(SAEConfig(6, 32)), [(torch.zeros(3, 6),) * 2], TrainConfig(steps=1)))


def test_what_means_nothing_for_a_transcoder_is_refused(tiny_model, tmp_path):
    places = [site(tiny_model, f"blocks.{i}.hook_resid_pre") for i in (0, 1)]
    sae = SAE(SAEConfig(places[0].d_in, 32, "topk", k=3, site=places[0], out_site=places[1]))
    told = "needs an SAE that reconstructs what it reads; this transcoder predicts blocks.1.hook_resid_pre"
    with pytest.raises(ValueError, match=f"quality {told}"):
        sw.quality(tiny_model, sae, ["The bay"])
    with pytest.raises(ValueError, match=f"a clamp {told}"):
        sw.Steerer(tiny_model, sae)
    with pytest.raises(ValueError, match=f"a clamp {told}"):
        from saewidgets.steering.edits import clamp_edit

        clamp_edit(sae, [Clamp(1, 2.0)])
    with pytest.raises(ValueError, match=f"an export to SAELens {told}"):
        save_sae(sae, tmp_path / "x", "saelens")
    assert not (tmp_path / "x").exists()


def test_pairs_are_the_same_tokens_at_two_sites(tiny_model):
    texts = ["The bridge over the bay", "is red", "and the fog is cold. The fog is over the bay.", "Bay"]
    names = ["blocks.0.hook_resid_pre", "blocks.1.hook_resid_pre"]
    stores = [ActivationStore(tiny_model, site(tiny_model, n), texts, batch_size=8, buffer_tokens=20) for n in names]
    batches = Pairs(*stores).batches(start=1)
    alone = [store.batches(start=1) for store in stores]
    for _ in range(5):
        for found, expected in zip(next(batches), map(next, alone), strict=True):
            assert torch.equal(found, expected)
    # by a second way: the layer between them maps each x to its y
    both = {}
    for text in texts:
        tokens = tiny_model.tokens(text)[None]
        x, y = (tiny_model.activations(tokens, n)[0] for n in names)
        both |= {tuple(a.tolist()): b for a, b in zip(x.round(decimals=4), y, strict=True)}
    x, y = next(Pairs(*stores).batches())
    for a, b in zip(x.round(decimals=4), y, strict=True):
        assert torch.allclose(both[tuple(a.tolist())], b, atol=1e-4)
    other = ActivationStore(tiny_model, site(tiny_model, names[1]), texts, batch_size=8, buffer_tokens=20, seed=1)
    with pytest.raises(ValueError, match="seed differs: 0, 1"):
        Pairs(stores[0], other)
