"""Bounded, checked reading: what a file claims about itself is checked before memory is set aside for it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from saewidgets.files import digest
from saewidgets.files.dtypes import DTYPES, TOKEN_DTYPES
from saewidgets.files.errors import LoadError, plain, short
from saewidgets.files.json_reading import parse_json
from saewidgets.files.opening import open_regular

MAX_HEADER = 1 << 20  # bytes; a legal 68 MB header costs the safetensors library 7.7 s and 867 MB
MAX_TENSORS = 64  # in one file, unless the caller knows better: a whole GPT-2 has 148
MAX_NDIM = 8
_PIECE = 1 << 20  # numbers looked at in one go


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
            arrays, another dtype, shapes that do not fit the bytes, duplicate names, a value that is not finite,
            contents that are not those of the SHA-256 in its metadata, where `write_tensors` put one.

    Example:
        >>> read_tensors("runs/mine/weights.safetensors")["b_enc"].shape  # doctest: +SKIP
        (1024,)
    """
    return read_tensors_and_metadata(path, max_bytes=max_bytes, max_tensors=max_tensors, names=names)[0]


def read_tensors_and_metadata(
    path: str | Path,
    *,
    max_bytes: int = 1 << 30,
    max_tensors: int = MAX_TENSORS,
    names: Collection[str] | None = None,
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """What `read_tensors` gives, and the metadata of the same file. Raises LoadError as it does."""
    try:
        with open_regular(path, max_bytes) as (file, size):
            entries, metadata, data_start = _read_header(path, file, size)
            _check_entries(path, entries, size - data_start, max_bytes, max_tensors)
            if names is not None and set(entries) != set(names):
                raise LoadError(path, f"expected the arrays {sorted(names)}, found {sorted(entries)}")
            digest.check(path, file, data_start, entries, metadata)
            arrays = {name: _read_array(path, file, data_start, name, entry) for name, entry in entries.items()}
            return arrays, metadata
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

    The header is checked as `read_tensors` checks it; that values are finite is not. Raises LoadError, and nothing
    else.

    Example:
        >>> tensor_entries("model.safetensors", max_bytes=1 << 33, max_tensors=1000)["lm_head.weight"].shape  # doctest: +SKIP
        (49152, 576)
    """
    try:
        with open_regular(path, max_bytes) as (file, size):
            entries, _, data_start = _read_header(path, file, size)
            _check_entries(path, entries, size - data_start, 2 * max_bytes, max_tensors)  # bfloat16 counts as float32
    except (OSError, ValueError, MemoryError, OverflowError) as error:
        raise LoadError(path, plain(error)) from error
    return {
        name: TensorEntry(e["dtype"], tuple(e["shape"]), e["data_offsets"][1] - e["data_offsets"][0])
        for name, e in entries.items()
    }


def tensor_layout(path: str | Path, file: BinaryIO, size: int) -> dict[str, tuple[np.dtype[Any], tuple[int, ...], int]]:
    """What is in an open safetensors file of `size` bytes, by name: (type, shape, first byte). No array is read.

    For files that are read a piece at a time, from disk or from elsewhere; `path` is what a LoadError names. Besides
    what `read_tensors` reads it knows uint16 and uint32, of which token ids are. Raises LoadError, and nothing else.
    """
    kinds = DTYPES | TOKEN_DTYPES
    try:
        entries, _, data_start = _read_header(path, file, size)
        _check_entries(path, entries, size - data_start, 1 << 62, MAX_TENSORS, kinds)
    except (OSError, ValueError, MemoryError, OverflowError) as error:
        raise LoadError(path, plain(error)) from error
    return {
        name: (kinds[e["dtype"]], tuple(e["shape"]), data_start + e["data_offsets"][0]) for name, e in entries.items()
    }


def all_finite(array: np.ndarray) -> bool:
    """Whether every number of an array is, looked at in pieces: a mask of the whole would take a quarter of its memory.

    Example:
        >>> all_finite(np.array([1.0, np.inf]))
        False
    """
    flat = array.reshape(-1, order="A")  # of a transposed array too, this is no copy
    return all(bool(np.isfinite(flat[i : i + _PIECE]).all()) for i in range(0, flat.size, _PIECE))


def _read_header(path: str | Path, file: BinaryIO, size: int) -> tuple[dict[str, dict[str, Any]], dict[str, str], int]:
    """The header's entries, its metadata, and the offset at which the data begins."""
    if size < 8:
        raise LoadError(path, f"{size} bytes: too short for a safetensors file")
    length = int.from_bytes(file.read(8), "little")
    if length > MAX_HEADER:
        raise LoadError(path, f"a header of {length:,} bytes, more than the {MAX_HEADER:,} allowed")
    if length > size - 8:
        raise LoadError(path, "truncated: the header is cut off")
    header: dict[str, Any] = parse_json(path, file.read(length))
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise LoadError(path, "the metadata is not a mapping of text to text")
    return header, metadata, 8 + length


def _check_entries(
    path: str | Path,
    entries: dict[str, Any],
    n_data: int,
    max_bytes: int,
    max_tensors: int,
    kinds: Mapping[str, np.dtype[Any]] = DTYPES,
) -> None:
    """Raise unless the entries describe exactly `n_data` bytes, without gap or overlap, within the memory allowed."""
    if len(entries) > max_tensors:
        raise LoadError(path, f"{len(entries):,} arrays, more than the {max_tensors} allowed")
    memory, spans = 0, []
    for name, entry in entries.items():
        label = short(name)
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise LoadError(path, f"the header's entry for {label} is malformed")
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(dtype, str) or dtype not in kinds:
            raise LoadError(path, f"{label} has dtype {short(dtype)}; readable are {', '.join(kinds)}")
        if not _are_counts(shape) or len(shape) > MAX_NDIM:
            raise LoadError(path, f"{label} has no usable shape")
        if not _are_counts(offsets) or len(offsets) != 2:
            raise LoadError(path, f"{label} has no usable data offsets")
        n_values = math.prod(shape)
        n_bytes = n_values * kinds[dtype].itemsize
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
        exponents = array.reshape(-1)  # looked at before they take twice the room
        if any(((exponents[i : i + _PIECE] & 0x7F80) == 0x7F80).any() for i in range(0, array.size, _PIECE)):
            raise LoadError(path, f"{short(name)} holds values that are not finite")
        wide = array.astype("<u4")
        wide <<= 16  # a bfloat16 is the upper half of a float32
        array = wide.view("<f4")
    elif entry["dtype"] == "BOOL":
        if array.size and array.max() > 1:
            raise LoadError(path, f"{short(name)} is not boolean")
        array = array.astype(bool)
    if array.dtype.kind == "f" and not all_finite(array):
        raise LoadError(path, f"{short(name)} holds values that are not finite")
    return array


def _are_counts(values: Any) -> bool:
    """Whether this is a list of integers from 0 on (True and False are not)."""
    return isinstance(values, list) and all(type(v) is int and v >= 0 for v in values)
