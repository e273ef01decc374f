"""The only way to disk: bounded, checked reading and atomic writing.

A file that nobody vouches for must not cost time, memory or a surprise. So everything that a file claims about itself is
checked before memory is set aside for it, numbers must be finite, and every failure is one exception, `LoadError`.
Nothing here can run code from a file: the formats are safetensors and JSON, never pickle.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import os
import secrets
import shutil
import stat
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

MAX_HEADER = 1 << 20  # bytes; a legal 68 MB header costs the safetensors library 7.7 s and 867 MB
MAX_TENSORS = 64  # in one file, unless the caller knows better: a whole GPT-2 has 148
MAX_NDIM = 8
STRAY_AFTER = 600.0  # seconds without a write after which a temporary file belongs to a process that died

_DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),  # numpy has no bfloat16: read as bits, widened to float32
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("u1"),  # read as bytes, so that a 2 is found before it poses as True
}


class LoadError(Exception):
    """A file that cannot be used, and why.

    Example:
        >>> str(LoadError("sae.safetensors", "the file is empty"))
        'sae.safetensors: the file is empty'
    """

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(str(path), reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


# -- reading ---------------------------------------------------------------------------------------------------------


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
        raise LoadError(path, _plain(error)) from error


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
        raise LoadError(path, _plain(error)) from error


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
            raise LoadError(path, f"the key {_short(twice)} stands twice in one JSON object")
        return out

    def number(text: str) -> float:
        value = float(text)
        if not math.isfinite(value):
            raise LoadError(path, f"the number {_short(text)} is out of range")
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
        label = _short(name)
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise LoadError(path, f"the header's entry for {label} is malformed")
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(dtype, str) or dtype not in _DTYPES:
            raise LoadError(path, f"{label} has dtype {_short(dtype)}; readable are {', '.join(_DTYPES)}")
        if not _are_counts(shape) or len(shape) > MAX_NDIM:
            raise LoadError(path, f"{label} has no usable shape")
        if not _are_counts(offsets) or len(offsets) != 2:
            raise LoadError(path, f"{label} has no usable data offsets")
        n_values = math.prod(shape)
        n_bytes = n_values * _DTYPES[dtype].itemsize
        if offsets[1] - offsets[0] != n_bytes:
            raise LoadError(path, f"{label} has shape {_short(shape)}, which does not fit its bytes")
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
    array = np.frombuffer(raw, _DTYPES[entry["dtype"]]).reshape(entry["shape"])
    if entry["dtype"] == "BF16":
        array = (array.astype("<u4") << 16).view("<f4")  # a bfloat16 is the upper half of a float32
    elif entry["dtype"] == "BOOL":
        if array.size and array.max() > 1:
            raise LoadError(path, f"{_short(name)} is not boolean")
        array = array.astype(bool)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise LoadError(path, f"{_short(name)} holds values that are not finite")
    return array


def _are_counts(values: Any) -> bool:
    """Whether this is a list of integers from 0 on (True and False are not)."""
    return isinstance(values, list) and all(type(v) is int and v >= 0 for v in values)


def _short(value: Any) -> str:
    """`repr`, cut to a length that an error line can carry."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _plain(error: BaseException) -> str:
    """What went wrong, without the path that LoadError already names."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


# -- writing ---------------------------------------------------------------------------------------------------------


def write_tensors(
    path: str | Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> None:
    """Write one safetensors file, atomically: after a crash the old file or the new one is there, whole.

    Raises ValueError for a value that is not finite or a dtype that `read_tensors` would refuse, OSError if the disk does;
    the old file then still stands.
    """
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(array).reshape(np.shape(array)) for name, array in tensors.items()}
    for name, array in arrays.items():
        if array.dtype.newbyteorder("<") not in [*_DTYPES.values(), np.dtype(bool)] or array.dtype == np.uint16:
            raise ValueError(f"{name} has dtype {array.dtype}, which is not written")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{name} holds values that are not finite; nothing was written to {path}")
    _write_atomic(path, save(arrays, None if metadata is None else dict(metadata)))


def write_json(path: str | Path, data: Mapping[str, Any], *, indent: int | None = None) -> None:
    """Write one JSON object, atomically, keys in their given order. Raises ValueError on NaN or an infinity."""
    separators = (",", ":") if indent is None else (",", ": ")
    # ASCII, so that no reader's guess about the encoding matters and a lone surrogate survives the round trip.
    text = json.dumps(data, allow_nan=False, ensure_ascii=True, indent=indent, separators=separators)
    _write_atomic(path, text.encode("ascii") + b"\n")


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text, atomically, line ends as given."""
    _write_atomic(path, text.encode("utf-8"))


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """A folder that appears whole or not at all: it is filled under another name, synced, and then renamed.

    Raises FileExistsError if `path` is there already. An exception inside the block leaves nothing behind.

    Example:
        >>> with new_folder("cache") as folder:  # doctest: +SKIP
        ...     write_json(folder / "manifest.json", {"rows": 0})
    """
    target = Path(path)
    if target.exists():
        raise FileExistsError(f"{target} is there already; choose another name, or remove it first")
    target.parent.mkdir(parents=True, exist_ok=True)
    stem = f".{target.name[:80]}."
    _sweep(target.parent, stem)
    temporary = target.parent / f"{stem}{secrets.token_hex(6)}.tmp"
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.iterdir():
            _sync(file)
        _sync(temporary)
        os.rename(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _sync(target.parent)


def _sync(path: Path) -> None:
    """Make what was written to a file or a folder durable, where the system can."""
    if path.is_dir() and not hasattr(os, "O_DIRECTORY"):
        return
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write bytes, atomically."""
    _write_atomic(path, data)


def _write_atomic(path: str | Path, data: bytes) -> None:
    """Temporary file beside the target, fsync, rename, fsync of the folder."""
    target = Path(path)
    stem = f".{target.name[:80]}."
    _sweep(target.parent, stem)
    temporary = target.parent / f"{stem}{secrets.token_hex(6)}.tmp"
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if hasattr(os, "O_DIRECTORY"):  # POSIX: the rename itself is durable once the folder is synced
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _sweep(folder: Path, stem: str) -> None:
    """Remove what a killed process left behind while it wrote the same file."""
    for stray in folder.iterdir():
        if stray.name.startswith(stem) and stray.name.endswith(".tmp"):
            try:
                newest = max(inner.stat().st_mtime for inner in [stray, *(stray.iterdir() if stray.is_dir() else ())])
                if time.time() - newest > STRAY_AFTER:
                    shutil.rmtree(stray) if stray.is_dir() else stray.unlink()
            except OSError:
                pass  # another process swept it first


# -- names -----------------------------------------------------------------------------------------------------------


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
