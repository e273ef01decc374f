"""The product of some rows with bfloat16 weights that lie [out, in], where there is a quicker way than torch's.

torch lays the weights out anew for every product, which for a few dozen rows takes longer than the product. Where the
processor has a matrix unit (`amx_numba`), the rows are laid out instead. Up to how many rows that is quicker is timed
once per process. `SAEWIDGETS_PRODUCT`, which names torch's way for float32, leaves all to torch.
"""

from __future__ import annotations

import os
import time
from functools import cache
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

SIZES = (8, 32, 64, 96)  # rows at which both are timed
_TRIAL = (12, 1024, 1024)  # matrices, outputs, inputs: 24 MB, since a layer's weights are not in a core's own cache
_ROUNDS = 3


def few_product(a: Tensor, W: Tensor, bias: Tensor | None) -> Tensor | None:
    """a [n, m] W [m, p] + bias [p] in fresh memory; None where it is to be torch's product.

    That is for more rows, another dtype or device, weights that do not lie [p, m], and m that is no multiple of 32.

    Example:
        >>> few_product(torch.ones(2, 3), torch.ones(3, 4), None) is None  # float32
        True
    """
    if a.dtype != torch.bfloat16 or W.dtype != torch.bfloat16 or W.stride(0) != 1 or W.stride(1) != len(W):
        return None
    if a.device.type != "cpu" or len(W) % 32 or not 0 < len(a) <= SIZES[-1]:
        return None
    if len(a) > most(torch.get_num_threads()):
        return None
    amx = _amx()
    assert amx is not None
    return _by_unit(amx, a, W, bias)


@cache
def most(threads: int) -> int:
    """Rows up to which the matrix unit is quicker than torch with so many threads: the largest of SIZES up to which it
    is at each, or 0.
    """
    amx = _amx()
    if amx is None or os.environ.get("SAEWIDGETS_PRODUCT"):
        return 0
    clock = time.thread_time if threads == 1 else time.perf_counter  # what others take does not count
    matrices, found = torch.ones(_TRIAL, dtype=torch.bfloat16), 0
    for rows in SIZES:
        a = torch.ones(rows, _TRIAL[-1], dtype=torch.bfloat16)
        least = [float("inf")] * 2
        for i in range(_ROUNDS + 1):
            for at in range(2):
                start = clock()
                for W in matrices:
                    _by_unit(amx, a, W.t(), None) if at else F.linear(a, W)
                took = clock() - start
                if i:  # in the first run libraries set themselves up
                    least[at] = min(least[at], took)
        if least[1] > least[0]:
            break
        found = rows
    return found


@cache
def _amx() -> ModuleType | None:
    """What does it on a processor that has the unit."""
    try:
        from saewidgets.kernels import amx_numba
    except ImportError:  # numba is an extra
        return None
    return amx_numba if amx_numba.available() else None


def _by_unit(amx: Any, a: Tensor, W: Tensor, bias: Tensor | None) -> Tensor:
    found = a.new_empty(len(a), W.shape[1])
    amx.many(*map(_numpy, (found, a.contiguous(), W.t(), W.new_empty(0) if bias is None else bias)))
    return found


def _numpy(t: Tensor) -> Any:
    """The same memory as an array of uint16."""
    return t.detach().view(torch.int16).numpy().view("uint16")
