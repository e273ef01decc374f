"""What a page needs to compute a model by itself: its parts, its weights, and how it reads and writes text.

The page's own decoder is GPT-2's. What it does not compute is refused by name.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saewidgets.decoder import DecoderParts, DecoderWeights, Linear
from saewidgets.models.layouts import laid_out
from saewidgets.models.model import Model
from saewidgets.records import Dialogue, Turn
from saewidgets.records.carried import check_size

# The parts that a page computes, beside numbers and the activation functions, all of which it knows.
CARRIED: dict[str, Any] = {
    "norm": "layer", "norm_place": "before", "positions": "learned", "windows": None, "qk_norm": "none", "score_cap": None,
    "mlp": "plain", "residual": "sequential", "embedding_scale": 1.0, "logit_cap": None,
}  # fmt: skip


def carried_model(model: Model, hook_name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What is said of a model, JSON types, and its weights, float32 with matrices as [out, in].

    Raises ValueError, in one sentence, for a model that a page cannot carry: too large, parts or a tokenizer that it
    does not know, hooks of the user's on it, a site that it does not edit.
    """
    check_size(sum(p.numel() for p in model.hooked.parameters()), f"the weights of {model.name}")
    with model.lock, torch.no_grad():
        decoder = model._decoder()
        if decoder is None:
            raise ValueError(f"a live page cannot carry {model.name}: {_why_not(model)}")
        if not decoder.quiet():
            raise ValueError(f"hooks are on {model.name}, which a page cannot carry: take them off first")
        if decoder.site(hook_name) is None:
            raise ValueError(
                f"a live page makes no clamp at {hook_name}: it knows the residual stream and what is added to it"
            )
        _check(model.name, decoder.parts)
        arrays = _arrays(decoder.weights)
    parts, d = decoder.parts, decoder.d_model
    about = {
        "parts": {
            "n_ctx": parts.n_ctx, "n_layers": decoder.n_layers, "n_heads": parts.n_heads, "d_head": parts.d_head, "d_model": d,
            "d_vocab": model.d_vocab, "norm_eps": parts.norm_eps, "activation": parts.activation,
            "scales": [parts.scale(layer) for layer in range(decoder.n_layers)],
        },
        "hook": hook_name,
        "speech": _speech(model),
        "ends": sorted(model.end_token_ids),
        "vocabulary": _vocabulary(model),
    }  # fmt: skip
    return about, arrays


def _why_not(model: Model) -> str:
    try:
        laid_out(model.hooked)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return str(error)
    return "its decoder was not proven here, or hooks are on it"


def _check(name: str, parts: DecoderParts) -> None:
    wrong = [f"{part} {getattr(parts, part)!r}" for part, own in CARRIED.items() if getattr(parts, part) != own]
    wrong += [] if parts.kv_heads == parts.n_heads else [f"n_kv_heads {parts.kv_heads}"]
    if wrong:
        raise ValueError(
            f"a live page computes models of GPT-2's family, and {name} has {', '.join(wrong)}: write the page without "
            "live=True, or play a recording (sw.record_clamps)"
        )


def _arrays(w: DecoderWeights) -> dict[str, np.ndarray]:
    d = w.embedding.shape[1]
    ones, zeros = torch.ones(d), torch.zeros(d)
    found: dict[str, Tensor] = {"embedding": w.embedding}
    if w.positions is not None:
        found["positions"] = w.positions

    def linear(name: str, given: Linear) -> None:
        found[f"{name}.W"] = given.W.T
        found[f"{name}.b"] = torch.zeros(given.W.shape[1]) if given.b is None else given.b

    def norm(name: str, given: Any) -> None:
        gain, bias = given or (None, None)
        found[f"{name}.gain"] = ones if gain is None else gain
        found[f"{name}.bias"] = zeros if bias is None else bias

    for layer, own in enumerate(w.layers):
        norm(f"{layer}.norm_attention", own.norm_attention)
        norm(f"{layer}.norm_mlp", own.norm_mlp)
        linear(f"{layer}.qkv", Linear(_cat(own.qkv, "W"), _cat(own.qkv, "b")))
        linear(f"{layer}.out", own.out)
        linear(f"{layer}.mlp_in", own.mlp_in[0])
        linear(f"{layer}.mlp_out", own.mlp_out)
    norm("norm_final", w.norm_final)
    if not torch.equal(w.unembedding.W.T, w.embedding):
        found["unembedding"] = w.unembedding.W.T
    if w.unembedding.b is not None and bool(w.unembedding.b.any()):
        found["unembedding.b"] = w.unembedding.b
    return {name: tensor.detach().float().cpu().contiguous().numpy() for name, tensor in found.items()}


def _cat(linears: tuple[Linear, ...], name: str) -> Tensor:
    """Queries, keys and values as one product; a bias that is not there is 0."""
    own = [
        torch.zeros(one.W.shape[1], dtype=one.W.dtype, device=one.W.device)
        if getattr(one, name) is None
        else getattr(one, name)
        for one in linears
    ]
    return torch.cat(own, -1)


def _speech(model: Model) -> dict[str, Any]:
    talks = bool(model.chat_format)
    return {
        "name": model.name,
        "n_ctx": model.n_ctx,
        "bos": model.bos_token_id if model.prepend_bos else None,
        "chat_format": model.chat_format,
        "special": sorted(model.special_token_ids),
        "turn_end": model.turn_end_text(Dialogue((Turn("user", "Who are you?"),))) if talks else "",
    }


def _vocabulary(model: Model) -> dict[str, Any]:
    """Tokens and merges of a byte-level BPE. Raises ValueError for any other tokenizer."""
    if not model.has_tokenizer:
        raise ValueError(f"{model.name} has no tokenizer, and a page needs one to read what is typed")
    data = json.loads(model.vocabulary.tokenizer.to_str())
    own, before = data["model"], data.get("pre_tokenizer") or {}
    plain = own["type"] == "BPE" and before.get("type") == "ByteLevel" and not before.get("add_prefix_space")
    odd = [
        name
        for name in ("continuing_subword_prefix", "end_of_word_suffix", "byte_fallback", "ignore_merges")
        if own.get(name)
    ]
    added = data.get("added_tokens", [])
    strips = any(token.get(name) for token in added for name in ("lstrip", "rstrip", "single_word"))
    after = (data.get("post_processor") or {}).get("type")
    if (
        not plain
        or odd
        or strips
        or data.get("normalizer")
        or not before.get("use_regex", True)
        or after not in (None, "ByteLevel")
    ):
        raise ValueError(
            f"the tokenizer of {model.name} is not a byte-level BPE as GPT-2's, the only one that a live page knows"
        )
    ids = {i: token for token, i in own["vocab"].items()}
    merges = [pair.split(" ") if isinstance(pair, str) else pair for pair in own["merges"]]
    return {
        "tokens": [ids.get(i, "") for i in range(max(ids, default=-1) + 1)],
        "merges": merges,
        "added": [[token["id"], token["content"]] for token in added],
    }
