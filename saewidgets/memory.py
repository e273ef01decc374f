"""How much is held at once, and that freed memory goes back to the system, where the C library would keep it for later."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

CELLS = 1 << 24  # float32 numbers that a pass in parts makes at once, such as logits or pre-activations: 64 MB


def give_back() -> bool:
    """Hand freed memory back to the system; returns whether any went. Does nothing where the C library is not glibc.

    glibc keeps what is freed below the top of its arenas, which after a pass over a corpus can be many hundreds of
    megabytes.

    Example:
        >>> give_back() in (True, False)
        True
    """
    trim = _trim()
    return trim is not None and bool(trim(0))


@cache
def _trim() -> Any:
    """glibc's `malloc_trim`, or None."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL("libc.so.6").malloc_trim
    except (OSError, AttributeError):  # musl
        return None
