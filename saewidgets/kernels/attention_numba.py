"""What tokens gather from keys and values in a cache, in one compiled function. Needs numba.

    softmax(mask(cap tanh(q k scale / cap))) v

The plain version is `decoder.attention.attended`. Keys and values are read where they lie, float32, or bfloat16 as
uint16: then every step is computed in float32 and rounded to bfloat16 where the plain version rounds. Four queries at a
time are held against four keys, and their four sums of values stay in registers. What is computed for a query depends on
that query and the keys that it sees alone, to the last bit: each sum is taken in the same order, whatever else is asked.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from saewidgets.kernels.gemv_numba import (
    CHUNK,
    LANES,
    bits_of,
    declared,
    float_of,
    halved,
    rounded,
    sums,
    widened,
)
from saewidgets.kernels.jit_numba import jit
from saewidgets.kernels.layer_numba import exp

QUERIES = 4  # at a time
ROUNDER = np.float32(3 << 22)  # 1.5 * 2^23: a float32 added to it is rounded to a whole number, in its lowest bits

_jit = jit("contract")
_reordered = jit("contract", "reassoc", "nsz")
_FLOAT, _I16, _I32, _I64 = ir.FloatType(), ir.IntType(16), ir.IntType(32), ir.IntType(64)


@_jit
def short_exp(y):
    """e^y to 3e-7 in float32, as 2^n e^f with |f| <= ln 2 / 2; e^-87 below that."""
    y = np.float32(-87.0) if y < np.float32(-87.0) else np.float32(88.0) if y > np.float32(88.0) else y  # nan stays
    shifted = y * np.float32(1.44269504) + ROUNDER
    whole = shifted - ROUNDER
    f = (y - whole * np.float32(0.693359375)) + whole * np.float32(2.12194440e-4)  # ln 2 in two parts, the first exact
    p = np.float32(1 / 720) + f * np.float32(1 / 5040)
    p = np.float32(1 / 24) + f * (np.float32(1 / 120) + f * p)
    p = np.float32(1) + f * (np.float32(1) + f * (np.float32(0.5) + f * (np.float32(1 / 6) + f * p)))
    return float_of(bits_of(p) + (bits_of(shifted) << np.uint32(23)))


def _gather(rows: int) -> Any:
    """to[:rows, col : col + CHUNK] = sum over p from `first` to `stop` - 1 of shares[:rows, p] values[p, col : col + CHUNK],
    p after p.
    """

    @intrinsic
    def gather(typingctx: Any, to: Any, shares: Any, values: Any, first: Any, stop: Any, col: Any) -> Any:
        half = values.dtype == types.uint16
        size = 2 if half else 4
        floats = ir.VectorType(_FLOAT, LANES)

        def codegen(context: Any, b: Any, sig: Any, args: Any) -> Any:
            def number(n: int) -> Any:
                return ir.Constant(_I64, n)

            def array(which: int) -> tuple[Any, Any]:
                made = context.make_array(sig.args[which])(context, b, args[which])
                return b.ptrtoint(made.data, _I64), cgutils.unpack_tuple(b, made.strides)[0]

            def load(address: Any, kind: Any, align: int) -> Any:
                found = b.load(b.inttoptr(address, kind.as_pointer()))
                found.align = align
                return found

            def value(address: Any) -> Any:
                if not half:
                    return load(address, floats, 4)
                words = ir.VectorType(_I32, LANES)
                own = b.zext(load(address, ir.VectorType(_I16, LANES), 2), words)
                return b.bitcast(b.shl(own, ir.Constant(words, [16] * LANES)), floats)

            (to_at, to_step), (s_at, s_step), (v_at, v_step) = array(0), array(1), array(2)
            first, stop, col = args[3:]
            v_at = b.add(v_at, b.mul(col, number(size)))
            to_at = b.add(to_at, b.mul(col, number(4)))
            fma = declared(b, f"llvm.fmuladd.v{LANES}f32", floats, [floats] * 3)
            zero, entry = ir.Constant(floats, [0.0] * LANES), b.block
            loop, done = b.append_basic_block("key"), b.append_basic_block("gathered")
            b.cbranch(b.icmp_signed("<", first, stop), loop, done)
            b.position_at_end(loop)
            p = b.phi(_I64)
            before = [[b.phi(floats) for _ in range(2)] for _ in range(rows)]
            own = b.add(v_at, b.mul(v_step, p))
            both = [value(own), value(b.add(own, number(size * LANES)))]
            after = []
            for i in range(rows):
                at = b.add(b.add(s_at, b.mul(s_step, number(i))), b.mul(p, number(4)))
                share = b.insert_element(ir.Constant(floats, ir.Undefined), load(at, _FLOAT, 4), ir.Constant(_I32, 0))
                all_lanes = ir.Constant(ir.VectorType(_I32, LANES), [0] * LANES)
                share = b.shuffle_vector(share, ir.Constant(floats, ir.Undefined), all_lanes)
                after.append([b.call(fma, [share, both[j], before[i][j]]) for j in range(2)])
            following = b.add(p, number(1))
            p.add_incoming(first, entry)
            p.add_incoming(following, loop)
            b.cbranch(b.icmp_signed("<", following, stop), loop, done)
            b.position_at_end(done)
            for i in range(rows):
                for j in range(2):
                    before[i][j].add_incoming(zero, entry)
                    before[i][j].add_incoming(after[i][j], loop)
                    found = b.phi(floats)
                    found.add_incoming(zero, entry)
                    found.add_incoming(after[i][j], loop)
                    before[i][j] = (before[i][j], found)
            for i in range(rows):
                for j in range(2):
                    place = b.add(b.add(to_at, b.mul(to_step, number(i))), number(4 * LANES * j))
                    stored = b.store(before[i][j][1], b.inttoptr(place, floats.as_pointer()))
                    stored.align = 4
            return context.get_dummy_value()

        return types.void(to, shares, values, types.int64, types.int64, types.int64), codegen

    return gather


_gather_1, _gather_2, _gather_3, _gather_4 = (_gather(n) for n in range(1, QUERIES + 1))


@_jit
def _scored(scores, queries, keys, n, first, stop):
    """scores[:n, first:stop] = queries [n, d_head] times keys [pos, d_head]; bfloat16's queries lie even ones first, in
    every CHUNK.
    """
    d = queries.shape[1]
    chunks, whole = d // CHUNK, d - d % CHUNK
    sums(scores, queries, keys, n, first, stop, chunks)
    if whole < d:
        for row in range(n):
            for p in range(first, stop):
                more = np.float32(0)
                for j in range(whole, d):
                    more += queries[row, j] * widened(keys[p, j])
                scores[row, p] += more


@_jit
def largest(x):
    """The largest of x [n], nan where one of it is nan: as whole numbers of the same order, of which several are compared
    at a time.
    """
    best = np.int32(-(1 << 31))
    for p in range(len(x)):
        bits = np.int32(bits_of(x[p]))
        best = max(best, np.int32(bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF))))
    return float_of(np.uint32(best ^ ((best >> np.int32(31)) & np.int32(0x7FFFFFFF))))


@_reordered
def _softened(own, scale, cap, half):
    """own [pos] = softmax of what one query finds, in place."""
    n = len(own)
    if half:
        for p in range(n):
            own[p] = rounded(rounded(own[p]) * scale)
    else:
        for p in range(n):
            own[p] = own[p] * scale
    if cap > 0:
        for p in range(n):
            dot = rounded(own[p] / cap) if half else own[p] / cap
            dot = np.float32(math.tanh(dot))
            own[p] = rounded(rounded(dot) * cap) if half else dot * cap
    most, total = largest(own), 0.0
    if half:
        for p in range(n):
            own[p] = short_exp(own[p] - most)
            total += own[p]
        each = np.float32(1 / total)
        for p in range(n):
            own[p] = rounded(own[p] * each)
    else:
        for p in range(n):
            own[p] = exp(own[p] - most)
            total += own[p]
        for p in range(n):
            own[p] = np.float32(own[p] / total)


@_jit
def _gathered(to, shares, values, n, first, stop):
    """to[:n] = shares[:n, first:stop] times values [pos, d_head]."""
    d = to.shape[1]
    whole = d - d % CHUNK
    for col in range(0, whole, CHUNK):
        if n == 4:
            _gather_4(to, shares, values, first, stop, col)
        elif n == 3:
            _gather_3(to, shares, values, first, stop, col)
        elif n == 2:
            _gather_2(to, shares, values, first, stop, col)
        else:
            _gather_1(to, shares, values, first, stop, col)
    if whole < d:
        for row in range(n):
            for j in range(whole, d):
                to[row, j] = np.float32(0)
            for p in range(first, stop):
                share = shares[row, p]
                for j in range(whole, d):
                    to[row, j] += share * widened(values[p, j])


@_jit
def _laid(to, q, half):
    """to [d_head] = a query, of bfloat16's numbers with the even ones of every CHUNK first, as `gemv_numba.tile` reads."""
    d = len(q)
    whole = d - d % CHUNK if half else 0
    for low in range(0, whole, CHUNK):
        for j in range(LANES):
            to[low + j] = q[low + 2 * j]
            to[low + LANES + j] = q[low + 2 * j + 1]
    for j in range(whole, d):
        to[j] = q[j]


@_jit
def gathered(q, cache, start, n, kept, window, scale, cap):
    """What the last `kept` of n tokens gather, [row * kept, head * d_head] like their queries q.

    Keys and values are in cache [row, pos, 2, kv_head, d_head], those of the n tokens from position `start` on. window 0,
    cap 0: none.
    """
    rows, kv, d_head = cache.shape[0], cache.shape[3], cache.shape[4]
    half, group, total = halved(cache), q.shape[1] // d_head // kv, start + n
    z = np.empty_like(q)
    queries = np.empty((kept * group, d_head), np.float32)
    scores, out = np.empty((QUERIES, total), np.float32), np.empty((QUERIES, d_head), np.float32)
    for r in range(rows):
        for h in range(kv):
            keys, values = cache[r, :total, 0, h], cache[r, :total, 1, h]
            for i in range(kept * group):
                low = (h * group + i % group) * d_head
                _laid(queries[i], q[r * kept + i // group, low : low + d_head], half)
            for begin in range(0, kept * group, QUERIES):
                some = min(QUERIES, kept * group - begin)
                stop = start + n - kept + (begin + some - 1) // group + 1  # what the last of these queries sees
                first = max(0, start + n - kept + begin // group + 1 - window) if window else 0
                _scored(scores, queries[begin : begin + some], keys, some, first, stop)
                for i in range(some):
                    seen = start + n - kept + (begin + i) // group + 1
                    own = max(0, seen - window) if window else 0
                    _softened(scores[i, own:seen], scale, cap, half)
                    scores[i, first:own] = 0
                    scores[i, seen:stop] = 0
                _gathered(out, scores, values, some, first, stop)
                for i in range(some):
                    low = (h * group + (begin + i) % group) * d_head
                    to, found = z[r * kept + (begin + i) // group, low : low + d_head], out[i]
                    for j in range(d_head):
                        to[j] = rounded(found[j]) if half else found[j]
    return z
