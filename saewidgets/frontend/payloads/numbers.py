"""Numbers, text and token tables as JSON.

Every number is rounded to what can be read off a screen (`DIGITS` significant digits), so pages stay small and their
bytes do not depend on the last bit of a float. Non-finite numbers become null: they are not JSON.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from saewidgets.records import Histogram
from saewidgets.records.tables import sayable

__all__ = ["Pool", "histogram", "number", "sendable", "short"]

DIGITS = 6


def number(x: float) -> float | int | None:
    """A float with `DIGITS` significant digits; whole numbers as int, NaN and infinity as None."""
    x = float(x)
    if not math.isfinite(x):
        return None
    rounded = float(f"{x:.{DIGITS}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded


def short(x: float | None) -> float | int | None:
    """As many digits as a tooltip shows: there are thousands of these in a page."""
    return None if x is None else number(float(f"{x:.3g}"))


def sendable(data: Any) -> Any:
    """JSON data, or a string, without lone surrogates, which no message to a browser can carry; each is named instead.

    Example:
        >>> sendable(["a\\ud83db", 3])
        ['a⟨U+D83D⟩b', 3]
    """
    return sayable(data)


def histogram(counted: Histogram) -> dict[str, Any]:
    """Edges as the two ends, where the bins are of equal width; all of them otherwise."""
    edges = counted.edges
    n = len(counted.counts)
    width = (edges[-1] - edges[0]) / n if n else 0.0
    equal = n > 1 and all(abs(e - edges[0] - i * width) <= 1e-6 * abs(width) for i, e in enumerate(edges))
    return {"edges": [number(x) for x in ((edges[0], edges[-1]) if equal else edges)], "counts": list(counted.counts)}


class Pool:
    """Tokens that examples name by their place here: `rows` holds [id, text], and a third, the bytes, where the text
    hides them.
    """

    def __init__(self, token_bytes: Mapping[int, str] | None = None) -> None:
        self._bytes = token_bytes or {}
        self._places: dict[tuple[int, str], int] = {}

    def place(self, token_id: int, text: str) -> int:
        """Where a token stands, from now on."""
        return self._places.setdefault((token_id, text), len(self._places))

    @property
    def rows(self) -> list[list[Any]]:
        """The tokens, in the order of their places."""
        return [[i, text, self._bytes[i]] if i in self._bytes else [i, text] for i, text in self._places]
