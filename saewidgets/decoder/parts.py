"""What a decoder-only transformer is made of, said by name, so that what cannot be computed is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "gelu": F.gelu,
    "relu": F.relu,
    "silu": F.silu,
}


@dataclass(frozen=True)
class DecoderParts:
    """The parts of an architecture. Each has the value of GPT-2 unless another is given.

    It can say more than `Decoder` computes: that computes the values that `COMPUTED` lists, and refuses every other one
    by its name.

    Example:
        >>> llama = DecoderParts(n_ctx=2048, n_heads=9, d_head=64, n_kv_heads=3, norm="rms", positions="rotary", mlp="gated")
        >>> llama.not_computed()
        []
        >>> DecoderParts(n_ctx=2048, n_heads=9, d_head=64, positions="alibi", mlp="experts").not_computed()
        ["positions 'alibi' (only 'learned', 'rotary')", "mlp 'experts' (only 'plain', 'gated')"]
    """

    n_ctx: int  # the most tokens of a text
    n_heads: int
    d_head: int
    # How many heads have keys and values of their own; None: each has. Fewer is grouped-query attention.
    n_kv_heads: int | None = None
    norm: str = "layer"  # "layer", "rms"
    norm_eps: float = 1e-5
    norm_offset: float = 0.0  # what is added to the gain of an RMSNorm: 1 where the weights are kept about 0
    # Where an RMSNorm of 16 bits is rounded: "before gain", or "after gain", which is then of float32.
    norm_rounds: str = "before gain"
    norm_place: str = "before"  # of a norm: "before" attention and MLP, "after" them, "around" them (both)
    embedding_norm: bool = False  # a norm between the embedding and the first layer
    positions: str = "learned"  # a table added to the embedding: "learned"; or "rotary", "alibi", ...
    # Which of the rotary tables each layer has, by its number; None for a layer that has none. None: all have table 0.
    rotary: tuple[int | None, ...] | None = None
    attention: str = "causal"  # "causal", "bidirectional", "chunked_attention", ...
    # How many tokens each layer sees, the token itself included; None for a layer that sees all. None: all see all.
    windows: tuple[int | None, ...] | None = None
    # What a score q k is multiplied with; None: 1 / sqrt(d_head).
    attention_scale: float | None = None
    attention_scale_by_layer: bool = False  # whether layer l divides the score by l + 1 as well
    qk_norm: str = "none"  # norms of queries and keys: of each "head", or of the "whole" before it is cut into heads
    score_cap: float | None = None  # c of the soft cap c tanh(score / c); None: no cap
    mlp: str = "plain"  # "plain": one product in and one out; "gated", "experts", "none"
    activation: str = "gelu_tanh"  # the nonlinearity of the MLP
    residual: str = "sequential"  # the MLP reads what attention has added to; "parallel": both read the same
    embedding_scale: float = 1.0  # what an embedding is multiplied with, rounded to the weights' dtype
    logit_cap: float | None = None  # as `score_cap`, of the logits

    @property
    def kv_heads(self) -> int:
        """How many heads have keys and values of their own."""
        return self.n_heads if self.n_kv_heads is None else self.n_kv_heads

    def scale(self, layer: int) -> float:
        """What the scores of a layer are multiplied with."""
        scale = self.d_head**-0.5 if self.attention_scale is None else self.attention_scale
        return scale / (layer + 1) if self.attention_scale_by_layer else scale

    def window(self, layer: int) -> int | None:
        """How many tokens a layer sees, itself included; None: all."""
        return None if self.windows is None else self.windows[layer]

    def table(self, layer: int) -> int | None:
        """The number of a layer's rotary table; None: it has none."""
        if self.positions != "rotary":
            return None
        return 0 if self.rotary is None else self.rotary[layer]

    def not_computed(self) -> list[str]:
        """The parts whose value `Decoder` does not compute, one phrase per part, in the order of the fields."""
        found = []
        for name, value in vars(self).items():
            if name == "n_kv_heads" and value is not None and (value < 1 or self.n_heads % value):
                found.append(f"n_kv_heads {value} (only a divisor of {self.n_heads}, n_heads)")
            elif name in COMPUTED and value not in COMPUTED[name]:
                found.append(f"{name} {value!r} (only {', '.join(map(repr, COMPUTED[name]))})")
        return found

    def check(self) -> None:
        """Raises ValueError where there is a part that `Decoder` does not compute, with all of them."""
        found = self.not_computed()
        if found:
            raise ValueError(f"a Decoder does not compute {'; '.join(found)}")


# The values that `Decoder` computes. A family that needs another one adds it here and where the engine computes that
# part.
COMPUTED: dict[str, tuple[object, ...]] = {
    "norm": ("layer", "rms"),
    "norm_rounds": ("before gain", "after gain"),
    "norm_place": ("before", "after", "around"),
    "embedding_norm": (False,),
    "positions": ("learned", "rotary"),
    "attention": ("causal",),
    "qk_norm": ("none", "head", "whole"),
    "mlp": ("plain", "gated"),
    "activation": tuple(ACTIVATIONS),
    "residual": ("sequential", "parallel"),
}
