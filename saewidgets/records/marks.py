"""What an annotation cannot say of a field, written beside it with `Annotated`; and whether the columns of a record fit
one another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import numpy as np


@dataclass(frozen=True)
class Axes:
    """What the entries of a column, or the axes of an array, count: fields of one record that share a name are as long.

    Example:
        >>> @dataclass(frozen=True)
        ... class Bins:
        ...     edges: Annotated[tuple[float, ...], Axes("bin + 1")]
        ...     counts: Annotated[tuple[int, ...], Axes("bin")]
        >>> fit(Bins((0.0, 1.0, 2.0), (5, 3)))
        >>> fit(Bins((0.0, 1.0), (5, 3)))
        Traceback (most recent call last):
        ValueError: counts has 2 entries along "bin", expected 1 as in edges
    """

    names: tuple[str, ...]
    dtype: Any  # of an array: a NumPy type, or a family such as np.floating
    or_none: bool  # an empty column says that nothing was measured

    def __init__(self, *names: str, dtype: Any = None, or_none: bool = False) -> None:
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "dtype", dtype)
        object.__setattr__(self, "or_none", or_none)


@dataclass(frozen=True)
class Null:
    """A number that may be the one given, which is not finite, and which JSON writes as null."""

    value: float


@dataclass(frozen=True)
class OneOf:
    """The texts that a field may be."""

    valid: tuple[str, ...]


@dataclass(frozen=True)
class Nested:
    """A number, or lists of numbers, or of such lists: in Python an array as well, in a file none."""


NanOr = Annotated[float, Null(math.nan)]  # a number, or nan where it has no meaning


def fit(made: Any) -> None:
    """Raise ValueError unless the fields of a dataclass that share an axis are as long as one another."""
    fit_fields(type(made), vars(made))


def dtypes(kind: type) -> dict[str, Any]:
    """The NumPy types that a dataclass's `Axes` name, by field."""
    return {name: axes.dtype for name, axes, _ in _axes(kind) if axes.dtype is not None}


def fit_fields(cls: type, given: Mapping[str, Any]) -> None:
    """`fit`, of fields by name."""
    sizes: dict[str, tuple[int, str]] = {}
    for name, axes, parts in _axes(cls):
        found = given.get(name)
        if found is None:
            continue
        shape = found.shape if isinstance(found, np.ndarray) else (len(found),)
        if axes.or_none and not shape[0]:
            continue
        if len(shape) != len(parts):
            raise ValueError(f"{name} has shape {list(shape)}, not [{', '.join(axes.names)}]")
        for (base, more), n in zip(parts, shape, strict=True):
            expected, first = sizes.setdefault(base, (n - more, name))
            if n != expected + more:
                entries = "1 entry" if n == 1 else f"{n} entries"
                raise ValueError(f'{name} has {entries} along "{base}", expected {expected + more} as in {first}')
            if not n:
                break  # an empty list of rows does not tell how long they are


@cache
def _axes(cls: type) -> tuple[tuple[str, Axes, tuple[tuple[str, int], ...]], ...]:
    """Of each field with `Axes`: its name, those, and each axis as (name, how much longer it is)."""
    out = []
    for name, hint in get_type_hints(cls, include_extras=True).items():
        for kind in (hint, *get_args(hint)):  # of "array or None" as well
            for mark in get_args(kind)[1:] if get_origin(kind) is Annotated else ():
                if isinstance(mark, Axes):
                    parts = (axis.partition(" + ") for axis in mark.names)
                    out.append((name, mark, tuple((base, int(more or 0)) for base, _, more in parts)))
    return tuple(out)
