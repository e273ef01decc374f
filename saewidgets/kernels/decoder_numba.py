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

from saewidgets.kernels.attention_numba import gathered, short_exp
from saewidgets.kernels.gemv_numba import halved, nearest, rounded, widened
from saewidgets.kernels.jit_numba import jit
from saewidgets.kernels.layer_numba import activate

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
def _turned(a, b, cos, sin, half, early):
    """A number a of a head, whose partner is b."""
    c, s = widened(cos), widened(sin)
    if early:  # each product is rounded
        return rounded(rounded(a * c) + rounded(b * s))
    return rounded(a * c + b * s) if half else a * c + b * s


@_jit
def turn(x, cos, sin, adjacent, half):
    """A head x [d_head] of one token turned in place by cos and signed sin [d]; d = 0: not at all.

    With `half` what is turned is rounded to bfloat16, and so is each product where cos and sin are (see `Rotary`).
    """
    pairs, early = len(cos) // 2, halved(cos)
    if adjacent:
        for i in range(pairs):
            a, b = x[2 * i], x[2 * i + 1]
            x[2 * i] = _turned(a, b, cos[2 * i], sin[2 * i], half, early)
            x[2 * i + 1] = _turned(b, a, cos[2 * i + 1], sin[2 * i + 1], half, early)
        return
    first, second = x[:pairs], x[pairs : 2 * pairs]  # so that several are turned at a time
    cos_first, cos_second, sin_first, sin_second = cos[:pairs], cos[pairs:], sin[:pairs], sin[pairs:]
    for i in range(pairs):
        a, b = first[i], second[i]
        first[i] = _turned(a, b, cos_first[i], sin_first[i], half, early)
        second[i] = _turned(b, a, cos_second[i], sin_second[i], half, early)


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
def _store(to, x):
    """to [d] = x [d], float32, as `to` has its numbers."""
    if halved(to):
        for j in range(len(to)):
            to[j] = nearest(x[j])
    else:
        for j in range(len(to)):
            to[j] = x[j]


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
    for r in range(rows):
        for t in range(n):
            for h in range(kv):
                low = h * d_head
                _store(cache[r, start + t, 0, h], k[r * n + t, low : low + d_head])
                _store(cache[r, start + t, 1, h], v[r * n + t, low : low + d_head])
    return gathered(q, cache, start, n, kept, window, scale, cap)


@_jit
def _shortly_activated(x, kind):
    """Gelu (tanh) or SiLU of x [d_mlp] in place, as near as bfloat16 can tell."""
    slope = np.float32(math.sqrt(8 / math.pi))
    if kind == 0:
        for j in range(len(x)):
            own = x[j]
            x[j] = own / (np.float32(1) + short_exp(-slope * (own + np.float32(0.044715) * own * own * own)))
    else:
        for j in range(len(x)):
            x[j] = x[j] / (np.float32(1) + short_exp(-x[j]))


@_jit
def activated(gate, up, kind, half):
    """What goes into an MLP's last product: the activation function of gate [row, d_mlp], times up [row, d_mlp] or alone
    where that is [0, d_mlp]; in place.
    """
    if half and kind in (0, 2):
        for r in range(gate.shape[0]):
            _shortly_activated(gate[r], kind)
    else:
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
