"""The fused kernel of the toy models: the whole training loop of an instance in one compiled function. Needs numba.

A step of a small model is a few thousand multiplications, far less than what torch spends on the dozen operations that make
it up. Here inputs are drawn, passed through, differentiated (the formulas of `toy_torch`) and forgotten block by block, in
arrays that stay in the first-level cache, samples innermost so that they fill vector registers.

Threads are Python's, one a share of the instances, each without the GIL: numba's own would abort the process when two widgets
train at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np

from saewidgets.kernels.toy import BETA1, BETA2, EPSILON, EVALUATION, ToySpec, ToyState

CACHE = (
    128 * 1024
)  # bytes for the block's arrays: they live in the second-level cache; shorter rows cost more than they save
_FAST = {"reassoc", "contract", "arcp", "nsz"}  # sums may be reordered; NaN and infinity keep their meaning


def _jit(function: Callable[..., Any]) -> Any:
    """Compiled without the GIL, kept on disk where a folder can be written."""
    try:
        return numba.njit(nogil=True, fastmath=_FAST, cache=True)(function)
    except RuntimeError:  # no place for a cache
        return numba.njit(nogil=True, fastmath=_FAST)(function)


class NumbaToy:
    """Advances a `ToyState` by whole steps.

    The result depends on the spec alone: not on `threads`, nor on how the steps are cut into calls, nor on which other
    instances train along.
    """

    def __init__(self, spec: ToySpec, state: ToyState, threads: int | None = None) -> None:
        self.spec = spec
        self.state = state
        instances, n = spec.lo.shape
        self.threads = max(1, min(_cores() if threads is None else threads, instances))
        rows = n + spec.n_streams + 2 * state.W.shape[1] + (0 if spec.radius is None else n + 1)
        self._block = int(np.clip(CACHE // (4 * rows) // 16 * 16, 64, spec.batch_size))
        self._pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None
        self._empty = np.zeros((instances, 0, 0), np.float32)
        self._radius = np.zeros(instances, np.float32) if spec.radius is None else spec.radius

    def advance(self, n_steps: int) -> np.ndarray:
        """Do `n_steps` optimizer steps; float32 [instance], the mean over them of the batch loss before each."""
        spec, state = self.spec, self.state
        rates = np.array([spec.lr_at(state.step + i) for i in range(n_steps)], np.float64)
        losses = np.zeros(len(state.W), np.float32)
        D = self._empty if state.D is None else state.D
        moments = (*state.moments["W"], *state.moments["b"], *state.moments.get("D", (self._empty, self._empty)))

        def work(first: int, last: int) -> None:
            _advance(
                first, last, state.W, state.b, D, *moments, state.step, rates, *self._problem,
                np.float32(spec.l1), self._radius, spec.weight_decay, spec.batch_size, self._block, losses,
            )  # fmt: skip

        self._share(work)
        state.step += n_steps
        return losses

    def expected_loss(self, spec: ToySpec, W: np.ndarray, b: np.ndarray, D: np.ndarray | None, n: int) -> np.ndarray:
        """`toy.expected_loss`, on the same inputs."""
        losses = np.zeros(len(W), np.float32)
        decoder = self._empty if D is None else D

        def work(first: int, last: int) -> None:
            _evaluate(first, last, W, b, decoder, *self._problem, n, self._block, losses)

        self._share(work)
        return losses

    @property
    def _problem(self) -> tuple[Any, ...]:
        s = self.spec
        flags = (s.relu, s.relu_hidden, s.absolute)
        return np.uint64(s.seed), s.gate, s.shared, s.n_streams, s.lo, s.hi, s.importance, *flags

    def _share(self, work: Callable[[int, int], None]) -> None:
        """Call work(first, last) over all instances, in `threads` threads, a few shares each so that none waits long."""
        n = len(self.state.W)
        if self._pool is None:
            work(0, n)
            return
        parts = min(n, 4 * self.threads)
        edges = [n * i // parts for i in range(parts + 1)]
        list(self._pool.map(work, edges[:-1], edges[1:]))


def _cores() -> int:
    """Threads to use: what OMP_NUM_THREADS says, or else the cores that this process may run on."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked):
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@_jit
def _mix(key):
    """`toy.mix` of one uint64."""
    z = key + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@_jit
def _uniforms(key, first, out, size):
    """`toy.uniforms`, samples first, first + 1, ... of the stream with this key."""
    low = np.uint32(key & np.uint64(0xFFFFFFFF))
    high = np.uint32(key >> np.uint64(32))
    for s in range(size):
        x = np.uint32(np.uint32(np.uint32(first + s) * np.uint32(0x9E3779B9)) + low)
        x = np.uint32((x ^ np.uint32(x >> np.uint32(16))) * np.uint32(0x21F0AAAD))
        x = np.uint32(x ^ high)
        x = np.uint32((x ^ np.uint32(x >> np.uint32(15))) * np.uint32(0x735A2D97))
        x = np.uint32(x ^ np.uint32(x >> np.uint32(15)))
        out[s] = np.float32(np.int32(np.uint32(x >> np.uint32(8)))) * np.float32(2.0**-24)


@_jit
def _fill(x, size, key, first, gate, shared, n_streams, lo, hi, absolute):
    """`toy.inputs` of one instance: x [n_streams, sample], the first n_features rows of which become the inputs."""
    n = len(gate)
    none = np.float32(0)
    stretch, shift = (np.float32(2), np.float32(1)) if absolute else (np.float32(1), none)
    for stream in range(n, n_streams):
        _uniforms(_mix(key + np.uint64(stream)), first, x[stream], size)
    for i in range(n):
        row, low, high = x[i], lo[i], hi[i]
        scale = stretch / (high - low) if high > low else none
        if gate[i] == i:  # apart from the next case, because reading and writing one row by two names is slow
            _uniforms(_mix(key + np.uint64(i)), first, row, size)
            for s in range(size):
                v = row[s]
                row[s] = (v - low) * scale - shift if (v >= low) & (v < high) else none
        elif shared[i]:
            _uniforms(_mix(key + np.uint64(i)), first, row, size)
            u = x[gate[i]]
            for s in range(size):
                row[s] = stretch * row[s] - shift if (u[s] >= low) & (u[s] < high) else none
        else:
            u = x[gate[i]]
            for s in range(size):
                v = u[s]
                row[s] = (v - low) * scale - shift if (v >= low) & (v < high) else none


@_jit
def _combine(out, size, start, weights, rows):
    """out[s] = start + sum_i weights[i] rows[i, s]; up to four rows at a time, so that `out` is seldom read and written."""
    n = len(weights)
    rest = n % 4
    if rest == 0:
        for s in range(size):
            out[s] = start
    elif rest == 1:
        w0, r0 = weights[0], rows[0]
        for s in range(size):
            out[s] = start + w0 * r0[s]
    elif rest == 2:
        w0, w1, r0, r1 = weights[0], weights[1], rows[0], rows[1]
        for s in range(size):
            out[s] = start + w0 * r0[s] + w1 * r1[s]
    else:
        w0, w1, w2, r0, r1, r2 = weights[0], weights[1], weights[2], rows[0], rows[1], rows[2]
        for s in range(size):
            out[s] = start + w0 * r0[s] + w1 * r1[s] + w2 * r2[s]
    for i in range(rest, n, 4):
        w0, w1, w2, w3 = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
        r0, r1, r2, r3 = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
        for s in range(size):
            out[s] += w0 * r0[s] + w1 * r1[s] + w2 * r2[s] + w3 * r3[s]


@_jit
def _forward(x, target, size, h, g, W, b, decode, importance, scale, relu, relu_hidden, absolute):
    """Fill h [m, sample] and g [n, sample] = dL/d(pre-activation of x'); the sum over samples of the squared error.

    decode [n, m] multiplies h: D, or W^T. `target` is x, or what x was before an attack.
    """
    m, n = W.shape
    for k in range(m):
        hk = h[k]
        _combine(hk, size, np.float32(0), W[k], x)
        if relu_hidden:
            for s in range(size):
                hk[s] = hk[s] if hk[s] > 0 else np.float32(0)
    total = 0.0
    for i in range(n):
        row, ti = g[i], target[i]
        _combine(row, size, b[i], decode[i], h)
        slope = scale * importance[i]
        floor = np.float32(0) if relu else np.float32(-np.inf)
        squared = np.float32(0)
        for s in range(size):
            t = abs(ti[s]) if absolute else ti[s]
            error = (row[s] if row[s] > floor else np.float32(0)) - t
            squared += error * error
            row[s] = slope * error if row[s] > floor else np.float32(0)
        total += importance[i] * squared
    return total


@_jit
def _backward(x, size, h, g, dh, back, tied, l1, relu_hidden, gW, gb, gD):
    """Add one block's gradients; l1 is per sample. Returns the sum over samples of sum_k |h_k|. back [m, n] is decode^T."""
    m, n = back.shape
    length = 0.0
    for i in range(n):
        total = np.float32(0)
        gi = g[i]
        for s in range(size):
            total += gi[s]
        gb[i] += total
    for k in range(m):
        row, hk = dh[k], h[k]
        _combine(row, size, np.float32(0), back[k], g)
        if l1 > 0:
            part = np.float32(0)
            for s in range(size):
                part += abs(hk[s])
                row[s] += l1 if hk[s] > 0 else (-l1 if hk[s] < 0 else np.float32(0))
            length += float(part)
        if relu_hidden:
            for s in range(size):
                row[s] = row[s] if hk[s] > 0 else np.float32(0)
        if tied:
            for i in range(0, n - 1, 2):
                x0, x1, g0, g1 = x[i], x[i + 1], g[i], g[i + 1]
                total, other = np.float32(0), np.float32(0)
                for s in range(size):
                    total += hk[s] * g0[s] + row[s] * x0[s]
                    other += hk[s] * g1[s] + row[s] * x1[s]
                gW[k, i] += total
                gW[k, i + 1] += other
            if n % 2:
                xi, gi = x[n - 1], g[n - 1]
                total = np.float32(0)
                for s in range(size):
                    total += hk[s] * gi[s] + row[s] * xi[s]
                gW[k, n - 1] += total
        else:
            for i in range(n):
                xi, gi = x[i], g[i]
                down, up = np.float32(0), np.float32(0)
                for s in range(size):
                    down += row[s] * xi[s]
                    up += hk[s] * gi[s]
                gW[k, i] += down
                gD[i, k] += up
    return length


@_jit
def _attack(x, size, h, g, dh, W, back, radius, relu_hidden, length, moved):
    """moved [n, sample]: x moved by `radius` along the gradient, by x, of its own loss; `length` [sample] is scratch."""
    m, n = W.shape
    for k in range(m):
        row, hk = dh[k], h[k]
        _combine(row, size, np.float32(0), back[k], g)
        if relu_hidden:
            for s in range(size):
                row[s] = row[s] if hk[s] > 0 else np.float32(0)
    for s in range(size):
        length[s] = 0
    for i in range(n):
        row = moved[i]
        _combine(row, size, np.float32(0), W[:, i], dh)
        for s in range(size):
            length[s] += row[s] * row[s]
    for s in range(size):
        length[s] = radius / max(np.sqrt(length[s]), np.float32(1e-20))
    for i in range(n):
        row, xi = moved[i], x[i]
        for s in range(size):
            row[s] = xi[s] + row[s] * length[s]


@_jit
def _lay_out(W, D, decode, back):
    """What multiplies h, both ways round: decode [n, m] and back [m, n] its transpose."""
    m, n = W.shape
    tied = D.size == 0
    for i in range(n):
        for k in range(m):
            decode[i, k] = W[k, i] if tied else D[i, k]
            back[k, i] = decode[i, k]


@_jit
def _adam(value, mean, square, gradient, rate, correction, decay):
    """One step of AdamW on flat arrays; rate and correction already hold the bias corrections."""
    for j in range(value.size):
        mean[j] += np.float32(1 - BETA1) * (gradient[j] - mean[j])
        square[j] += np.float32(1 - BETA2) * (gradient[j] * gradient[j] - square[j])
        divisor = np.sqrt(square[j]) * correction + np.float32(EPSILON)
        value[j] -= decay * value[j] + rate * mean[j] / divisor
        gradient[j] = 0


@_jit
def _advance(
    first, last, W, b, D, mW, vW, mb, vb, mD, vD, step, rates, seed, gate, shared, n_streams, lo, hi, importance,
    relu, relu_hidden, absolute, l1, radius, weight_decay, batch_size, block, losses,
):  # fmt: skip
    """Train instances first to last - 1 for len(rates) steps."""
    _, m, n = W.shape
    x, g = np.empty((n_streams, block), np.float32), np.empty((n, block), np.float32)
    h, dh = np.empty((m, block), np.float32), np.empty((m, block), np.float32)
    gW, gb, gD = np.zeros((m, n), np.float32), np.zeros(n, np.float32), np.zeros(D.shape[1:], np.float32)
    decode, back, tied = np.empty((n, m), np.float32), np.empty((m, n), np.float32), D.size == 0
    attacked = radius[first:last].max() > 0
    moved, length = np.empty((n if attacked else 0, block), np.float32), np.empty(block, np.float32)
    scale = np.float32(2.0 / batch_size)
    for j in range(first, last):
        own = _mix(_mix(seed) + np.uint64(j))
        total = 0.0
        for t in range(len(rates)):
            key = _mix(own + np.uint64(step + t))
            _lay_out(W[j], D[j], decode, back)
            for start in range(0, batch_size, block):
                size = min(block, batch_size - start)
                _fill(x, size, key, start, gate, shared, n_streams, lo[j], hi[j], absolute)
                entering = x
                if radius[j] > 0:
                    _forward(x, x, size, h, g, W[j], b[j], decode, importance[j], scale, relu, relu_hidden, absolute)
                    _attack(x, size, h, g, dh, W[j], back, radius[j], relu_hidden, length, moved)
                    entering = moved
                total += _forward(
                    entering, x, size, h, g, W[j], b[j], decode, importance[j], scale, relu, relu_hidden, absolute
                )  # fmt: skip
                total += l1 * _backward(
                    entering, size, h, g, dh, back, tied, l1 / np.float32(batch_size), relu_hidden, gW, gb, gD
                )  # fmt: skip
            age = step + t + 1
            rate = np.float32(rates[t] / (1 - BETA1**age))
            correction = np.float32(1 / np.sqrt(1 - BETA2**age))
            decay = np.float32(rates[t] * weight_decay)
            _adam(W[j].ravel(), mW[j].ravel(), vW[j].ravel(), gW.ravel(), rate, correction, decay)
            _adam(b[j], mb[j], vb[j], gb, rate, correction, np.float32(0))
            _adam(D[j].ravel(), mD[j].ravel(), vD[j].ravel(), gD.ravel(), rate, correction, decay)
        losses[j] = total / (batch_size * max(len(rates), 1))


@_jit
def _evaluate(
    first, last, W, b, D, seed, gate, shared, n_streams, lo, hi, importance, relu, relu_hidden, absolute, samples,
    block, losses,
):  # fmt: skip
    """The expected loss of instances first to last - 1."""
    _, m, n = W.shape
    x, g = np.empty((n_streams, block), np.float32), np.empty((n, block), np.float32)
    h = np.empty((m, block), np.float32)
    decode, back = np.empty((n, m), np.float32), np.empty((m, n), np.float32)
    key = _mix(_mix(_mix(seed) + np.uint64(0)) + np.uint64(EVALUATION))
    for j in range(first, last):
        total = 0.0
        _lay_out(W[j], D[j], decode, back)
        for start in range(0, samples, block):
            size = min(block, samples - start)
            _fill(x, size, key, start, gate, shared, n_streams, lo[j], hi[j], absolute)
            total += _forward(
                x, x, size, h, g, W[j], b[j], decode, importance[j], np.float32(0), relu, relu_hidden, absolute
            )  # fmt: skip
        losses[j] = total / samples
