"""One layer of GPT-2 on a few rows, in one compiled function. Needs numba. The plain version is `Decoder.block`.

A token that is being written is one row: its products only read the weights once, and torch spends as long on calling
twenty operations per layer as on the reading. Weights are read where they lie, so that there is no second copy of them.

What is computed for a row depends on that row alone, to the last bit: every sum over inputs is taken in their order,
whatever else is in the batch. An edited text and the unedited one beside it therefore stay equal for as long as they
are equal.
"""

from __future__ import annotations

import math

import numpy as np

from saewidgets.kernels.jit_numba import jit

ACTIVATIONS = ("gelu_tanh", "relu", "silu", "gelu")  # by their place
COLUMNS = 4096  # of a weight at a time, so that what is summed stays in the first-level cache
_jit = jit("contract")
_reordered = jit("contract", "reassoc", "nsz")  # for sums within one vector, which may be taken several at a time


@_jit
def add_product(to, x, W, b):
    """to [row, n] += x [row, m] W [m, n] + b [n].

    Eight weights are added at a time, so that a sum is read and written an eighth as often; with many rows the eight
    are read from the cache by all but the first.
    """
    rows, m = x.shape
    n = W.shape[1]
    flat = W.reshape(-1)  # since slices of one axis compile in half the time
    for low in range(0, n, COLUMNS):
        size = min(COLUMNS, n - low)
        for i in range(0, m - 7, 8):
            w0 = flat[i * n + low :]
            w1, w2, w3, w4, w5, w6, w7 = (
                w0[n:],
                w0[2 * n :],
                w0[3 * n :],
                w0[4 * n :],
                w0[5 * n :],
                w0[6 * n :],
                w0[7 * n :],
            )
            for r in range(rows):
                out, a = to[r][low : low + size], x[r][i : i + 8]
                x0, x1, x2, x3, x4, x5, x6, x7 = a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]
                for j in range(size):
                    half = out[j] + x0 * w0[j] + x1 * w1[j] + x2 * w2[j] + x3 * w3[j]
                    out[j] = half + x4 * w4[j] + x5 * w5[j] + x6 * w6[j] + x7 * w7[j]
        for r in range(rows):
            out, own = to[r][low : low + size], b[low : low + size]
            for j in range(size):
                out[j] += own[j]
            for i in range(m - m % 8, m):
                w0, x0 = flat[i * n + low :], x[r, i]
                for j in range(size):
                    out[j] += x0 * w0[j]


@_reordered
def normed(x, gain, bias, eps):
    """Layer norm of each row of x [row, d]."""
    rows, d = x.shape
    out = np.empty_like(x)
    for r in range(rows):
        mean, square = np.float32(0), np.float32(0)
        for j in range(d):
            mean += x[r, j]
        mean /= np.float32(d)
        for j in range(d):
            square += (x[r, j] - mean) ** 2
        scale = np.float32(1 / math.sqrt(square / np.float32(d) + eps))
        for j in range(d):
            out[r, j] = (x[r, j] - mean) * scale * gain[j] + bias[j]
    return out


@_jit
def exp(y):
    """e^y for |y| <= 40, and e^(+-40) beyond, to 1e-8: the 64th power of a Taylor series, which a compiler can do in
    vectors.
    """
    t = (-40.0 if y < -40.0 else 40.0 if y > 40.0 else np.float64(y)) / 64.0
    p = 1 + t / 8 * (1 + t / 9 * (1 + t / 10))
    p = 1 + t / 4 * (1 + t / 5 * (1 + t / 6 * (1 + t / 7 * p)))
    p = 1 + t * (1 + t / 2 * (1 + t / 3 * p))
    p *= p
    p *= p
    p *= p
    p *= p
    p *= p
    return p * p


@_jit
def activate(h, kind):
    """The activation function on h [row, d_mlp], in place."""
    rows, d = h.shape
    slope = np.float64(math.sqrt(8 / math.pi))
    for r in range(rows):
        to = h[r]
        if kind == 0:  # x / 2 (1 + tanh u) = x / (1 + e^-2u)
            for j in range(d):
                x = np.float64(to[j])
                to[j] = x / (1 + exp(-slope * (x + 0.044715 * x * x * x)))
        elif kind == 1:
            for j in range(d):
                to[j] = np.float32(0) if to[j] < 0 else to[j]
        elif kind == 2:
            for j in range(d):
                to[j] = to[j] / (1 + exp(-to[j]))
        else:
            for j in range(d):
                to[j] = to[j] / 2 * (1 + math.erf(to[j] / math.sqrt(2.0)))


@_reordered
def attended(q, keys_values, n_seen, z, scores):
    """What one query [head, d_head] takes from the first `n_seen` keys and values [pos, 2, head, d_head], added to z
    [head, d_head].
    """
    heads, d_head = q.shape
    scale = np.float32(1 / math.sqrt(d_head))
    for h in range(heads):
        most = -np.float32(np.inf)
        for p in range(n_seen):
            key, dot = keys_values[p, 0, h], np.float32(0)
            for j in range(d_head):
                dot += q[h, j] * key[j]
            scores[p] = dot * scale
            most = max(most, scores[p])
        total = 0.0
        for p in range(n_seen):
            scores[p] = exp(scores[p] - most)
            total += scores[p]
        to = z[h]
        for p in range(n_seen):
            weight, value = np.float32(scores[p] / total), keys_values[p, 1, h]
            for j in range(d_head):
                to[j] += weight * value[j]


@_jit
def layer(
    x, cache, start, kept, gain1, bias1, W_QKV, b_QKV, W_O, b_O, gain2, bias2, W_in, b_in, W_out, b_out, eps, kind
):  # fmt: skip
    """One layer on x [row, n, d_model], the tokens from position `start` on; keys and values go into cache [row, pos,
    2, head, d_head].

    Gives what flows out at the last `kept` tokens, [row, kept, d_model].
    """
    rows, n, d = x.shape
    heads, d_head = cache.shape[3], cache.shape[4]
    qkv = np.zeros((rows * n, W_QKV.shape[1]), np.float32)
    add_product(qkv, normed(x.reshape(rows * n, d), gain1, bias1, eps), W_QKV, b_QKV)
    split = qkv.reshape(rows, n, 3, heads, d_head)
    z, scores = np.zeros((rows, kept, heads, d_head), np.float32), np.empty(start + n, np.float32)
    out = np.empty((rows, kept, d), np.float32)
    for r in range(rows):
        for t in range(n):
            for h in range(heads):
                for j in range(d_head):
                    cache[r, start + t, 0, h, j] = split[r, t, 1, h, j]
                    cache[r, start + t, 1, h, j] = split[r, t, 2, h, j]
        for t in range(kept):
            attended(split[r, n - kept + t, 0], cache[r], start + n - kept + t + 1, z[r, t], scores)
            for j in range(d):
                out[r, t, j] = x[r, n - kept + t, j]
    flat = out.reshape(rows * kept, d)
    add_product(flat, z.reshape(rows * kept, heads * d_head), W_O, b_O)
    inner = np.zeros((rows * kept, W_in.shape[1]), np.float32)
    add_product(inner, normed(flat, gain2, bias2, eps), W_in, b_in)
    activate(inner, kind)
    add_product(flat, inner, W_out, b_out)
    return out


@_jit
def unembedded(x, gain, bias, W_U, b_U, eps):
    """What flows out of the last layer [row, d_model] -> logits [row, d_vocab]."""
    logits = np.zeros((x.shape[0], W_U.shape[1]), np.float32)
    add_product(logits, normed(x, gain, bias, eps), W_U, b_U)
    return logits
