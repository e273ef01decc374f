"""The one exception for a file that cannot be used, and how its lines are kept short."""

from __future__ import annotations

import reprlib
from pathlib import Path
from typing import Any

_BOUNDED = reprlib.Repr()
_BOUNDED.maxlist = _BOUNDED.maxtuple = _BOUNDED.maxset = _BOUNDED.maxdict = 30
_BOUNDED.maxstring = _BOUNDED.maxlong = _BOUNDED.maxother = 100
_BOUNDED.maxlevel = 3


class LoadError(Exception):
    """A file that cannot be used, and why.

    Example:
        >>> str(LoadError("sae.safetensors", "the file is empty"))
        'sae.safetensors: the file is empty'
    """

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(str(path), reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def short(value: Any) -> str:
    """`repr`, cut to a length that an error line can carry; of a large value only the beginning is written out.

    Example:
        >>> len(short([0] * 10**6))
        60
    """
    text = _BOUNDED.repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def plain(error: BaseException) -> str:
    """What went wrong, without the path that LoadError already names."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
