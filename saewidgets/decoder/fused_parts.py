"""The fused layer of the common families, over weights that lie [out, in]: float32 or bfloat16, whatever their parts.

`fused.Fused` is GPT-2's, over weights [in, out]. The plain version of both is `Decoder.block`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from saewidgets.decoder.engine import Decoder
from saewidgets.decoder.layer import Layer
from saewidgets.decoder.positions import Rotary
from saewidgets.decoder.timing import quicker_up_to
from saewidgets.decoder.weights import Linear, Norm

FEW = 4  # rows up to which the weights are read as fast as the memory gives them without the processor's matrix unit
DOZENS = 48  # rows up to which the unit is given the weights as they lie, and beyond which the rows as they lie

_QK_NORMS = {"none": 0, "head": 1, "whole": 2}


class _Layer(NamedTuple):
    """What the compiled functions are given for one layer, as arrays: a linear map is W [out, in] and b."""

    qkv: tuple[tuple[Any, Any], ...]
    out: tuple[Any, Any]
    mlp_in: tuple[tuple[Any, Any], ...]  # gate, up; or one
    mlp_out: tuple[Any, Any]
    norms: tuple[Any, ...]  # before and after attention, before and after the MLP
    norms_qk: tuple[Any, ...]
    rotary: Rotary | None
    numbers: tuple[Any, ...]  # rotary pairs adjacent, window, scale and cap of the scores


class _Unit(NamedTuple):
    """Products by a processor's matrix unit: how rows are laid out for it, and the product of these; of many rows also
    the whole of it as bfloat16 (uint16).
    """

    dozens: tuple[Callable[..., Any], Callable[..., Any]]
    many: tuple[Callable[..., Any], Callable[..., Any]]
    halved: Callable[..., Any]


class FusedParts:
    """A dozen compiled calls per layer, on the matrices where they lie. (The gains of norms are kept in float32.)

    What it gives for a row depends on that row alone, to the last bit, but in bfloat16 on a processor with a matrix unit:
    there more than `FEW` rows have their sums taken in another order.

    `most` is the number of tokens up to which it is quicker than torch on this machine; 0 where it never is.
    """

    def __init__(self, decoder: Decoder) -> None:
        """Raises ImportError without numba, ValueError on weights that it cannot read where they lie."""
        from saewidgets.kernels import decoder_numba, gemv_numba
        from saewidgets.kernels.layer_numba import ACTIVATIONS

        parts = decoder.parts
        if parts.activation not in ACTIVATIONS:
            raise ValueError(f"no fused {parts.activation}")
        self._kernels, self._few, self._parts = decoder_numba, gemv_numba.product, parts
        self._unit = _by_unit(decoder)
        self._activation, self._half = ACTIVATIONS.index(parts.activation), decoder.embedding.dtype == torch.bfloat16
        self._eps = np.float32(parts.norm_eps)
        self._empty = _numpy(decoder.embedding.new_empty(0))
        self._none = np.empty((0, decoder.d_model), np.float32), np.empty((0, parts.d_head), np.float32)
        self._layers = [self._laid_out(i, layer) for i, layer in enumerate(decoder.layers)]
        self._final = self._norm(decoder.norm_final), self._linear(decoder.weights.unembedding)
        self._tables: dict[int, tuple[Tensor, Any, Any]] = {}
        self.most = quicker_up_to(decoder, self)

    def block(self, index: int, x: Tensor, cache: Tensor, start: int, kept: int) -> Tensor:
        """`Decoder.block` at the last `kept` tokens of x [row, pos, d_model]."""
        rows, n, d = x.shape
        w, kernels = self._layers[index], self._kernels
        all_rows = _numpy(x.contiguous()).reshape(rows * n, d)
        stream = all_rows if kept == n else _numpy(x[:, n - kept :].contiguous()).reshape(rows * kept, d)
        h = kernels.normed(all_rows, *w.norms[0])
        z = kernels.attended(
            *self._queries(w, h, rows, n, kept), _numpy(cache)[:rows], start, kept, *w.norms_qk,
            *self._turns(w, start, n, x.dtype), *w.numbers,
        )  # fmt: skip
        out = self._product(z, *w.out)
        if self._parts.residual == "parallel":
            inner = self._mlp(w, kernels.normed(stream, *w.norms[2]))
            found = kernels.added(stream, out, inner, *w.norms[3])
        else:
            stream = kernels.added(stream, self._none[0], out, *w.norms[1])
            inner = self._mlp(w, kernels.normed(stream, *w.norms[2]))
            found = kernels.added(stream, self._none[0], inner, *w.norms[3])
        return _tensor(found).view(rows, kept, d)

    def logits(self, x: Tensor) -> Tensor:
        """`Decoder.logits`."""
        norm, unembedding = self._final
        h = self._kernels.normed(_numpy(x.contiguous()), *norm)
        if self._unit is not None and len(h) > DOZENS:
            found = _tensor(self._unit.halved(h, *unembedding))
        else:
            found = torch.from_numpy(self._product(h, *unembedding)).to(x.dtype)
        cap = self._parts.logit_cap
        return found if cap is None else torch.tanh(found / cap) * cap

    def _product(self, x: Any, W: Any, b: Any) -> Any:
        """x [row, in] W [out, in] transposed + b [out]."""
        return self._products(x, (W, b))[0]

    def _products(self, x: Any, *linears: tuple[Any, Any]) -> list[Any]:
        """Several products of the same rows, which are laid out for the unit once."""
        if len(x) <= FEW or self._unit is None:
            return [self._few(x, W, b) for W, b in linears]
        laid, product = self._unit.dozens if len(x) <= DOZENS else self._unit.many
        inputs = laid(x)
        return [product(inputs, len(x), W, b) for W, b in linears]

    def _queries(self, w: _Layer, h: Any, rows: int, n: int, kept: int) -> tuple[Any, Any, Any]:
        """Queries of the last `kept` tokens, keys and values of all; h is [row * pos, d_model]."""
        if kept == n:
            q, k, v = self._products(h, *w.qkv)
        else:
            last = h.reshape(rows, n, -1)[:, n - kept :].reshape(rows * kept, -1)
            q, (k, v) = self._product(last, *w.qkv[0]), self._products(h, *w.qkv[1:])
        return q, k, v

    def _mlp(self, w: _Layer, h: Any) -> Any:
        gate, up = [*self._products(h, *w.mlp_in), self._none[1]][:2]
        return self._product(self._kernels.activated(gate, up, self._activation, self._half), *w.mlp_out)

    def _laid_out(self, index: int, layer: Layer) -> _Layer:
        parts, w = self._parts, layer.weights
        d_q, d_kv = parts.n_heads * parts.d_head, parts.kv_heads * parts.d_head
        gates = 1 + (parts.mlp == "gated")
        norms = (layer.norm_attention, layer.norm_attention_out, layer.norm_mlp, layer.norm_mlp_out)
        q, k = self._norm(layer.norm_q), self._norm(layer.norm_k)
        adjacent = layer.rotary is not None and layer.rotary.pairs == "adjacent"
        return _Layer(
            qkv=tuple(map(self._linear, _split(w.qkv, [d_q, d_kv, d_kv]))),
            out=self._linear(w.out),
            mlp_in=tuple(map(self._linear, _split(w.mlp_in, [w.mlp_out.W.shape[0]] * gates))),
            mlp_out=self._linear(w.mlp_out),
            norms=tuple(map(self._norm, norms)),
            norms_qk=(q[:2], k[:2], self._eps, (_QK_NORMS[parts.qk_norm], *q[3][1:])),
            rotary=layer.rotary,
            numbers=(
                int(adjacent), parts.window(index) or 0, np.float32(parts.scale(index)), np.float32(parts.score_cap or 0),
            ),
        )  # fmt: skip

    def _norm(self, norm: Norm | None) -> tuple[Any, Any, Any, tuple[int, int, int]]:
        """Gain and bias as float32, empty where there is none, eps, and the kind."""
        empty = torch.empty(0, dtype=torch.float32)
        gain, bias = ((empty if t is None else t.detach().float().contiguous()).numpy() for t in norm or Norm())
        parts = self._parts
        return (
            gain,
            bias,
            self._eps,
            (int(norm is not None), int(parts.norm == "rms"), int(parts.norm_rounds == "after gain")),
        )

    def _linear(self, linear: Linear) -> tuple[Any, Any]:
        return _numpy(linear.W.t()), self._empty if linear.b is None else _numpy(linear.b)

    def _turns(self, w: _Layer, start: int, n: int, dtype: torch.dtype) -> tuple[Any, Any]:
        """cos and signed sin of n tokens from `start` on, [n, d] each; d = 0 in a layer without rotary positions."""
        if w.rotary is None:
            nothing = self._empty.reshape(1, 0).repeat(n, 0)
            return nothing, nothing
        cos, sin = w.rotary.at(start, n, torch.float32 if w.rotary.wide else dtype)
        known = self._tables.get(id(w.rotary))
        if known is None or known[0] is not cos:
            known = self._tables[id(w.rotary)] = (cos, _numpy(cos[:, 0]), _numpy(sin[:, 0]))
        return known[1:]


def _by_unit(decoder: Decoder) -> _Unit | None:
    """The products by the processor's matrix unit, where it has one for these weights."""
    from saewidgets.kernels import amx_numba, amx_rows_numba

    weights = decoder.weights.layers
    matrices = [linear.W for w in weights for linear in (*w.qkv, w.out, *w.mlp_in, w.mlp_out)]
    fits = all(W.dtype == torch.bfloat16 and len(W) % amx_numba.CHUNK == 0 for W in matrices)
    if not (fits and amx_numba.available()):
        return None
    return _Unit(
        (amx_numba.packed, amx_numba.multiplied),
        (amx_rows_numba.halves, amx_rows_numba.multiplied),
        amx_rows_numba.halved_product,
    )


def _split(linears: tuple[Linear, ...], sizes: list[int]) -> list[Linear]:
    """Linear maps one by one, from one that is all of them or from themselves."""
    if len(linears) > 1:
        return list(linears)
    W, b = linears[0]
    biases = [None] * len(sizes) if b is None else b.split(sizes)
    return [Linear(w, own) for w, own in zip(W.split(sizes, 1), biases, strict=True)]


def _numpy(t: Tensor) -> Any:
    """The same memory as an array, bfloat16 as uint16. Raises ValueError where it is of another type, not on the CPU or
    not laid out row after row.
    """
    if t.device.type != "cpu" or t.dtype not in (torch.float32, torch.bfloat16) or not t.is_contiguous():
        raise ValueError("the fused layer reads float32 and bfloat16 on the CPU, laid out [out, in]")
    t = t.detach()
    return t.numpy() if t.dtype == torch.float32 else t.view(torch.int16).numpy().view(np.uint16)


def _tensor(a: Any) -> Tensor:
    """The same memory as a tensor."""
    return torch.from_numpy(a) if a.dtype == np.float32 else torch.from_numpy(a.view(np.int16)).view(torch.bfloat16)
