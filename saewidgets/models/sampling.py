"""Which token comes next: the argmax of logits and Gumbel noise, and the noise, by seed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

NOISE_BYTES = 64 << 20  # the most memory that drawn noise may take


class Gumbel:
    """Gumbel noise by seed, drawn once and kept, since a slider that moves does not change it. Safe to share between
    threads.

    Step t of a seed is the t-th draw of `d_vocab` numbers from a generator of that seed.
    """

    def __init__(self, max_bytes: int = NOISE_BYTES) -> None:
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, int], tuple[torch.Generator, list[Tensor]]] = OrderedDict()

    def of(self, seed: int, d_vocab: int) -> Iterator[Tensor]:
        """float64 [d_vocab] on the CPU for step 0, 1, ..."""
        with self._lock:
            key = (seed, d_vocab)
            found = self._kept.pop(key, None) or (torch.Generator().manual_seed(seed), [])
            self._kept[key] = found  # the latest last
            while len(self._kept) > 1 and sum(8 * v * len(d) for (_, v), (_, d) in self._kept.items()) > self.max_bytes:
                self._kept.popitem(last=False)
        generator, drawn = found
        for step in range(max(self.max_bytes // (8 * d_vocab), 1)):
            with self._lock:
                if step == len(drawn):
                    drawn.append(gumbel(d_vocab, generator))
            yield drawn[step]
        own = torch.Generator()  # what is too long to keep is drawn anew each time
        own.set_state(generator.get_state())
        while True:
            yield gumbel(d_vocab, own)


def gumbel(d_vocab: int, generator: torch.Generator) -> Tensor:
    """float64 [d_vocab], -log(-log(u)) of uniform u."""
    return gumbels([generator], d_vocab)[0]


def gumbels(generators: Sequence[torch.Generator], d_vocab: int) -> Tensor:
    """`gumbel` of each of some generators, float64 [generator, d_vocab]."""
    found = torch.empty(len(generators), d_vocab, dtype=torch.float64)
    for own, generator in zip(found, generators, strict=True):
        torch.rand(d_vocab, dtype=torch.float64, generator=generator, out=own)
    return found.log_().neg_().log_().neg_()


def draw(logits: Tensor, temperature: float, noise: Tensor, place: Tensor | None = None) -> Tensor:
    """argmax(logits / temperature + noise), [row] of logits [row, d_vocab]; the argmax of the logits at temperature 0.

    Noise is float64 [own, d_vocab], or [d_vocab] for one row: each row has its own, or that at its `place`, int64 [row].
    """
    if temperature == 0:
        return logits.argmax(-1)
    noise = noise.view(-1, logits.shape[-1])
    place = torch.arange(len(logits)) if place is None else place
    quick = _compiled() if logits.device.type == "cpu" and logits.dtype == torch.float32 else None
    if quick is not None:
        flat = logits.detach().contiguous().numpy()
        return torch.from_numpy(quick(flat, float(temperature), noise.numpy(), place.numpy()))
    scaled = logits.to("cpu", torch.float64, copy=True).div_(temperature)
    return scaled.add_(noise[place]).argmax(-1).to(logits.device)


@cache
def _compiled() -> Callable[..., Any] | None:
    try:
        from saewidgets.kernels import draws_numba
    except ImportError:  # an extra
        return None
    found: Callable[..., Any] = draws_numba.drawn
    return found


def finite(logits: Tensor) -> Tensor:
    """bool [row]: whether there is a next token, of [row, d_vocab]: no nan, no +inf, not all -inf (some may be: tokens
    ruled out).
    """
    return logits.amax(-1).isfinite()
