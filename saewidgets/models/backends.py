"""What differs between TransformerLens's two classes: one forward pass with a key-value cache, names, final weights."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Backend(Protocol):
    """One forward pass of a TransformerLens model, and where its parts are."""

    hooked: nn.Module

    def new_cache(self, rows: int) -> Any:
        """An empty key-value cache for `rows` sequences."""
        ...

    def forward(self, tokens: Tensor, cache: Any = None) -> Tensor:
        """Tokens [batch, pos] -> logits [batch, pos, d_vocab]; with a cache, the tokens follow those already in it."""
        ...

    def final_weights(self) -> tuple[Tensor | None, bool, Tensor]:
        """(gain of the final norm [d_model] or None where folded, whether it centers, W_U [d_model, d_vocab])."""
        ...

    def folded(self) -> bool:
        """Whether layer norms are folded and writing weights centered."""
        ...

    def centers(self) -> bool:
        """Whether its norms take the mean off, as LayerNorm does and RMSNorm does not."""
        ...


def backend_of(hooked: nn.Module) -> Backend:
    """The backend for a TransformerLens model. Raises TypeError for anything else."""
    kinds = {cls.__name__ for cls in type(hooked).__mro__}
    if "HookedTransformer" in kinds:
        return HookedBackend(hooked)
    if "TransformerBridge" in kinds:
        return BridgeBackend(hooked)
    shown = (
        f"{hooked!r:.60}, a str"
        if isinstance(hooked, str)
        else f"{'an' if type(hooked).__name__[:1] in 'AEIOU' else 'a'} {type(hooked).__name__}"
    )
    raise TypeError(
        f"a model is needed here, a sw.load_model() or a HookedTransformer or TransformerBridge, and {shown} was given (a "
        "transformers model is taken by sw.Model(hf_model, tokenizer))"
    )


def neuron_writes(hooked: Any, layer: int, name: str) -> Tensor:
    """W_out of a layer, [d_mlp, d_model]: see `Model.neuron_writes`. `name` is what the model is called in an error."""
    try:
        block: Any = hooked.blocks[layer]
        weights: Tensor = block.mlp.W_out.detach()
    except (AttributeError, IndexError, TypeError) as error:
        raise ValueError(f"layer {layer} of {name} has no MLP whose neurons can be read: {error}") from None
    if weights.ndim != 2:
        raise ValueError(f"the MLP of layer {layer} of {name} is in several parts: its neurons are not one list")
    return weights


class HookedBackend:
    """Over a HookedTransformer (TransformerLens 3)."""

    def __init__(self, hooked: Any) -> None:
        self.hooked = hooked

    def new_cache(self, rows: int) -> Any:
        """An empty TransformerLensKeyValueCache."""
        from transformer_lens import TransformerLensKeyValueCache

        return TransformerLensKeyValueCache.init_cache(self.hooked.cfg, self.hooked.cfg.device, rows)

    def forward(self, tokens: Tensor, cache: Any = None) -> Tensor:
        """Logits. With a cache the mask is given, never guessed.

        TransformerLens 3.9 guesses it from the tokenizer otherwise: it then takes a beginning-of-text token that
        doubles as padding for padding, refuses a model without a tokenizer, and its own `generate` reads the position
        table at twice the offset for such a model. A mask of ones makes positions count from 0, which is what every row
        here does.
        """
        if cache is None:
            options = {"padding_side": "right"} if self.hooked.tokenizer else {}
            logits: Tensor = self.hooked(tokens, **options)
            return logits
        mask = torch.ones(tokens.shape, dtype=torch.int, device=tokens.device)
        logits = self.hooked(tokens, past_kv_cache=cache, attention_mask=mask)
        return logits

    def final_weights(self) -> tuple[Tensor | None, bool, Tensor]:
        """See Backend."""
        kind = self.hooked.cfg.normalization_type or ""
        gain = self.hooked.ln_final.w if kind in ("LN", "RMS") else None
        return gain, self.centers(), self.hooked.unembed.W_U

    def folded(self) -> bool:
        """See Backend."""
        return str(self.hooked.cfg.normalization_type).endswith("Pre")

    def centers(self) -> bool:
        """See Backend."""
        return str(self.hooked.cfg.normalization_type or "").startswith("LN")


class BridgeBackend:
    """Over a TransformerBridge (TransformerLens 3 and 4)."""

    def __init__(self, hooked: Any) -> None:
        self.hooked = hooked

    def new_cache(self, rows: int) -> Any:
        """An empty transformers cache, which grows in place and learns the number of rows on first use."""
        from transformers import DynamicCache

        return DynamicCache()

    def forward(self, tokens: Tensor, cache: Any = None) -> Tensor:
        """Logits. Hugging Face's own forward counts positions from the length of the cache."""
        options = {} if cache is None else {"past_key_values": cache, "use_cache": True}
        logits: Tensor = self.hooked(tokens, **options)
        return logits

    def final_weights(self) -> tuple[Tensor | None, bool, Tensor]:
        """See Backend."""
        norm = self.hooked.ln_final
        return (None if self.folded() else norm.weight), self.centers(), self.hooked.unembed.W_U

    def folded(self) -> bool:
        """See Backend."""
        return bool(getattr(self.hooked, "_weights_processed", False))

    def centers(self) -> bool:
        """See Backend."""
        return not getattr(self.hooked.cfg, "uses_rms_norm", False)
