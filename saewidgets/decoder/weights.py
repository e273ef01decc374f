"""The weights of a decoder, as tensors with names: used where they lie, none is copied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor

from saewidgets.decoder.positions import Rotary


class Linear(NamedTuple):
    """x W + b. W [d_in, d_out] may be a view, such as the transpose of a matrix that lies [d_out, d_in]."""

    W: Tensor
    b: Tensor | None = None  # [d_out]; None: no bias


class Norm(NamedTuple):
    """The gain and bias of a norm, [d] each; None where there is none, or where it is folded into what follows."""

    gain: Tensor | None = None
    bias: Tensor | None = None


@dataclass(frozen=True)
class LayerWeights:
    """The weights of one layer; d_q = n_heads * d_head, d_kv = n_kv_heads * d_head.

    `qkv` and `mlp_in` are one product where their matrices lie in one piece of memory, and else several: queries, keys,
    values; gate, up. Without a gate `mlp_in` is one.
    """

    qkv: tuple[Linear, ...]  # [d_model, d_q + 2 d_kv], or three
    out: Linear  # [d_q, d_model]
    mlp_in: tuple[Linear, ...]  # [d_model, d_mlp]; with a gate [d_model, 2 d_mlp] (gate first), or two
    mlp_out: Linear  # [d_mlp, d_model]
    norm_attention: Norm | None = None  # of what attention reads; None: it reads the residual stream as it is
    norm_mlp: Norm | None = None
    norm_attention_out: Norm | None = None  # of what attention adds; None: it is added as it is
    norm_mlp_out: Norm | None = None
    norm_q: Norm | None = None  # of queries and keys, [d_head] or [d_q] and [d_kv]
    norm_k: Norm | None = None

    def tensors(self) -> Iterator[Tensor]:
        """All of them."""
        single = (
            self.out, self.mlp_out, self.norm_attention, self.norm_mlp, self.norm_attention_out, self.norm_mlp_out,
            self.norm_q, self.norm_k,
        )  # fmt: skip
        for pair in (*self.qkv, *self.mlp_in, *single):
            yield from (t for t in pair or () if t is not None)


@dataclass(frozen=True)
class DecoderWeights:
    """All weights of a decoder. They are used where they lie: none is copied, and a change in place is a change of the
    decoder (but for the gain of a norm in 16 bits that is rounded last, which is kept in float32).
    """

    embedding: Tensor  # [d_vocab, d_model]
    positions: Tensor | None  # [n_ctx, d_model]; None: no table is added
    layers: Sequence[LayerWeights]
    norm_final: Norm | None
    unembedding: Linear  # [d_model, d_vocab]
    rotaries: Sequence[Rotary] = field(default=())  # those that `DecoderParts.rotary` counts

    def tensors(self) -> list[Tensor]:
        """All of them in one list, but for the rotary tables."""
        own = (self.embedding, self.positions, *(self.norm_final or ()), *self.unembedding)
        return [t for t in own if t is not None] + [t for layer in self.layers for t in layer.tensors()]
