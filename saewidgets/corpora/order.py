"""A seeded order of numbers that takes no memory: where each number goes is computed, not looked up."""

from __future__ import annotations

import numpy as np

_ROUNDS = 6


class Permutation:
    """A permutation of 0 .. n - 1 that the seeds decide, of constant size whatever n is.

    A Feistel network of six rounds over the smallest square of a power of two that holds n; what falls outside n is
    sent through again until it is inside (Black and Rogaway 2002, "Ciphers with arbitrary finite domains", cycle
    walking). It is no cipher: it mixes well and can be inverted.

    Example:
        >>> sorted(Permutation(5, 0)(np.arange(5)).tolist())
        [0, 1, 2, 3, 4]
    """

    def __init__(self, n: int, *seeds: int) -> None:
        self.n = n
        self._half = np.uint64(max(1, (max(n - 1, 1).bit_length() + 1) // 2))  # bits of one half
        self._mask = np.uint64((1 << int(self._half)) - 1)
        self._keys = np.random.default_rng(list(seeds)).integers(0, 2**64, _ROUNDS, dtype=np.uint64)

    def __call__(self, numbers: np.ndarray) -> np.ndarray:
        """Where each of some numbers [m], from 0 to n - 1, goes: int64 [m]."""
        found = self._once(numbers.astype(np.uint64))
        outside = found >= self.n
        while outside.any():
            found[outside] = self._once(found[outside])
            outside = found >= self.n
        return found.astype(np.int64)

    def _once(self, numbers: np.ndarray) -> np.ndarray:
        left, right = numbers >> self._half, numbers & self._mask
        for key in self._keys:
            left, right = right, left ^ (_mixed(right ^ key) & self._mask)
        return (left << self._half) | right


def _mixed(x: np.ndarray) -> np.ndarray:
    """The finalizer of splitmix64 (Steele, Lea and Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: np.ndarray = x ^ (x >> np.uint64(31))
    return found
