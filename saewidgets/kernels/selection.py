"""Which activations are on: the largest of each row, and the largest of all.

Written so that a GPU does not wait: `torch.topk` over rows of tens of thousands reads them sixteen times, and here they
are read twice. All are exact; of equal numbers any may be taken.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

WORTH = 32  # times k, from which width on a row is looked at in groups


def top_k(pre: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """(values, indices) [..., k] of the k largest of each row of pre [..., n], in no stated order.

    On the CPU `torch.topk` itself. Elsewhere long rows are cut into groups: the k largest numbers stand in the k groups
    whose own largest number is largest, since each of k such groups holds one at least as large as any number outside.
    A nan counts as the largest, as it does in `torch.topk`.

    Example:
        >>> values, indices = top_k(torch.tensor([[3.0, 1.0, 2.0]]), 2)
        >>> sorted(values[0].tolist()), sorted(indices[0].tolist())
        ([2.0, 3.0], [0, 2])
    """
    n = pre.shape[-1]
    if pre.device.type == "cpu" or n < WORTH * k or n < 1024:
        return pre.topk(k, dim=-1, sorted=False)
    return grouped_top_k(pre, k)


def grouped_top_k(pre: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """`top_k` by groups, for rows of at least k of them."""
    n = pre.shape[-1]
    size = 1 << max(1, round((n / k) ** 0.5).bit_length() - 1)  # both steps then look at about as many numbers
    whole = n - n % size
    if whole // size < k:
        return pre.topk(k, dim=-1, sorted=False)
    grouped = pre[..., :whole].unflatten(-1, (-1, size))  # [..., group, size]
    group = grouped.amax(-1).topk(k, dim=-1, sorted=False).indices  # [..., k]
    found = torch.gather(grouped, -2, group[..., None].expand(*group.shape, size)).flatten(-2)
    place = (group[..., None] * size + torch.arange(size, device=pre.device)).flatten(-2)
    if whole < n:  # the numbers that are no whole group stand beside the chosen ones
        found = torch.cat([found, pre[..., whole:]], -1)
        rest = torch.arange(whole, n, device=pre.device).expand(*place.shape[:-1], -1)
        place = torch.cat([place, rest], -1)
    values, at = found.topk(k, dim=-1, sorted=False)
    return values, place.gather(-1, at)


def nth_by_bits(pre: Tensor, n: int) -> Tensor:
    """The n-th largest of all numbers of pre, or 0 where that is negative, in its dtype; nan where one of them is nan.

    Positive floats are in the order of their bits, so each bit of the result takes one count of what is no smaller. It
    reads pre as many times as the dtype has bits, needs no sorted copy, and the host does not wait.

    Example:
        >>> float(nth_by_bits(torch.tensor([1.0, 4.0, -2.0, 3.0]), 2))
        3.0
    """
    kind = {4: torch.int32, 2: torch.int16, 8: torch.int64}[pre.element_size()]
    bits = pre.contiguous().view(kind)
    found = torch.zeros((), dtype=kind, device=pre.device)
    for bit in reversed(range(8 * pre.element_size() - 1)):
        trial = found | (1 << bit)
        found = torch.where((bits >= trial).sum() >= n, trial, found)
    value = found.view(pre.dtype)
    return torch.where(pre.isnan().any(), torch.nan, value)


def batch_largest(pre: Tensor, n: int, hint: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """(places int64 [m], cut): where in pre.flatten() the n largest positive numbers stand, ascending, with whatever
    equals the last of them, and that last one in float32; 0 where fewer than n are positive.

    A `hint` (0-dim) of what the cut may be, but less, makes it fast: the numbers above it are then all that is sorted.
    It changes nothing else. With a nan among the n largest the cut is nan, and nothing is found.

    Example:
        >>> places, cut = batch_largest(torch.tensor([[1.0, 4.0], [-2.0, 3.0]]), 2)
        >>> places.tolist(), float(cut)
        ([1, 3], 3.0)
    """
    flat = pre.flatten()
    n = min(n, len(flat))
    if hint is not None:
        likely = (~(flat <= hint)).nonzero()[:, 0]  # a nan stays
        if len(likely) >= n:
            values = flat[likely]
            cut = values.sort(descending=True).values[n - 1].relu()
            return likely[(values >= cut) & (values > 0)], _wide(cut)
    cut = nth_by_bits(flat, n)
    return ((flat >= cut) & (flat > 0)).nonzero()[:, 0], _wide(cut)


def largest_values(pre: Tensor, n: int) -> Tensor:
    """float [min(n, numel)]: the n largest of all positive numbers in pre, descending; zeros fill up."""
    n = min(n, pre.numel())
    places, cut = batch_largest(pre, n)
    found = _wide(pre.flatten()[places]).sort(descending=True).values[:n]
    return F.pad(found, (0, n - len(found))) + 0 * cut  # a nan is not lost


def _wide(values: Tensor) -> Tensor:
    """bfloat16 as float32."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
