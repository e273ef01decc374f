"""Mistakes that give numbers and no error, each made by a published tool, that no other test here would see.

`scripts/plant_bugs.py` plants them all and says which test catches which.
"""

from __future__ import annotations

import copy
import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from saewidgets.activations import ActivationStore, corpus_rows, harvest
from saewidgets.analysis.features import feature_activations
from saewidgets.doctor import examination
from saewidgets.doctor.readings import Bench
from saewidgets.models import Edit, Model, site
from saewidgets.models.passes import Passes
from saewidgets.sae import SAE, SAEConfig
from saewidgets.training import TrainConfig, train

TEXTS = ["The bridge over the bay", "is red", "and the fog is cold. The fog is over the bay.", "Bay"]
PRE, POST = "blocks.1.hook_resid_pre", "blocks.1.hook_resid_post"


def again(model, **settings):
    """The same weights in a `Model` of other settings."""
    other = Model(model.hooked, name=model.name, vocabulary=model.vocabulary)
    other.bos_token_id, other.prepend_bos = model.bos_token_id, model.prepend_bos
    for name, value in settings.items():
        setattr(other, name, value)
    return other


@pytest.mark.parametrize("kind", ["bos", "no-bos", "no-special"])
def test_each_activation_is_that_of_the_last_position_of_its_prefix(tiny_model, kind, monkeypatch):
    """7 and 8: rows of one batch do not see each other's padding, and the first real token counts where there is no
    BOS.
    """
    model = tiny_model if kind == "bos" else again(tiny_model, bos_token_id=None, prepend_bos=False)
    if kind == "no-special":  # as of a tokenizer that has no special token at all
        monkeypatch.setattr(Model, "special_token_ids", frozenset())
    rows, counted = corpus_rows(model, TEXTS)
    seen = 0
    for context, position, x in harvest(model, POST, rows, counted):
        for c, p, own in zip(context, position, x, strict=True):
            prefix = model.activations(torch.from_numpy(rows[c, : p + 1].astype(np.int64)), POST)[0, -1]
            torch.testing.assert_close(own, prefix, atol=1e-5, rtol=1e-5)
            seen += 1
    texts = sum(len(model.vocabulary.encode(t)) for t in TEXTS)
    assert seen == texts  # every token of every text, the first one included


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_users_padding_side_survives_and_changes_nothing(tiny_model, side):
    """9: the setting is the user's, and no number of ours depends on it."""
    own = again(tiny_model)
    own.hooked = copy.copy(tiny_model.hooked)
    own.hooked.tokenizer = copy.deepcopy(tiny_model.hooked.tokenizer)
    own._passes = Passes(type(tiny_model._passes.backend)(own.hooked), own.lock, own.name)
    own.hooked.tokenizer.padding_side = side
    sae = SAE(SAEConfig(32, 16, "topk", k=2, site=site(own, POST)))
    found, expected = feature_activations(own, sae, TEXTS), feature_activations(tiny_model, sae, TEXTS)
    assert own.hooked.tokenizer.padding_side == side
    assert np.array_equal(found.context, expected.context) and np.array_equal(found.position, expected.position)
    assert np.allclose(found.value, expected.value, atol=1e-5)


def test_padding_is_on_the_right_as_loaded(tiny_model):
    assert tiny_model.hooked.tokenizer.padding_side == "right"


@pytest.mark.parametrize(
    "hook_name", [PRE, POST, "blocks.0.hook_mlp_out", "blocks.1.mlp.hook_post", "blocks.0.hook_attn_out"]
)
def test_a_site_holds_what_pytorchs_own_hook_sees_there(tiny_model, hook_name):
    """10: the input of a layer is not its output."""
    ids, seen = tiny_model.tokens(TEXTS[2]), []
    point = tiny_model.hooked.get_submodule(hook_name)
    handle = point.register_forward_hook(lambda module, inputs, output: seen.append(output.detach().clone()))
    try:
        with torch.no_grad():
            tiny_model.hooked(ids[None])
    finally:
        handle.remove()
    assert torch.equal(tiny_model.activations(ids, hook_name), seen[0])
    assert torch.equal(tiny_model.read(ids, [hook_name])[hook_name], seen[0])


def test_a_stream_on_another_device_leaves_the_model_where_it_is(tiny_model):
    """14: "meta" stands for a device that this machine does not have."""
    before = {name: (p.device, p.dtype, p.data_ptr()) for name, p in tiny_model.hooked.named_parameters()}
    options = {"normalize": False, "outliers": "keep", "batch_size": 4}  # nothing that looks at numbers: there are none
    store = ActivationStore(tiny_model, site(tiny_model, POST), TEXTS, device="meta", **options)
    assert next(iter(store)).device.type == "meta"
    tiny_model.activations(tiny_model.tokens(TEXTS[0]), POST)
    assert before == {name: (p.device, p.dtype, p.data_ptr()) for name, p in tiny_model.hooked.named_parameters()}


@pytest.mark.parametrize(("error", "fits"), [(0.0, True), (0.3, False)])
def test_a_device_that_computes_something_else_is_noticed(tiny_model, error, fits):
    """15: one forward pass there against one on the CPU."""

    class Elsewhere(Model):
        device = torch.device("mps")

        def logits(self, tokens, edit=None):
            out = tiny_model.logits(tokens, edit)
            out[..., 7] += error
            return out

    model = Elsewhere(tiny_model.hooked, name="tiny", vocabulary=tiny_model.vocabulary)
    model.bos_token_id = tiny_model.bos_token_id
    sae = SAE(SAEConfig(32, 16, site=site(tiny_model, POST)))
    bench = Bench(model, sae, [tiny_model.vocabulary.encode(t) for t in TEXTS])
    (finding,) = examination._device(model, bench, True)
    assert finding.topic == "device" and finding.fits is fits


@pytest.mark.parametrize("hook_name", ["blocks.0.attn.hook_z", "blocks.1.attn.hook_q"])
def test_a_site_with_a_vector_a_head_is_flat_head_after_head(tiny_model, hook_name):
    """19: entry h * d_head + i of the flat vector is entry i of head h, when it is read and when it is written."""
    tokens, hooked = tiny_model.tokens(TEXTS[0]), tiny_model.hooked
    n_heads, d_head = hooked.cfg.n_heads, hooked.cfg.d_head
    with torch.no_grad():
        _, cache = hooked.run_with_cache(tokens[None])
    flat = tiny_model.activations(tokens, hook_name)
    assert site(tiny_model, hook_name).d_in == flat.shape[-1] == n_heads * d_head
    for head in range(n_heads):
        assert torch.equal(flat[..., head * d_head : (head + 1) * d_head], cache[hook_name][:, :, head])
    assert torch.equal(tiny_model.read(tokens, [hook_name])[hook_name], flat)

    push = torch.arange(n_heads * d_head) / 7  # by a hook of TransformerLens's own, on [batch, pos, head, d_head]
    by_hand = hooked.run_with_hooks(
        tokens[None], fwd_hooks=[(hook_name, lambda z, hook: z + push.view(n_heads, d_head))]
    ).detach()
    edited = tiny_model.logits(tokens, Edit(hook_name, lambda x, start: x + push))
    assert torch.allclose(edited, by_hand, atol=1e-5) and not torch.allclose(
        edited, tiny_model.logits(tokens), atol=1e-2
    )


def test_heads_that_are_no_vector_of_a_token_are_refused(tiny_model):
    """19: a pattern is one number for each pair of tokens."""
    with pytest.raises(ValueError, match=r"4 axes.*cannot be a site"):
        site(tiny_model, "blocks.0.attn.hook_pattern")
    with pytest.raises(ValueError, match=r"4 axes.*cannot be a site"):
        tiny_model.logits(tiny_model.tokens(TEXTS[0]), Edit("blocks.0.attn.hook_pattern", lambda x, start: x))


def test_other_weight_processing_is_refused_before_any_number(tiny_model):
    """18."""
    other = replace(site(tiny_model, POST), weight_processing="folded")
    with pytest.raises(ValueError, match="weight_processing: folded, not none"):
        feature_activations(tiny_model, SAE(SAEConfig(32, 8, site=other)), TEXTS)


def test_folding_leaves_the_sae_that_was_folded(tiny_model):
    """13: what makes another SAE of one does not write into it."""
    for architecture in ("relu", "jumprelu", "gated", "batchtopk"):
        sae = SAE(SAEConfig(32, 8, architecture, site=site(tiny_model, POST)))
        with torch.no_grad():
            sae.W_dec.mul_(3.0)
        before = {name: w.detach().clone() for name, w in sae.weights.items()}
        sae.fold_W_dec_norm()
        assert all(torch.equal(before[name], w) for name, w in sae.weights.items())


@pytest.mark.parametrize("architecture", ["relu", "topk"])
def test_the_optimizer_moves_by_the_scheduled_rate(architecture):
    """22: a schedule that is reported and not used. Adam's first step moves every weight by the rate itself."""
    sae = SAE(SAEConfig(6, 24, architecture, k=3))
    config = TrainConfig(steps=10, lr=1e-3, lr_warmup=0.5)
    before = sae.W_enc.detach().clone()
    x = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))
    next(train(sae, [x] * 10, config))
    assert config.lr_at(0) == pytest.approx(1e-3 / 6)
    assert float((sae.W_enc.detach() - before).abs().max()) == pytest.approx(config.lr_at(0), rel=0.01)


def test_every_planted_bug_still_fits_the_source_and_names_tests_that_exist(monkeypatch):
    """The script that plants them is only as good as its texts: each stands once in its file."""
    root = Path(__file__).resolve().parents[2]
    monkeypatch.syspath_prepend(root / "scripts")
    script = importlib.import_module("plant_bugs")
    assert [bug.number for bug in script.BUGS] == list(range(1, len(script.BUGS) + 1))
    for bug in script.BUGS:
        for planted in bug.plants:
            here = any((root / "saewidgets" / p.file).is_file() for p in planted.places)
            assert script.fit(root, planted) or (planted.optional and not here), (bug.number, planted.places)
            for test in planted.tests if here else ():
                file, name = test.split("::")
                assert f"def {name}(" in (root / "tests" / file).read_text(encoding="utf-8"), test
