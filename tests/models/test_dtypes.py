"""Weights of another dtype, and another default dtype: the same numbers, or one sentence."""

from __future__ import annotations

import pytest
import torch

import saewidgets as sw
from saewidgets.records import Clamp
from saewidgets.sae import ARCHITECTURES, SAE, SAEConfig
from saewidgets.steering import Steerer
from saewidgets.training import TrainConfig, train

HOOK = "blocks.0.hook_resid_post"
TEXTS = ["The bridge over the bay is red", "and the fog is cold."]
DTYPES = (torch.bfloat16, torch.float16, torch.float64)


@pytest.fixture
def default(request):
    """torch's default dtype, as notebooks with large models set it."""
    before = torch.get_default_dtype()
    yield torch.set_default_dtype
    torch.set_default_dtype(before)


def batches():
    return [torch.randn(64, 16, dtype=torch.float32, generator=torch.Generator().manual_seed(i)) for i in range(5)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_training_is_bitwise_the_same_whatever_torch_s_default_is(default, architecture):
    def trained():
        sae = SAE(SAEConfig(16, 32, architecture, k=4))
        losses = [step.loss for step in train(sae, batches(), TrainConfig(steps=5, dead_window=64))]
        return losses, sae.weights

    losses, weights = trained()
    for dtype in DTYPES:
        default(dtype)
        again, others = trained()
        assert again == losses
        assert all(others[name].dtype == torch.float32 and torch.equal(others[name], w) for name, w in weights.items())


@pytest.mark.parametrize("dtype", DTYPES)
def test_reading_and_clamping_are_the_same_whatever_torch_s_default_is(tiny_model, default, dtype):
    def measured():
        sae = SAE(SAEConfig(32, 48, "topk", k=6, site=sw.site(tiny_model, HOOK)), name="tiny")
        acts = sw.feature_activations(tiny_model, sae, TEXTS)
        feature = int(acts.maximum.argmax())
        steer = Steerer(tiny_model, sae)
        clamps = [Clamp(feature, 4.0), sw.steering.add_feature(sae, feature, 0.5)]
        frame = sw.analysis.attribution(tiny_model, sae, TEXTS[0], " cold", " red")
        return (
            acts.value.tolist(),
            steer.generate(TEXTS[0], clamps, n_tokens=4),
            frame.ablation.tolist(),
            frame.attribution.tolist(),
        )

    before = measured()
    default(dtype)
    assert measured() == before


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_sae_of_another_dtype_saves_clamps_and_says_that_it_is_not_trained(tiny_model, tmp_path, dtype):
    sae = SAE(SAEConfig(32, 48, "topk", k=6, site=sw.site(tiny_model, HOOK))).to(dtype)
    sae.save(tmp_path / "own")
    again = SAE.load(tmp_path / "own")
    assert again.W_enc.dtype == torch.float32 and torch.equal(again.W_enc, sae.W_enc.float())
    kind = str(dtype).removeprefix("torch.")
    with pytest.raises(
        ValueError, match=rf"the SAE's weights are {kind}, and are trained in float32: sae.float\(\) makes them so"
    ):
        train(sae, [torch.randn(4, 32)], TrainConfig(steps=1))
    found = Steerer(tiny_model, sae).generate(TEXTS[0], [Clamp(3, 5.0)], n_tokens=3)
    assert len(found.tokens) == 3 and not found.stopped
    parts = sw.token_parts(tiny_model, sae, TEXTS[0])
    assert parts.mismatch(2) < 0.1 * float(abs(parts.x).max())


def test_training_asks_for_an_sae_and_a_config(tiny_model):
    with pytest.raises(TypeError, match="training needs an SAE, and a Model was given"):
        train(tiny_model, batches(), TrainConfig(steps=1))
    with pytest.raises(
        TypeError, match=r"training needs a TrainConfig, such as sw.TrainConfig\(steps=1000\), not a dict"
    ):
        train(SAE(SAEConfig(16, 32)), batches(), {"steps": 1})
