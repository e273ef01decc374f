"""The product of some rows with bfloat16 weights that lie [out, in], by a processor's own matrix unit. Needs numba, and a
processor with AMX.

    to[r, o] = sum over i of x[r, i] W[o, i] + b[o]

The unit multiplies tiles of 16 rows of 64 bytes. Weights go in as they lie: 16 outputs with 32 inputs each. The few rows
of x are laid out for it instead, once, so that the weights are read once and never copied. torch, which is made for many
rows, lays the weights out anew for each product: for a few dozen rows that takes longer than the product. Sums are
float32; what is smaller than the smallest normal number counts as 0. The plain version is `F.linear`.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

from saewidgets.kernels.gemv_numba import bits_of, declared, fetch, rounded, widened
from saewidgets.kernels.jit_numba import jit

TILE = 16  # outputs, or rows of x, of one tile
CHUNK = 32  # inputs of one tile
STRIP = 128  # outputs that are rounded at a time
GROUPS = 6  # the most tiles of x at a time: as many tiles hold their sums, one weights and one x
AHEAD = 16384  # bytes

_ASK, _TILE_DATA = 0x1023, 18  # of Linux's arch_prctl: may this process use the unit?
_ARCH_PRCTL = 158
_SUMS, _WEIGHTS, _INPUTS = range(GROUPS), 6, 7  # which tile holds what

_jit = jit("contract")
_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_BYTES, _WORDS = _I8.as_pointer(), ir.VectorType(_I32, TILE)


@cache
def available() -> bool:
    """Whether this processor has the unit, the system lets the process use it, and it gives products."""
    if config.CPU_NAME or config.CPU_FEATURES:  # type: ignore[attr-defined]
        return False  # told to compile for another processor, LLVM ends the process at these instructions
    if not sys.platform.startswith("linux"):
        return False
    features = llvm.get_host_cpu_features()
    if not (features.get("amx-tile") and features.get("amx-bf16")):
        return False
    try:
        if ctypes.CDLL(None).syscall(_ARCH_PRCTL, _ASK, _TILE_DATA):
            return False
    except (OSError, AttributeError):
        return False
    random = np.random.default_rng(0)
    x, W = (random.integers(-8, 9, size).astype(np.float32) for size in ((18, 64), (17, 64)))  # of exact sums
    found = product(x, (W.view(np.uint32) >> 16).astype(np.uint16), np.empty(0, np.uint16))
    return bool(np.allclose(found, x @ W.T, rtol=2**-8, atol=0))


@intrinsic
def configure(typingctx: Any, table: Any) -> Any:
    """Set the unit up by a table of 64 bytes."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        array = context.make_array(table)(context, builder, args[0])
        load = declared(builder, "llvm.x86.ldtilecfg", ir.VoidType(), [_BYTES])
        builder.call(load, [builder.bitcast(array.data, _BYTES)])
        return context.get_dummy_value()

    return types.void(table), codegen


@intrinsic
def release(typingctx: Any) -> Any:
    """Leave the unit as it was found."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.call(declared(builder, "llvm.x86.tilerelease", ir.VoidType(), []), [])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def turned(typingctx: Any, to: Any, W: Any, low: Any, chunk: Any) -> Any:
    """to [16, 16] = 16 words of 32 bits of each of 16 rows of W from `low` on, the `chunk`-th 16, turned: such as pairs of
    bfloat16's weights by outputs, or sums by rows.
    """

    def codegen(context: Any, b: Any, sig: Any, args: Any) -> Any:
        made = context.make_array(to)(context, b, args[0])
        place = b.ptrtoint(made.data, _I64)
        own = context.make_array(W)(context, b, args[1])
        step = cgutils.unpack_tuple(b, own.strides)[0]
        at = b.add(b.ptrtoint(own.data, _I64), b.mul(args[2], step))
        at = b.add(at, b.mul(args[3], ir.Constant(_I64, 2 * CHUNK)))
        rows = []
        for o in range(TILE):
            found = b.load(b.inttoptr(b.add(at, b.mul(step, ir.Constant(_I64, o))), _WORDS.as_pointer()))
            found.align = 2
            rows.append(found)
        half = 1
        while half < TILE:  # blocks of `half` x `half` words change places across the diagonal
            keep = [lane if not lane & half else TILE + lane - half for lane in range(TILE)]
            take = [lane + half if not lane & half else TILE + lane for lane in range(TILE)]
            for i in range(TILE):
                if not i & half:
                    first, second = rows[i], rows[i + half]
                    rows[i], rows[i + half] = (
                        b.shuffle_vector(first, second, ir.Constant(ir.VectorType(_I32, TILE), mask))
                        for mask in (keep, take)
                    )
            half *= 2
        for o in range(TILE):
            kept = b.store(rows[o], b.inttoptr(b.add(place, ir.Constant(_I64, 4 * TILE * o)), _WORDS.as_pointer()))
            kept.align = 4
        return context.get_dummy_value()

    return types.void(to, W, types.int64, types.int64), codegen


def number(n: int) -> Any:
    """A number as instructions are given it: an address's part, a count."""
    return ir.Constant(_I64, n)


class Code:
    """Writes instructions for the unit, within an intrinsic, on what that is given."""

    def __init__(self, context: Any, b: Any, sig: Any, args: Any) -> None:
        self._context, self._b, self._kinds, self._args = context, b, sig.args, args

    def array(self, which: int) -> tuple[Any, Any, Any]:
        """The address, the strides in bytes and the shape of an argument."""
        made = self._context.make_array(self._kinds[which])(self._context, self._b, self._args[which])
        strides, shape = (cgutils.unpack_tuple(self._b, each) for each in (made.strides, made.shape))
        return self._b.ptrtoint(made.data, _I64), strides, shape

    def clear(self, tile: int) -> None:
        """The tile's numbers are 0."""
        self._call("tilezero", ir.Constant(_I8, tile))

    def load(self, tile: int, address: Any, stride: Any) -> None:
        """The tile's rows are those at an address, so many bytes apart."""
        self._call("tileloadd64", ir.Constant(_I8, tile), self._b.inttoptr(address, _BYTES), stride)

    def store(self, tile: int, address: Any, stride: Any) -> None:
        """The tile's rows go to an address, so many bytes apart."""
        self._call("tilestored64", ir.Constant(_I8, tile), self._b.inttoptr(address, _BYTES), stride)

    def add(self, to: int, first: int, second: int) -> None:
        """The product of two tiles of bfloat16 is added to a tile of float32."""
        self._call("tdpbf16ps", *(ir.Constant(_I8, tile) for tile in (to, first, second)))

    def _call(self, name: str, *values: Any) -> None:
        kinds = [_BYTES if isinstance(v.type, ir.PointerType) else v.type for v in values]
        self._b.call(declared(self._b, f"llvm.x86.{name}", ir.VoidType(), kinds), values)


def _tiles(groups: int) -> Any:
    """sums [group, place + out, row] = the products of weights from output `low` on with `groups` tiles of x from `group`
    on.

    x is uint32 [chunk, group, 16 pairs of inputs, 16 rows].
    """

    @intrinsic
    def tiles(typingctx: Any, sums: Any, x: Any, W: Any, group: Any, low: Any, place: Any) -> Any:
        def codegen(context: Any, b: Any, sig: Any, args: Any) -> Any:
            code = Code(context, b, sig, args)
            to_at, to_step, _ = code.array(0)
            to_at = b.add(to_at, b.mul(to_step[1], args[5]))
            x_at, x_step, x_shape = code.array(1)
            w_at, w_step, _ = code.array(2)
            w_at = b.add(w_at, b.mul(w_step[0], args[4]))
            x_at = b.add(x_at, b.mul(x_step[1], args[3]))
            for i in range(groups):
                code.clear(_SUMS[i])
            entry, loop, done = b.block, b.append_basic_block("chunk"), b.append_basic_block("done")
            b.branch(loop)
            b.position_at_end(loop)
            k = b.phi(_I64)
            own = b.add(w_at, b.mul(k, number(2 * CHUNK)))
            for o in range(TILE):
                fetch(b, b.add(b.add(own, b.mul(w_step[0], number(o))), number(AHEAD)))
            code.load(_WEIGHTS, own, w_step[0])
            inputs = b.add(x_at, b.mul(k, x_step[0]))
            for i in range(groups):
                code.load(_INPUTS, b.add(inputs, b.mul(x_step[1], number(i))), number(64))
                code.add(_SUMS[i], _WEIGHTS, _INPUTS)
            following = b.add(k, number(1))
            k.add_incoming(number(0), entry)
            k.add_incoming(following, loop)
            b.cbranch(b.icmp_signed("<", following, x_shape[0]), loop, done)
            b.position_at_end(done)
            for i in range(groups):
                code.store(_SUMS[i], b.add(to_at, b.mul(to_step[0], number(i))), number(64))
            return context.get_dummy_value()

        return types.void(sums, x, W, types.int64, types.int64, types.int64), codegen

    return tiles


_1, _2, _3, _4, _5, _6 = (_tiles(n) for n in range(1, GROUPS + 1))


@_jit
def table(outputs):
    """The unit set up for weights of so many outputs at a time: 64 bytes a row, 16 rows of x."""
    table = np.zeros(64, np.uint8)
    table[0] = 1
    for i in range(8):
        table[16 + 2 * i] = 64
        table[48 + i] = 16 if i == _INPUTS else outputs
    return table


@_jit
def packed(x):
    """x [row, in], float32 of bfloat16's numbers -> two of them a word, uint32 [chunk, group, 16 pairs of inputs, 16
    rows], rows filled up with zeros.
    """
    rows, m = x.shape
    out = np.zeros((m // CHUNK, (rows + TILE - 1) // TILE, CHUNK // 2, TILE), np.uint32)
    words = np.empty(CHUNK // 2, np.uint32)
    for r in range(rows):
        own, group, at = x[r], r // TILE, r % TILE
        for k in range(m // CHUNK):
            both = own[CHUNK * k : CHUNK * (k + 1)]
            for i in range(CHUNK // 2):
                words[i] = (bits_of(both[2 * i]) >> np.uint32(16)) | (bits_of(both[2 * i + 1]) & np.uint32(0xFFFF0000))
            to = out[k, group]
            for i in range(CHUNK // 2):
                to[i, at] = words[i]
    return out


@_jit
def _strip(to, x, W, b, low, high, step, sums, block):
    """All rows of `to` at outputs `low` to `high`, `step` of them in a tile."""
    rows, groups = to.shape[0], x.shape[1]
    for group in range(0, groups, GROUPS):
        n = min(GROUPS, groups - group)
        for o in range(low, high, step):
            if n == 1:
                _1(sums, x, W, group, o, o - low)
            elif n == 2:
                _2(sums, x, W, group, o, o - low)
            elif n == 3:
                _3(sums, x, W, group, o, o - low)
            elif n == 4:
                _4(sums, x, W, group, o, o - low)
            elif n == 5:
                _5(sums, x, W, group, o, o - low)
            else:
                _6(sums, x, W, group, o, o - low)
        for i in range(n):
            first = TILE * (group + i)
            for at in range(0, high - low, TILE):
                turned(block, sums[i], at, 0)  # [row, out]
                size = min(TILE, high - low - at)
                for r in range(first, min(rows, first + TILE)):
                    own, out = block[r - first], to[r, low + at : low + at + size]
                    if len(b):
                        for o in range(size):
                            own[o] += widened(b[low + at + o])
                    if size == TILE:
                        for o in range(TILE):
                            out[o] = rounded(own[o])
                    else:
                        for o in range(size):
                            out[o] = rounded(own[o])


@_jit
def multiplied(x, rows, W, b):
    """`product` of x that is `packed`, of so many rows."""
    n = W.shape[0]
    to = np.empty((rows, n), np.float32)
    sums, block = np.empty((GROUPS, STRIP, TILE), np.float32), np.empty((TILE, TILE), np.float32)
    whole = n - n % TILE
    if whole:
        configure(table(TILE))
        for low in range(0, whole, STRIP):
            _strip(to, x, W, b, low, min(low + STRIP, whole), TILE, sums, block)
        release()
    if n > whole:
        configure(table(n - whole))
        _strip(to, x, W, b, whole, n, n - whole, sums, block)
        release()
    return to


@_jit
def product(x, W, b):
    """`gemv_numba.product` for bfloat16: x float32 [row, in] of bfloat16's numbers, `in` a multiple of CHUNK."""
    return multiplied(packed(x), len(x), W, b)
