"""A TransformerBridge over a transformers model, and what every way to TransformerLens shares."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn


def require_transformer_lens() -> None:
    """Raise ImportError, with what to type, where the extra `models` is not installed."""
    for package in ("transformers", "transformer_lens"):
        try:
            found = find_spec(package) is not None
        except ImportError:
            found = False
        if not found:
            raise ImportError(
                'a language model needs TransformerLens, which is an extra: pip install "saewidgets[models]"'
            )


def hooked_class() -> Any:
    """HookedTransformer, or None where TransformerLens no longer has it (4.0 on)."""
    with quiet():
        import transformer_lens

        try:
            return transformer_lens.HookedTransformer
        except (AttributeError, ImportError):
            return None


def taken_up(model: Any, tokenizer: Any, name: str | None) -> tuple[Any, Any, str, int | None]:
    """What a `Model` is made of, from what was given: (TransformerLens object, tokenizer, name, end-of-text token by
    the config).

    A model of the transformers library gets a bridge laid over it. Raises TypeError for a tokenizer beside a model that
    has its own.
    """
    if is_transformers_model(model):
        name = name or own_name(str(getattr(model, "name_or_path", "") or type(model).__name__))
        return bridge_over(model, tokenizer, name), tokenizer, name, end_of_text(model)
    if tokenizer is not None:
        raise TypeError(f"a tokenizer goes with a transformers model; a {type(model).__name__} has its own")
    name = name or own_name(str(getattr(getattr(model, "cfg", None), "model_name", "")))
    return model, getattr(model, "tokenizer", None), name, None


def is_transformers_model(model: Any) -> bool:
    """Whether it is a model of the transformers library."""
    return any(
        cls.__name__ == "PreTrainedModel" and cls.__module__.startswith("transformers.") for cls in type(model).__mro__
    )


def unbridged(architecture: str) -> str:
    """ "" where TransformerLens has a bridge for an architecture, else the sentence that says so."""
    import transformer_lens
    from transformer_lens.factories.architecture_adapter_factory import SUPPORTED_ARCHITECTURES

    if architecture in SUPPORTED_ARCHITECTURES:
        return ""
    version = getattr(transformer_lens, "__version__", "")
    return f"TransformerLens {version} has no bridge for {architecture}".replace("  ", " ")


def bridge_over(hf_model: Any, tokenizer: Any, name: str, device: torch.device | None = None) -> Any:
    """A TransformerBridge over a transformers model, nothing folded or centered, whose parts it shares and wraps.

    The tokenizer may be None. The bridge holds a copy of it, to which TransformerLens adds tokens with a duty that it
    lacks: what the model's own are is told by the one that was given. Raises ValueError, in one sentence, for an
    architecture without a bridge.
    """
    from transformer_lens.model_bridge import TransformerBridge

    architecture = type(hf_model).__name__
    refusal = unbridged(architecture)
    if refusal:
        raise ValueError(refusal)
    # The bridge tells what it has before it by this field, which a model made from a config or from GGUF does not have.
    hf_model.config.architectures = [architecture]
    if hf_model.config.get_text_config() is not hf_model.config:
        hf_model.config.get_text_config().architectures = [architecture]
    with quiet():
        # It may change the tokenizer that it is given (one without a beginning-of-text token gets the end), and without
        # one it asks the hub.
        stand_in = _nothing_tokenizer() if tokenizer is None else copy.deepcopy(tokenizer)
        # It looks for another tokenizer on the hub unless these say that there is no need.
        stand_in.init_kwargs = {"name_or_path": name} | stand_in.init_kwargs | {"add_bos_token": True}
        device = next(hf_model.parameters()).device if device is None else device
        bridge = TransformerBridge.boot_transformers(
            name,
            hf_model=hf_model.eval().to(device),
            tokenizer=stand_in,
            device=str(device),
            dtype=next(hf_model.parameters()).dtype,
        )
        if tokenizer is None:
            bridge.tokenizer = None
    return bridge


def end_of_text(hf_model: Any) -> int | None:
    """The id of the end-of-text token by a transformers model's config, the first of several; None where it names none."""
    return next(iter(_ends(hf_model.config)), None)


def ends_of_text(hooked: Any) -> tuple[int, ...]:
    """The tokens at which a text ends by the config and the generation config of the transformers model under a bridge;
    () for any other model.
    """
    hf_model: Any = getattr(hooked, "original_model", None)
    configs = (getattr(hf_model, name, None) for name in ("config", "generation_config"))
    return tuple(dict.fromkeys(token for config in configs for token in _ends(config)))


def _ends(config: Any) -> list[int]:
    """The end-of-text tokens of a configuration, in its order; [] for None, or where it names none."""
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    end: Any = getattr(text, "eos_token_id", None)
    return [token for token in (end if isinstance(end, list) else [end]) if isinstance(token, int)]


def _nothing_tokenizer() -> Any:
    from tokenizers import Tokenizer, models

    return facade(Tokenizer(models.WordLevel({"": 0}, unk_token="")), {"bos_token": "", "eos_token": ""}, "none")


def facade(tokenizer: Any, special: dict[str, str], where: str | Path) -> Any:
    """A tokenizer in the class that TransformerLens expects, so that its own helpers work on `model.hooked`.

    `special` is as from `special_tokens`. Padding is the end-of-text token, on the right, where nothing else is said.
    """
    from transformers import PreTrainedTokenizerFast

    given = {"pad_token": special["eos_token"]} | special if "eos_token" in special else special
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        padding_side="right",
        name_or_path=str(where),  # without these two TransformerLens looks for another tokenizer on the hub
        add_bos_token=True,
        **given,
    )


def own_name(name: str) -> str:
    """The name of a model by what it was loaded from: a name on the hub as it is, a folder's own name for a path.

    A folder in the hub's cache has the hub's name.

    Example:
        >>> own_name("/data/models/smollm2/"), own_name("google/gemma-2-2b")
        ('smollm2', 'google/gemma-2-2b')
    """
    parts = Path(name).parts
    cached = [part for part in parts if part.startswith("models--")]
    if cached and "snapshots" in parts:
        return cached[-1].removeprefix("models--").replace("--", "/")
    if name.count("/") > 1 or "\\" in name or name.startswith((".", "/", "~")) or Path(name).is_dir():
        return Path(name).expanduser().resolve().name
    return name


def fold(hooked: nn.Module) -> None:
    """Fold layer norms and center what writes to the residual stream, as published SAEs of GPT-2 expect it."""
    model: Any = hooked
    if hasattr(model, "enable_compatibility_mode"):
        model.enable_compatibility_mode(disable_warnings=True)
    else:
        model.process_weights_(
            fold_ln=True, center_writing_weights=True, center_unembed=True, refactor_factored_attn_matrices=False
        )


@contextmanager
def quiet() -> Iterator[None]:
    """No word and no trace: neither deprecations that are our affair, nor progress bars, nor a changed global random
    state.
    """
    from transformers.utils import logging as hf_logging

    bars, level = hf_logging.is_progress_bar_enabled(), hf_logging.get_verbosity()
    hf_logging.disable_progress_bar()
    hf_logging.set_verbosity(logging.ERROR)
    try:
        # Hugging Face initializes what the weights then overwrite.
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        hf_logging.set_verbosity(level)
        if bars:
            hf_logging.enable_progress_bar()
