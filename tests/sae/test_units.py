"""One law for all instruments: what they say a feature does is what a clamp to 0 does, whatever units the SAE computes
in.

Every architecture, under every way in which an SAE may bring its inputs to its own scale. The second method is always
the clamp itself, and of the clamp the SAE's own `decode`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import saewidgets as sw
from saewidgets.analysis.prompts import prompt_activations
from saewidgets.analysis.prompts.attribution import with_losses
from saewidgets.models import Edit, site
from saewidgets.records import Clamp
from saewidgets.sae import ARCHITECTURES, INPUT_NORMALIZATIONS, SAE, SAEConfig
from saewidgets.steering import Steerer, clamp_edit, row_edit

HOOK = "blocks.0.hook_resid_post"
SAME = "blocks.1.hook_resid_pre"  # the same numbers, at another hook
TEXT = "The fog over the red bridge is"
UNITS = [*(f"scale {scale}" for scale in (0.3, 1.7)), "folded", *(n for n in INPUT_NORMALIZATIONS if n != "none")]


def an_sae(model, architecture, units) -> SAE:
    where = site(model, HOOK, scale=float(units.split()[1]) if units.startswith("scale") else 1.0)
    if units == "folded":
        return an_sae(model, architecture, "scale 1.7").fold_scale()
    normalization = units if units in INPUT_NORMALIZATIONS else "none"
    sae = SAE(SAEConfig(32, 48, architecture, k=5, site=where, input_normalization=normalization, seed=3), name="tiny")
    with torch.no_grad():
        for name, weight in sae.weights.items():
            if name not in ("W_enc", "W_dec", "threshold"):
                weight.copy_(torch.linspace(-0.5, 0.3, weight.numel()).roll(7))
        sae.W_dec.mul_(torch.linspace(0.5, 2.0, 48)[:, None])
    return sae


@pytest.fixture(scope="module", params=[(a, u) for a in ARCHITECTURES for u in UNITS], ids=" ".join)
def sae(request, tiny_model):
    return an_sae(tiny_model, *request.param)


@pytest.fixture(scope="module")
def x(tiny_model):
    return tiny_model.activations(tiny_model.tokens(TEXT), HOOK)[0]  # [pos, d_in]


def without(model, sae, feature, positions):
    """Logits [pos, d_vocab] with a feature clamped to 0 at some tokens."""
    clamps = [Clamp(feature, 0.0, f"token {p}") for p in positions]
    return model.logits(model.tokens(TEXT), Edit(HOOK, clamp_edit(sae, clamps)))[0]


def losses(logits, ids):
    return -logits[:-1].log_softmax(-1).gather(-1, ids[1:, None])[:, 0].numpy()


def on(found):
    """{feature: the positions where it is active}, the strongest five."""
    strongest = dict.fromkeys(found.feature[np.argsort(-found.value)].tolist())
    return {f: found.position[found.feature == f].tolist() for f in list(strongest)[:5]}


def test_a_direction_is_what_one_unit_adds_to_x_hat(sae, x):
    one = torch.eye(48)
    with torch.no_grad():
        for p in range(len(x)):
            here = x[p].expand(48, -1)
            added = sae.decode(one, here) - sae.decode(0 * one, here)
            torch.testing.assert_close(
                sae.directions_at(x[p], torch.arange(48)), added, rtol=1e-4, atol=2e-6 * float(x.abs().max())
            )


def test_a_clamp_moves_x_along_it_and_every_form_of_the_clamp_does_the_same(sae, x):
    with torch.no_grad():
        a = sae.encode(x)
        feature = int(a.amax(0).argmax())
        moved = clamp_edit(sae, [Clamp(feature, 2.5)])(x[None], 0)[0]
        wanted = x + (2.5 - a[:, feature, None]) * sae.directions_at(x, feature)
        torch.testing.assert_close(moved, wanted, rtol=1e-4, atol=1e-4)
        both = torch.stack([x, x])
        torch.testing.assert_close(row_edit(sae, [None, Clamp(feature, 2.5)])(both, 0)[1], wanted, rtol=1e-4, atol=1e-4)


def test_an_ablation_is_a_clamp_to_0(tiny_model, sae):
    frame = sw.analysis.attribution(tiny_model, sae, TEXT, " cold", " red")
    assert len(frame) > 8
    cold, red = tiny_model.one_token(" cold"), tiny_model.one_token(" red")

    def difference(logits):
        return float(logits[-1, cold] - logits[-1, red])

    clean = difference(tiny_model.logits(tiny_model.tokens(TEXT))[0])
    for row in frame.head(12).itertuples():
        expected = clean - difference(without(tiny_model, sae, row.feature, [row.position]))
        assert row.ablation == pytest.approx(expected, rel=1e-3, abs=2e-4)


def test_an_attribution_is_the_slope_of_a_clamp_about_its_own_value(tiny_model, sae):
    row = sw.analysis.attribution(tiny_model, sae, TEXT, " cold", " red").iloc[0]
    cold, red = tiny_model.one_token(" cold"), tiny_model.one_token(" red")
    ends = []
    for share in (0.99, 1.01):
        edit = clamp_edit(sae, [Clamp(row.feature, share * row.activation, f"token {row.position}")])
        last = tiny_model.logits(tiny_model.tokens(TEXT), Edit(HOOK, edit))[0, -1].double()
        ends.append(float(last[cold] - last[red]))
    assert row.attribution == pytest.approx((ends[1] - ends[0]) / 0.02, rel=0.02, abs=2e-3)


def test_a_loss_effect_is_that_of_a_clamp_to_0(tiny_model, sae):
    found = with_losses(tiny_model, sae, prompt_activations(tiny_model, sae, TEXT))
    ids = tiny_model.tokens(TEXT)
    clean = losses(tiny_model.logits(ids)[0], ids)
    for feature, positions in on(found).items():
        expected = losses(without(tiny_model, sae, feature, positions), ids) - clean
        effect = found.loss_effect[np.searchsorted(found.listed, feature), 1:]
        np.testing.assert_allclose(effect, expected, rtol=1e-3, atol=2e-4)
        assert sw.prober(tiny_model, sae)(TEXT, losses=[feature]).loss_effect is not None


def test_a_dashboard_s_effect_is_that_of_a_clamp_to_0(tiny_model, sae):
    acts = sw.feature_activations(tiny_model, sae, [TEXT])
    ids = tiny_model.tokens(TEXT)
    clean = losses(tiny_model.logits(ids)[0], ids)
    feature, positions = next(iter(on(prompt_activations(tiny_model, sae, TEXT)).items()))
    example = sw.dashboard_data(tiny_model, sae, acts, [feature], window=50).measured(feature).top[0]
    expected = losses(without(tiny_model, sae, feature, positions), ids) - clean
    shown = example.loss_effects[-len(expected) :]
    np.testing.assert_allclose(np.array(shown, float), expected[-len(shown) :], rtol=1e-3, atol=2e-4)


def test_where_x_is_the_same_a_projection_moves_by_what_the_clamp_moved(tiny_model, sae, x):
    feature = int(sae.encode(x).amax(0).argmax())
    own = sae.encode(x)[:, feature].detach().numpy()
    frame = Steerer(tiny_model, sae).measure(TEXT, [Clamp(feature, 2.5)], [np.int64(feature)], [SAME])
    np.testing.assert_allclose(frame["clamped"] - frame["default"], 2.5 - own, rtol=1e-3, atol=2e-3)
    later = Steerer(tiny_model, sae).measure(TEXT, [Clamp(feature, 2.5)], [feature], [HOOK])
    np.testing.assert_allclose(later["default"], own, rtol=1e-4, atol=1e-4)


def test_parts_add_up_and_are_what_a_clamp_to_0_takes_away(tiny_model, sae, x, tmp_path):
    parts = sw.token_parts(tiny_model.hooked, sae, TEXT)  # a TransformerLens model will do
    with torch.no_grad():
        a, x_hat = sae.encode(x), sae.decode(sae.encode(x), x)
    np.testing.assert_allclose(parts.x_hat, x_hat.numpy(), rtol=1e-4, atol=1e-4)
    parts.save(tmp_path / "parts.safetensors")
    again = sw.records.TokenParts.load(tmp_path / "parts.safetensors")
    for p in range(len(x)):
        assert parts.mismatch(p) < 1e-4 * float(x.abs().max())
        assert again.mismatch(p) == parts.mismatch(p)
        strongest = int(a[p].argmax())
        if a[p, strongest] > 0:
            gone = x - clamp_edit(sae, [Clamp(strongest, 0.0)])(x[None], 0)[0]
            np.testing.assert_allclose(parts.contributions(p)[0], gone[p].numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("units", UNITS)
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(list(ARCHITECTURES)), st.floats(0.01, 100), st.floats(-50, 50))
def test_a_clamp_to_its_own_value_changes_no_bit_and_any_other_is_read_back_from_x(
    tiny_model, units, seed, architecture, size, value
):
    """x' - x lies along the direction at x, and is (value - a) of it: for inputs of any size."""
    sae = an_sae(tiny_model, architecture, units)
    x = size * torch.randn(1, 3, 32, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        a = sae.encode(x)[0]
        feature = int(a.amax(0).argmax())
        own = sae.activations_of(x, [feature])[0, :, 0]  # the same sums as the clamp's own, to the last bit
        for p in range(3):
            same = clamp_edit(sae, [Clamp(feature, own[p], f"token {p}")])(x, 0)
            assert torch.equal(same, x)
        d = sae.directions_at(x[0], feature).double()
        moved = (clamp_edit(sae, [Clamp(feature, value)])(x, 0) - x)[0].double()
        coefficient = (moved * d).sum(-1) / d.square().sum(-1)
        torch.testing.assert_close(
            coefficient, value - a[:, feature].double(), rtol=1e-3, atol=1e-3 * max(1.0, float(a.max()))
        )


def test_a_normalized_sae_is_not_one_of_another_scale(tiny_model):
    """The bug that this file is for: rows taken as they are would be off by the spread of each token, 12 and more here."""
    sae = an_sae(tiny_model, "topk", "layer_norm")
    x = tiny_model.activations(tiny_model.tokens(TEXT), HOOK)[0]
    spread = sae.spread(x)[:, 0]
    assert float(spread.max() / spread.min()) > 1.05 and torch.allclose(spread, x.std(-1))
    assert torch.equal(SAE(replace(sae.config, input_normalization="none")).spread(x), torch.ones(()))
