"""A model and an SAE as a page carries them: numbers of 16 bits, and what is said of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST = 24 << 20  # bytes of the numbers that a page takes: a browser reads all of it before it shows anything


@dataclass(frozen=True)
class Carried:
    """Weights, float16, one after the other in the order of `about["shapes"]`, {name: shape}."""

    about: Mapping[str, Any]  # JSON types
    weights: np.ndarray  # float16 [n]

    def array(self, name: str) -> np.ndarray:
        """One of the tensors, a view in its own shape."""
        at = 0
        for own, shape in self.about["shapes"].items():
            size = math.prod(shape)
            if own == name:
                return self.weights[at : at + size].reshape(shape)
            at += size
        raise KeyError(name)


def check_size(n: int, what: str) -> None:
    """Raise ValueError, with both sizes, where `n` numbers of `what` are more than a page takes."""
    if 2 * n > MOST:
        raise ValueError(
            f"{what} are {n:,} numbers, {2 * n / 1e6:,.0f} MB at 16 bits each, and a live page takes {MOST / 1e6:.0f} MB at "
            "most: write the page without live=True, or play a recording (sw.record_clamps)"
        )


def flat(arrays: Mapping[str, np.ndarray], what: str) -> tuple[dict[str, list[int]], np.ndarray]:
    """The shapes of some arrays, and all their numbers as float16. Raises ValueError for one that float16 cannot hold."""
    for name, array in arrays.items():
        top = float(np.abs(array).max(initial=0.0))
        if not top <= 65504.0:
            raise ValueError(f"{name} of {what} holds {top:g}, which 16 bits cannot: a live page cannot carry it")
    parts = [array.astype(np.float16).reshape(-1) for array in arrays.values()]
    return {name: list(array.shape) for name, array in arrays.items()}, np.concatenate(parts)
