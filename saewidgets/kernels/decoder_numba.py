"""What a layer of the common families does to a few rows between its products, in four compiled functions. Needs numba.

The plain version is `decoder.layer.Layer`, whose parts these are: LayerNorm or RMSNorm before, after or around, q/k
norms, rotary positions, grouped queries, windows, soft caps, a plain or gated MLP. The residual stream and the cache are
float32, or bfloat16 as uint16; then all is computed in float32 and rounded to bfloat16 wherever the plain version rounds.
Between these functions rows are float32. What is not there is an empty array. What is computed for a row depends on that
row alone, to the last bit. The products are `gemv_numba.product`; that a layer is a dozen calls rather than one costs
some 30 us and saves most of the compiling, which repeats what a function calls.
"""

from __future__ import annotations

import math

import numpy as np

from saewidgets.kernels.gemv_numba import halved, nearest, rounded, widened
from saewidgets.kernels.jit_numba import jit
from saewidgets.kernels.layer_numba import activate, exp

_jit = jit("contract")
_reordered = jit("contract", "reassoc", "nsz")  # for sums within one vector, which may be taken several at a time


@_reordered
def _normed(x, gain, bias, eps, rms, late, half):
    """A vector x [d] normed in place: float32, on bfloat16's numbers with `half`. `gain` and `bias` are [d] or empty."""
    d = len(x)
    mean, square = np.float32(0), np.float32(0)
    if not rms:
        for j in range(d):
            mean += x[j]
        mean /= np.float32(d)
    for j in range(d):
        square += (x[j] - mean) ** 2
    scale = np.float32(1 / math.sqrt(square / np.float32(d) + eps))
    early = half and rms and not late and len(gain) > 0
    for j in range(d):
        x[j] = (x[j] - mean) * scale
        if early:
            x[j] = rounded(x[j])
    if len(gain):
        for j in range(d):
            x[j] *= gain[j]
    if len(bias):
        for j in range(d):
            x[j] += bias[j]
    if half:
        for j in range(d):
            x[j] = rounded(x[j])


@_jit
def normed(x, gain, bias, eps, kinds):
    """Each row of x [row, d] normed, as float32. `kinds`: whether there is a norm, whether it is an RMSNorm, whether its
    gain comes before the rounding.
    """
    out = np.empty(x.shape, np.float32)
    there, rms, late = kinds
    for r in range(x.shape[0]):
        own, to = x[r], out[r]
        for j in range(x.shape[1]):
            to[j] = widened(own[j])
        if there:
            _normed(to, gain, bias, eps, rms, late, halved(x))
    return out


@_jit
def added(stream, first, more, gain, bias, eps, kinds):
    """The stream [row, d] + (first + what is normed of more), [row, d] as the stream is; `first` [row, d] or [0, d]."""
    out = np.empty_like(stream)
    there, rms, late = kinds
    half = halved(stream)
    for r in range(stream.shape[0]):
        to, own = more[r].copy(), stream[r]
        if there:
            _normed(to, gain, bias, eps, rms, late, half)
        if len(first):
            for j in range(len(to)):
                to[j] += first[r, j]
                if half:
                    to[j] = rounded(to[j])
        for j in range(len(to)):
            total = widened(own[j]) + to[j]
            if half:
                out[r, j] = nearest(total)
            else:
                out[r, j] = total
    return out


@_jit
def turn(x, cos, sin, adjacent, half):
    """A head x [d_head] of one token turned in place by cos and signed sin [d]; d = 0: not at all."""
    pairs = len(cos) // 2
    for i in range(pairs):
        j, other = (2 * i, 2 * i + 1) if adjacent else (i, i + pairs)
        a, b = x[j], x[other]
        if half:
            x[j] = rounded(rounded(a * widened(cos[j])) + rounded(b * widened(sin[j])))
            x[other] = rounded(rounded(b * widened(cos[other])) + rounded(a * widened(sin[other])))
        else:
            x[j] = a * widened(cos[j]) + b * widened(sin[j])
            x[other] = b * widened(cos[other]) + a * widened(sin[other])


@_reordered
def _shares(q, keys, first, n_seen, scale, cap, half, scores):
    """scores[first:n_seen] = softmax of what one query q [d_head] finds in keys [pos, d_head]."""
    most = -np.float32(np.inf)
    p = first
    while p + 4 <= n_seen:
        k0, k1, k2, k3 = keys[p], keys[p + 1], keys[p + 2], keys[p + 3]
        d0, d1, d2, d3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for j in range(len(q)):
            d0 += q[j] * k0[j]
            d1 += q[j] * k1[j]
            d2 += q[j] * k2[j]
            d3 += q[j] * k3[j]
        scores[p], scores[p + 1], scores[p + 2], scores[p + 3] = d0, d1, d2, d3
        p += 4
    while p < n_seen:
        key, dot = keys[p], np.float32(0)
        for j in range(len(q)):
            dot += q[j] * key[j]
        scores[p] = dot
        p += 1
    for p in range(first, n_seen):
        scores[p] = rounded(rounded(scores[p]) * scale) if half else scores[p] * scale
    if cap > 0:
        for p in range(first, n_seen):
            dot = rounded(scores[p] / cap) if half else scores[p] / cap
            dot = np.float32(math.tanh(dot))
            scores[p] = rounded(rounded(dot) * cap) if half else dot * cap
    for p in range(first, n_seen):
        most = max(most, scores[p])
    for p in range(first, n_seen):
        scores[p] = exp(scores[p] - most)
    total = 0.0
    for p in range(first, n_seen):
        total += scores[p]
    for p in range(first, n_seen):
        share = np.float32(scores[p] / total)
        scores[p] = rounded(share) if half else share


@_jit
def _weighted(shares, values, first, n_seen, half, z):
    """z [d_head] = the sum of shares times values [pos, d_head]."""
    for j in range(len(z)):
        z[j] = np.float32(0)
    p = first
    while p + 4 <= n_seen:  # so that z is read and written a quarter as often
        s0, s1, s2, s3 = shares[p], shares[p + 1], shares[p + 2], shares[p + 3]
        v0, v1, v2, v3 = values[p], values[p + 1], values[p + 2], values[p + 3]
        for j in range(len(z)):
            z[j] = z[j] + s0 * v0[j] + s1 * v1[j] + s2 * v2[j] + s3 * v3[j]
        p += 4
    while p < n_seen:
        share, value = shares[p], values[p]
        for j in range(len(z)):
            z[j] += share * value[j]
        p += 1
    if half:
        for j in range(len(z)):
            z[j] = rounded(z[j])


@_jit
def _widen(to, x):
    """to [row, d] = x [row, d] as float32."""
    for p in range(len(x)):
        for j in range(to.shape[1]):
            to[p, j] = widened(x[p, j])


@_jit
def _heads(x, d_head, norm, eps, kinds, cos, sin, n, adjacent, half):
    """Queries or keys x [row * n, head * d_head] normed and turned, in place."""
    gain, bias = norm
    which, rms, late = kinds
    for row in range(x.shape[0]):
        if which == 2:
            _normed(x[row], gain, bias, eps, rms, late, half)
        for low in range(0, x.shape[1], d_head):
            own = x[row, low : low + d_head]
            if which == 1:
                _normed(own, gain, bias, eps, rms, late, half)
            turn(own, cos[row % n], sin[row % n], adjacent, half)


@_jit
def attended(q, k, v, cache, start, kept, norm_q, norm_k, eps, kinds, cos, sin, adjacent, window, scale, cap):
    """What the last `kept` of the tokens gather, [row * kept, head * d_head]: queries q of those, keys and values k and v
    [row * pos, kv_head * d_head] of all, which stand from position `start` on and go into cache [row, n, 2, kv_head,
    d_head].

    norm_q, norm_k: gain and bias. kinds: q/k norm (0: none, 1: per head, 2: whole), RMSNorm, its gain before the
    rounding. cos and signed sin: [pos, d]. window 0, cap 0: none.
    """
    rows, kv, d_head = cache.shape[0], cache.shape[3], cache.shape[4]
    n, half = k.shape[0] // rows, halved(cache)
    _heads(q, d_head, norm_q, eps, kinds, cos[n - kept :], sin[n - kept :], kept, adjacent, half)
    _heads(k, d_head, norm_k, eps, kinds, cos, sin, n, adjacent, half)
    group, total = q.shape[1] // d_head // kv, start + n
    z, scores = np.empty_like(q), np.empty(total, np.float32)
    keys, values = np.empty((total, d_head), np.float32), np.empty((total, d_head), np.float32)
    for r in range(rows):
        for h in range(kv):
            for t in range(n):
                for j in range(d_head):
                    key, value = k[r * n + t, h * d_head + j], v[r * n + t, h * d_head + j]
                    if half:
                        cache[r, start + t, 0, h, j], cache[r, start + t, 1, h, j] = nearest(key), nearest(value)
                    else:
                        cache[r, start + t, 0, h, j], cache[r, start + t, 1, h, j] = key, value
            _widen(keys, cache[r, :total, 0, h])
            _widen(values, cache[r, :total, 1, h])
            for t in range(kept):
                seen = start + n - kept + t + 1
                first = max(0, seen - window) if window else 0
                for own in range(h * group, (h + 1) * group):
                    low, high = own * d_head, (own + 1) * d_head
                    _shares(q[r * kept + t, low:high], keys, first, seen, scale, cap, half, scores)
                    _weighted(scores, values, first, seen, half, z[r * kept + t, low:high])
    return z


@_jit
def activated(gate, up, kind, half):
    """What goes into an MLP's last product: the activation function of gate [row, d_mlp], times up [row, d_mlp] or alone
    where that is [0, d_mlp]; in place.
    """
    activate(gate, kind)
    for r in range(gate.shape[0]):
        to = gate[r]
        if half:
            for j in range(len(to)):
                to[j] = rounded(to[j])
        if len(up):
            own = up[r]
            for j in range(len(to)):
                to[j] *= own[j]
            if half:
                for j in range(len(to)):
                    to[j] = rounded(to[j])
    return gate
