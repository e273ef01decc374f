"""A name that does not exist, and the nearest ones that do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: object, valid: Iterable[object], n: int = 3) -> list[str]:
    """The `n` valid names most like `name`, the best first, letter case aside.

    Example:
        >>> nearest("blocks.2.resid_post", ["hook_embed", "blocks.2.hook_resid_post"], n=1)
        ['blocks.2.hook_resid_post']
    """
    wanted = str(name).lower()
    names = list(dict.fromkeys(str(v) for v in valid))
    return sorted(names, key=lambda v: -difflib.SequenceMatcher(None, v.lower(), wanted).ratio())[:n]


def unknown(kind: str, name: object, valid: Iterable[object]) -> str:
    """One sentence for a name that does not exist.

    Example:
        >>> unknown("concept", "colour", ["color", "number"])
        "unknown concept 'colour'; nearest: color, number"
    """
    near = nearest(name, valid)
    return f"unknown {kind} {name!r}; " + (f"nearest: {', '.join(near)}" if near else f"no {kind} is known here")
