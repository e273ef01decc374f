"""The product of a few rows with weights that lie [out, in], at the pace at which the memory gives them. Needs numba.

    to[r, o] = sum over i of x[r, i] W[o, i]

A token that is being written is one row: its product is done when the weights have been read once, so what counts is
that nothing but the reading takes time. Weights are float32, or bfloat16 as the upper halves of float32: 32 of them are
16 words of 32 bits, whose lower and upper halves become two vectors of floats by a shift and by a mask, without moving
anything between lanes. (So the inputs lie even ones first, in every 32.) What is summed is float32. While one block of
weights is used, what lies `AHEAD` bytes further on is asked for.

What is computed for a row depends on that row alone, to the last bit: each sum has the same 16 partial sums, whatever
else is in the batch. The plain version is `x @ W.T`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from saewidgets.kernels.jit_numba import jit

LANES = 16  # partial sums; a processor whose vectors are shorter takes two or four of them for one
CHUNK = 2 * LANES  # inputs at a time
OUTPUTS = 4  # outputs whose sums, with those of up to four rows, are kept in registers at a time
BLOCK = 16  # outputs whose weights stay in the first-level cache while all rows use them
AHEAD = 8192  # bytes

_jit = jit("contract")
_FLOAT, _I32, _I64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
_FLOATS, _WORDS = ir.VectorType(_FLOAT, LANES), ir.VectorType(_I32, LANES)


# -- bfloat16 as it lies: uint16, the upper half of a float32 ---------------------------------------------------------


@intrinsic
def halved(typingctx: Any, array: Any) -> Any:
    """Whether an array holds bfloat16, as uint16; known when it is compiled."""
    is_half = array.dtype == types.uint16
    return types.boolean(array), lambda context, builder, sig, args: ir.Constant(ir.IntType(1), int(is_half))


@intrinsic
def widened(typingctx: Any, value: Any) -> Any:
    """A float32 from a bfloat16 (uint16), or as it is."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if value == types.float32:
            return args[0]
        return builder.bitcast(builder.shl(builder.zext(args[0], _I32), ir.Constant(_I32, 16)), _FLOAT)

    return types.float32(value), codegen


@intrinsic
def bits_of(typingctx: Any, value: Any) -> Any:
    return types.uint32(types.float32), lambda context, builder, sig, args: builder.bitcast(args[0], _I32)


@intrinsic
def float_of(typingctx: Any, bits: Any) -> Any:
    return types.float32(types.uint32), lambda context, builder, sig, args: builder.bitcast(args[0], _FLOAT)


@_jit
def nearest(value):
    """The bfloat16 nearest to a float32, the even one of two, as uint16. (NaN stays one.)"""
    bits = bits_of(value)
    if value != value:
        return np.uint16((bits >> np.uint32(16)) | np.uint32(64))
    return np.uint16((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))


@_jit
def rounded(value):
    """The bfloat16 nearest to a float32, as float32."""
    return float_of(np.uint32(nearest(value)) << np.uint32(16))


# -- sums in registers ------------------------------------------------------------------------------------------------


def tile(rows: int, outputs: int) -> Any:
    """to[row + i, col + j] = sum over the first `chunks` CHUNKs of x[row + i] W[col + j], for `rows` x `outputs` of
    them.
    """

    @intrinsic
    def product_of(typingctx: Any, to: Any, x: Any, W: Any, row: Any, col: Any, chunks: Any) -> Any:
        half = W.dtype == types.uint16
        size = 2 if half else 4

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            def at(which: int, first: Any) -> tuple[Any, Any]:
                """(address of a row of an array, bytes from one row to the next)."""
                array = context.make_array(sig.args[which])(context, builder, args[which])
                stride = cgutils.unpack_tuple(builder, array.strides)[0]
                return builder.add(builder.ptrtoint(array.data, _I64), builder.mul(stride, first)), stride

            _, _, _, row, col, chunks = args
            (x_at, x_step), (w_at, w_step), (to_at, to_step) = at(1, row), at(2, col), at(0, row)
            sums = _sums(builder, half, size, rows, outputs, (x_at, x_step), (w_at, w_step), chunks)
            to_at = builder.add(to_at, builder.mul(col, ir.Constant(_I64, 4)))
            total = _summed(builder, [vector for row in sums for vector in row])
            for i in range(rows):
                for j in range(outputs):
                    place = builder.add(
                        builder.add(to_at, builder.mul(to_step, ir.Constant(_I64, i))), ir.Constant(_I64, 4 * j)
                    )
                    own = builder.extract_element(total, ir.Constant(_I32, outputs * i + j))
                    builder.store(own, builder.inttoptr(place, _FLOAT.as_pointer()))
            return context.get_dummy_value()

        return types.void(to, x, W, types.int64, types.int64, types.int64), codegen

    return product_of


def _sums(
    b: Any, half: bool, size: int, rows: int, outputs: int, x: tuple[Any, Any], w: tuple[Any, Any], chunks: Any
) -> list[list[Any]]:
    """The partial sums, a vector for each row and output: the loop over chunks."""

    def number(n: int) -> Any:
        return ir.Constant(_I64, n)

    def load(address: Any, kind: Any, align: int) -> Any:
        found = b.load(b.inttoptr(address, kind.as_pointer()))
        found.align = align
        return found

    def floats(address: Any) -> tuple[Any, Any]:
        return load(address, _FLOATS, 4), load(b.add(address, number(4 * LANES)), _FLOATS, 4)

    def weights(address: Any) -> tuple[Any, Any]:
        if not half:
            return floats(address)
        both = load(address, _WORDS, 2)
        lower = b.shl(both, ir.Constant(_WORDS, [16] * LANES))
        upper = b.and_(both, ir.Constant(_WORDS, [0xFFFF0000] * LANES))
        return b.bitcast(lower, _FLOATS), b.bitcast(upper, _FLOATS)

    fma = declared(b, f"llvm.fmuladd.v{LANES}f32", _FLOATS, [_FLOATS] * 3)
    zero, entry = ir.Constant(_FLOATS, [0.0] * LANES), b.block
    loop, done = b.append_basic_block("chunk"), b.append_basic_block("done")
    b.cbranch(b.icmp_signed(">", chunks, number(0)), loop, done)
    b.position_at_end(loop)
    k = b.phi(_I64)
    before = [[b.phi(_FLOATS) for _ in range(outputs)] for _ in range(rows)]
    x_at, w_at = b.add(x[0], b.mul(k, number(4 * CHUNK))), b.add(w[0], b.mul(k, number(size * CHUNK)))
    inputs = [floats(b.add(x_at, b.mul(x[1], number(i)))) for i in range(rows)]
    after: list[list[Any]] = [[None] * outputs for _ in range(rows)]
    for j in range(outputs):
        own = b.add(w_at, b.mul(w[1], number(j)))
        fetch(b, b.add(own, number(AHEAD)))
        first, second = weights(own)
        for i in range(rows):
            half_way = b.call(fma, [inputs[i][0], first, before[i][j]])
            after[i][j] = b.call(fma, [inputs[i][1], second, half_way])
    following = b.add(k, number(1))
    k.add_incoming(number(0), entry)
    k.add_incoming(following, loop)
    b.cbranch(b.icmp_signed("<", following, chunks), loop, done)
    b.position_at_end(done)
    found: list[list[Any]] = [[None] * outputs for _ in range(rows)]
    for i in range(rows):
        for j in range(outputs):
            before[i][j].add_incoming(zero, entry)
            before[i][j].add_incoming(after[i][j], loop)
            found[i][j] = b.phi(_FLOATS)
            found[i][j].add_incoming(zero, entry)
            found[i][j].add_incoming(after[i][j], loop)
    return found


def fetch(b: Any, address: Any) -> None:
    """Ask for what lies there; an address that is nobody's does nothing."""
    byte = ir.IntType(8).as_pointer()
    function = declared(b, "llvm.prefetch.p0", ir.VoidType(), [byte, _I32, _I32, _I32])
    b.call(function, [b.inttoptr(address, byte), *(ir.Constant(_I32, n) for n in (0, 3, 1))])


def declared(b: Any, name: str, gives: Any, takes: list[Any]) -> Any:
    """An intrinsic of LLVM in the module that is being built."""
    return b.module.globals.get(name) or ir.Function(b.module, ir.FunctionType(gives, takes), name)


def _summed(b: Any, vectors: list[Any]) -> Any:
    """The sums of some vectors, 1, 2, 4, 8 or 16 of them, as one vector: halves on halves, of two vectors at a time."""
    n = LANES  # what is left of each
    while n > 1:
        n //= 2
        pairs = zip(vectors[::2], vectors[1::2], strict=True) if len(vectors) > 1 else [(vectors[0], None)]
        vectors = [_folded(b, first, second, n) for first, second in pairs]
    return vectors[0]


def _folded(b: Any, first: Any, second: Any, n: int) -> Any:
    """Of runs of 2 n numbers, those of `second` after those of `first`, the first halves plus the second halves."""
    size = first.type.count
    total = size if second is None else 2 * size
    low, high = ([at + i for at in range(0, total, 2 * n) for i in range(begin, begin + n)] for begin in (0, n))
    other = ir.Constant(first.type, ir.Undefined) if second is None else second
    shape = ir.VectorType(_I32, total // 2)
    return b.fadd(*(b.shuffle_vector(first, other, ir.Constant(shape, mask)) for mask in (low, high)))


_single, _one, _two, _four = tile(1, 1), tile(1, OUTPUTS), tile(2, OUTPUTS), tile(4, OUTPUTS)


@_jit
def sums(to, x, W, rows, low, high, chunks):
    """to[:rows, low:high] = sum over the first `chunks` CHUNKs of x [row, in] W [out, in] transposed, as `tile` reads x."""
    fours = high - (high - low) % OUTPUTS
    row = 0
    while row < rows:
        left = rows - row
        some = 4 if left >= 4 else 2 if left >= 2 else 1
        for col in range(low, fours, OUTPUTS):
            if some == 4:
                _four(to, x, W, row, col, chunks)
            elif some == 2:
                _two(to, x, W, row, col, chunks)
            else:
                _one(to, x, W, row, col, chunks)
        for col in range(fours, high):
            for own in range(row, row + some):
                _single(to, x, W, own, col, chunks)
        row += some


@_jit
def product(x, W, b):
    """x [row, in] W [out, in] transposed + b [out] (or empty), float32 [row, out] in fresh memory; x is float32.

    W and b are float32, or bfloat16 as uint16: then x holds bfloat16's numbers, and the product is rounded to them.
    """
    rows, m = x.shape
    n = W.shape[0]
    to = np.empty((rows, n), np.float32)
    whole = m - m % CHUNK
    chunks = m // CHUNK
    inputs = x
    if halved(W):  # in every CHUNK the even inputs first
        inputs = np.empty((rows, m), np.float32)
        for r in range(rows):
            own, laid = x[r], inputs[r]
            for low in range(0, whole, CHUNK):
                for j in range(LANES):
                    laid[low + j] = own[low + 2 * j]
                    laid[low + LANES + j] = own[low + 2 * j + 1]
    for low in range(0, n, BLOCK):
        high = min(low + BLOCK, n)
        sums(to, inputs, W, rows, low, high, chunks)
    for r in range(rows):
        out, own = to[r], x[r]
        if whole < m:
            for o in range(n):
                more = np.float32(0)
                for i in range(whole, m):
                    more += own[i] * widened(W[o, i])
                out[o] += more
        if len(b):
            for o in range(n):
                out[o] += widened(b[o])
        if halved(W):
            for o in range(n):
                out[o] = rounded(out[o])
    return to
