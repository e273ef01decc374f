"""How a model is asked for: number format, class, device, weight processing; checked before anything is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from saewidgets.files import unknown

BACKENDS = ("auto", "hooked", "bridge")
PROCESSING = ("auto", "none", "folded")
DTYPES = {
    "float32": torch.float32,
    "fp32": torch.float32,
    "bfloat16": torch.bfloat16,
    "bf16": torch.bfloat16,
    "float16": torch.float16,
    "fp16": torch.float16,
}


@dataclass(frozen=True)
class Options:
    """What `load_model` was asked for beside the name."""

    backend: str  # "auto", "hooked" or "bridge"
    device: torch.device
    dtype: torch.dtype | None  # None: the file's own
    weight_processing: str  # "auto", "none" or "folded"
    tokenizer: Any  # "auto": the folder's; None: there is none; or a transformers tokenizer


def options_of(
    backend: str, device: str | torch.device | None, dtype: str | torch.dtype, weight_processing: str, tokenizer: Any
) -> Options:
    """The options, checked. Raises ValueError on one that does not exist, with those that do.

    Example:
        >>> options_of("auto", None, "bf16", "auto", "auto").dtype
        torch.bfloat16
    """
    if backend not in BACKENDS:
        raise ValueError(unknown("backend", backend, BACKENDS))
    if weight_processing not in PROCESSING:
        raise ValueError(unknown("weight_processing", weight_processing, PROCESSING))
    if isinstance(tokenizer, str) and tokenizer != "auto":
        raise ValueError(
            f"tokenizer must be 'auto', None for a model that has none, or a transformers tokenizer, not {tokenizer!r}"
        )
    wanted = DTYPES.get(dtype) if isinstance(dtype, str) else dtype
    if dtype != "auto" and (not isinstance(wanted, torch.dtype) or wanted not in DTYPES.values()):
        raise ValueError(f"dtype must be 'auto' (the file's), 'float32', 'bfloat16' or 'float16', not {dtype!r}")
    return Options(backend, torch.device("cpu" if device is None else device), wanted, weight_processing, tokenizer)
