"""Atomic writing: after a crash the old file or the new one is there, whole."""

from __future__ import annotations

import json
import math
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from saewidgets.files.dtypes import DTYPES

STRAY_AFTER = 600.0  # seconds without a write after which a temporary file belongs to a process that died


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
        if array.dtype.newbyteorder("<") not in [*DTYPES.values(), np.dtype(bool)] or array.dtype == np.uint16:
            raise ValueError(f"{name} has dtype {array.dtype}, which is not written")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{name} holds values that are not finite; nothing was written to {path}")
    _write_atomic(path, save(arrays, None if metadata is None else dict(metadata)))


def write_tensor_stream(
    path: str | Path,
    shapes: Mapping[str, tuple[int, ...]],
    array: Callable[[str], np.ndarray],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write float32 arrays as one safetensors file, asked for one after another, so that memory holds one at a time.

    `array(name)` gives each in turn, in the order of `shapes`. Not atomic: for a file in a folder that is (`new_folder`).
    Raises ValueError for an array of another shape or with a value that is not finite.
    """
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": dict(metadata)}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)  # the data begins at a multiple of 8 bytes, as the safetensors library has it
    with open(path, "xb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in shapes.items():
            values = np.ascontiguousarray(array(name), dtype="<f4")
            if values.shape != shape:
                raise ValueError(f"{name} has shape {list(values.shape)}, not {list(shape)} as announced")
            if not np.isfinite(values).all():
                raise ValueError(f"{name} holds values that are not finite")
            file.write(values.data)


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
