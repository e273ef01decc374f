"""The fused layer for a `Lean`: where it can be had, and up to how many tokens at a time it is quicker than torch.

`Lean.block` and `Lean.logits` are the plain versions. Both are held to TransformerLens by `lean_proof`, one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from saewidgets.models.lean import Lean

SIZES = (1, 4, 16, 64)  # tokens at a time at which both are timed
ROUNDS = 4

_QUICKER: dict[tuple[Any, ...], int] = {}  # by shape, so that what is loaded twice is rounded the same way


class Fused:
    """One compiled call a layer, on the weights where they lie.

    `most` is the number of tokens up to which it is quicker than torch on this machine; 0 where it never is.
    """

    def __init__(self, lean: Lean) -> None:
        """Raises ImportError without numba, ValueError on weights that it cannot read where they lie."""
        from saewidgets.kernels import layer_numba as kernels

        if lean.activation_name not in kernels.ACTIVATIONS:
            raise ValueError(f"no fused {lean.activation_name}")
        self._kernels, self._kind = kernels, kernels.ACTIVATIONS.index(lean.activation_name)
        self._eps = lean.eps
        ones, zeros = torch.ones(lean.d_model, dtype=torch.float32), torch.zeros(lean.d_model, dtype=torch.float32)

        def norm(weights: tuple[Tensor | None, Tensor | None]) -> tuple[Any, Any]:
            gain, bias = weights
            return _numpy(ones if gain is None else gain), _numpy(zeros if bias is None else bias)

        self._layers = [
            (
                *norm(w.ln1),
                *map(_numpy, (w.W_QKV, w.b_QKV, w.W_O, w.b_O)),
                *norm(w.ln2),
                *map(_numpy, (w.W_in, w.b_in, w.W_out, w.b_out)),
            )
            for w in lean.layers
        ]
        self._final = (*norm(lean.ln_final), _numpy(lean.W_U), _numpy(lean.b_U)) if lean.W_U.is_contiguous() else None
        key = (lean.d_model, lean.layers[0].W_in.shape[1], lean.n_heads, lean.activation_name, torch.get_num_threads())
        if key not in _QUICKER:
            _QUICKER[key] = self._quicker_up_to(lean)
        self.most = _QUICKER[key]

    def block(self, index: int, x: Tensor, cache: Tensor, start: int, kept: int) -> Tensor:
        """`Lean.block` at the last `kept` tokens of x [row, pos, d_model]."""
        rows, weights = x.contiguous().numpy(), self._layers[index]
        return torch.from_numpy(self._kernels.layer(rows, cache.numpy(), start, kept, *weights, self._eps, self._kind))

    def logits(self, x: Tensor) -> Tensor | None:
        """`Lean.logits`, or None where the unembedding lies the other way round."""
        if self._final is None:
            return None
        return torch.from_numpy(self._kernels.unembedded(x.contiguous().numpy(), *self._final, self._eps))

    def _quicker_up_to(self, lean: Lean) -> int:
        """The largest of `SIZES` up to which this is the quicker one at each: the least of a few runs, taken in turns."""
        found = 0
        for n in SIZES:
            if n > lean.n_ctx:
                break
            x, cache = torch.linspace(-1, 1, n * lean.d_model, dtype=torch.float32).view(1, n, -1), lean.room(1, n)
            plain, fused = _least_times(
                lambda x=x, cache=cache: lean.block(0, x, cache, 0),  # type: ignore[misc]
                lambda x=x, cache=cache, n=n: self.block(0, x, cache, 0, n),  # type: ignore[misc]
            )
            if fused > plain:
                break
            found = n
        return found


def fused_of(lean: Lean) -> Fused | None:
    """The fused layer of a lean loop, or None where there is none or it is never quicker. Call it while `lean.fused` is None."""
    try:
        fused = Fused(lean)
    except (ImportError, ValueError):
        return None
    return fused if fused.most else None


def _numpy(weight: Tensor) -> Any:
    """The same memory as an array. Raises ValueError where it is not float32, laid out row after row, on the CPU."""
    if weight.device.type != "cpu" or weight.dtype != torch.float32 or not weight.is_contiguous():
        raise ValueError("the fused layer reads float32 on the CPU, laid out row after row")
    return weight.numpy()


def _least_times(*runs: Callable[[], Any]) -> list[float]:
    least = [float("inf")] * len(runs)
    for i in range(ROUNDS + 1):
        for at, run in enumerate(runs):
            start = time.perf_counter()
            run()
            if i:  # the first run finds nothing in the caches
                least[at] = min(least[at], time.perf_counter() - start)
    return least
