"""Up to how many tokens at a time a fused layer is quicker than torch on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from saewidgets.decoder.engine import Decoder, Fast

SIZES = (1, 2, 4, 8, 16, 32, 64, 96, 192, 384)  # tokens at a time at which both are timed
LAYERS = 4  # at a time, since in a text being written a layer's weights are not in the processor's own cache
ROUNDS = 3

_QUICKER: dict[tuple[Any, ...], int] = {}  # by shape, so that what is loaded twice is rounded the same way


def quicker_up_to(decoder: Decoder, fused: Fast) -> int:
    """The largest of `SIZES` up to which it is the quicker one at each; 0 where torch always is. Tried once per shape."""
    d_mlp, dtype = decoder.weights.layers[0].mlp_out.W.shape[0], decoder.embedding.dtype
    key = (type(fused), decoder.parts, decoder.d_model, d_mlp, dtype, torch.get_num_threads())
    if key not in _QUICKER:
        _QUICKER[key] = _tried(decoder, fused)
    return _QUICKER[key]


def _tried(decoder: Decoder, fused: Fast) -> int:
    found, layers = 0, range(min(LAYERS, decoder.n_layers))
    for n in SIZES:
        if n > decoder.n_ctx:
            break
        x = torch.linspace(-1, 1, n * decoder.d_model, dtype=torch.float32).view(1, n, -1).to(decoder.embedding)
        cache = decoder.room(1, n)

        def plain(x: Tensor = x, cache: Tensor = cache) -> list[Tensor]:
            return [decoder.block(i, x, cache, 0) for i in layers]

        def quick(x: Tensor = x, cache: Tensor = cache, n: int = n) -> list[Tensor]:
            return [fused.block(i, x, cache, 0, n) for i in layers]

        of_plain, of_fused = _least_times(plain, quick)
        if of_fused > of_plain:
            break
        found = n
    return found


def _least_times(*runs: Callable[[], Any]) -> list[float]:
    """The least of a few runs each, taken in turns."""
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter  # what others take does not count
    least = [float("inf")] * len(runs)
    for i in range(ROUNDS + 1):
        for at, run in enumerate(runs):
            start = clock()
            run()
            if i:  # the first run finds nothing in the caches
                least[at] = min(least[at], clock() - start)
    return least
