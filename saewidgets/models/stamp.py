"""Whether weights are what they were."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

SAMPLES = 64  # numbers of each tensor by which a change behind torch's back is noticed


class Stamp:
    """What tensors hold at the moment, to be compared with later.

    Torch counts every change of a tensor except one through `.data` or through numpy; that shows in a sample of each, unless it
    moves a few numbers only.

    Example:
        >>> weight = torch.zeros(3)
        >>> stamp = Stamp([weight])
        >>> stamp.holds(), weight.add_(1).sum().item(), stamp.holds()
        (True, 3.0, False)
    """

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        self._tensors = list(tensors)
        self._samples = [_some(t) for t in self._tensors]
        simple = all(s.device.type == "cpu" and s.dtype == torch.float32 for s in self._samples)
        self._arrays = (
            [s.numpy() for s in self._samples] if simple else None
        )  # numpy gathers small pieces six times as fast
        self._found = self._state()

    def holds(self) -> bool:
        """Whether no change has been seen."""
        return self._state() == self._found

    def _state(self) -> tuple[list[tuple[int, int]], Any]:
        versions = [(0 if t.is_inference() else t._version, t.data_ptr()) for t in self._tensors]
        if self._arrays is not None:
            return versions, np.concatenate(self._arrays).tobytes()
        return versions, torch.cat(self._samples).tolist()


def _some(tensor: Tensor) -> Tensor:
    """At most `SAMPLES` numbers of a tensor, spread over it: a view, so that it changes with it."""
    tensor = tensor.detach()
    flat = tensor.as_strided((tensor.numel(),), (1,), tensor.storage_offset()) if _dense(tensor) else tensor.reshape(-1)
    return flat[:: max(1, flat.numel() // SAMPLES)][:SAMPLES]


def _dense(tensor: Tensor) -> bool:
    """Whether its numbers fill one piece of memory, whatever the order of its axes."""
    span = 1 + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True))
    return span == tensor.numel()
