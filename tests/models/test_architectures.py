"""Folders of other architectures than GPT-2 give what transformers gives, on random weights under which each part
matters.
"""

from __future__ import annotations

import shutil

import pytest
import torch

from saewidgets.models import Edit, Model, load_model

transformers = pytest.importorskip("transformers")

SMALL = {
    "vocab_size": 320,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 96,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
    "tie_word_embeddings": False,
}
GROUPED = SMALL | {"num_key_value_heads": 2}
ROPE3 = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
PLAIN_ROPE = {"rope_type": "default", "rope_theta": 10_000.0}
SCOPE = {"head_dim": 8, "query_pre_attn_scalar": 4, "sliding_window": 8, "tie_word_embeddings": True}


def without(*parts):
    """A change of a transformers model: these modules pass on what they get."""

    def change(model):
        for name, _module in list(model.named_modules()):
            if name.split(".")[-1] in parts:
                parent = model.get_submodule(name.rsplit(".", 1)[0])
                setattr(parent, name.split(".")[-1], torch.nn.Identity())

    return change


def no_bias(model):
    for name, weight in model.named_parameters():
        if name.endswith(("q_proj.bias", "k_proj.bias", "v_proj.bias")):
            weight.data.zero_()


# name -> (config class, its settings, {part: settings or a change that turns it off})
ARCHITECTURES = {
    "llama": (
        "LlamaConfig",
        GROUPED | {"rope_parameters": ROPE3},
        {"long-context rope": {"rope_parameters": PLAIN_ROPE}},
    ),
    "mistral": ("MistralConfig", GROUPED | {"sliding_window": 8}, {"sliding window": {"sliding_window": None}}),
    "qwen2": ("Qwen2Config", GROUPED, {"bias of q, k and v": no_bias}),
    "qwen3": ("Qwen3Config", GROUPED | {"head_dim": 16}, {"q/k norm": without("q_norm", "k_norm")}),
    "gemma2": (
        "Gemma2Config",
        GROUPED | SCOPE | {"attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0},
        {
            "soft cap of attention": {"attn_logit_softcapping": None},
            "soft cap of logits": {"final_logit_softcapping": None},
            "sliding window": {"sliding_window": 96},
            "scale of the query": {"query_pre_attn_scalar": 8},
        },
    ),
    "gemma3": (
        "Gemma3TextConfig",
        GROUPED | SCOPE | {"layer_types": ["sliding_attention", "full_attention", "sliding_attention"]},
        {"sliding window": {"sliding_window": 96}, "q/k norm": without("q_norm", "k_norm")},
    ),
    "phi3": (
        "Phi3Config",
        GROUPED | {"sliding_window": 8, "rope_parameters": PLAIN_ROPE | {"partial_rotary_factor": 0.5}},
        {
            "sliding window": {"sliding_window": None},
            "partial rotary": {"rope_parameters": PLAIN_ROPE | {"partial_rotary_factor": 1.0}},
        },
    ),
    "olmo2": ("Olmo2Config", GROUPED, {"q/k norm": without("q_norm", "k_norm")}),
    "neox": (
        "GPTNeoXConfig",
        SMALL | {"rope_parameters": PLAIN_ROPE | {"partial_rotary_factor": 0.5}},
        {
            "partial rotary": {"rope_parameters": PLAIN_ROPE | {"partial_rotary_factor": 1.0}},
            "parallel residual": {"use_parallel_residual": False},
        },
    ),
}


def make(config_name, settings):
    """A transformers model with weights so large that attention is sharp and caps bite."""
    config = getattr(transformers, config_name)(**settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
        for name, weight in model.named_parameters():
            if weight.ndim == 1:
                centered = name.endswith("bias") or config_name.startswith("Gemma")  # Gemma's gains are 1 + weight
                torch.nn.init.normal_(weight, mean=0.0 if centered else 1.0, std=0.3)
            else:
                torch.nn.init.normal_(weight, std=0.35)
    return model.eval()


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
