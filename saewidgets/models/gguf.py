"""A GGUF file: its quantized weights made floating-point numbers again, by transformers and the package `gguf`."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from saewidgets.files import LoadError, open_regular, plain
from saewidgets.models.bridged import facade, quiet, unbridged
from saewidgets.models.folder_files import MAX_FILE
from saewidgets.models.folders import bridged_model, refold
from saewidgets.models.model import Model
from saewidgets.models.options import Options

_ONE_AT_A_TIME = threading.Lock()  # each would put the other's reader back


def load_gguf(path: Path, options: Options) -> Model:
    """A `Model` of a GGUF file, over a bridge; `Model.quantization` says what its weights were.

    Raises LoadError for a file or an architecture that is not read, ImportError without the package `gguf`.
    """
    if options.backend == "hooked":
        raise ValueError(f"{path.name} becomes a TransformerBridge; leave backend at 'auto'")
    hf_model, tokenizer, quantization = read_gguf(path, options.dtype or torch.float32)
    if options.tokenizer != "auto":
        tokenizer = options.tokenizer
    name = re.sub(r"[.-](I?Q\d\w*|[BF]F?(16|32))$", "", path.stem, flags=re.IGNORECASE)
    raw = getattr(tokenizer, "backend_tokenizer", None)
    model = bridged_model(hf_model, tokenizer, raw, name, options, path)
    model.quantization = quantization
    if options.weight_processing == "folded":
        refold(model)
    return model


def read_gguf(path: Path, dtype: torch.dtype = torch.float32) -> tuple[Any, Any, str]:
    """(transformers model, tokenizer in transformers' class, kind of quantization such as "Q4_1") of a GGUF file.

    The model's config is as transformers needs it to save it again. Raises as `load_gguf`.
    """
    if find_spec("gguf") is None:
        raise ImportError('a GGUF file is read by the package gguf: pip install "saewidgets[models]"')
    try:
        with open_regular(path, MAX_FILE) as (file, _size):
            if file.read(4) != b"GGUF":
                raise LoadError(path, "not a GGUF file: it does not begin with GGUF")
    except OSError as error:
        raise LoadError(path, plain(error)) from error
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL

    where: dict[str, Any] = {"gguf_file": path.name, "local_files_only": True, "trust_remote_code": False}
    try:
        with quiet(), _parsed_once():
            quantization = _quantization(path)
            config = AutoConfig.from_pretrained(str(path.parent), **where)
            refusal = unbridged(str(CAUSAL.get(config.model_type, config.model_type)))
            if refusal:
                raise LoadError(path, refusal)
            found = AutoTokenizer.from_pretrained(str(path.parent), **where)
            hf_model = AutoModelForCausalLM.from_pretrained(
                str(path.parent), dtype=dtype, attn_implementation="eager", **where
            )
    except LoadError:
        raise
    except Exception as error:  # neither reader has a kind of its own for a file that is not sound
        text = " ".join((str(error).strip() or type(error).__name__).split())[:200]
        raise LoadError(path, f"transformers does not read it: {text}") from error
    for name, weight in hf_model.named_parameters():
        if not bool(weight.isfinite().all()):
            raise LoadError(path, f"{name} holds values that are not finite")
    # transformers keeps the file's quantization in the config, and then refuses to save weights that are floats by now.
    if hasattr(hf_model.config, "quantization_config"):
        del hf_model.config.quantization_config
    hf_model.config.architectures = [type(hf_model).__name__]
    hf_model.config._name_or_path = ""
    duties = ("bos_token", "eos_token", "unk_token", "pad_token")
    special = {key: getattr(found, key) for key in duties if getattr(found, key, None) is not None}
    shown = facade(found.backend_tokenizer, special, path)
    shown.chat_template = found.chat_template
    return hf_model, shown, quantization


@contextmanager
def _parsed_once() -> Iterator[None]:
    """Within, a file is parsed once. transformers parses it for the config, for the tokenizer and for the weights, and
    a vocabulary of 49,152 tokens takes 5 seconds each time.
    """
    import gguf

    library: Any = gguf  # its reader is a class, which a type checker lets nobody replace
    with _ONE_AT_A_TIME:
        reader = library.GGUFReader
        library.GGUFReader = cache(lambda path: reader(path))
        try:
            yield
        finally:
            library.GGUFReader = reader


def _quantization(path: Path) -> str:
    """What the file calls the kind of its weights: "Q4_1", "Q4_K_M", "F16"; where it does not say, that of most
    weights.
    """
    import gguf

    reader = gguf.GGUFReader(str(path))  # as transformers writes it
    field = reader.get_field("general.file_type")
    try:
        name = gguf.LlamaFileType(int(field.contents())).name if field is not None else ""
    except ValueError:
        name = ""
    if name and name != "GUESSED":
        return name.removeprefix("MOSTLY_").removeprefix("ALL_")
    sizes: dict[str, int] = {}
    for tensor in reader.tensors:
        sizes[tensor.tensor_type.name] = sizes.get(tensor.tensor_type.name, 0) + int(tensor.n_bytes)
    return max(sizes, key=lambda kind: sizes[kind]) if sizes else ""
