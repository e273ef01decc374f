"""A folder of any architecture that transformers and TransformerLens's bridge both know."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from saewidgets.files import LoadError, TensorEntry, read_json, short
from saewidgets.models.bridged import facade, fold, quiet, unbridged
from saewidgets.models.folder_files import (
    read_chat_template,
    special_tokens,
    stored_dtype,
    weight_files,
)
from saewidgets.models.gpt2 import load_gpt2
from saewidgets.models.model import Model
from saewidgets.models.options import Options
from saewidgets.models.tokenizers import read_tokenizer
from saewidgets.models.vocabulary import Vocabulary

SLOW_TOKENIZERS = (
    "tokenizer.model",
    "spiece.model",
    "vocab.json",
)  # what transformers makes a tokenizer of, if it must


def load_folder(folder: Path, name: str, options: Options) -> Model:
    """A `Model` of a folder in Hugging Face's layout: config.json, safetensors, tokenizer.json. No network, no code of
    its own.

    Raises LoadError, in one sentence, for whatever is wrong with it; ValueError where `backend` cannot be had.
    """
    config = read_json(folder / "config.json")
    if config.get("model_type") == "gpt2":
        return load_gpt2(folder, name, options)
    if options.backend == "hooked":
        raise ValueError(
            f"{name} is a {config.get('model_type')!r}, and a folder becomes a HookedTransformer if it is a 'gpt2'; "
            "leave backend at 'auto'"
        )
    hf_model = read_hf_model(folder, config, options)
    raw, shown = tokenizer_of(folder, config, options)
    model = bridged_model(hf_model, shown, raw, name, options, folder)
    if options.weight_processing == "folded":
        refold(model)
    return model


def read_hf_model(folder: Path, config: dict[str, Any], options: Options) -> Any:
    """The transformers model in a folder, on the CPU, in eval mode, with every weight from its files.

    Raises LoadError for an architecture that nobody knows, before weights are read; for weights that are missing, of
    another shape or not finite; and where the folder's model runs only with code of its own.
    """
    path = folder / "config.json"
    hf_config = _hf_config(path, config)
    files = weight_files(folder)
    _check_size(path, hf_config, files)
    dtype = stored_dtype(files) if options.dtype is None else options.dtype
    from transformers import AutoModelForCausalLM

    try:
        with quiet():
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                str(folder),
                config=hf_config,
                dtype=dtype,
                attn_implementation="eager",  # the other kernels give hooks nothing to read
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are refused below, in one sentence
            )
            hf_model, info = loaded
    except Exception as error:  # transformers raises whatever a shape or a setting leads it to
        raise LoadError(folder, f"transformers does not read it: {_line(error)}") from error
    _check_loaded(folder, hf_model, info, files, dtype)
    return hf_model


def _hf_config(path: Path, config: dict[str, Any]) -> Any:
    """transformers' own config object, for an architecture that transformers and TransformerLens know."""
    import transformers
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL

    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in CAUSAL:
        own = "; its own code (auto_map) is never run" if "auto_map" in config else ""
        raise LoadError(
            path, f"model_type {kind!r} is no text model that transformers {transformers.__version__} knows{own}"
        )
    if "quantization_config" in config:
        method = config["quantization_config"]
        method = method.get("quant_method") if isinstance(method, dict) else method
        raise LoadError(
            path,
            f"its weights are quantized ({method}): load it with transformers, then give sw.Model(hf_model, tokenizer)",
        )
    refusal = unbridged(str(CAUSAL[kind] if isinstance(CAUSAL[kind], str) else CAUSAL[kind][0]))
    if refusal:
        raise LoadError(path, refusal)
    if "auto_map" in config:
        warnings.warn(
            f"{path} names code of its own (auto_map), which is never run: transformers' own {kind!r} is used",
            stacklevel=2,
        )
    try:
        with quiet():
            return AutoConfig.from_pretrained(str(path.parent), local_files_only=True, trust_remote_code=False)
    except Exception as error:
        raise LoadError(path, f"not a config that transformers reads: {_line(error)}") from error


def _check_size(path: Path, hf_config: Any, files: dict[Path, dict[str, TensorEntry]]) -> None:
    """Raise where config.json describes a larger model than the files hold: it would be made in memory before that is
    noticed.
    """
    from transformers import AutoModelForCausalLM

    entries = [entry for found in files.values() for entry in found.values()]
    n_layers = getattr(hf_config.get_text_config(), "num_hidden_layers", 0)
    if type(n_layers) is not int or not 0 <= n_layers <= len(entries):
        raise LoadError(
            path, f"it speaks of {short(n_layers)} layers, and the files hold {len(entries):,} weights in all"
        )
    try:
        with quiet(), torch.device("meta"):
            empty = AutoModelForCausalLM.from_config(hf_config, trust_remote_code=False)
    except Exception as error:  # whatever a size that makes no sense leads to
        raise LoadError(path, f"transformers makes no model of it: {_line(error)}") from error
    described = sum(p.numel() for p in empty.parameters())
    held = sum(math.prod(entry.shape) for entry in entries)
    if described > 1.01 * held:
        raise LoadError(path, f"it describes a model of {described:,} numbers, and the files hold {held:,}")


def _check_loaded(
    folder: Path, hf_model: Any, info: Any, files: dict[Path, dict[str, TensorEntry]], dtype: torch.dtype
) -> None:
    """Raise unless every weight came from the files and is finite; warn of weights in the files that no part took."""

    def get(key: str) -> list[str]:
        return sorted(str(k) for k in (info.get(key) if isinstance(info, dict) else getattr(info, key, ())) or ())

    missing, mismatched, unexpected = get("missing_keys"), get("mismatched_keys"), get("unexpected_keys")
    if missing or mismatched:
        what = f"{missing[0]} is missing" if missing else f"{mismatched[0]} has another shape than config.json says"
        more = len(missing) + len(mismatched) - 1
        raise LoadError(folder, what + (f", and {more} more weights do not fit" if more else ""))
    if unexpected:
        n = sum(map(len, files.values()))
        warnings.warn(
            f"{folder}: {len(unexpected)} of {n} weights belong to no part of the model that config.json describes "
            f"({unexpected[0]}, ...) and are left out",
            stacklevel=2,
        )
    for name, weight in hf_model.named_parameters():
        if not bool(weight.isfinite().all()):
            reason = "holds values that are not finite"
            if dtype == torch.float16:
                reason += " in float16, which ends at 65,504: load it with dtype='bfloat16'"
            raise LoadError(folder, f"{name} {reason}")


def vocabulary_size(config: dict[str, Any]) -> int:
    """Of the model that a config.json describes; 2^31 where it does not say, or says it in another way than most do."""
    text = config.get("text_config")
    sizes = (d.get("vocab_size") for d in (config, text) if isinstance(d, dict))
    return next((n for n in sizes if type(n) is int and n > 0), 1 << 31)


def tokenizer_of(folder: Path, config: dict[str, Any], options: Options) -> tuple[Tokenizer | None, Any]:
    """(the fast tokenizer or None, the same in transformers' class or None) of a folder, or what was given in its
    place.
    """
    given = options.tokenizer
    if given is None or not isinstance(given, str):
        return getattr(given, "backend_tokenizer", None), given
    path = folder / "tokenizer.json"
    if path.exists():
        raw = read_tokenizer(path, vocabulary_size(config))
    elif any((folder / name).exists() for name in SLOW_TOKENIZERS):
        raw = _converted_tokenizer(folder)
    else:
        raise LoadError(
            path, "no such file; a model that has no tokenizer is loaded by load_model(..., tokenizer=None)"
        )
    shown = facade(raw, special_tokens(folder, config, raw), folder)
    shown.chat_template = read_chat_template(folder)
    return raw, shown


def _converted_tokenizer(folder: Path) -> Tokenizer:
    from transformers import AutoTokenizer

    try:
        with quiet():
            found = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
            return found.backend_tokenizer
    except Exception as error:  # whatever the conversion runs into
        raise LoadError(
            folder, f"its tokenizer is in a form that is not read ({_line(error)}); save tokenizer.json"
        ) from error


def bridged_model(
    hf_model: Any, shown: Any, raw: Tokenizer | None, name: str, options: Options, source: str | Path
) -> Model:
    """A `Model` over a bridge over a transformers model, processed as the options say."""
    try:
        with quiet():
            vocabulary = None if raw is None else Vocabulary(raw, hf_model.config.get_text_config().vocab_size)
            model = Model(hf_model.to(options.device), shown, name=name, vocabulary=vocabulary)
    except Exception as error:  # TransformerLens's adapters read the config as they like
        raise LoadError(source, f"TransformerLens does not take it: {_line(error)}") from error
    return model


def refold(model: Model) -> None:
    """Fold a model's norms in place."""
    with quiet():
        fold(model.hooked)
    model.weight_processing = "folded"


def _line(error: BaseException) -> str:
    """What went wrong, as one short line."""
    text = " ".join((str(error).strip() or type(error).__name__).split())
    return text if len(text) <= 200 else text[:197] + "..."
