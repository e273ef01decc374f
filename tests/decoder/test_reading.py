"""Activations read by the decoder are TransformerLens's at every site, or are not read so."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from saewidgets.activations import harvest
from saewidgets.decoder import Decoder
from saewidgets.models import Model, load_model

PLACES = ("hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out", "mlp.hook_post")
SITES = [f"blocks.{layer}.{place}" for layer in (0, 1) for place in PLACES]


@pytest.fixture(params=["hooked", "bridge"])
def model(request, tiny_folder):
    return load_model(tiny_folder, backend=request.param)


def tokens(model, rows=5, n=9):
    return torch.randint(0, model.d_vocab, (rows, n), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("hook_name", SITES)
def test_every_site_is_what_transformer_lens_gives(model, hook_name):
    ids = tokens(model)
    ids[1, 4:] = -1  # padding
    found, expected = model.fast_activations(ids, hook_name), model.activations(ids, hook_name)
    assert found is not None
    assert float((found - expected).abs().max()) <= 1e-5 * max(1.0, float(expected.abs().max()))


@pytest.mark.parametrize(
    "hook_name", ["blocks.0.attn.hook_q", "blocks.1.mlp.hook_pre", "hook_embed", "blocks.7.hook_resid_pre"]
)
def test_other_sites_are_left_to_hooks(model, hook_name):
    assert model.fast_activations(tokens(model), hook_name) is None


def test_a_hook_of_the_users_own_is_heard(model):
    name = "blocks.0.hook_resid_post"
    handle = model.hooked.hook_dict["blocks.0.hook_resid_pre"].register_forward_hook(lambda m, i, x: x + 1)
    try:
        assert model.fast_activations(tokens(model), name) is None
    finally:
        handle.remove()
    assert model.fast_activations(tokens(model), name) is not None


def test_weights_that_change_are_read_anew(model):
    name, ids = "blocks.1.hook_resid_post", tokens(model)
    before = model.fast_activations(ids, name)
    with torch.no_grad():
        for parameter in model.hooked.parameters():
            parameter.mul_(1.1)
    after, expected = model.fast_activations(ids, name), model.activations(ids, name)
    assert before is not None and after is not None and not torch.allclose(before, after)
    assert torch.allclose(after, expected, rtol=1e-4, atol=1e-4)


def test_a_site_that_is_not_proven_is_not_used(model, monkeypatch):
    monkeypatch.setattr(Decoder, "read", lambda self, ids, name: torch.zeros(*ids.shape, self.d_model))
    assert model.fast_activations(tokens(model), "blocks.0.hook_resid_post") is None


def test_what_the_model_refuses_is_left_to_it(model):
    for ids in (
        tokens(model, n=model.n_ctx + 1),
        torch.full((1, 3), model.d_vocab),
        torch.zeros(2, 0, dtype=torch.long),
    ):
        assert model.fast_activations(ids, "blocks.0.hook_resid_post") is None


def test_harvest_is_the_same_with_and_without(model, monkeypatch):
    rows = tokens(model).numpy().astype(np.int32)
    rows[2, 3:] = -1
    wanted = rows >= 0
    name = "blocks.1.hook_resid_pre"
    fast = list(harvest(model, name, rows, wanted, tokens_per_pass=20))
    monkeypatch.setattr(Model, "fast_activations", lambda *_: None)
    slow = list(harvest(model, name, rows, wanted, tokens_per_pass=20))
    assert len(fast) == len(slow) > 1
    for (a, p, x), (b, q, y) in zip(fast, slow, strict=True):
        assert (a == b).all() and (p == q).all() and torch.allclose(x, y, atol=1e-5)
