"""Records from data that nobody vouches for: one reader, made of a dataclass's own annotations.

A field's annotation says what a file may hold there, and nothing is turned into something else: a whole number is no
bool and no text. Understood are str, int (of 64 bits), float (finite; a whole number will do), bool, None, Any,
Literal, unions, tuple, list, Mapping, dataclasses, and NumPy arrays. What an annotation cannot say is written beside it
with `Annotated` (`marks`): the `Axes` of a column or an array, `Null`, what a null stands for, and `OneOf`, the texts
that are allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from saewidgets.files import LoadError
from saewidgets.records.readers import Wrong, dataclass_reader, reader_of, said

T = TypeVar("T")


def record(kind: type[T], data: Any, where: str = "", **ready: Any) -> T:
    """A dataclass from its fields as JSON types; `ready` gives fields that are made already.

    Raises ValueError that says where the data is wrong, what stands there, and what should: unknown and missing fields,
    a value of another type, a number out of range, columns that are not of one length, and whatever the dataclass
    itself refuses.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Line:
        ...     words: tuple[str, ...]
        >>> record(Line, {"words": ["a", 3]})
        Traceback (most recent call last):
        ValueError: words[1] is 3, not a text
    """
    if ready and not isinstance(data, Mapping):
        raise ValueError(str(Wrong(f" is {said(data)}, not an object").under(where)))
    try:
        return cast(T, dataclass_reader(cast(Hashable, kind))(data if type(data) is dict else _plain(data), ready))
    except Wrong as wrong:
        raise ValueError(str(wrong.under(where))) from None


def value(kind: Any, data: Any, where: str) -> Any:
    """What an annotation describes, from JSON types. Raises ValueError as `record` does."""
    try:
        return reader_of(kind)(data)
    except Wrong as wrong:
        raise ValueError(str(wrong.under(where))) from None


def opened(path: str | Path, data: Any, what: str, formats: Collection[int], make: Callable[[Any], T]) -> T:
    """`make(data)` for the contents of a file, where its "format" is one of those that are read. Raises LoadError, and
    nothing else.
    """
    with refusing(path):
        check_format(data, what, formats)
        return make(data)


@contextmanager
def refusing(path: str | Path) -> Iterator[None]:
    """Whatever is found wrong inside is a LoadError of `path`."""
    try:
        yield
    except (ValueError, OverflowError, MemoryError, RecursionError) as error:
        raise LoadError(path, str(error) or type(error).__name__) from error


def check_format(data: Any, what: str, formats: Collection[int]) -> None:
    """Raise ValueError unless `data` is an object of a format that is read here."""
    found = data.get("format") if isinstance(data, Mapping) else None
    if type(found) is not int or found not in formats:
        known = f"format {min(formats)}" if len(formats) == 1 else f"formats {min(formats)} to {max(formats)}"
        raise ValueError(f"{what} format {said(found)}; this version reads {known}")


def text_of(raw: np.ndarray) -> str:
    """The text whose bytes an array holds; what is not UTF-8 is shown as such."""
    return raw.tobytes().decode(errors="replace")


def _plain(data: Any) -> Any:
    return dict(data) if isinstance(data, Mapping) else data
