"""Atomic writing: after a crash the old file or the new one is there, whole.

What is written over keeps its permissions; a read-only file and a link to nowhere are refused; a link to a file is
written through, to the file. While a file is written it has the name `.<name>.<12 hexadecimal digits>.tmp`, and such a
name is all that a later save ever removes: what a process that was killed left behind, ten minutes later.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from saewidgets.files import digest
from saewidgets.files.dtypes import DTYPES

STRAY_AFTER = 600.0  # seconds without a write after which a temporary file belongs to a process that died
LOCK_WAIT = 60.0  # seconds that a save waits for another one of the same folder
_STEM = 200  # bytes of a name that its temporary name keeps: 255 are allowed, and 18 come on top
_CODES = {kind: code for code, kind in DTYPES.items() if code not in ("BF16", "BOOL")} | {np.dtype(bool): "BOOL"}


def write_tensors(
    path: str | Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> str:
    """Write one safetensors file, atomically: after a crash the old file or the new one is there, whole.

    Its metadata get a SHA-256 of all the rest, which is returned, and which `read_tensors` checks. Raises ValueError
    for a value that is not finite or a dtype that `read_tensors` would refuse, OSError if the disk does; the old file
    then still stands.
    """
    parts, sha256 = tensor_parts(path, tensors, metadata)
    _write_atomic(path, parts)
    return sha256


def tensor_parts(
    path: str | Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> tuple[list[bytes | memoryview], str]:
    """What `write_tensors` writes to `path`, as (parts of the file, the SHA-256 in it). Raises ValueError as it does."""
    arrays = {name: np.ascontiguousarray(array).reshape(np.shape(array)) for name, array in tensors.items()}
    for name, array in arrays.items():
        if array.dtype.newbyteorder("<") not in _CODES:
            raise ValueError(f"{name} has dtype {array.dtype}, which is not written")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{name} holds values that are not finite; nothing was written to {path}")
    # The widest numbers first, so that each array begins at a multiple of its own width.
    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    entries: dict[str, Any] = {}
    parts: list[bytes | memoryview] = []
    end = 0
    for name in order:
        array = arrays[name].astype(arrays[name].dtype.newbyteorder("<"), copy=False)
        code = _CODES[array.dtype]
        entries[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": [end, end := end + array.nbytes]}
        parts.append(array.reshape(-1).view(np.uint8).data)
    own = dict(metadata or {})
    total = digest.begin(entries, own)
    for part in parts:
        total.update(part)
    own[digest.KEY] = total.hexdigest()
    header = json.dumps({"__metadata__": own, **entries}, separators=(",", ":")).encode("ascii")
    header += b" " * (-len(header) % 8)
    return [len(header).to_bytes(8, "little"), header, *parts], own[digest.KEY]


def write_tensor_stream(
    path: str | Path,
    shapes: Mapping[str, tuple[int, ...]],
    array: Callable[[str], np.ndarray],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write float32 arrays as one safetensors file, asked for one after another, so that memory holds one at a time.

    `array(name)` gives each in turn, in the order of `shapes`. Not atomic: for a file in a folder that is
    (`new_folder`). Raises ValueError for an array of another shape or with a value that is not finite.
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


def append_line(path: str | Path, line: str, *, header: str = "") -> None:
    """Add one line to the end of a text file, and `header` before it where the file is new or empty; both end with a
    newline.

    Each call is one write, and one at a time into a folder, so processes that add lines to one file do not mix them. A
    last line that was cut off is ended first. The folder must be there. Raises OSError where the disk or its
    permissions refuse.

    Example:
        >>> append_line("tries.csv", "01.1,yes\\n", header="exercise,passed\\n")  # doctest: +SKIP
    """
    path = Path(path)
    with alone(path.parent), path.open("ab+", buffering=0) as file:
        before = header
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            before = "" if file.read(1) == b"\n" else "\n"
        file.write((before + line).encode())


def write_json(path: str | Path, data: Mapping[str, Any], *, indent: int | None = None) -> None:
    """Write one JSON object, atomically, keys in their given order. Raises ValueError on NaN or an infinity."""
    _write_atomic(path, json_bytes(data, indent=indent))


def json_bytes(data: Mapping[str, Any], *, indent: int | None = None) -> bytes:
    """What `write_json` writes."""
    separators = (",", ":") if indent is None else (",", ": ")
    # ASCII, so that no reader's guess about the encoding matters and a lone surrogate survives the round trip.
    text = json.dumps(data, allow_nan=False, ensure_ascii=True, indent=indent, separators=separators)
    return text.encode("ascii") + b"\n"


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text, atomically, line ends as given."""
    _write_atomic(path, text.encode("utf-8"))


def write_bytes(path: str | Path, data: bytes | Iterable[bytes | memoryview]) -> None:
    """Write bytes, or parts of them one after another, atomically."""
    _write_atomic(path, data)


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """A folder that appears whole or not at all: it is filled under another name, synced, and then renamed.

    Raises FileExistsError if `path` is there already. An exception inside the block leaves nothing behind.

    Example:
        >>> with new_folder("cache") as folder:
        ...     write_json(folder / "manifest.json", {"rows": 0})
    """
    target = Path(path)
    if os.path.lexists(target):
        raise FileExistsError(f"{target} is there already; choose another name, or remove it first")
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent, re.escape(_stem(target.name)))
    temporary = _temporary(target)
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


def _write_atomic(path: str | Path, data: bytes | Iterable[bytes | memoryview]) -> None:
    """Temporary file beside the target, fsync, rename, fsync of the folder."""
    with Staged(path, data) as staged:
        staged.replace()


class Staged:
    """A file that is written and synced beside its target, and takes its place at `replace`.

    Without `replace`, leaving the block removes it. Raises PermissionError over a read-only file and FileNotFoundError
    over a link to nowhere, before anything is written.
    """

    def __init__(self, path: str | Path, data: bytes | Iterable[bytes | memoryview]) -> None:
        self._target, self._before = _target(Path(path))
        self._parts = [data] if isinstance(data, bytes) else data
        self._temporary = _temporary(self._target)

    def __enter__(self) -> Staged:
        sweep(self._target.parent, re.escape(_stem(self._target.name)))
        try:
            with open(self._temporary, "xb", opener=self._open) as file:
                for part in self._parts:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            self._temporary.unlink(missing_ok=True)
            raise
        return self

    def _open(self, name: str, flags: int) -> int:
        """A file that nobody sees who might not see the one that it replaces."""
        if self._before is None:
            return os.open(name, flags, 0o666)
        opened = os.open(name, flags, 0o600)
        try:
            mode = stat.S_IMODE(self._before.st_mode)
            if hasattr(os, "fchown") and os.fstat(opened).st_gid != self._before.st_gid:
                try:
                    os.fchown(opened, -1, self._before.st_gid)
                except OSError:
                    mode &= 0o707  # what one group may do, another may not
            if hasattr(os, "fchmod"):
                os.fchmod(opened, mode)
        except BaseException:
            os.close(opened)
            raise
        return opened

    def replace(self) -> None:
        """Take the target's place, durably."""
        os.replace(self._temporary, self._target)
        _sync(self._target.parent)

    @property
    def waiting(self) -> bool:
        """Whether it has not taken the target's place yet."""
        return self._temporary.exists()

    def __exit__(self, *_: object) -> None:
        self._temporary.unlink(missing_ok=True)


def _target(path: Path) -> tuple[Path, os.stat_result | None]:
    """The file itself, behind any links, and what is there now. Raises OSError if it may not be written over."""
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    try:
        before = os.stat(target)
    except FileNotFoundError:
        if target != path or path.is_symlink():
            raise FileNotFoundError(
                errno.ENOENT, f"a link to {target}, which is not there: remove the link first", str(path)
            ) from None
        return target, None
    if stat.S_ISREG(before.st_mode) and not (before.st_mode & 0o222 and os.access(target, os.W_OK)):
        raise PermissionError(
            errno.EACCES, "a read-only file, left as it was: make it writable or choose another name", str(path)
        )
    return target, before


def _stem(name: str) -> str:
    """As much of a file's name as a temporary name can carry."""
    return os.fsencode(name)[:_STEM].decode("utf-8", "ignore") if len(os.fsencode(name)) > _STEM else name


def _temporary(target: Path) -> Path:
    return target.parent / f".{_stem(target.name)}.{secrets.token_hex(6)}.tmp"


def sweep(folder: Path, names: str) -> None:
    """Remove what killed processes left behind while they wrote files of these names, a regular expression, in a
    folder.

    Only `.<name>.<12 hexadecimal digits>.tmp`, and only where nothing was written to it, at any depth, for ten minutes.
    """
    ours = re.compile(rf"\.(?:{names})\.[0-9a-f]{{12}}\.tmp")
    with suppress(OSError):  # another process may have swept it first
        for stray in [path for path in folder.iterdir() if ours.fullmatch(path.name)]:
            with suppress(OSError):
                if time.time() - _last_written(stray) > STRAY_AFTER:
                    shutil.rmtree(stray) if stray.is_dir() and not stray.is_symlink() else stray.unlink()


def _last_written(path: Path) -> float:
    """The time of the last write to a file, or to anything in a folder."""
    inside = [Path(top) / name for top, folders, files in os.walk(path) for name in (*folders, *files)]
    return max(os.lstat(one).st_mtime for one in (path, *inside))


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """The only save into this folder, of all processes and threads that ask, where the system has locks on folders.

    Whoever waits longer than a minute goes on: what is saved is whole even so, and a process that was stopped holds up
    nobody. Not to be entered twice by one thread.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        until = time.monotonic() + LOCK_WAIT
        while True:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < until:
                    time.sleep(0.01)
                    continue
            except OSError:  # a file system without locks
                pass
            break
        yield
    finally:
        os.close(opened)  # which lets the lock go
