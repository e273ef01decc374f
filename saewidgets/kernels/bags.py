"""Sums of a few rows of a matrix, and their slopes: the products of a sparse training step, on any device.

    bag_sum:    out[b] = sum over the entries e of bag b of weight[e] matrix[index[e]]
    bag_dots:   out[e] = left[b] . matrix[index[e]],  b the bag of e:  d sum(left * bag_sum) / d weight

Bags lie one after the other: bag b has the entries start[b] to start[b + 1] - 1. Neither writes the gathered rows out,
and each sum runs in the order of its entries, so that it is the same every time. The plain versions are torch's
`embedding_bag`; on a CUDA device the kernels of `bags_triton` take their place where triton is there and gives the same
on a small problem. `SAEWIDGETS_BAGS=torch` in the environment keeps to the plain ones.
"""

from __future__ import annotations

import os
import warnings
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

WAYS = ("triton", "torch")


def bag_sum(start: Tensor, index: Tensor, weight: Tensor, matrix: Tensor) -> Tensor:
    """float [bag, d]: the weighted sum of rows of matrix [m, d] that each bag names.

    start: int64 [bag + 1], ascending from 0 to the number of entries. index: int64 [entry], rows of the matrix. weight:
    [entry], of the matrix's dtype.

    Example:
        >>> rows = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> bag_sum(torch.tensor([0, 2, 2]), torch.tensor([0, 1]), torch.tensor([2.0, 3.0]), rows).tolist()
        [[2.0, 3.0], [0.0, 0.0]]
    """
    quick = _quick(weight, matrix)
    if quick is not None:
        found: Tensor = quick.bag_sum(start, index, weight, matrix)
        return found
    return plain_bag_sum(start, index, weight, matrix)


def bag_dots(left: Tensor, start: Tensor, row: Tensor, index: Tensor, matrix: Tensor) -> Tensor:
    """float [entry]: left[row[e]] . matrix[index[e]], with left [bag, d] and matrix [m, d] of one dtype.

    row: int64 [entry], the bag of each entry, ascending; start as for `bag_sum`, which says the same.

    Example:
        >>> left, rows = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> bag_dots(left, torch.tensor([0, 2]), torch.tensor([0, 0]), torch.tensor([1, 0]), rows).tolist()
        [2.0, 1.0]
    """
    quick = _quick(left, matrix)
    if quick is not None:
        found: Tensor = quick.bag_dots(left, row, index, matrix)
        return found
    return plain_bag_dots(left, start, index, matrix)


def starts_of(sorted_ids: Tensor, n: int) -> Tensor:
    """int64 [n + 1]: where each of 0 .. n - 1 begins in an ascending list, and its length. The host does not wait for
    it.

    Example:
        >>> starts_of(torch.tensor([0, 0, 2]), 4).tolist()
        [0, 2, 2, 3, 3]
    """
    return torch.searchsorted(sorted_ids, torch.arange(n + 1, dtype=sorted_ids.dtype, device=sorted_ids.device))


def plain_bag_sum(start: Tensor, index: Tensor, weight: Tensor, matrix: Tensor) -> Tensor:
    """`bag_sum` by torch's own operator."""
    return F.embedding_bag(index, matrix, start, per_sample_weights=weight, mode="sum", include_last_offset=True)


def plain_bag_dots(left: Tensor, start: Tensor, index: Tensor, matrix: Tensor) -> Tensor:
    """`bag_dots` as torch's own derivative of `plain_bag_sum`."""
    with torch.enable_grad():
        weight = left.new_zeros(len(index)).requires_grad_()
        (found,) = torch.autograd.grad(plain_bag_sum(start, index, weight, matrix), weight, left)
    return found


def _quick(weight: Tensor, matrix: Tensor) -> Any:
    """The module whose kernels are used for these, or None."""
    if matrix.device.type != "cuda" or not weight.dtype == matrix.dtype == torch.float32 or not matrix.is_contiguous():
        return None
    return quick_on("cuda")


@cache
def quick_on(device: str) -> Any:
    """`bags_triton` where it runs on this kind of device and gives what the plain versions give; else None, with a
    warning if it is there and does not.

    Raises ValueError if `SAEWIDGETS_BAGS` names no way.
    """
    asked = os.environ.get("SAEWIDGETS_BAGS", "") or WAYS[0]
    if asked not in WAYS:
        raise ValueError(f"SAEWIDGETS_BAGS is {asked!r}; it can be {' or '.join(WAYS)}")
    if asked == "torch":
        return None
    try:
        from saewidgets.kernels import bags_triton
    except ImportError:  # it comes with torch's CUDA wheels, not with every torch
        return None
    try:
        wrong = "other numbers than torch" if difference(bags_triton, device) > 1e-4 else ""
    except Exception as error:  # whatever a compiler for a device may raise
        wrong = f"{type(error).__name__}: {error}"
    if wrong:
        warnings.warn(f"triton's kernels are not used, torch's own take their place: {wrong:.300}", stacklevel=4)
        return None
    return bags_triton


def difference(ways: Any, device: str) -> float:
    """How far a module's `bag_sum` and `bag_dots` are from the plain ones on a problem with empty and long bags."""
    generator = torch.Generator().manual_seed(0)
    n, d, sizes = 40, 97, torch.tensor([0, 3, 50, 1, 0, 17])
    start = torch.cat([torch.zeros(1, dtype=torch.int64), sizes.cumsum(0)]).to(device)
    entries, row = int(sizes.sum()), torch.repeat_interleave(torch.arange(len(sizes)), sizes).to(device)
    index = torch.randint(n, (entries,), generator=generator).to(device)
    matrix, left, weight = (
        torch.randn(shape, generator=generator, dtype=torch.float32).to(device)
        for shape in ((n, d), (len(sizes), d), (entries,))
    )
    pairs = (
        (ways.bag_sum(start, index, weight, matrix), plain_bag_sum(start, index, weight, matrix)),
        (ways.bag_dots(left, row, index, matrix), plain_bag_dots(left, start, index, matrix)),
    )
    return max(float((own - plain).abs().max()) for own, plain in pairs)
