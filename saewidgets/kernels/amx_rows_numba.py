"""The product of many rows with bfloat16 weights that lie [out, in], by a processor's own matrix unit. Needs numba, and a
processor with AMX (`amx_numba.available`).

    to[r, o] = sum over i of x[r, i] W[o, i] + b[o]

`amx_numba.product` is for a few dozen rows: weights as they lie, x laid out. Here it is the other way round: x goes in as
it lies, and weights are laid out a strip of outputs at a time, which a hundred rows and more make up for. 32 rows and 32
outputs are multiplied at a time, in four tiles of sums, so that each tile that is loaded is used twice. Sums are float32
and taken in the same order as there. The plain version is `F.linear`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from saewidgets.kernels.amx_numba import CHUNK, TILE, Code, configure, number, release, table, turned
from saewidgets.kernels.gemv_numba import halved, nearest, rounded, widened
from saewidgets.kernels.jit_numba import jit

SIDE = 2 * TILE  # rows, and outputs, that are multiplied at a time
STRIP = 8  # SIDEs of outputs that are laid out at a time: a few hundred KB, which the second-level cache holds

_jit = jit("contract")
_I64 = ir.IntType(64)


@intrinsic
def _multiplied(typingctx: Any, sums: Any, x: Any, packed: Any, row: Any) -> Any:
    """sums [32, 32] = 32 rows of x from `row` on times 32 outputs, packed [chunk, 2, 16 pairs of inputs, 16 outputs]."""

    def codegen(context: Any, b: Any, sig: Any, args: Any) -> Any:
        code = Code(context, b, sig, args)
        to, _, _ = code.array(0)
        x_at, x_step, _ = code.array(1)
        w_at, w_step, w_shape = code.array(2)
        x_at = b.add(x_at, b.mul(x_step[0], args[3]))
        below = b.mul(x_step[0], number(TILE))
        for i in range(4):
            code.clear(i)
        entry, loop, done = b.block, b.append_basic_block("chunk"), b.append_basic_block("done")
        b.branch(loop)
        b.position_at_end(loop)
        k = b.phi(_I64)
        own = b.add(x_at, b.mul(k, number(2 * CHUNK)))
        weights = b.add(w_at, b.mul(k, w_step[0]))
        code.load(4, own, x_step[0])
        code.load(6, weights, number(64))
        code.add(0, 4, 6)
        code.load(7, b.add(weights, number(64 * TILE)), number(64))
        code.add(1, 4, 7)
        code.load(5, b.add(own, below), x_step[0])
        code.add(2, 5, 6)
        code.add(3, 5, 7)
        following = b.add(k, number(1))
        k.add_incoming(number(0), entry)
        k.add_incoming(following, loop)
        b.cbranch(b.icmp_signed("<", following, w_shape[0]), loop, done)
        b.position_at_end(done)
        for i in range(4):
            place = b.add(to, number(4 * (SIDE * TILE * (i // 2) + TILE * (i % 2))))
            code.store(i, place, number(4 * SIDE))
        return context.get_dummy_value()

    return types.void(sums, x, packed, types.int64), codegen


@_jit
def _kept(to, sums, b, row, low):
    """Sums [32, 32], and biases [out] or none, rounded into `to` [row, out] from a row and an output on."""
    rows, n = min(SIDE, to.shape[0] - row), min(SIDE, to.shape[1] - low)
    for r in range(rows):
        own, out = sums[r], to[row + r][low:]
        if len(b):
            for o in range(n):
                own[o] += widened(b[low + o])
        if n == SIDE:
            for o in range(SIDE):
                out[o] = nearest(own[o]) if halved(to) else rounded(own[o])
        else:
            for o in range(n):
                out[o] = nearest(own[o]) if halved(to) else rounded(own[o])


@_jit
def halves(x):
    """x float32 [row, in] of bfloat16's numbers, as uint16; up to a multiple of 32 rows, those beyond of any numbers."""
    rows, d = x.shape
    out = np.empty(((rows + SIDE - 1) // SIDE * SIDE, d), np.uint16)
    for r in range(rows):
        own, to = x[r], out[r]
        for j in range(d):
            to[j] = nearest(own[j])
    return out


@_jit
def into(to, x, W, b):
    """to [row, out] = x W transposed + b, rounded to bfloat16: uint16, or float32 of such numbers.

    x is uint16 of a multiple of 32 rows, at least those of `to`; `in` a multiple of CHUNK; b [out] or empty.
    """
    n, m = W.shape
    rows, chunks = to.shape[0], m // CHUNK
    packed = np.empty((STRIP, chunks, 2, TILE, TILE), np.uint32)
    packed[:] = 0
    sums = np.empty((SIDE, SIDE), np.float32)
    spare = np.empty((TILE, m), np.uint16)  # the last outputs, where they do not fill a tile
    configure(table(TILE))
    for low in range(0, n, SIDE * STRIP):
        blocks = min(STRIP, (n - low + SIDE - 1) // SIDE)
        for block in range(blocks):
            for half in range(2):
                at = low + SIDE * block + TILE * half
                if at + TILE <= n:
                    for k in range(chunks):
                        turned(packed[block, k, half], W, at, k)
                elif at < n:
                    spare[: n - at] = W[at:n]
                    for k in range(chunks):
                        turned(packed[block, k, half], spare, 0, k)
        for row in range(0, rows, SIDE):
            for block in range(blocks):
                _multiplied(sums, x, packed[block], row)
                _kept(to, sums, b, row, low + SIDE * block)
    release()


@_jit
def multiplied(x, rows, W, b):
    """`amx_numba.product` of many rows: float32 of bfloat16's numbers; x as `halves` gives it, of so many rows."""
    to = np.empty((rows, W.shape[0]), np.float32)
    into(to, x, W, b)
    return to


@_jit
def halved_product(x, W, b):
    """The same of x [row, in], float32 of bfloat16's numbers, as uint16."""
    to = np.empty((x.shape[0], W.shape[0]), np.uint16)
    into(to, halves(x), W, b)
    return to
