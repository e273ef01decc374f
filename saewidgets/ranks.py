"""One process alone, or one of several that train together: its rank, and what it says to the others.

Everything that crosses processes goes through `Ranks`, over `torch.distributed`. With one process every word of it
does nothing, so that whoever trains need not ask which of the two it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.distributed as dist
from torch import Tensor

BINS = 1 << 8  # of a digit of `nth_largest`; a float32 has four


class Ranks:
    """Rank `rank` of `size` processes, which call the same methods in the same order. `ALONE` is the one of one.

    Example:
        >>> ALONE.share_of(8), ALONE.sum(torch.ones(2)).tolist()
        (slice(0, 8, None), [1.0, 1.0])
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank = rank
        self.size = size
        self._flat: Tensor | None = None  # kept: fresh memory of this size costs as much as the sum

    @property
    def alone(self) -> bool:
        """Whether there are no others."""
        return self.size == 1

    @property
    def first(self) -> bool:
        """Whether this is rank 0, the one that writes."""
        return self.rank == 0

    def share_of(self, n: int) -> slice:
        """Which of n rows are this rank's: a run of them, as long as the others' or one longer."""
        return slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over the ranks, in place."""
        if not self.alone:
            dist.all_reduce(tensor)
        return tensor

    def least(self, tensor: Tensor) -> Tensor:
        """The least over the ranks, number by number, in place."""
        if not self.alone:
            dist.all_reduce(tensor, dist.ReduceOp.MIN)
        return tensor

    def same(self, tensors: Iterable[Tensor], source: int = 0) -> None:
        """Make tensors what they are at rank `source`, in place."""
        if not self.alone:
            for tensor in tensors:
                given = tensor if tensor.is_contiguous() else tensor.contiguous()
                dist.broadcast(given, source)
                if given is not tensor:
                    tensor.copy_(given)

    def sum_flat(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """The sums over the ranks, as one message: the tensors themselves when alone, else views of a buffer that is valid
        until the next call. float32.
        """
        if self.alone:
            return tensors
        ends = [0]
        for tensor in tensors:
            ends.append(ends[-1] + tensor.numel())
        if self._flat is None or self._flat.numel() != ends[-1] or self._flat.device != tensors[0].device:
            self._flat = torch.empty(ends[-1], device=tensors[0].device, dtype=torch.float32)
        views = [self._flat[a:b].view(tensor.shape) for a, b, tensor in zip(ends[:-1], ends[1:], tensors, strict=True)]
        for view, tensor in zip(views, tensors, strict=True):
            view.copy_(tensor)
        dist.all_reduce(self._flat)
        return views

    def nth_largest(self, values: Tensor, n: int) -> Tensor:
        """The n-th largest of all ranks' values together, 0 if there are fewer; nan if one of them is nan.

        Values are 0 or more, float32 [any]; each rank may leave out what is surely not among the n largest. The bits of
        such floats are ordered as they are, so it is found digit by digit: four messages of 256 counts, whatever n is.

        Example:
            >>> float(ALONE.nth_largest(torch.tensor([3.0, 1.0, 2.0]), 2))
            2.0
        """
        bits = values.detach().float().contiguous().view(torch.int32).flatten().long()
        strange = self.sum(torch.isnan(values).sum())
        prefix, left = 0, n
        for shift in (24, 16, 8, 0):
            digit = (bits[bits >> (shift + 8) == prefix] >> shift) & (BINS - 1)
            counts = self.sum(torch.bincount(digit, minlength=BINS))
            from_above = counts.flip(0).cumsum(0)  # [j]: how many have one of the j + 1 highest digits
            if int(from_above[-1]) < left:  # fewer than n in all: only the first digit can find that
                prefix = 0
                break
            j = int((from_above >= left).nonzero()[0, 0])
            left -= int(from_above[j]) - int(counts[BINS - 1 - j])
            prefix = (prefix << 8) | (BINS - 1 - j)
        found = torch.tensor(prefix, dtype=torch.int32).view(torch.float32).to(values.device)
        return found + torch.nan if int(strange) else found


ALONE = Ranks()
