"""The fused layer for a `Decoder`: where it can be had, and up to how many tokens at a time it is quicker than torch.

`Decoder.block` and `Decoder.logits` are the plain versions. Both are held to the model by `proof`, one after the other.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from saewidgets.decoder.engine import Decoder
from saewidgets.decoder.fused_parts import FusedParts
from saewidgets.decoder.parts import DecoderParts
from saewidgets.decoder.timing import quicker_up_to
from saewidgets.decoder.weights import Linear, Norm


class Fused:
    """One compiled call per layer of GPT-2, on the weights where they lie, [in, out] and float32.

    `most` is the number of tokens up to which it is quicker than torch on this machine; 0 where it never is.
    """

    def __init__(self, decoder: Decoder) -> None:
        """Raises ImportError without numba, ValueError on weights that it cannot read where they lie."""
        from saewidgets.kernels import layer_numba as kernels

        parts, activation = decoder.parts, decoder.parts.activation
        gpt2 = DecoderParts(parts.n_ctx, parts.n_heads, parts.d_head, parts.n_heads, norm_eps=parts.norm_eps)
        plain = math.isclose(parts.scale(decoder.n_layers - 1), parts.d_head**-0.5, rel_tol=1e-6)
        said = replace(parts, n_kv_heads=parts.kv_heads, activation="gelu_tanh", attention_scale=None)
        if activation not in kernels.ACTIVATIONS or said != gpt2 or not plain:
            raise ValueError("the fused layer is GPT-2's")
        self._kernels, self._kind = kernels, kernels.ACTIVATIONS.index(activation)
        self._eps = parts.norm_eps
        ones, zeros = (
            torch.ones(decoder.d_model, dtype=torch.float32),
            torch.zeros(decoder.d_model, dtype=torch.float32),
        )

        def norm(weights: Norm | None) -> tuple[Any, Any]:
            gain, bias = weights or Norm()
            return _numpy(ones if gain is None else gain), _numpy(zeros if bias is None else bias)

        def linear(weights: Linear) -> tuple[Any, Any]:
            W, b = weights
            return _numpy(W), _numpy(W.new_zeros(W.shape[1]) if b is None else b)

        layers = decoder.weights.layers
        if any(len(w.qkv) > 1 for w in layers):
            raise ValueError("the fused layer reads queries, keys and values from one matrix")
        self._layers = [
            (
                *norm(w.norm_attention),
                *linear(w.qkv[0]),
                *linear(w.out),
                *norm(w.norm_mlp),
                *linear(w.mlp_in[0]),
                *linear(w.mlp_out),
            )
            for w in layers
        ]
        unembedding = decoder.weights.unembedding
        self._final = (*norm(decoder.norm_final), *linear(unembedding)) if unembedding.W.is_contiguous() else None
        self.most = quicker_up_to(decoder, self)

    def block(self, index: int, x: Tensor, cache: Tensor, start: int, kept: int) -> Tensor:
        """`Decoder.block` at the last `kept` tokens of x [row, pos, d_model]."""
        rows, weights = x.contiguous().numpy(), self._layers[index]
        return torch.from_numpy(self._kernels.layer(rows, cache.numpy(), start, kept, *weights, self._eps, self._kind))

    def logits(self, x: Tensor) -> Tensor | None:
        """`Decoder.logits`, or None where the unembedding lies the other way round."""
        if self._final is None:
            return None
        return torch.from_numpy(self._kernels.unembedded(x.contiguous().numpy(), *self._final, self._eps))


def fused_of(decoder: Decoder) -> Fused | FusedParts | None:
    """The fused layer of a decoder, or None where there is none or it is never quicker. Call it while `decoder.fused`
    is None.
    """
    for kind in (Fused, FusedParts):
        try:
            fused = kind(decoder)
        except (ImportError, ValueError):
            continue
        return fused if fused.most else None
    return None


def _numpy(weight: Tensor) -> Any:
    """The same memory as an array. Raises ValueError where it is not float32, laid out row after row, on the CPU."""
    if weight.device.type != "cpu" or weight.dtype != torch.float32 or not weight.is_contiguous():
        raise ValueError("the fused layer reads float32 on the CPU, laid out row after row")
    return weight.numpy()
