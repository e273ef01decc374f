"""Tables as people get them: every text in them is one that can be printed, stored and sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd


def frame(data: Any = None, columns: Iterable[str] | None = None, index: Sequence[Any] | None = None) -> pd.DataFrame:
    """`pd.DataFrame`, of columns by name or of rows, with the lone surrogates of all texts named (`sayable`).

    A token may be half of a surrogate pair. Where pandas stores text in Arrow such a table cannot be made at all, and
    elsewhere it can be neither printed nor written: so it is named here as it is on the page, whichever way pandas is
    installed.

    Example:
        >>> frame({"token": ["a\\ud83d", " b"], "n": [1, 2]})["token"].tolist()
        ['a⟨U+D83D⟩', ' b']
    """
    return pd.DataFrame(
        sayable(data),
        index=None if index is None else sayable(list(index)),
        columns=None if columns is None else sayable(list(columns)),
    )


def sayable(data: Any) -> Any:
    """A text, or texts in lists, tuples and mappings, without lone surrogates; each is named instead.

    Example:
        >>> sayable(["a\\ud83db", 3])
        ['a⟨U+D83D⟩b', 3]
    """
    if isinstance(data, str):
        if data.isascii():
            return data
        return "".join(f"⟨U+{ord(c):04X}⟩" if 0xD800 <= ord(c) <= 0xDFFF else c for c in data)
    if data is None or isinstance(data, (int, float)):
        return data
    if type(data) in (list, tuple):
        return type(data)(map(sayable, data))
    if isinstance(data, Mapping):
        return {sayable(key): sayable(item) for key, item in data.items()}
    if isinstance(data, np.ndarray) and data.dtype.kind in "OU":
        return np.array([sayable(item) for item in data.ravel().tolist()], object).reshape(data.shape)
    return data
