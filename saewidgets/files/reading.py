"""Bounded, checked reading: what a file claims about itself is checked before memory is set aside for it."""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from saewidgets.files.dtypes import DTYPES
from saewidgets.files.errors import LoadError, plain, short

MAX_HEADER = 1 << 20  # bytes; a legal 68 MB header costs the safetensors library 7.7 s and 867 MB
MAX_TENSORS = 64  # in one file, unless the caller knows better: a whole GPT-2 has 148
MAX_NDIM = 8


def read_tensors(
    path: str | Path,
    *,
    max_bytes: int = 1 << 30,
    max_tensors: int = MAX_TENSORS,
    names: Collection[str] | None = None,
) -> dict[str, np.ndarray]:
    """The arrays of one safetensors file, by name, in the file's order.

    float64/32/16, int64/32/16/8, uint8 and bool come back as they are, bfloat16 widened to float32.

    Args:
        path: the file.
        max_bytes: the most memory that the arrays may take, and the largest file that is opened.
        max_tensors: the most arrays that the file may hold.
        names: where given, the file must hold exactly these arrays.

    Raises:
        LoadError: and nothing else, for whatever is wrong: a missing or oversized file, a header over 1 MB, too many
            arrays, another dtype, shapes that do not fit the bytes, duplicate names, a value that is not finite.

    Example:
        >>> read_tensors("runs/mine/weights.safetensors")["b_enc"].shape  # doctest: +SKIP
        (1024,)
    """
    try:
        with open_regular(path, max_bytes) as (file, size):
            entries, data_start = _read_header(path, file, size)
            _check_entries(path, entries, size - data_start, max_bytes, max_tensors)
            if names is not None and set(entries) != set(names):
                raise LoadError(path, f"expected the arrays {sorted(names)}, found {sorted(entries)}")
            return {name: _read_array(path, file, data_start, name, entry) for name, entry in entries.items()}
    except (OSError, ValueError, MemoryError, OverflowError) as error:
        raise LoadError(path, plain(error)) from error


@dataclass(frozen=True)
class TensorEntry:
    """What a safetensors file says of one array, checked against its bytes."""

    dtype: str  # as the format spells it: "F32", "BF16", ...
    shape: tuple[int, ...]
    n_bytes: int


def tensor_entries(path: str | Path, *, max_bytes: int, max_tensors: int) -> dict[str, TensorEntry]:
    """What is in a safetensors file, by name, without reading an array: for files larger than memory should hold twice.

    The header is checked as `read_tensors` checks it; that values are finite is not. Raises LoadError, and nothing else.

    Example:
        >>> tensor_entries("model.safetensors", max_bytes=1 << 33, max_tensors=1000)["lm_head.weight"].shape  # doctest: +SKIP
        (49152, 576)
    """
    try:
        with open_regular(path, max_bytes) as (file, size):
            entries, data_start = _read_header(path, file, size)
            _check_entries(path, entries, size - data_start, 2 * max_bytes, max_tensors)  # bfloat16 counts as float32
    except (OSError, ValueError, MemoryError, OverflowError) as error:
        raise LoadError(path, plain(error)) from error
    return {
        name: TensorEntry(e["dtype"], tuple(e["shape"]), e["data_offsets"][1] - e["data_offsets"][0])
        for name, e in entries.items()
    }


def read_json(path: str | Path, *, max_bytes: int = 1 << 20) -> dict[str, Any]:
    """One JSON object from a file.

    Raises:
        LoadError: and nothing else. Stricter than `json.load`: a duplicate key, NaN, an infinity, a number that overflows to
            one, or anything but an object at the top is refused.

    Example:
        >>> read_json("runs/mine/config.json")["d_in"]  # doctest: +SKIP
        160
    """
    try:
        with open_regular(path, max_bytes) as (file, _size):
            return _parse_object(path, file.read(max_bytes))
    except (OSError, ValueError, MemoryError) as error:
        raise LoadError(path, plain(error)) from error


def parse_json(path: str | Path, raw: bytes) -> dict[str, Any]:
    """One JSON object from the bytes of `path`, as strictly as `read_json` does it. Raises LoadError."""
    return _parse_object(path, raw)


def sha256(path: str | Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def open_regular(path: str | Path, max_bytes: int) -> Iterator[tuple[BinaryIO, int]]:
    """An ordinary file of at most `max_bytes`, open; gives (file, size)."""
    found = os.stat(path)
    if stat.S_ISDIR(found.st_mode):
        raise LoadError(path, "a folder, not a file")
    if not stat.S_ISREG(found.st_mode):  # a pipe would block, a device never end
        raise LoadError(path, "not an ordinary file")
    if found.st_size > max_bytes:
        raise LoadError(path, f"{found.st_size:,} bytes, more than the {max_bytes:,} allowed")
    with open(path, "rb") as file:
        yield file, found.st_size


def _parse_object(path: str | Path, raw: bytes) -> dict[str, Any]:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        out = dict(items)
        if len(out) != len(items):
            seen: set[str] = set()
            twice = next(k for k, _ in items if k in seen or seen.add(k))  # type: ignore[func-returns-value]
            raise LoadError(path, f"the key {short(twice)} stands twice in one JSON object")
        return out

    def number(text: str) -> float:
        value = float(text)
        if not math.isfinite(value):
            raise LoadError(path, f"the number {short(text)} is out of range")
        return value

    def constant(text: str) -> float:
        raise LoadError(path, f"{text} is not a JSON number")

    try:
        data = json.loads(raw.decode("utf-8"), object_pairs_hook=pairs, parse_float=number, parse_constant=constant)
    except UnicodeDecodeError as error:
        raise LoadError(path, "not UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise LoadError(path, f"not JSON: {error}") from error
    except RecursionError as error:
        raise LoadError(path, "nested too deeply") from error
    if not isinstance(data, dict):
        raise LoadError(path, f"expected a JSON object, found {type(data).__name__}")
    return data


def _read_header(path: str | Path, file: BinaryIO, size: int) -> tuple[dict[str, dict[str, Any]], int]:
    """The header's entries without the metadata, and the offset at which the data begins."""
    if size < 8:
        raise LoadError(path, f"{size} bytes: too short for a safetensors file")
    length = int.from_bytes(file.read(8), "little")
    if length > MAX_HEADER:
        raise LoadError(path, f"a header of {length:,} bytes, more than the {MAX_HEADER:,} allowed")
    if length > size - 8:
        raise LoadError(path, "truncated: the header is cut off")
    header = _parse_object(path, file.read(length))
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise LoadError(path, "the metadata is not a mapping of text to text")
    return header, 8 + length


def _check_entries(path: str | Path, entries: dict[str, Any], n_data: int, max_bytes: int, max_tensors: int) -> None:
    """Raise unless the entries describe exactly `n_data` bytes, without gap or overlap, within the memory allowed."""
    if len(entries) > max_tensors:
        raise LoadError(path, f"{len(entries):,} arrays, more than the {max_tensors} allowed")
    memory, spans = 0, []
    for name, entry in entries.items():
        label = short(name)
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise LoadError(path, f"the header's entry for {label} is malformed")
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise LoadError(path, f"{label} has dtype {short(dtype)}; readable are {', '.join(DTYPES)}")
        if not _are_counts(shape) or len(shape) > MAX_NDIM:
            raise LoadError(path, f"{label} has no usable shape")
        if not _are_counts(offsets) or len(offsets) != 2:
            raise LoadError(path, f"{label} has no usable data offsets")
        n_values = math.prod(shape)
        n_bytes = n_values * DTYPES[dtype].itemsize
        if offsets[1] - offsets[0] != n_bytes:
            raise LoadError(path, f"{label} has shape {short(shape)}, which does not fit its bytes")
        memory += n_values * 4 if dtype == "BF16" else n_bytes
        spans.append((offsets[0], offsets[1]))
    if memory > max_bytes:
        raise LoadError(path, f"its arrays take {memory:,} bytes, more than the {max_bytes:,} allowed")
    end = 0
    for start, stop in sorted(spans):
        if start != end:
            raise LoadError(path, "the arrays overlap or leave a gap")
        end = stop
    if end > n_data:
        raise LoadError(path, f"truncated: {end:,} bytes of data announced, {n_data:,} there")
    if end < n_data:
        raise LoadError(path, f"{n_data - end:,} bytes after the last array")


def _read_array(path: str | Path, file: BinaryIO, data_start: int, name: str, entry: dict[str, Any]) -> np.ndarray:
    start, stop = entry["data_offsets"]
    file.seek(data_start + start)
    raw = bytearray(stop - start)  # a bytearray, so that the array is writable
    if file.readinto(raw) != len(raw):  # type: ignore[attr-defined]
        raise LoadError(path, "truncated while it was read")
    array = np.frombuffer(raw, DTYPES[entry["dtype"]]).reshape(entry["shape"])
    if entry["dtype"] == "BF16":
        array = (array.astype("<u4") << 16).view("<f4")  # a bfloat16 is the upper half of a float32
    elif entry["dtype"] == "BOOL":
        if array.size and array.max() > 1:
            raise LoadError(path, f"{short(name)} is not boolean")
        array = array.astype(bool)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise LoadError(path, f"{short(name)} holds values that are not finite")
    return array


def _are_counts(values: Any) -> bool:
    """Whether this is a list of integers from 0 on (True and False are not)."""
    return isinstance(values, list) and all(type(v) is int and v >= 0 for v in values)
