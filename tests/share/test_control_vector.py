"""A control vector, read back by the package `gguf` and added to a model as llama.cpp and repeng add it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import saewidgets as sw
from saewidgets.records import Steer
from saewidgets.sae import SAE, SAEConfig
from saewidgets.share import control_vector, save_control_vector

gguf = pytest.importorskip("gguf")

D, LAYERS, TEXT = 32, 4, "the bridge over the bay"


@pytest.fixture(scope="module")
def pair(tmp_path_factory, tiny_folder):
    """(transformers' own GPT-2 of 4 layers, the same opened here)."""
    from transformers import GPT2Config, GPT2LMHeadModel

    folder = tmp_path_factory.mktemp("four") / "four"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        config = GPT2Config(vocab_size=320, n_positions=64, n_embd=D, n_layer=LAYERS, n_head=2, initializer_range=0.3)
        config.bos_token_id = config.eos_token_id = 0
        hf = GPT2LMHeadModel(config).eval()
    hf.save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes((tiny_folder / "tokenizer.json").read_bytes())
    return hf, sw.load_model(folder)


def sae_at(model, hook, scale=0.5, **more):
    torch.manual_seed(5)
    return SAE(SAEConfig(D, 48, "topk", k=6, site=sw.site(model, hook, scale=scale), **more))


def read(path):
    """What the package `gguf` finds, and the floats in a row as llama.cpp lays them out: layer n at (n - 1) d."""
    reader = gguf.GGUFReader(path)
    said = {name: reader.get_field(name).contents() for name in reader.fields if not name.startswith("GGUF.")}
    directions = {int(t.name.split(".")[1]): np.array(t.data) for t in reader.tensors}
    assert all(t.name == f"direction.{n}" for t, n in zip(reader.tensors, directions, strict=True))
    return said, directions


@pytest.mark.parametrize(
    ("hook", "layer"),
    [("blocks.1.hook_resid_post", 1), ("blocks.3.hook_resid_post", 3), ("blocks.2.hook_resid_pre", 1)],
)
def test_added_as_llama_cpp_adds_it_the_file_is_our_steer(tmp_path, pair, hook, layer):
    """Layer il, counted from 0, of transformers' own model has direction.il added to what it gives, at every token."""
    hf, model = pair
    sae = sae_at(model, hook)
    save_control_vector(model, sae, 7, tmp_path / "v.gguf", amount=-3.5)
    said, directions = read(tmp_path / "v.gguf")
    assert said == {
        "general.architecture": "controlvector",
        "controlvector.model_hint": "gpt2",
        "controlvector.layer_count": LAYERS - 1,
    }
    assert list(directions) == [1, 2, 3] and all(d.dtype == np.float32 and d.shape == (D,) for d in directions.values())
    assert [n for n, d in directions.items() if d.any()] == [layer]
    unit = sae.W_dec[7].detach().numpy() / 0.5  # one SAE unit is 1 / scale model units
    np.testing.assert_allclose(directions[layer], -3.5 * unit, rtol=1e-6)

    ids = model.tokens(TEXT)[None]

    def adding(vector):
        return lambda module, given, out: (out[0] + vector, *out[1:]) if isinstance(out, tuple) else out + vector

    hooks = [hf.transformer.h[il].register_forward_hook(adding(torch.tensor(d))) for il, d in directions.items()]
    with torch.no_grad():
        theirs = hf(ids).logits
        for one in hooks:
            one.remove()
        plain = hf(ids).logits
    edit = sw.steering.intervention_edit(sae, [sw.steering.add_feature(sae, 7, -3.5)])
    ours = model.logits(ids, sw.Edit(hook, edit))
    # Logits that are apart by a constant are the same: the weights of `ours` may be centered.
    assert float((ours.log_softmax(-1) - theirs.log_softmax(-1)).abs().max()) < 1e-4
    assert float((plain.log_softmax(-1) - theirs.log_softmax(-1)).abs().max()) > 0.5


def test_a_steer_of_ones_own_and_a_hint(tmp_path, pair):
    _, model = pair
    sae = sae_at(model, "blocks.2.hook_resid_post")
    steer = Steer(tuple(range(D)), 0.25, name="a ramp")
    save_control_vector(model, sae, steer, tmp_path / "v.gguf", model_hint="qwen2")
    said, directions = read(tmp_path / "v.gguf")
    assert said["controlvector.model_hint"] == "qwen2"
    np.testing.assert_array_equal(directions[2], np.arange(D, dtype=np.float32) / 4)


def test_every_architecture_has_a_name_that_llama_cpp_knows():
    assert set(control_vector._ARCHITECTURES.values()) <= set(gguf.constants.MODEL_ARCH_NAMES.values())


REFUSED = {
    "the first layer": (
        "blocks.0.hook_resid_post",
        {},
        "llama.cpp adds nothing before the end of layer 1.*blocks.1.hook_",
    ),
    "before the second": ("blocks.1.hook_resid_pre", {}, "llama.cpp adds nothing before the end of layer 1"),
    "inside a layer": (
        "blocks.2.hook_mlp_out",
        {},
        "added between two layers, and this SAE is at blocks.2.hook_mlp_out",
    ),
    "no such feature": (None, {"feature": 48}, "48"),
    "nothing": (None, {"amount": 0.0}, "nothing to add"),
    "no number": (None, {"amount": float("nan")}, "amount"),
    "too much": (None, {"amount": 3e39}, "float32"),
    "a hint that is none": (None, {"model_hint": "Llama 3"}, "model_hint must be the name.*'Llama 3'"),
    "a steer somewhere": (
        None,
        {"feature": Steer((1.0,) * D, scope="generated")},
        "at every token, and .* 'generated'",
    ),
    "a steer and an amount": (None, {"feature": Steer((1.0,) * D), "amount": 2.0}, "scale of its own.*scale=2.0"),
    "another width": (None, {"feature": Steer((1.0, 2.0))}, "2 wide"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_control_vector_holds_is_refused(tmp_path, pair, case):
    hook, given, words = REFUSED[case]
    sae = sae_at(pair[1], hook or "blocks.2.hook_resid_post")
    given = {"feature": 7, **given}
    with pytest.raises(ValueError, match=words):
        save_control_vector(pair[1], sae, given.pop("feature"), tmp_path / "v.gguf", **given)
    assert list(tmp_path.iterdir()) == []


def test_another_model_and_another_unit_are_refused(tmp_path, pair, tiny_model):
    model = pair[1]
    sae = sae_at(model, "blocks.1.hook_resid_post")
    with pytest.raises(ValueError, match="other coordinates"):
        save_control_vector(tiny_model, sae, 7, tmp_path / "v.gguf")
    with pytest.raises(TypeError, match="give the model first"):
        save_control_vector(sae, model, 7, tmp_path / "v.gguf")
    normed = sae_at(model, "blocks.1.hook_resid_post", scale=1.0, input_normalization="unit_norm")
    with pytest.raises(ValueError, match="no fixed vector"):
        save_control_vector(model, normed, 7, tmp_path / "v.gguf")
    unknown = replace_architecture(model, "NobodysLM")
    with pytest.raises(ValueError, match="architecture NobodysLM is not known here: give model_hint"):
        save_control_vector(unknown, sae, 7, tmp_path / "v.gguf")
    assert list(tmp_path.iterdir()) == []


def replace_architecture(model, name):
    from copy import copy

    other = copy(model)
    other.hooked = copy(model.hooked)
    other.hooked.cfg = replace(model.hooked.cfg, original_architecture=name)
    return other
