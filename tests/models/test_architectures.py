"""Folders of other architectures than GPT-2 give what transformers gives, on random weights under which each part
matters.
"""

from __future__ import annotations

import shutil

import pytest
import torch
from families import ARCHITECTURES, make

from saewidgets.models import Edit, Model, load_model

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module", params=sorted(ARCHITECTURES))
def case(request, tmp_path_factory, tiny_folder):
    """(name, folder in shards, transformers' model of it, ids, its logits and hidden states)."""
    config_name, settings, parts = ARCHITECTURES[request.param]
    folder = tmp_path_factory.mktemp(request.param) / request.param
    made = make(config_name, settings)
    made.save_pretrained(folder, max_shard_size="30KB")
    assert (folder / "model.safetensors.index.json").exists()
    shutil.copy(tiny_folder / "tokenizer.json", folder)
    ids = torch.randint(1, 320, (2, 72), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        out = made(ids, output_hidden_states=True)
    return request.param, folder, made, ids, out, parts


def test_logits_and_hooks_are_transformers(case):
    name, folder, _made, ids, out, _ = case
    model = load_model(folder)
    assert model.name == name and model.weight_processing == "none" and model.d_vocab == 320
    torch.testing.assert_close(model.logits(ids), out.logits, atol=2e-5, rtol=1e-5)
    for layer in range(model.n_layers - 1):  # the last of transformers' hidden states is after the final norm
        read = model.activations(ids, f"blocks.{layer}.hook_resid_post")
        torch.testing.assert_close(read, out.hidden_states[layer + 1], atol=2e-5, rtol=1e-5)


def test_greedy_text_is_transformers_and_a_clamp_the_same_with_and_without_cache(case):
    _, folder, made, ids, _, _ = case
    model = load_model(folder)
    prompt = ids[:1, :20]
    with torch.no_grad():
        expected = made.generate(prompt, max_new_tokens=24, do_sample=False, eos_token_id=None)[0, 20:].tolist()
    model.eos_token_id = None
    found = [token for token, *_ in model.stream(prompt[0], n_tokens=24, temperature=0)]
    assert found == expected

    push = torch.randn(32, generator=torch.Generator().manual_seed(3))
    edit = Edit("blocks.1.hook_resid_post", lambda x, start: x + push)
    stepped = list(model.stream(prompt[0], n_tokens=12, temperature=0, edit=edit))
    whole = torch.tensor([[*prompt[0].tolist(), *(token for token, *_ in stepped)]])
    at_once = model.logits(whole, edit)[0, 19:-1]
    torch.testing.assert_close(torch.stack([logits for *_, logits in stepped]), at_once, atol=1e-4, rtol=1e-4)


def test_every_part_matters_on_these_weights(case):
    """Otherwise equal logits would say nothing of it."""
    name, _, made, ids, out, parts = case
    config_name, settings, _ = ARCHITECTURES[name]
    for part, off in parts.items():
        other = make(config_name, settings if callable(off) else settings | off)
        other.load_state_dict(made.state_dict())
        if callable(off):
            off(other)
        with torch.no_grad():
            moved = (other(ids).logits - out.logits).abs().max()
        assert moved >= 0.01, part


def test_a_transformers_model_in_memory_is_taken_as_it_is(case):
    _, folder, _, ids, out, _ = case
    mine = transformers.AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
    model = Model(mine)
    assert model.name == folder.name
    torch.testing.assert_close(model.logits(ids), out.logits, atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(Model(mine).logits(ids), out.logits, atol=2e-5, rtol=1e-5)  # a second time as well
    with pytest.raises(ValueError, match="no tokenizer that can be read: give token ids"):
        model.tokens("text")
    assert model.written(model.tokens([3, 4])) == "<id 3><id 4>"
