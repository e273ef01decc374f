"""The files of a model's folder, as far as they are read without transformers: bounded and checked before anything uses
them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from saewidgets.files import LoadError, TensorEntry, open_regular, read_json, tensor_entries
from saewidgets.models.tokenizers import MAX_TOKENIZER

MAX_FILE = 1 << 40  # bytes of one weight file; what it says of itself must fit its size, so nothing larger is set aside
MAX_TENSORS = 1 << 16
MAX_SHARDS = 1 << 10
MAX_TEMPLATE = 1 << 20

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def weight_files(folder: Path) -> dict[Path, dict[str, TensorEntry]]:
    """The safetensors files that hold a model's weights, one or several, with what is in each: {file: {name: entry}}.

    Headers only. Raises LoadError for a file that is missing or unsound, an index that leads out of the folder or does
    not agree with the files, and for weights in a pickle, with how to convert them.
    """
    single, index = folder / SINGLE, folder / INDEX
    if single.exists() or not index.exists():
        if not single.exists():
            _refuse_other_weights(folder)
        return {single: _entries(single)}
    named = read_json(index, max_bytes=MAX_TOKENIZER).get("weight_map")
    if not isinstance(named, dict) or not named:
        raise LoadError(index, "it has no weight_map, which says what file holds each weight")
    shards = sorted({str(file) for file in named.values()})
    if len(shards) > MAX_SHARDS:
        raise LoadError(index, f"{len(shards):,} files, more than the {MAX_SHARDS:,} allowed")
    for shard in shards:
        if not re.fullmatch(r"[\w-][\w.-]*\.safetensors", shard):
            raise LoadError(index, f"{shard[:60]!r} is not the name of a safetensors file in the same folder")
    found = {folder / shard: _entries(folder / shard) for shard in shards}
    for name, file in named.items():
        if name not in found[folder / str(file)]:
            raise LoadError(index, f"it says that {name[:80]} is in {file}, which does not hold it")
    return found


def _entries(path: Path) -> dict[str, TensorEntry]:
    return tensor_entries(path, max_bytes=MAX_FILE, max_tensors=MAX_TENSORS)


def _refuse_other_weights(folder: Path) -> None:
    """Say what the folder holds in place of safetensors, and what to do about it."""
    pickles = [p.name for kind in ("*.bin", "*.pt", "*.pth", "*.ckpt") for p in sorted(folder.glob(kind))]
    if pickles:
        raise LoadError(
            folder / SINGLE,
            f"no such file, and {pickles[0]} is a pickle, which can run code when it is opened; where you trust it, convert it: "
            f"AutoModelForCausalLM.from_pretrained({str(folder)!r}).save_pretrained('new-folder')",
        )
    ggufs = sorted(p.name for p in folder.glob("*.gguf"))
    if ggufs:
        raise LoadError(
            folder / SINGLE, f"no such file; to read {ggufs[0]}, type load_model({str(folder / ggufs[0])!r})"
        )
    raise LoadError(folder / SINGLE, f"no such file, and no {INDEX} beside it")


def stored_dtype(files: dict[Path, dict[str, TensorEntry]]) -> torch.dtype:
    """The number format that most of the weights are stored in (float32 for one that models do not run in)."""
    bytes_of: dict[str, int] = {}
    for entries in files.values():
        for entry in entries.values():
            bytes_of[entry.dtype] = bytes_of.get(entry.dtype, 0) + entry.n_bytes
    floats = {dtype: n for dtype, n in bytes_of.items() if dtype in _DTYPES}
    return _DTYPES[max(floats, key=lambda dtype: floats[dtype])] if floats else torch.float32


def read_chat_template(folder: Path) -> str | None:
    """The chat template of a folder: chat_template.jinja, or what tokenizer_config.json says; None where there is none.

    Of several with names, the one called "default" or the only one. It is run, in a sandbox, by `Model.chat` alone.
    Raises LoadError for a file that holds none.
    """
    path = folder / "chat_template.jinja"
    if path.exists():
        try:
            with open_regular(path, MAX_TEMPLATE) as (file, _size):
                return file.read(MAX_TEMPLATE).decode("utf-8")
        except (OSError, ValueError) as error:
            raise LoadError(path, f"not a chat template: {error}") from error
    path = folder / "tokenizer_config.json"
    found: Any = read_json(path, max_bytes=MAX_TOKENIZER).get("chat_template") if path.exists() else None
    if found is None or isinstance(found, str):
        return found
    entries: list[Any] = found if isinstance(found, list) else [None]
    if not all(
        isinstance(e, dict) and isinstance(e.get("name"), str) and isinstance(e.get("template"), str) for e in entries
    ):
        raise LoadError(path, "chat_template must be a text, or a list of objects with a name and a template")
    named = {entry["name"]: entry["template"] for entry in entries}
    return named.get("default", next(iter(named.values())) if len(named) == 1 else None)


def special_tokens(folder: Path, config: dict[str, Any], tokenizer: Tokenizer) -> dict[str, str]:
    """The texts of the tokens with a duty, {"bos_token": "<s>", ...}, as far as the model has them.

    What the tokenizer's own files say holds, also where they say that there is none (Qwen has no beginning-of-text
    token, though its config.json names an id). Only where they say nothing do the ids of config.json count.
    """
    said: dict[str, Any] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if (folder / name).exists():
            said |= read_json(folder / name, max_bytes=MAX_TOKENIZER)
    duties = ("bos_token", "eos_token", "unk_token", "pad_token")
    if not {"bos_token", "eos_token"} & set(said):
        said = {f"{key}_token": _text(config.get(f"{key}_token_id"), tokenizer) for key in ("bos", "eos", "pad")}
    texts = {
        key: said[key].get("content") if isinstance(said[key], dict) else said[key] for key in duties if key in said
    }
    return {
        key: text for key, text in texts.items() if isinstance(text, str) and tokenizer.token_to_id(text) is not None
    }


def _text(token: Any, tokenizer: Tokenizer) -> str | None:
    first = token[0] if isinstance(token, list) and token else token
    return tokenizer.id_to_token(first) if type(first) is int and 0 <= first < 1 << 32 else None
