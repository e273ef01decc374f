"""What a decoder-only transformer is made of, said by name, so that what cannot be computed is refused by name."""

from __future__ import annotations

import math
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

    It can say what other families are made of too (Llama: `norm="rms"`, `positions="rotary"`, `n_kv_heads`,
    `mlp="gated"`), but `Decoder` computes only the values that `COMPUTED` lists, and refuses every other one by its
    name.

    Example:
        >>> DecoderParts(n_ctx=1024, n_heads=12, d_head=64).not_computed()
        []
        >>> DecoderParts(n_ctx=2048, n_heads=9, d_head=64, norm="rms", n_kv_heads=3).not_computed()
        ['n_kv_heads 3 (only 9, as many as n_heads)', "norm 'rms' (only 'layer')"]
    """

    n_ctx: int  # the most tokens of a text
    n_heads: int
    d_head: int
    # How many heads have keys and values of their own; None: each has. Fewer is grouped-query attention.
    n_kv_heads: int | None = None
    norm: str = "layer"  # "layer", "rms"
    norm_eps: float = 1e-5
    norm_place: str = "before"  # of a norm: "before" attention and MLP, "after" them, "around" them (both)
    embedding_norm: bool = False  # a norm between the embedding and the first layer
    positions: str = "learned"  # a table added to the embedding: "learned"; or "rotary", "alibi", ...
    attention: str = "causal"  # "causal", "local" (a window), "bidirectional"
    # What a score q k is multiplied with; None: 1 / sqrt(d_head).
    attention_scale: float | None = None
    attention_scale_by_layer: bool = False  # whether layer l divides the score by l + 1 as well
    qk_norm: bool = False  # norms of queries and keys
    score_cap: float | None = None  # c of the soft cap c tanh(score / c); None: no cap
    mlp: str = "plain"  # "plain": one product in and one out; "gated", "experts", "none"
    activation: str = "gelu_tanh"  # the nonlinearity of the MLP
    residual: str = "sequential"  # the MLP reads what attention has added to; "parallel": both read the same
    embedding_scale: float = 1.0  # what an embedding is multiplied with
    logit_cap: float | None = None  # as `score_cap`, of the logits

    def not_computed(self) -> list[str]:
        """The parts whose value `Decoder` does not compute, one phrase per part, in the order of the fields."""
        found = []
        for name, value in vars(self).items():
            if name == "n_kv_heads" and value not in (None, self.n_heads):
                found.append(f"n_kv_heads {value} (only {self.n_heads}, as many as n_heads)")
            elif (
                name == "attention_scale"
                and value is not None
                and not math.isclose(value, self.d_head**-0.5, rel_tol=1e-6)
            ):
                found.append(f"attention_scale {value} (only 1/sqrt(d_head), {self.d_head**-0.5:.6g})")
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
    "norm": ("layer",),
    "norm_place": ("before",),
    "embedding_norm": (False,),
    "positions": ("learned",),
    "attention": ("causal",),
    "attention_scale_by_layer": (False,),
    "qk_norm": (False,),
    "score_cap": (None,),
    "mlp": ("plain",),
    "activation": tuple(ACTIVATIONS),
    "residual": ("sequential",),
    "embedding_scale": (1.0,),
    "logit_cap": (None,),
}
