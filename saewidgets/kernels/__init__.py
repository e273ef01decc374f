"""The few fast loops, each beside the plain version that proves it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saewidgets.kernels.sparse_cpu import SparseCPU


def numba_sparse(*tensors: Any) -> type[SparseCPU] | None:
    """What does a sparse training step by compiled loops; None where it cannot.

    It needs numba, which is an extra, and float32 tensors on the CPU with something in them.
    """
    import torch

    if not all(t.device.type == "cpu" and t.dtype == torch.float32 and t.numel() for t in tensors):
        return None
    return _sparse_cpu()


@cache
def _sparse_cpu() -> type[SparseCPU] | None:
    try:
        from saewidgets.kernels.sparse_cpu import SparseCPU
    except ImportError:  # numba lags behind new versions of Python
        return None
    return SparseCPU
