"""A sparse training step on the CPU: the encoder's product a piece of the batch at a time, compiled loops for the rest.

A piece of pre-activations is looked through while it is still in the cache, and only what is on is kept, by rows
(`sparse_numba`). What follows reads, for each activation that is on, one row of W_dec to decode, the same row for its
slope, and one row each of the errors and of z for the weights' gradients. Buffers are kept from one call to the next:
fresh memory of these sizes would cost as much as the arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from saewidgets.kernels import sparse_numba as loops
from saewidgets.kernels.product import product

PIECE = 1 << 18  # pre-activations in a piece, 1 MB; but at least `LEAST_ROWS` rows, for the product's sake
LEAST_ROWS = 256
DENSE = 0.15  # share of activations that are on above which dense products are faster
SMALL = 1 << 22  # multiplications of one loop below which a second thread only costs

Array = np.ndarray[Any, Any]
# W_enc [d_in, d_sae], b_enc [d_sae], W_dec [d_sae, d_out], b_dec [d_out].
Weights = tuple[Tensor, Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Rows:
    """Activations that are on: those of row b are the entries start[b] to stop[b]."""

    start: Array  # int64 [rows]
    stop: Array  # int64 [rows]
    feature: Array  # int64 [n or more]
    value: Array  # float32 [n or more]

    @property
    def n(self) -> int:
        """Entries in use."""
        return int(self.stop[-1]) if len(self.stop) else 0


class Dead(Protocol):
    """What AuxK does, `kernels.topk.AuxK`: the k largest activations among the dead features, at each row."""

    @property
    def dead(self) -> Tensor: ...  # int64 [n_dead]

    @property
    def k(self) -> int: ...

    @property
    def coefficient(self) -> float: ...


@dataclass(frozen=True)
class Found:
    """Loss, its parts and the gradients of one micro-batch."""

    loss: Tensor  # scalar: mean over rows and prefixes of |y - x_hat|^2, + `auxiliary`, + the cost of the activations
    auxiliary: Tensor  # scalar: the auxiliary loss, with its coefficient
    cost: Tensor  # scalar: mean over rows of what the activations cost
    squared_error: Tensor  # scalar: sum over the rows of |y - x_hat|^2, all features
    fired: Tensor  # int64 [d_sae]: at how many of the rows each feature was on
    gradients: Weights  # of `loss`


class SparseCPU:
    """Selects, decodes, differentiates. One is made for each training, since it keeps buffers; not for two threads at
    once.
    """

    def __init__(self, *, bf16: bool = False) -> None:
        self.bf16 = bf16  # whether the encoder's product is in bfloat16
        self._held: dict[str, Array] = {}
        self._bound = 0.0  # under which `batch_top_k` need not look, if this batch is like the last
        self._pool: ThreadPoolExecutor | None = None

    # -- selecting ---------------------------------------------------------------------------------------------------

    def pieces(self, z: Tensor, weights: Weights) -> Iterator[tuple[int, Tensor]]:
        """(number of its first row, pre-activations float32 [rows, d_sae]) piece by piece; each is valid until the
        next.
        """
        W_enc, b_enc = weights[:2]
        d_sae = len(b_enc)
        rows = min(max(PIECE // d_sae, LEAST_ROWS), len(z))
        out = torch.from_numpy(self.buffer("pre", (rows, d_sae)))
        if self.bf16:
            z16, W16, b16 = z.bfloat16(), W_enc.bfloat16(), b_enc.bfloat16()
            out16 = torch.empty(rows, d_sae, dtype=torch.bfloat16)
        for first in range(0, len(z), rows):
            n = min(rows, len(z) - first)
            if self.bf16:
                torch.addmm(b16, z16[first : first + n], W16, out=out16[:n])
                yield first, out[:n].copy_(out16[:n])
            else:
                yield first, product(z[first : first + n], W_enc, b_enc, out=out[:n])

    def top_k(self, z: Tensor, weights: Weights, k: int, dead: Dead | None = None) -> tuple[Rows, Rows | None]:
        """The k largest of each row, max(0, .) of them; and the dead.k largest of the dead, which count from 0."""
        if not 1 <= k <= len(weights[1]):
            raise ValueError(f"k = {k} of {len(weights[1])} features; it must be 1 to that many")
        mine, theirs = _full_rows(len(z), k), None
        if dead is not None:
            theirs = _full_rows(len(z), min(dead.k, len(dead.dead)))
        for first, pre in self.pieces(z, weights):
            self._top_rows(pre.numpy(), first, mine)
            if dead is not None and theirs is not None:
                self._top_dead(pre, first, dead, theirs)
        return mine, theirs

    def batch_top_k(
        self, z: Tensor, weights: Weights, n: int, dead: Dead | None = None, cut: float | None = None
    ) -> tuple[Rows, float, Rows | None]:
        """The n largest positive ones of the whole batch and whatever equals the last of them; or all that reach `cut`.

        Gives them, the cut (0 where fewer than n are positive), and the dead ones as `top_k` does. A cut of NaN says
        that a pre-activation is not finite; nothing is on then.
        """
        theirs = None if dead is None else _full_rows(len(z), min(dead.k, len(dead.dead)))
        bound = self._bound if cut is None else cut
        found = self._above(z, weights, bound, None if cut is not None else n, dead, theirs)
        if cut is None and found is not None and found.n < n and bound > 0:  # this batch is unlike the last
            found = self._above(z, weights, 0.0, n, dead, theirs)
        if found is None:
            return Rows(*(np.zeros(len(z), np.int64),) * 2, *self._entries(1)), float("nan"), theirs
        if cut is not None:
            return found, cut, theirs
        values = found.value[: found.n]
        if len(values) < n:
            self._bound = 0.0
            return found, 0.0, theirs
        ranks = sorted({len(values) - n, len(values) - max(1, 3 * n // 4)})
        parted = np.partition(values, ranks)
        smallest, above = (float(parted[r]) for r in (ranks[0], ranks[-1]))
        self._bound = max(0.0, 2 * smallest - above)
        loops.keep_above(np.float32(smallest), *_of(found))
        return found, smallest, theirs

    def from_cut(self, rows: Rows, cut: float) -> Rows:
        """Those that reach `cut`, in place; all where it is not a number."""
        if cut > 0:
            loops.keep_above(np.float32(cut), *_of(rows))
        return rows

    def positive(self, z: Tensor, weights: Weights) -> Rows | None:
        """All that are positive; None if more than `DENSE` of the first piece are, or soon too many, or one is not
        finite.
        """
        most = int(DENSE * len(z) * len(weights[1]))
        return self._above(z, weights, 0.0, None, None, None, most=most)

    def _above(
        self,
        z: Tensor,
        weights: Weights,
        bound: float,
        n: int | None,
        dead: Dead | None,
        theirs: Rows | None,
        most: int | None = None,
    ) -> Rows | None:
        """All positive ones that reach `bound`, at least the n largest of them where n is given.

        None if a pre-activation is not finite, or if there are more than `most` or more than that share of the first
        piece.
        """
        start, stop = np.zeros(len(z), np.int64), np.zeros(len(z), np.int64)
        filled = 0
        for first, pre in self.pieces(z, weights):
            if dead is not None and theirs is not None:
                self._top_dead(pre, first, dead, theirs)
            feature, value = self._entries(filled + pre.numel() + 1, keep=filled)
            rows = pre.numpy()
            filled = loops.rows_above(rows, np.float32(bound), filled, first, start, stop, feature, value)
            if filled < 0 or (most is not None and (filled > most or (not first and filled > DENSE * pre.numel()))):
                return None
            if n is not None and filled > 2 * n + pre.numel() // 16:
                # What so many entries already exceed, nothing smaller can come to be among the n largest.
                bound = float(np.partition(value[:filled], filled - n)[filled - n])
                done = first + len(rows)
                filled = loops.keep_above(np.float32(bound), start[:done], stop[:done], feature, value)
        return Rows(start, stop, *self._entries(filled, keep=filled))

    def _top_rows(self, pre: Array, first: int, into: Rows) -> None:
        k = into.feature.size // len(into.start)
        feature, value = into.feature.reshape(-1, k), into.value.reshape(-1, k)

        def work(low: int, high: int) -> None:
            loops.top_k_rows(pre[low:high], k, first + low, feature, value)

        self.share(work, len(pre), pre.size)

    def _top_dead(self, pre: Tensor, first: int, dead: Dead, into: Rows) -> None:
        out = torch.from_numpy(self.buffer("dead", (len(pre), len(dead.dead))))
        self._top_rows(torch.index_select(pre, 1, dead.dead, out=out).numpy(), first, into)

    # -- loss and gradients ------------------------------------------------------------------------------------------

    def step(
        self,
        rows: Rows,
        z: Tensor,
        target: Tensor,
        weights: Weights,
        *,
        subtracted: bool,
        prefixes: tuple[int, ...] = (),
        l1: float = 0.0,
        weighted: bool = False,
        dead: Dead | None = None,
        dead_rows: Rows | None = None,
    ) -> Found:
        """Loss and gradients for activations that are chosen already; no gradient goes through the choice.

        Args:
            rows: which are on.
            z: what the encoder multiplied, [rows, d_in].
            target: y - b_dec, [rows, d_out].
            weights: see `Weights`.
            subtracted: whether b_dec was subtracted from x to make z.
            prefixes: sizes of nested dictionaries, d_sae last; () is a flat one.
            l1: what a unit of activation costs.
            weighted: whether it costs that for each unit of its decoder row's norm.
            dead: features that learn too, by the auxiliary loss.
            dead_rows: which of them take part.
        """
        W_enc, _, W_dec, _ = weights
        n, d_sae = len(z), len(W_dec)
        if W_enc.shape != (z.shape[1], d_sae) or target.shape != (n, W_dec.shape[1]):
            shapes = [list(t.shape) for t in (z, target, W_enc, W_dec)]
            raise ValueError(f"z, target, W_enc and W_dec have shapes {shapes}, which do not fit together")
        edges = np.array([0, *(prefixes or (d_sae,))], np.int64)
        parts = len(edges) - 1
        price, pull = prices(W_dec, l1 / n, weighted)
        base = torch.sub(0, target, out=torch.from_numpy(self.buffer("base", tuple(target.shape))))
        g = self.buffer("g", (parts, n, target.shape[1]))
        slopes, errors = self._decode(rows, W_dec, base, edges, price, 2 / (parts * n), g)
        dW_enc, db_enc = W_enc.new_empty(len(W_enc), d_sae), W_enc.new_empty(d_sae)
        dW_dec = torch.empty_like(W_dec)
        fired = self._gradients(rows, slopes, g, z, edges, W_dec, pull, (dW_dec, dW_enc, db_enc))
        sums = errors.sum(0, dtype=np.float64)
        auxiliary = 0.0
        if dead is not None and dead_rows is not None:
            last = torch.from_numpy(g[-1])  # times its scale, the error of all features
            error = torch.mul(last, parts * n / 2, out=base)
            auxiliary = self._auxiliary(dead, dead_rows, z, error, W_dec, (dW_dec, dW_enc, db_enc))
        db_dec = torch.from_numpy(g[0]).sum(0)
        if subtracted:
            db_dec -= W_enc @ db_enc
        loss = sums[:parts].sum() / (parts * n) + sums[parts] + auxiliary
        gradients = (dW_enc, db_enc, dW_dec, db_dec)
        scalars = _scalar(loss), _scalar(auxiliary), _scalar(sums[parts]), _scalar(sums[parts - 1])
        return Found(*scalars, fired, gradients)

    def _auxiliary(
        self, dead: Dead, rows: Rows, z: Tensor, error: Tensor, W_dec: Tensor, into: tuple[Tensor, Tensor, Tensor]
    ) -> float:
        """The auxiliary loss, with its coefficient; its gradients are added. error: x_hat - y of all features."""
        n, n_dead = len(z), len(dead.dead)
        W_dead = W_dec[dead.dead]
        scale = 2 * dead.coefficient / n
        added = torch.empty_like(W_dead), z.new_empty(z.shape[1], n_dead), z.new_empty(n_dead)
        if rows.n > DENSE * n * n_dead:
            total = self._dense(rows, z, error, W_dead, scale, added)
        else:
            edges, none = np.array([0, n_dead], np.int64), np.empty(0, np.float32)
            g = self.buffer("g_dead", (1, *error.shape))
            slopes, errors = self._decode(rows, W_dead, error, edges, none, scale, g)
            self._gradients(rows, slopes, g, z, edges, W_dead, none, added)
            total = float(errors[:, 0].sum(dtype=np.float64))
        dW_dec, dW_enc, db_enc = into
        dW_dec.index_add_(0, dead.dead, added[0])
        dW_enc.index_add_(1, dead.dead, added[1])
        db_enc.index_add_(0, dead.dead, added[2])
        return dead.coefficient * total / n

    def _dense(
        self, rows: Rows, z: Tensor, error: Tensor, W: Tensor, scale: float, into: tuple[Tensor, Tensor, Tensor]
    ) -> float:
        """The same by dense products, where many are on: the sum of the squared error; `into` is filled."""
        shape = (len(z), len(W))
        a = torch.from_numpy(self.buffer("a", shape)).zero_()
        k = rows.feature.size // len(z)
        a.scatter_(1, torch.from_numpy(rows.feature).view(-1, k), torch.from_numpy(rows.value).view(-1, k))
        left = product(a, W, out=torch.from_numpy(self.buffer("left", tuple(error.shape)))).add_(error)
        total = float(left.square().sum(dtype=torch.float64))
        left.mul_(scale)
        slopes = product(left, W.t(), out=torch.from_numpy(self.buffer("slopes", shape))).mul_(a != 0)
        dW_dec, dW_enc, db_enc = into
        dW_dec.copy_(product(left.t(), a, out=torch.empty(W.shape[1], len(W), dtype=torch.float32)).t())
        dW_enc.copy_(product(z.t(), slopes, out=torch.empty_like(dW_enc)))
        torch.sum(slopes, 0, out=db_enc)
        return total

    def _decode(
        self, rows: Rows, W: Tensor, base: Tensor, edges: Array, price: Array, scale: float, g: Array
    ) -> tuple[Array, Array]:
        """See `sparse_numba.decode_rows`: (slopes [entry], errors [rows, parts + 1])."""
        slopes = self.buffer("slope", (max(rows.n, 1),))
        errors = self.buffer("errors", (len(base), len(edges)))
        fixed = *_of(rows), W.numpy(), base.numpy(), edges, price, np.float32(scale), slopes, g, errors

        def work(low: int, high: int) -> None:
            loops.decode_rows(low, high, *fixed)

        self.share(work, len(base), 2 * rows.n * W.shape[1])
        return slopes, errors

    def _gradients(
        self, rows: Rows, slopes: Array, g: Array, z: Tensor, edges: Array, W: Tensor, pull: Array,
        into: tuple[Tensor, Tensor, Tensor],
    ) -> Tensor:  # fmt: skip
        """See `sparse_numba.feature_gradients`. Gives how many entries each feature has, int64."""
        begin = self.buffer("begin", (len(W) + 1,), np.int64)
        row, value = self.buffer("row", slopes.shape, np.int64), self.buffer("value_of", slopes.shape)
        slope = self.buffer("slope_of", slopes.shape)
        loops.by_feature(*_of(rows), slopes, begin, row, value, slope)
        fixed = begin, row, value, slope, g, z.numpy(), edges, W.numpy(), pull, *(t.numpy() for t in into)

        def work(low: int, high: int) -> None:
            loops.feature_gradients(low, high, *fixed)

        self.share(work, len(W), 2 * rows.n * W.shape[1], multiple=16)
        return torch.from_numpy(np.diff(begin))

    # -- memory and threads ------------------------------------------------------------------------------------------

    def buffer(self, name: str, shape: tuple[int, ...], dtype: type = np.float32) -> Array:
        """An array of this shape, with anything in it; valid until it is asked for again."""
        size = int(np.prod(shape))
        held = self._held.get(name)
        if held is None or held.size < size or held.dtype != dtype:
            held = self._held[name] = np.empty(size, dtype)
        return held[:size].reshape(shape)

    def _entries(self, size: int, keep: int = 0) -> tuple[Array, Array]:
        """(feature, value) buffers of `size` entries or more, whose first `keep` are those of before."""
        for name, dtype in (("feature", np.int64), ("value", np.float32)):
            held = self._held.get(name)
            if held is None or held.size < size:
                fresh = np.empty(size + size // 4, dtype)
                if held is not None:
                    fresh[:keep] = held[:keep]
                self._held[name] = fresh
        return self._held["feature"], self._held["value"]

    def share(self, work: Callable[[int, int], None], n: int, size: int, multiple: int = 1) -> None:
        """work(first, last) over all of n, in as many threads as torch uses, each a run of its own."""
        threads = torch.get_num_threads() if size > SMALL else 1
        if threads == 1:
            work(0, n)
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(threads)
        parts = 2 * threads
        edges = [min(n, -(-(n * i // parts) // multiple) * multiple) for i in range(parts)] + [n]
        list(self._pool.map(work, edges[:-1], edges[1:]))


def prices(W_dec: Tensor, l1: float, weighted: bool) -> tuple[Array, Array]:
    """What each feature's activation costs [d_sae], and d that / d W_dec[f] over W_dec[f] [d_sae]; empty where it is
    nothing.
    """
    none = np.empty(0, np.float32)
    if not l1:
        return none, none
    if not weighted:
        return np.full(len(W_dec), l1, np.float32), none
    norm = W_dec.norm(dim=-1).numpy()
    return np.float32(l1) * norm, np.float32(l1) / np.maximum(norm, np.float32(1e-30))


def _full_rows(n: int, k: int) -> Rows:
    start = np.arange(n, dtype=np.int64) * k
    return Rows(start, start + k, np.empty(n * k, np.int64), np.empty(n * k, np.float32))


def _scalar(value: float) -> Tensor:
    return torch.tensor(float(value), dtype=torch.float32)


def _of(rows: Rows) -> tuple[Array, Array, Array, Array]:
    return rows.start, rows.stop, rows.feature, rows.value
