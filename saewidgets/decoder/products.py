"""The matrix products of a decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from saewidgets.decoder.weights import Linear
from saewidgets.kernels.product import product as chosen_product

# (bias [p] or None, a [n, m], W [m, p]) -> a W + bias, in fresh memory
Product = Callable[[Tensor | None, Tensor, Tensor], Tensor]


def plain_product(bias: Tensor | None, a: Tensor, W: Tensor) -> Tensor:
    """torch's own product."""
    if bias is None and len(a) == 1 and a.dtype != torch.float32 and a.device.type == "cpu":
        return torch.mv(W.T, a[0])[None]  # one row of 16 bits: twice as fast
    return torch.mm(a, W) if bias is None else torch.addmm(bias, a, W)


def quick_product(bias: Tensor | None, a: Tensor, W: Tensor) -> Tensor:
    """The product by the way that `kernels.product` has chosen on this machine.

    That knows float32 on the CPU; for anything else it is torch's own.
    """
    if a.device.type != "cpu" or a.dtype != torch.float32:
        return plain_product(bias, a, W)
    return chosen_product(a, W, bias, out=a.new_empty(len(a), W.shape[1]))


def joined(linears: Sequence[Linear]) -> Linear | None:
    """Linear maps of one input as one map, where their matrices (and biases) are neighbors in one piece of memory.

    Example:
        >>> q, k = Linear(torch.ones(6, 4).T[:, :4]), Linear(torch.ones(6, 4).T[:, 4:])
        >>> joined([q, k]) is None  # of two pieces
        True
    """
    W, b = _neighbors([linear.W for linear in linears], 1), None
    if all(linear.b is not None for linear in linears):
        b = _neighbors([linear.b for linear in linears if linear.b is not None], 0)
    elif any(linear.b is not None for linear in linears):
        return None
    return None if W is None or (b is None and linears[0].b is not None) else Linear(W, b)


def _neighbors(tensors: list[Tensor], axis: int) -> Tensor | None:
    """The tensor of which these are the parts along an axis, or None."""
    first, at = tensors[0], tensors[0].data_ptr()
    step = first.stride(axis) * first.element_size()
    for t in tensors:
        same = t.stride() == first.stride() and t.untyped_storage().data_ptr() == first.untyped_storage().data_ptr()
        if not same or t.data_ptr() != at:
            return None
        at += t.shape[axis] * step
    size = list(first.shape)
    size[axis] = sum(t.shape[axis] for t in tensors)
    return first.as_strided(size, first.stride(), first.storage_offset())
