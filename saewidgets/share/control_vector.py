"""A direction as a control vector: the GGUF file that llama.cpp adds to a model's layers, and that repeng opens.

In such a file `direction.N` is added to what layer N gives, counted from 0, at every token, of the prompt too; layer 0
has none. That is `x' = x + scale * vector` at `blocks.N.hook_resid_post`, a `Steer` over all positions.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from torch import nn

from saewidgets.activations import check_pair
from saewidgets.files import short, write_bytes
from saewidgets.models import Model
from saewidgets.records import Steer
from saewidgets.records.arguments import real
from saewidgets.sae import SAE
from saewidgets.steering import add_feature
from saewidgets.steering.edits import check_features

ARCHITECTURE = "controlvector"
# Class of the weights' publisher -> what llama.cpp calls its architecture.
_ARCHITECTURES = {
    "FalconForCausalLM": "falcon",
    "GPT2LMHeadModel": "gpt2",
    "GPTNeoXForCausalLM": "gptneox",
    "Gemma2ForCausalLM": "gemma2",
    "Gemma3ForCausalLM": "gemma3",
    "GemmaForCausalLM": "gemma",
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "llama",
    "OlmoForCausalLM": "olmo",
    "Olmo2ForCausalLM": "olmo2",
    "PhiForCausalLM": "phi2",
    "Phi3ForCausalLM": "phi3",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
}
_HOOK = re.compile(r"blocks\.(\d+)\.hook_resid_(pre|post)")
_HINT = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_ALIGNMENT = 32  # bytes; the one that a GGUF file has which does not say another
_UINT32, _STRING, _F32 = 4, 8, 0  # GGUF's codes of two kinds of value, and ggml's of a kind of tensor


def save_control_vector(
    model: Model | nn.Module,
    sae: SAE,
    feature: int | Steer,
    path: str | Path,
    *,
    amount: float = 1.0,
    model_hint: str | None = None,
) -> None:
    """Write what a feature adds to the model as a control vector, for llama.cpp (`--control-vector FILE`) and repeng.

    With strength 1 there, it is `sw.steering.add_feature(sae, feature, amount)` here: the direction is added, whatever
    the feature's own activation is; no file of this kind can clamp. The file has a direction for every layer but the
    first, zeros for all but this one's, so that repeng's `ControlModel` finds each layer that it asks for.

    Args:
        model: the model that the SAE reads.
        sae: one that reads the residual stream between two layers.
        feature: its number, or a `Steer` of your own, over all positions, as wide as the SAE's site.
        path: of the file, such as "bridge.gguf"; written atomically.
        amount: of the feature, in SAE activation units; scale a `Steer` by its own `scale`.
        model_hint: what llama.cpp calls the model's architecture, "llama" say; found from the model where it is known.

    Raises:
        ValueError: the SAE is of another model; a site that is not the residual stream after layer 1 or a later one; a
            feature that the SAE does not have; a `Steer` that does not act everywhere, or an `amount` beside it;
            nothing but zeros to add; an architecture without a name here, where no `model_hint` is given. Nothing is
            written then.
        TypeError: something else than a model, an SAE, and a feature or a `Steer`.

    Example:
        >>> save_control_vector(model, sae, 31, "bridge.gguf", amount=12.0)
        >>> Path("bridge.gguf").read_bytes()[:4]
        b'GGUF'
    """
    model, site = check_pair(model, sae, "save_control_vector")
    layer = _layer(site.hook_name, model.n_layers)
    hint = _hint(model, model_hint)
    if isinstance(feature, Steer):
        if amount != 1.0:
            raise ValueError(
                f"a Steer has a scale of its own: give dataclasses.replace(steer, scale={amount}), no amount"
            )
        steer = feature
        check_features(sae, [steer])
    else:
        steer = add_feature(sae, feature, real(amount, "amount"))
    if steer.scope != "all":
        raise ValueError(
            f"a control vector is added at every token, and this Steer at {steer.scope!r}: give one whose scope is 'all'"
        )
    with np.errstate(over="ignore"):  # refused below
        added = np.asarray(steer.vector, np.float32) * np.float32(steer.scale)
    if not np.isfinite(added).all():
        raise ValueError("what is added does not fit float32: give a smaller amount")
    if not added.any():
        raise ValueError("there is nothing to add: the direction times its amount is all zeros")
    nothing = np.zeros_like(added)
    directions = {f"direction.{n}": added if n == layer else nothing for n in range(1, model.n_layers)}
    said: dict[str, str | int] = {
        "general.architecture": ARCHITECTURE,
        f"{ARCHITECTURE}.model_hint": hint,
        f"{ARCHITECTURE}.layer_count": len(directions),
    }
    write_bytes(path, _gguf(said, directions))


def _layer(hook_name: str, n_layers: int) -> int:
    """The layer after which is added, counted from 0."""
    found = _HOOK.fullmatch(hook_name)
    if not found:
        raise ValueError(
            f"a control vector is added between two layers, and this SAE is at {hook_name}: "
            "take one at blocks.N.hook_resid_post with N of 1 or more"
        )
    layer = int(found[1]) - (found[2] == "pre")  # what goes into a layer is what left the one before
    if layer < 1:
        raise ValueError(
            f"llama.cpp adds nothing before the end of layer 1, and this SAE is at {hook_name}: take one at "
            f"blocks.1.hook_resid_post to blocks.{n_layers - 1}.hook_resid_post"
        )
    return layer


def _hint(model: Model, given: str | None) -> str:
    if given is None:
        published = str(getattr(model.hooked.cfg, "original_architecture", None))
        if published not in _ARCHITECTURES:
            raise ValueError(
                f"what llama.cpp calls the architecture {published} is not known here: give "
                "model_hint='...', the general.architecture of the GGUF file of the model"
            )
        return _ARCHITECTURES[published]
    if not isinstance(given, str) or not _HINT.fullmatch(given):
        raise ValueError(
            f"model_hint must be the name of an architecture, such as 'llama' or 'qwen2', not {short(given)}"
        )
    return given


def _gguf(said: Mapping[str, str | int], tensors: Mapping[str, np.ndarray]) -> bytes:
    """A GGUF file, version 3: texts and numbers by name, and float32 vectors by name."""

    def text(value: str) -> bytes:
        raw = value.encode()
        return struct.pack("<Q", len(raw)) + raw

    def padded(raw: bytes) -> bytes:
        return raw + bytes(-len(raw) % _ALIGNMENT)

    head = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(said))]
    for name, value in said.items():
        kind = (
            struct.pack("<II", _UINT32, value) if isinstance(value, int) else struct.pack("<I", _STRING) + text(value)
        )
        head.append(text(name) + kind)
    data: list[bytes] = []
    for name, vector in tensors.items():
        offset = sum(map(len, data))
        head.append(text(name) + struct.pack("<IQIQ", 1, vector.size, _F32, offset))
        data.append(padded(vector.astype("<f4").tobytes()))
    return padded(b"".join(head)) + b"".join(data)
