"""`bags` by Triton kernels, for a CUDA device. Needs triton, which torch's CUDA wheels bring.

Against torch's `embedding_bag` a bag is read several entries at a time: the few features that are on at nearly every
token have bags of thousands of entries, and a thread that adds them up one by one would be the last of all. There are
no atomic sums, so that each is the same every time.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

ENTRIES = 16  # of a bag that are read at a time
WIDTH = 128  # columns of the matrix at a time


@triton.jit
def _sum(out, start, index, weight, matrix, d, ENTRIES: tl.constexpr, WIDTH: tl.constexpr):
    bag = tl.program_id(0).to(tl.int64)  # a bag times d may be more than 32 bits hold
    column = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    inside = column < d
    first = tl.load(start + bag)
    stop = tl.load(start + bag + 1)
    total = tl.zeros((WIDTH,), dtype=tl.float32)
    for at in range(first, stop, ENTRIES):
        entry = at + tl.arange(0, ENTRIES)
        there = entry < stop
        row = tl.load(index + entry, mask=there, other=0)
        share = tl.load(weight + entry, mask=there, other=0.0)
        read = there[:, None] & inside[None, :]
        values = tl.load(matrix + row[:, None] * d + column[None, :], mask=read, other=0.0)
        total += tl.sum(share[:, None] * values, axis=0)
    tl.store(out + bag * d + column, total, mask=inside)


@triton.jit
def _dots(out, left, row, index, matrix, n, d, ENTRIES: tl.constexpr, WIDTH: tl.constexpr):
    entry = tl.program_id(0).to(tl.int64) * ENTRIES + tl.arange(0, ENTRIES)
    there = entry < n
    bag = tl.load(row + entry, mask=there, other=0)
    place = tl.load(index + entry, mask=there, other=0)
    total = tl.zeros((ENTRIES,), dtype=tl.float32)
    for at in range(0, d, WIDTH):
        column = at + tl.arange(0, WIDTH)
        read = there[:, None] & (column < d)[None, :]
        ours = tl.load(left + bag[:, None] * d + column[None, :], mask=read, other=0.0)
        theirs = tl.load(matrix + place[:, None] * d + column[None, :], mask=read, other=0.0)
        total += tl.sum(ours * theirs, axis=1)
    tl.store(out + entry, total, mask=there)


def bag_sum(start: Tensor, index: Tensor, weight: Tensor, matrix: Tensor) -> Tensor:
    """See `bags.bag_sum`; float32."""
    d, bags = matrix.shape[1], len(start) - 1
    out = matrix.new_empty(bags, d)
    if out.numel():
        with _on(matrix):
            given = (_flat(t) for t in (start, index, weight, matrix))
            _sum[(bags, triton.cdiv(d, WIDTH))](out, *given, d, ENTRIES=ENTRIES, WIDTH=WIDTH)
    return out


def bag_dots(left: Tensor, row: Tensor, index: Tensor, matrix: Tensor) -> Tensor:
    """See `bags.bag_dots`; float32."""
    n, d = len(index), matrix.shape[1]
    out = matrix.new_empty(n)
    if n:
        with _on(matrix):
            given = (_flat(t) for t in (left, row, index, matrix))
            _dots[(triton.cdiv(n, ENTRIES),)](out, *given, n, d, ENTRIES=ENTRIES, WIDTH=WIDTH)
    return out


def _on(tensor: Tensor) -> Any:
    """Kernels run on the current device, which may be another one than the tensor's."""
    return torch.cuda.device(tensor.device) if tensor.device.type == "cuda" else nullcontext()


def _flat(tensor: Tensor) -> Tensor:
    return tensor.detach().contiguous()
