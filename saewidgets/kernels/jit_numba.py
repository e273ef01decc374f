"""How the fast loops are compiled. Needs numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def jit(*fast: str) -> Callable[[Callable[..., Any]], Any]:
    """A decorator: compiled without the GIL, kept on disk where a folder can be written.

    `fast` is what may be done to sums, in LLVM's words: "reassoc" (another order), "contract" (a product and a sum in
    one rounding), "arcp" (a reciprocal for a quotient), "nsz" (0 for -0). NaN and infinity keep their meaning. The
    error model is numpy's: a quotient by 0 is infinite, and no branch looks out for it.
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": set(fast), "error_model": "numpy"}

    def compiled(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # no place for a cache
            return numba.njit(**options)(function)

    return compiled
