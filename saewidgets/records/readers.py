"""What turns JSON types into what an annotation describes: one reader for each kind of annotation (see `typed`)."""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Hashable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import numpy as np

from saewidgets.files import short, unknown
from saewidgets.records.marks import Axes, Nested, Null, OneOf, fit_fields

Reader = Callable[[Any], Any]
MOST = 2**63 - 1  # of a whole number


class Wrong(ValueError):
    """What is wrong, and where: the path is put together on the way up."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words, self.path = words, ""

    def under(self, step: str) -> Wrong:
        self.path = step + self.path
        return self

    def __str__(self) -> str:
        path = self.path.removeprefix(".")
        return (
            path + self.words if path else self.words.removeprefix(": ") if self.words[0] == ":" else "it" + self.words
        )


def said(given: Any) -> str:
    """A value of a file in a few words."""
    if given is None or isinstance(given, bool):
        return {None: "null", True: "true", False: "false"}[given]
    if isinstance(given, int) and abs(given) > MOST:
        return f"a whole number of about {int(given.bit_length() * math.log10(2)) + 1} digits"
    if isinstance(given, Mapping):
        return "an object"
    if isinstance(given, (list, tuple)):
        return "a list"
    return short(given) if isinstance(given, (str, int, float)) else f"a {type(given).__name__}"


@cache
def reader_of(kind: Any) -> Reader:
    """What turns JSON types into what an annotation describes, or raises Wrong."""
    plain = _PLAIN.get(kind)
    if plain is not None:
        return plain
    origin: Any = get_origin(kind)
    inner = get_args(kind)
    if origin is Annotated:
        return _annotated(inner[0], inner[1:])
    if origin is Literal:
        return _literal(inner)
    if origin in (Union, types.UnionType):
        return _union(inner)
    if origin is tuple:
        return _row(inner[0], tuple) if inner[1:] == (Ellipsis,) else _fixed(inner)
    if origin is list:
        return _row(inner[0], list)
    if origin in (dict, Mapping):
        return _mapping(*inner)
    if is_dataclass(kind):
        return dataclass_reader(cast(Hashable, kind))
    raise TypeError(f"no reader for a field that is {kind!r}")


def _text(given: Any) -> str:
    if type(given) is str:
        return given
    raise Wrong(f" is {said(given)}, not a text")


def _whole(given: Any) -> int:
    if type(given) is int and -MOST <= given <= MOST:
        return given
    raise Wrong(f" is {said(given)}, " + ("out of range" if type(given) is int else "not a whole number"))


def _number(given: Any) -> float:
    if isinstance(given, float) and math.isfinite(given):
        return float(given)
    if type(given) is int and abs(given) <= MOST:
        return float(given)
    raise Wrong(f" is {said(given)}, " + ("out of range" if type(given) in (int, float) else "not a number"))


def _flag(given: Any) -> bool:
    if type(given) is bool:
        return given
    raise Wrong(f" is {said(given)}, not true or false")


def _nothing(given: Any) -> None:
    if given is not None:
        raise Wrong(f" is {said(given)}, not null")


_PLAIN: dict[Any, Reader] = {
    str: _text,
    int: _whole,
    float: _number,
    bool: _flag,
    type(None): _nothing,
    Any: lambda given: given,
}


def _literal(valid: tuple[Any, ...]) -> Reader:
    def read(given: Any) -> Any:
        if any(type(given) is type(v) and given == v for v in valid):
            return given
        raise Wrong(f" is {said(given)}, not one of {', '.join(map(repr, valid))}")

    return read


def _annotated(kind: Any, marks: tuple[Any, ...]) -> Reader:
    axes = next((m for m in marks if isinstance(m, Axes)), None)
    null = next((m for m in marks if isinstance(m, Null)), None)
    if kind is np.ndarray and axes is not None:
        return _array(axes)
    if any(isinstance(m, Nested) for m in marks):
        return _nested
    inner = reader_of(kind)
    one = next((m for m in marks if isinstance(m, OneOf)), None)
    if one is not None:
        return _literal(one.valid)
    if null is None:
        return inner

    def read(given: Any) -> Any:
        if given is None:
            return null.value
        return given if type(given) is float else inner(given)  # from Python: a nan as it is

    return read


def _nested(given: Any) -> Any:
    if type(given) not in (list, tuple):
        return _number(given)
    return _each(_nested, given)


def _each(reader: Reader, given: Any) -> list[Any]:
    """What a reader makes of every entry of a list."""
    out = []
    for i, item in enumerate(given):
        try:
            out.append(reader(item))
        except Wrong as wrong:
            raise wrong.under(f"[{i}]") from None
    return out


def _union(kinds: tuple[Any, ...]) -> Reader:
    optional = type(None) in kinds
    others = tuple(k for k in kinds if k is not type(None))
    # `int | str` equals `str | int`, so a cache gives both the reader of whichever came first: the order here is one of
    # its own.
    others = tuple(sorted(others, key=lambda k: list(_PLAIN).index(k) if k in _PLAIN else len(_PLAIN)))
    classes = tuple(k for k in others if is_dataclass(k))
    readers = tuple(reader_of(k) for k in others)
    names = {k: {f.name for f in fields(k)} for k in classes}

    def read(given: Any) -> Any:
        if optional and given is None:
            return None
        if len(readers) == 1:
            return readers[0](given)
        if classes and type(given) is dict:  # the one that knows most of the fields
            return reader_of(cast(Hashable, max(classes, key=lambda k: len(names[k] & given.keys()))))(given)
        wanted = []
        for reader in readers:
            try:
                return reader(given)
            except Wrong as wrong:
                wanted.append(wrong)
        raise Wrong(
            " or".join([wanted[0].words, *(w.words.split(",", 1)[-1].removeprefix(" not") for w in wanted[1:])])
        )

    return read


def _row(kind: Any, make: Callable[[Any], Any]) -> Reader:
    reader = reader_of(kind)
    inner = get_args(kind) if get_origin(kind) in (Union, types.UnionType, Annotated) else (kind,)
    quick = next((k for k in (str, int, bool, float) if k in inner), None)  # most entries of most columns

    def read(given: Any) -> Any:
        if type(given) not in (list, tuple):
            raise Wrong(f" is {said(given)}, not a list")
        if quick is not None and {*map(type, given)} <= {quick} and _in_range(given, quick):
            return make(given)
        return make(_each(reader, given))

    return read


def _in_range(given: Any, kind: type) -> bool:
    if kind is float:
        return all(map(math.isfinite, given))
    return kind is not int or not given or (min(given) >= -MOST and max(given) <= MOST)


def _fixed(kinds: tuple[Any, ...]) -> Reader:
    readers = tuple(reader_of(k) for k in kinds)

    def read(given: Any) -> tuple[Any, ...]:
        if type(given) not in (list, tuple) or len(given) != len(readers):
            length = f" of {len(given)}" if isinstance(given, (list, tuple)) else ""
            raise Wrong(f" is {said(given)}{length}, not a list of {len(readers)}")
        out = []
        for i, (reader, item) in enumerate(zip(readers, given, strict=True)):
            try:
                out.append(reader(item))
            except Wrong as wrong:
                raise wrong.under(f"[{i}]") from None
        return tuple(out)

    return read


def _mapping(key_kind: Any, kind: Any) -> Reader:
    """JSON has texts as keys alone: whole numbers are written as such, with no sign, space or leading zero."""
    reader = reader_of(kind)

    def key_of(key: Any) -> Any:
        if key_kind is str:
            return _text(key)
        if (
            type(key) is str
            and key.isascii()
            and key.removeprefix("-").isdigit()
            and len(key) < 20
            and str(int(key)) == key
        ):
            key = int(key)
        return _whole(key)

    def read(given: Any) -> dict[Any, Any]:
        if not isinstance(given, Mapping):
            raise Wrong(f" is {said(given)}, not an object")
        out = {}
        for key, item in given.items():
            try:
                own = key_of(key)
            except Wrong as wrong:
                wrong.words = " has the key" + wrong.words.removeprefix(" is")
                raise
            try:
                out[own] = reader(item)
            except Wrong as wrong:
                raise wrong.under(f"[{short(own)}]") from None
        return out

    return read


def _array(axes: Axes) -> Reader:
    """An array, as it is where a file holds one, or from lists of numbers, null being nan."""
    concrete = (
        axes.dtype
        if axes.dtype not in (np.integer, np.floating)
        else {np.integer: np.int64}.get(axes.dtype, np.float64)
    )
    item = np.dtype(concrete)

    def row(given: Any, depth: int) -> np.ndarray:
        if type(given) not in (list, tuple):
            raise Wrong(f" is {said(given)}, not a list")
        if depth == 1:
            return _column(given, item)
        rows = []
        for i, own in enumerate(given):
            try:
                rows.append(row(own, depth - 1))
            except Wrong as wrong:
                raise wrong.under(f"[{i}]") from None
            if rows[i].shape != rows[0].shape:
                raise Wrong(f" has {len(rows[i])} entries, the first row {len(rows[0])}").under(f"[{i}]")
        return np.stack(rows) if rows else np.zeros((0,) * depth, item)

    def read(given: Any) -> np.ndarray:
        if not isinstance(given, np.ndarray):
            return row(given, len(axes.names))
        if not np.issubdtype(given.dtype, axes.dtype):
            raise Wrong(
                f" is {given.dtype}, not {np.dtype(concrete) if concrete is axes.dtype else axes.dtype.__name__}"
            )
        return given

    return read


_ITEMS: dict[str, tuple[set[type], Reader]] = {
    "f": ({float}, lambda v: math.nan if v is None or v != v else _number(v)),
    "i": ({int}, _whole),
    "b": ({bool}, _flag),
}


def _column(given: Any, item: np.dtype[Any]) -> np.ndarray:
    usual, reader = _ITEMS[item.kind]
    if not {*map(type, given)} <= usual:
        given = _each(reader, given)
    if item.kind == "i":
        own = np.iinfo(item)
        for i, v in enumerate(given):
            if not own.min <= v <= own.max:
                raise Wrong(f" is {said(v)}, out of range").under(f"[{i}]")
    with np.errstate(over="ignore"):
        column = np.array(given, item)
    if item.kind == "f" and np.isinf(column).any():
        i = int(np.flatnonzero(np.isinf(column))[0])
        raise Wrong(f" is {said(given[i])}, out of range").under(f"[{i}]")
    return column


@cache
def dataclass_reader(cls: type) -> Callable[..., Any]:
    """What makes a dataclass of an object; a second argument gives fields that are made already."""
    hints = get_type_hints(cls, include_extras=True)
    own = [f for f in fields(cls) if f.init]
    readers = {f.name: reader_of(hints[f.name]) for f in own}
    required = {f.name for f in own if f.default is MISSING and f.default_factory is MISSING}
    known = readers.keys()

    def read(given: Any, ready: Mapping[str, Any] = types.MappingProxyType({})) -> Any:
        if type(given) is not dict:
            if isinstance(given, cls):
                return given
            raise Wrong(f" is {said(given)}, not an object")
        if not given.keys() <= known:
            name = next(n for n in given if n not in known)
            raise Wrong(f" has an {unknown('field', name[:60] if isinstance(name, str) else name, known)}")
        if not required <= given.keys() | ready.keys():
            name = next(n for n in readers if n in required and n not in given and n not in ready)
            raise Wrong(f" has no {name!r}, which every {cls.__name__.lstrip('_')} has")
        out = dict(ready)
        for name, item in given.items():
            try:
                out[name] = readers[name](item)
            except Wrong as wrong:
                raise wrong.under(f".{name}") from None
        try:
            fit_fields(cls, out)
            return cls(**out)
        except ValueError as error:
            raise Wrong(f": {error}") from None

    return read
