"""Records as files: one JSON object, nan as null."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from saewidgets.files import read_json, write_json
from saewidgets.records import typed


class Saved:
    """What a frozen dataclass of numbers, texts, tuples, arrays and such dataclasses needs to be saved and opened.

    A subclass says what it is, `KIND`, and where it must another `FORMAT` or `MAX_BYTES`. One whose form in a file is
    not that of its fields has a `to_dict`, or both `to_dict` and `from_dict`, of its own.
    """

    KIND: ClassVar[str]  # what a reader calls it who refuses a file
    FORMAT: ClassVar[int] = 1  # of the saved file; raised when an older reader would misread
    MAX_BYTES: ClassVar[int] = 64 << 20  # of a file that is read

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
        return typed.opened(path, read_json(path, max_bytes=cls.MAX_BYTES), cls.KIND, (cls.FORMAT,), cls.from_dict)


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
