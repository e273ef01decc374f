"""Tiny models of the common families, in transformers' classes, on random weights under which each part matters."""

from __future__ import annotations

import pytest
import torch

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
    "smollm3": (
        "SmolLM3Config",
        GROUPED
        | {"no_rope_layers": [1, 0, 1], "use_sliding_window": True, "sliding_window": 8}
        | {"layer_types": ["sliding_attention", "full_attention", "full_attention"]},
        {"a layer without positions": {"no_rope_layers": [1, 1, 1]}, "sliding window": {"sliding_window": 96}},
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
