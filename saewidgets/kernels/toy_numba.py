"""The fused kernel of the toy models: the whole training loop of an instance in one compiled function. Needs numba.

A step of a small model is a few thousand multiplications, far less than what torch spends on the dozen operations that
make it up. Here inputs are drawn, passed through, differentiated (the formulas of `toy_torch`) and forgotten block by
block, in arrays that stay in the first-level cache, samples innermost so that they fill vector registers.

Threads are Python's, one a share of the instances, each without the GIL: numba's own would abort the process when two
widgets train at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from saewidgets.kernels.jit_numba import jit
from saewidgets.kernels.toy import BETA1, BETA2, EPSILON, EVALUATION, INPUTS, DataSets, ToySpec, ToyState

# Bytes for the arrays of a block, which live in the second-level cache; but rows are at least 256 long.
CACHE = 128 * 1024
_jit = jit("reassoc", "contract", "arcp", "nsz")  # sums may be reordered


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
        self._block = int(np.clip(CACHE // (4 * rows) // 16 * 16, 256, spec.batch_size))
        self._pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None
        self._empty = np.zeros((instances, 0, 0), np.float32)
        self._radius = np.zeros(instances, np.float32) if spec.radius is None else spec.radius
        nothing = np.zeros(instances, np.int64)
        self._fresh = DataSets(np.zeros((n, 0), np.float32), nothing, nothing)

    def advance(self, n_steps: int) -> np.ndarray:
        """Do `n_steps` optimizer steps; float32 [instance], the mean over them of the batch loss before each."""
        spec, state = self.spec, self.state
        rates = np.array([spec.lr_at(state.step + i) for i in range(n_steps)], np.float64)
        losses = _zeros(state.W)
        self._call(state.W, state.b, state.D, state.step, rates, spec.batch_size, losses, spec.data or self._fresh)
        state.step += n_steps
        return losses

    def expected_loss(self, spec: ToySpec, W: np.ndarray, b: np.ndarray, D: np.ndarray | None, n: int) -> np.ndarray:
        """`toy.expected_loss`, on the same inputs."""
        self._call(W, b, D, EVALUATION, np.zeros(1), n, losses := _zeros(W), self._fresh, training=False)
        return losses

    def data_loss(self, spec: ToySpec, W: np.ndarray, b: np.ndarray, D: np.ndarray | None) -> np.ndarray:
        """`toy.data_loss`."""
        assert spec.data is not None
        self._call(W, b, D, 0, np.zeros(1), int(spec.data.size.max()), losses := _zeros(W), spec.data, training=False)
        return losses

    def _call(
        self, W: np.ndarray, b: np.ndarray, D: np.ndarray | None, step: int, rates: np.ndarray, samples: int,
        losses: np.ndarray, data: DataSets, training: bool = True,
    ) -> None:  # fmt: skip
        spec, moments = self.spec, self.state.moments
        none = self._empty, self._empty

        def work(first: int, last: int) -> None:
            _advance(
                first, last, training, W, b, self._empty if D is None else D, *moments["W"], *moments["b"],
                *moments.get("D", none), step, rates, np.uint64(spec.seed), spec.gate, spec.shared, spec.n_streams, spec.lo,
                spec.hi, spec.importance, spec.relu, spec.relu_hidden, spec.absolute, np.float32(spec.l1), self._radius,
                training and spec.radius is not None, spec.weight_decay, samples, self._block, losses,
                INPUTS.index(spec.inputs), spec.optimizer == "adam", data.x, data.start, data.size,
            )  # fmt: skip

        self._share(work)

    def _share(self, work: Callable[[int, int], None]) -> None:
        """Call work(first, last) over all instances, in `threads` threads, a few shares each so that none waits long."""
        n = len(self.state.W)
        if self._pool is None:
            work(0, n)
            return
        parts = min(n, 4 * self.threads)
        edges = [n * i // parts for i in range(parts + 1)]
        list(self._pool.map(work, edges[:-1], edges[1:]))


def _zeros(W: np.ndarray) -> np.ndarray:
    return np.zeros(len(W), np.float32)


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
def _number(s, low, high):
    """Sample s of the stream whose key has these two halves, in [0, 1): `toy.uniforms`, one by one."""
    x = np.uint32(np.uint32(np.uint32(s) * np.uint32(0x9E3779B9)) + low)
    x = np.uint32((x ^ np.uint32(x >> np.uint32(16))) * np.uint32(0x21F0AAAD))
    x = np.uint32(x ^ high)
    x = np.uint32((x ^ np.uint32(x >> np.uint32(15))) * np.uint32(0x735A2D97))
    x = np.uint32(x ^ np.uint32(x >> np.uint32(15)))
    return np.float32(np.int32(np.uint32(x >> np.uint32(8)))) * np.float32(2.0**-24)


@_jit
def _halves(key):
    return np.uint32(key & np.uint64(0xFFFFFFFF)), np.uint32(key >> np.uint64(32))


@_jit
def _uniforms(key, first, out, size):
    """`toy.uniforms`, samples first, first + 1, ... of the stream with this key."""
    a, b = _halves(key)
    for s in range(size):
        out[s] = _number(first + s, a, b)


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
        a, b = _halves(_mix(key + np.uint64(i)))
        if gate[i] == i:
            for s in range(size):
                v = _number(first + s, a, b)
                row[s] = (v - low) * scale - shift if (v >= low) & (v < high) else none
        elif shared[i]:
            u = x[gate[i]]
            for s in range(size):
                v = stretch * _number(first + s, a, b) - shift
                row[s] = v if (u[s] >= low) & (u[s] < high) else none
        else:
            u = x[gate[i]]
            for s in range(size):
                v = u[s]
                row[s] = (v - low) * scale - shift if (v >= low) & (v < high) else none


@_jit
def _shape(x, n, size, kind, length):
    """`toy.shaped`, on n rows of x in place; `kind` is a number into INPUTS, `length` [sample] is scratch."""
    one, none = np.float32(1), np.float32(0)
    if kind == 1:
        for s in range(size):
            length[s] = none
        for i in range(n):
            row = x[i]
            for s in range(size):
                length[s] += row[s] * row[s]
        for s in range(size):
            length[s] = one / np.sqrt(length[s]) if length[s] > none else none
        for i in range(n):
            row = x[i]
            for s in range(size):
                row[s] *= length[s]
    else:
        for i in range(n):
            row = x[i]
            for s in range(size):
                row[s] = one if row[s] > none else (-one if row[s] < none else none)


@_jit
def _take(x, size, key, first, data, begin, held, whole, picked):
    """Fill x with inputs of a data set that begins in column `begin` and holds `held`: numbers first, first + 1, ... of
    it, or, where a batch is not the whole of it, numbers drawn with replacement by the stream of `key`.
    """
    a, b = _halves(key)
    for s in range(size):
        at = first + s if whole else min(int(_number(first + s, a, b) * held), held - 1)
        picked[s] = begin + at
    for i in range(len(data)):
        row, source = x[i], data[i]
        for s in range(size):
            row[s] = source[picked[s]]


@_jit
def _combine(out, size, start, weights, rows):
    """out[s] = start + sum_i weights[i] rows[i, s]; up to four rows at a time, so that `out` is seldom read and
    written.
    """
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
def _product(out, size, start, weights, rows):
    """out[k, s] = start[k] + sum_i weights[k, i] rows[i, s]: `_combine` for two k at a time, which share what is read."""
    p, q = weights.shape
    for k in range(0, p - 1, 2):
        a, b, out_a, out_b, start_a, start_b = weights[k], weights[k + 1], out[k], out[k + 1], start[k], start[k + 1]
        rest = q % 4
        if rest == 0:
            for s in range(size):
                out_a[s] = start_a
                out_b[s] = start_b
        else:
            row = rows[0]
            for s in range(size):
                out_a[s] = start_a + a[0] * row[s]
                out_b[s] = start_b + b[0] * row[s]
        for i in range(1, rest):
            row = rows[i]
            for s in range(size):
                out_a[s] += a[i] * row[s]
                out_b[s] += b[i] * row[s]
        for i in range(rest, q, 4):
            a0, a1, a2, a3, b0, b1, b2, b3 = a[i], a[i + 1], a[i + 2], a[i + 3], b[i], b[i + 1], b[i + 2], b[i + 3]
            r0, r1, r2, r3 = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
            for s in range(size):
                v0, v1, v2, v3 = r0[s], r1[s], r2[s], r3[s]
                out_a[s] += a0 * v0 + a1 * v1 + a2 * v2 + a3 * v3
                out_b[s] += b0 * v0 + b1 * v1 + b2 * v2 + b3 * v3
    if p % 2:
        _combine(out[p - 1], size, start[p - 1], weights[p - 1], rows)


@_jit
def _forward(x, target, size, h, g, W, b, decode, importance, scale, relu, relu_hidden, absolute, zeros, gb):
    """Fill h [m, sample] and g [n, sample] = dL/d(pre-activation of x'), add g to gb; the sum over samples of the
    squared error.

    decode [n, m] multiplies h: D, or W^T. `target` is x, or what x was before an attack.
    """
    m, n = W.shape
    _product(h, size, zeros, W, x)
    if relu_hidden:
        for k in range(m):
            hk = h[k]
            for s in range(size):
                hk[s] = hk[s] if hk[s] > 0 else np.float32(0)
    if m > 2:
        _product(g, size, b, decode, h)
    floor = np.float32(0) if relu else np.float32(-np.inf)
    total = 0.0
    for i in range(n):
        row, ti, start = g[i], target[i], b[i]
        slope = scale * importance[i]
        squared, summed = np.float32(0), np.float32(0)
        if m == 1:  # the smallest models are the most used: theirs stays in registers
            w0, h0 = decode[i, 0], h[0]
            for s in range(size):
                error, on = _error(start + w0 * h0[s], ti[s], floor, absolute)
                squared += error * error
                row[s] = slope * error if on else np.float32(0)
                summed += row[s]
        elif m == 2:
            w0, w1, h0, h1 = decode[i, 0], decode[i, 1], h[0], h[1]
            for s in range(size):
                error, on = _error(start + w0 * h0[s] + w1 * h1[s], ti[s], floor, absolute)
                squared += error * error
                row[s] = slope * error if on else np.float32(0)
                summed += row[s]
        else:
            for s in range(size):
                error, on = _error(row[s], ti[s], floor, absolute)
                squared += error * error
                row[s] = slope * error if on else np.float32(0)
                summed += row[s]
        gb[i] += summed
        total += importance[i] * squared
    return total


@_jit
def _error(pre, target, floor, absolute):
    """(x' - t, whether the output's ReLU is on)."""
    on = pre > floor
    return (pre if on else np.float32(0)) - (abs(target) if absolute else target), on


@_jit
def _backward(x, size, h, g, dh, back, tied, l1, relu_hidden, zeros, gW, gD):
    """Add one block's gradients of W and D; l1 is per sample. back [m, n] is decode^T. The sum over samples of sum_k
    |h_k|.
    """
    m, n = back.shape
    length = 0.0
    _product(dh, size, zeros, back, g)
    for k in range(m):
        row, hk = dh[k], h[k]
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
        _products(h, g, dh, x, size, gW)
        return length
    for k in range(m):
        row, hk = dh[k], h[k]
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
def _products(h, g, dh, x, size, gW):
    """gW[k, i] += sum_s h[k, s] g[i, s] + dh[k, s] x[i, s], two by two, so that each number read is used twice."""
    m, n = gW.shape
    for k in range(0, m - 1, 2):
        h0, h1, d0, d1 = h[k], h[k + 1], dh[k], dh[k + 1]
        for i in range(0, n - 1, 2):
            x0, x1, g0, g1 = x[i], x[i + 1], g[i], g[i + 1]
            t00, t01, t10, t11 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
            for s in range(size):
                t00 += h0[s] * g0[s] + d0[s] * x0[s]
                t01 += h0[s] * g1[s] + d0[s] * x1[s]
                t10 += h1[s] * g0[s] + d1[s] * x0[s]
                t11 += h1[s] * g1[s] + d1[s] * x1[s]
            gW[k, i] += t00
            gW[k, i + 1] += t01
            gW[k + 1, i] += t10
            gW[k + 1, i + 1] += t11
        if n % 2:
            x0, g0 = x[n - 1], g[n - 1]
            t00, t10 = np.float32(0), np.float32(0)
            for s in range(size):
                t00 += h0[s] * g0[s] + d0[s] * x0[s]
                t10 += h1[s] * g0[s] + d1[s] * x0[s]
            gW[k, n - 1] += t00
            gW[k + 1, n - 1] += t10
    if m % 2:
        h0, d0 = h[m - 1], dh[m - 1]
        for i in range(n):
            x0, g0 = x[i], g[i]
            t00 = np.float32(0)
            for s in range(size):
                t00 += h0[s] * g0[s] + d0[s] * x0[s]
            gW[m - 1, i] += t00


@_jit
def _attack(x, size, h, g, dh, across, back, radius, relu_hidden, zeros, length, moved):
    """moved [n, sample]: x moved by `radius` along the gradient, by x, of its own loss; `length` [sample] is scratch.
    across: W^T.
    """
    n, m = across.shape
    _product(dh, size, zeros, back, g)
    if relu_hidden:
        for k in range(m):
            row, hk = dh[k], h[k]
            for s in range(size):
                row[s] = row[s] if hk[s] > 0 else np.float32(0)
    for s in range(size):
        length[s] = 0
    for i in range(n):
        row = moved[i]
        _combine(row, size, np.float32(0), across[i], dh)
        for s in range(size):
            length[s] += row[s] * row[s]
    for s in range(size):
        length[s] = radius / max(np.sqrt(length[s]), np.float32(1e-20))
    for i in range(n):
        row, xi = moved[i], x[i]
        for s in range(size):
            row[s] = xi[s] + row[s] * length[s]


@_jit
def _lay_out(W, D, across, decode, back):
    """across [n, m]: W^T; decode [n, m]: what multiplies h, D or W^T; back [m, n]: its transpose."""
    m, n = W.shape
    tied = D.size == 0
    for i in range(n):
        for k in range(m):
            across[i, k] = W[k, i]
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
def _sgd(value, gradient, rate, decay):
    """One step down the gradient, without momentum, on flat arrays."""
    for j in range(value.size):
        value[j] -= decay * value[j] + rate * gradient[j]
        gradient[j] = 0


@_jit
def _advance(
    first, last, training, W, b, D, mW, vW, mb, vb, mD, vD, step, rates, seed, gate, shared, n_streams, lo, hi,
    importance, relu, relu_hidden, absolute, l1, radius, attacked, weight_decay, batch, block, losses, kind, adam, data,
    begins, sizes,
):  # fmt: skip
    """Train instances first to last - 1 for len(rates) steps on `batch` inputs each; or measure their loss on so many.

    An instance with a data set (sizes > 0) gets its inputs from there, and the whole of it where a batch would hold it.
    """
    _, m, n = W.shape
    x, g = np.empty((n_streams, block), np.float32), np.empty((n, block), np.float32)
    h, dh = np.empty((m, block), np.float32), np.empty((m, block), np.float32)
    gW, gb, gD = np.zeros((m, n), np.float32), np.zeros(n, np.float32), np.zeros(D.shape[1:], np.float32)
    across, decode, back = np.empty((n, m), np.float32), np.empty((n, m), np.float32), np.empty((m, n), np.float32)
    moved, length = np.empty((n if attacked else 0, block), np.float32), np.empty(block, np.float32)
    zeros, unused, picked = np.zeros(m, np.float32), np.zeros(n, np.float32), np.empty(block, np.int64)
    tied = D.size == 0
    passes = 2 if attacked else 1
    for j in range(first, last):
        Wj, bj, Dj, low, high, weight = W[j], b[j], D[j], lo[j], hi[j], importance[j]
        flat = Wj.ravel(), mW[j].ravel(), vW[j].ravel(), gW.ravel()
        flat_D = Dj.ravel(), mD[j].ravel(), vD[j].ravel(), gD.ravel()
        own = _mix(_mix(seed) + np.uint64(j if training else 0))
        held = sizes[j]
        samples = min(batch, held) if held else batch
        scale, l1_each = np.float32(2.0 / samples), l1 / np.float32(samples)
        total = 0.0
        for t in range(len(rates)):
            key = _mix(own + np.uint64(step + t))
            _lay_out(Wj, Dj, across, decode, back)
            for start in range(0, samples, block):
                size = min(block, samples - start)
                if held:
                    _take(x, size, _mix(key), start, data, begins[j], held, samples == held, picked)
                else:
                    _fill(x, size, key, start, gate, shared, n_streams, low, high, absolute)
                    if kind:
                        _shape(x, n, size, kind, length)
                for turn in range(passes):
                    final = turn == passes - 1
                    entering = x if turn == 0 else moved
                    error = _forward(
                        entering, x, size, h, g, Wj, bj, decode, weight, scale, relu, relu_hidden, absolute, zeros,
                        gb if final else unused,
                    )  # fmt: skip
                    if not final:
                        _attack(x, size, h, g, dh, across, back, radius[j], relu_hidden, zeros, length, moved)
                        continue
                    total += error
                    if training:
                        total += l1 * _backward(
                            entering, size, h, g, dh, back, tied, l1_each, relu_hidden, zeros, gW, gD
                        )  # fmt: skip
            if training:
                age = step + t + 1
                rate = np.float32(rates[t] / (1 - BETA1**age))
                correction = np.float32(1 / np.sqrt(1 - BETA2**age))
                decay = np.float32(rates[t] * weight_decay)
                none = np.float32(0)
                if adam:
                    _adam(*flat, rate, correction, decay)
                    _adam(bj, mb[j], vb[j], gb, rate, correction, none)
                    if not tied:
                        _adam(*flat_D, rate, correction, decay)
                else:
                    rate = np.float32(rates[t])
                    _sgd(flat[0], flat[3], rate, decay)
                    _sgd(bj, gb, rate, none)
                    if not tied:
                        _sgd(flat_D[0], flat_D[3], rate, decay)
        losses[j] = total / (samples * max(len(rates), 1))
