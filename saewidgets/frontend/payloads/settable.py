"""What a link to an exported page may set: for each trait the values that it may have, as `page/links.js` checks them.

A link is text that anybody may write, and a page has no kernel that would refuse a value.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Allowed = dict[str, Any]


def one_of(values: Iterable[str | int | float | bool | None]) -> Allowed:
    """One of these.

    Example:
        >>> one_of(["mean", "max"])
        {'of': ['mean', 'max']}
    """
    return {"of": list(values)}


def number(low: float, high: float) -> Allowed:
    """A number from `low` to `high`."""
    return {"low": low, "high": high}


def whole(low: int, high: int) -> Allowed:
    """A whole number from `low` to `high`."""
    return {"low": low, "high": high, "whole": True}


def several(each: Allowed, most: int, least: int = 0) -> Allowed:
    """A list of `least` to `most` of these."""
    return {"each": each, "least": least, "most": most}


def by_key(keys: Iterable[int], each: Allowed) -> Allowed:
    """An object with some of these keys.

    Example:
        >>> by_key([31], optional(number(0, 8)))
        {'keys': ['31'], 'each': {'low': 0, 'high': 8, 'null': True}}
    """
    return {"keys": [str(key) for key in keys], "each": each}


def optional(allowed: Allowed) -> Allowed:
    """The same, or null."""
    return {**allowed, "null": True}
