"""Records of columns as files: one JSON object, nan as null."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from saewidgets.files import read_json, write_json
from saewidgets.records import typed

MAX_BYTES = 1 << 26  # of one file


class Columns:
    """What a frozen dataclass of numbers, texts, tuples and arrays needs to be saved and opened.

    A subclass says what it is, `KIND`, and the number of its form, `FORMAT`.
    """

    KIND: ClassVar[str]
    FORMAT: ClassVar[int] = 1

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types; nan is null."""
        return {"format": self.FORMAT} | {name: _plain(getattr(self, name)) for name in _fields(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`. Raises ValueError on a missing, unknown or wrong field."""
        return typed.record(cls, {name: value for name, value in data.items() if name != "format"})

    def save(self, path: str | Path) -> None:
        """Write one JSON file, atomically."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote. Raises LoadError, and nothing else, on a file that does not hold it."""
        return typed.opened(path, read_json(path, max_bytes=MAX_BYTES), cls.KIND, (cls.FORMAT,), cls.from_dict)


def _fields(record: Any) -> list[str]:
    return [f.name for f in fields(record)]


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        return {name: _plain(getattr(value, name)) for name in _fields(value)}
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, Mapping) else value
