"""A model on the Hugging Face hub: its name, its files, and which of TransformerLens's classes takes it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from saewidgets.files import LoadError, read_json
from saewidgets.models.bridged import hooked_class, quiet
from saewidgets.models.folder_files import INDEX, SINGLE, special_tokens
from saewidgets.models.folders import bridged_model, read_hf_model, refold, tokenizer_of
from saewidgets.models.model import Model
from saewidgets.models.options import Options
from saewidgets.models.vocabulary import Vocabulary

PLAIN = ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl", "distilgpt2")  # names without a slash that the hub knows
PROBE_SECONDS = 5.0  # for the one question by which it is found out whether the hub can be reached

# What a model's folder may hold that is of use here; nothing else is downloaded. Patterns match across folders: these
# do not.
FILES = (
    "config.json",
    "generation_config.json",
    SINGLE,
    INDEX,
    "model-*-of-*.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "tokenizer.model",
    "spiece.model",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "chat_template.jinja",
)


@cache
def _aliases() -> dict[str, str]:
    """{name in lower case: name on the hub}, from TransformerLens's own table of common names, where it has one."""
    with quiet():
        try:
            from transformer_lens.supported_models import MODEL_ALIASES, OFFICIAL_MODEL_NAMES
        except ImportError:
            MODEL_ALIASES, OFFICIAL_MODEL_NAMES = {}, []
    table = {name.rsplit("/", 1)[-1].lower(): name for name in OFFICIAL_MODEL_NAMES}
    table |= {alias.lower(): name for name, aliases in MODEL_ALIASES.items() for alias in aliases}
    table |= {name.lower(): name for name in (*OFFICIAL_MODEL_NAMES, *PLAIN)}
    return table


def official_name(name: str) -> str | None:
    """The name on the hub for a name or its common short form; None for a short form that nobody knows.

    Example:
        >>> official_name("gpt2-small"), official_name("gemma-2-2b"), official_name("someone/something")
        ('gpt2', 'google/gemma-2-2b', 'someone/something')
    """
    if name in PLAIN:
        return name
    return _aliases().get(name.lower(), name if name.count("/") == 1 else None)


def known_names() -> list[str]:
    """Every short form, to find the nearest one."""
    return list(_aliases())


def load_from_hub(name: str, options: Options, revision: str | None = None) -> Model:
    """A `Model` of a hub's repository, downloaded to the hub's own cache if it is not there.

    Raises LoadError, in one sentence and within seconds, where the hub cannot be reached or has no such model.
    """
    cls = None if options.backend == "bridge" else hooked_class()
    hooked = cls is not None and _hooked_by_name(name)
    if options.backend == "hooked" and cls is not None and not hooked:
        raise ValueError(f"TransformerLens has no HookedTransformer for {name}; leave backend at 'auto'")
    folder = fetch(name, revision)
    try:
        config = read_json(folder / "config.json")
        hf_model = read_hf_model(folder, config, options)
        raw, shown = tokenizer_of(folder, config, options)
    except LoadError as error:
        raise LoadError(name, f"{Path(error.path).name}: {error.reason}") from error
    folded = options.weight_processing == "folded" or (
        options.weight_processing == "auto" and _has_layer_norm(hf_model)
    )
    if not hooked or cls is None:
        model = bridged_model(hf_model, shown, raw, name, options, name)
        if folded:
            refold(model)
        return model
    with quiet(), contextlib.redirect_stdout(io.StringIO()), _offline():  # its config is in the cache now
        make = cls.from_pretrained if folded else cls.from_pretrained_no_processing
        try:
            model_ = make(
                name,
                hf_model=hf_model,
                tokenizer=shown,
                device=str(options.device),
                dtype=next(hf_model.parameters()).dtype,
                **({} if revision is None else {"revision": revision}),
            )
        except Exception as error:
            raise LoadError(
                name, f"HookedTransformer does not take it ({_first_line(error)}); try backend='bridge'"
            ) from error
    model = Model(model_, name=name, vocabulary=None if raw is None else Vocabulary(raw, model_.cfg.d_vocab))
    special = special_tokens(folder, config, raw) if raw is not None and options.tokenizer == "auto" else None
    if raw is not None and special is not None:  # TransformerLens puts the end where a tokenizer has no beginning
        model.bos_token_id = raw.token_to_id(special["bos_token"]) if "bos_token" in special else None
        model.prepend_bos = model.prepend_bos and model.bos_token_id is not None
    return model


def _hooked_by_name(name: str) -> bool:
    """Whether TransformerLens makes a HookedTransformer of this hub model from weights that transformers has read
    safely.
    """
    from transformer_lens import loading_from_pretrained as table
    from transformer_lens.supported_models import OFFICIAL_MODEL_NAMES

    # For these TransformerLens turns on the repository's own code, whatever it is asked.
    own_code = tuple(getattr(table, "NEED_REMOTE_CODE_MODELS", ()))
    return name in OFFICIAL_MODEL_NAMES and not name.startswith(own_code)


def _has_layer_norm(hf_model: Any) -> bool:
    return any(type(module).__name__ == "LayerNorm" for module in hf_model.modules())


def fetch(name: str, revision: str | None = None) -> Path:
    """The folder of a hub's repository in the hub's cache, downloaded where it is not there, with the hub's progress
    bars.

    The hub is asked once, for a few seconds: its own client would try again for half a minute. Where it cannot be
    reached, what is in the cache is used. Raises LoadError.
    """
    try:
        from huggingface_hub import HfApi, constants, snapshot_download
    except ImportError as error:
        raise LoadError(name, "reading from the hub needs the package huggingface_hub") from error
    reason = "HF_HUB_OFFLINE is set, and it is not in the cache"
    if not constants.HF_HUB_OFFLINE:
        try:
            found = HfApi().model_info(name, revision=revision, timeout=PROBE_SECONDS)
        except Exception as error:  # the hub's client has a kind for each status, and its transport's kinds besides
            reason = _why(error)
        else:
            files = [sibling.rfilename for sibling in found.siblings or ()]
            if SINGLE not in files and INDEX not in files:
                raise LoadError(
                    name,
                    "the repository holds no safetensors in Hugging Face's layout, and a pickle is not opened here; where you "
                    "trust it, load it yourself and give sw.Model(hooked_transformer) or sw.Model(hf_model, tokenizer)",
                )
            try:
                return Path(snapshot_download(name, revision=revision, allow_patterns=list(FILES)))
            except Exception as error:
                reason = _why(error)
    try:
        with _offline():
            folder = Path(snapshot_download(name, revision=revision, local_files_only=True))
    except Exception as error:
        raise LoadError(
            name, f"not loaded from the Hugging Face hub ({reason}); load_model() needs no network"
        ) from error
    if not (folder / "config.json").exists() or not ((folder / SINGLE).exists() or (folder / INDEX).exists()):
        raise LoadError(name, f"not loaded from the Hugging Face hub ({reason}); load_model() needs no network")
    return folder


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """The hub's client asks the cache alone."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _why(error: BaseException) -> str:
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if "GatedRepoError" in kinds:
        return "it asks for a login: accept its terms on the hub, then run `hf auth login`"
    if "RevisionNotFoundError" in kinds:
        return "it has no such revision"
    if kinds & {"RepositoryNotFoundError", "HFValidationError"}:
        return "the hub has no such model, or it is private"
    return "the hub cannot be reached, and the model is not in its cache"


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
