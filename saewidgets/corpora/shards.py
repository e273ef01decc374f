"""Files of texts or tokens, local or behind a URL, read an item at a time."""

from __future__ import annotations

import gzip
import importlib
import io
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, BinaryIO

import numpy as np

from saewidgets.corpora.bad import BadText, text_of
from saewidgets.files import LoadError, nearest, open_regular, plain, short, tensor_layout

KINDS = (".txt", ".jsonl", ".ndjson", ".parquet", ".safetensors")
PACKED = (".gz", ".zst")
NAMES = (*KINDS, *(kind + end for kind in KINDS[:3] for end in PACKED))
_ROWS = 256  # of a table that are made Python's own together
_TOKENS = 1 << 16  # of an array that are read together


class Shards:
    """A list of shards. Each item has a number in its shard: of the line, or of the row, from 0 on.

    Args:
        paths: local paths or fsspec URLs, in their order.
        field: of a line of JSON, the column of a table or the name of an array that holds the text or the tokens.
        text_bytes: the largest line that is read.
    """

    reusable = True

    def __init__(self, paths: Sequence[str], field: str, text_bytes: int) -> None:
        self.names = tuple(paths)
        self._field = field
        self._text_bytes = text_bytes
        for path in self.names:
            _reader(path)
            if path.endswith(".parquet"):
                _pyarrow(path)
            if path.endswith(".zst"):
                _zstd(path)
        self._shown_line = tuple(_kind(path) in KINDS[:3] for path in self.names)

    def length(self, shard: int) -> int | None:
        """Number of a shard's items, where it says so itself."""
        if self._shown_line[shard]:
            return None
        path = self.names[shard]
        with _opened(path) as (file, size):
            if path.endswith(".parquet"):
                return int(_table(path, file, self._field).metadata.num_rows)
            return _array(path, file, size, self._field)[1][0]

    def items(self, shard: int) -> Iterator[Any]:
        """A shard's items as they stand there. Raises LoadError for a file that cannot be read to its end."""
        path, number = self.names[shard], 0
        try:
            for item in _reader(path)(path, self._field, self._text_bytes):
                yield item
                number += 1
        except LoadError:
            raise
        except (OSError, EOFError, ValueError, zlib.error, MemoryError) as error:
            raise LoadError(path, f"cannot be read on after {self.place(shard, number - 1)}: {plain(error)}") from error
        except Exception as error:  # of zstandard, pyarrow and the file systems behind a URL
            if type(error).__module__.split(".")[0] in ("saewidgets", "builtins"):
                raise
            raise LoadError(path, f"cannot be read on after {self.place(shard, number - 1)}: {plain(error)}") from error

    def value(self, shard: int, item: Any, number: int) -> Any:
        """The text or token ids of an item, None for a blank line. Raises BadText on what is neither."""
        if not isinstance(item, bytes):
            return text_of(item, self._field)
        if len(item) > self._text_bytes:
            raise BadText(f"is longer than {self._text_bytes:,} bytes; split it, or give a larger text_bytes")
        try:
            line = item.decode("utf-8-sig" if number == 0 else "utf-8")
        except UnicodeDecodeError as error:
            raise BadText(f"is not UTF-8 (byte {error.start} of the line)") from None
        if not line.strip():
            return None
        if _kind(self.names[shard]) == ".txt":
            return line.rstrip("\r\n")
        try:
            found = json.loads(line.rstrip())
        except json.JSONDecodeError as error:
            raise BadText(f"is no JSON ({error.msg}, character {error.pos + 1} of the line)") from None
        except (ValueError, RecursionError) as error:  # a number of thousands of digits, a thousand brackets
            raise BadText(f"is no JSON ({short(str(error))})") from None
        if not isinstance(found, dict):
            raise BadText(f"is {short(found)}, not an object with a field {self._field!r}")
        return text_of(found, self._field)

    def place(self, shard: int, number: int) -> str:
        """Where an item stands in its shard."""
        return f"line {number + 1:,}" if self._shown_line[shard] else f"row {number:,} (from 0)"

    def error(self, shard: int, number: int, said: str) -> Exception:
        """What is raised for a bad item."""
        return LoadError(self.names[shard], f"{self.place(shard, number)} {said}")

    @staticmethod
    def size(item: Any) -> int:
        """Bytes that an item takes, roughly."""
        return len(item) if isinstance(item, (bytes, str)) else int(getattr(item, "nbytes", 64))


def is_shard(path: str) -> bool:
    """Whether a name is that of a shard that can be read.

    Example:
        >>> is_shard("a/b.jsonl.zst"), is_shard("The cat sat.")
        (True, False)
    """
    return path.lower().endswith(NAMES)


def check_name(path: str) -> None:
    """Raise ValueError, with what can be read, unless a name is that of a shard."""
    if not is_shard(path):
        raise ValueError(f"{short(path)} is no shard that can be read; its name must end in one of {', '.join(NAMES)}")


def _kind(path: str) -> str:
    name = path.lower()
    for end in PACKED:
        name = name.removesuffix(end)
    return next(kind for kind in KINDS if name.endswith(kind))


def _reader(path: str) -> Callable[[str, str, int], Iterator[Any]]:
    check_name(path)
    return {".parquet": _parquet, ".safetensors": _safetensors}.get(_kind(path), _lines)


@contextmanager
def _opened(path: str) -> Iterator[tuple[BinaryIO, int]]:
    """A file's bytes as they stand there, and their number; behind a URL by fsspec."""
    if "://" not in path:
        try:
            with open_regular(path, 1 << 62) as found:
                yield found
        except OSError as error:
            raise LoadError(path, plain(error)) from error
        return
    import fsspec  # torch's own dependency

    with fsspec.open(path, "rb") as file:
        yield file, int(getattr(file, "size", None) or 0)


def _lines(path: str, field: str, text_bytes: int) -> Iterator[bytes]:
    """Lines with their ends. One that is too long comes cut, a byte longer than is allowed."""
    with ExitStack() as stack:
        file, _ = stack.enter_context(_opened(path))
        if path.lower().endswith(".gz"):
            file = stack.enter_context(io.BufferedReader(stack.enter_context(gzip.GzipFile(fileobj=file)), 1 << 17))
        elif path.lower().endswith(".zst"):
            file = stack.enter_context(io.BufferedReader(_zstd(path)(file), 1 << 17))
        while line := file.readline(text_bytes + 1):
            yield line
            while len(line) > text_bytes and not line.endswith(b"\n"):  # the rest of it
                line = file.readline(text_bytes + 1)


def _zstd(path: str) -> Callable[[BinaryIO], Any]:
    """What opens a zstd stream over a file; LoadError with what to install where nothing does."""
    try:
        zstandard = importlib.import_module("zstandard")
        return lambda file: zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    except ImportError:
        pass
    try:
        pyarrow = importlib.import_module("pyarrow")
        return lambda file: pyarrow.CompressedInputStream(pyarrow.PythonFile(file, mode="r"), "zstd")
    except ImportError:
        raise LoadError(path, "to read .zst, install zstandard: pip install zstandard") from None


def _pyarrow(path: str) -> Any:
    try:
        return importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise LoadError(path, "to read .parquet, install pyarrow: pip install pyarrow") from None


def _table(path: str, file: BinaryIO, field: str) -> Any:
    """A Parquet file with the column, open."""
    try:
        table = _pyarrow(path).ParquetFile(file, pre_buffer=False)
    except (ValueError, OSError) as error:  # pyarrow's errors are of these kinds
        raise LoadError(path, f"not a Parquet file: {plain(error)}") from error
    if field not in table.schema_arrow.names:
        raise LoadError(path, f"it has no column {field!r}; give one as field, of {short(table.schema_arrow.names)}")
    return table


def _parquet(path: str, field: str, text_bytes: int) -> Iterator[Any]:
    with _opened(path) as (file, _):
        for batch in _table(path, file, field).iter_batches(batch_size=_ROWS, columns=[field], use_threads=False):
            for value in batch.column(0).to_pylist():
                yield np.asarray(value, np.int64) if _are_ids(value) else value


def _are_ids(value: Any) -> bool:
    return isinstance(value, list) and all(type(v) is int for v in value)


def _array(path: str, file: BinaryIO, size: int, field: str) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """(type, [rows, pos], first byte) of the tokens of a safetensors file: its only array, or the one named."""
    layout = tensor_layout(path, file, size)
    name = field if field in layout else next(iter(layout)) if len(layout) == 1 else None
    if name is None:
        close = nearest(field, list(layout))
        raise LoadError(path, f"it has no array {field!r}; give one as field, such as {close or short(list(layout))}")
    kind, shape, first = layout[name]
    if kind.kind not in "iu" or len(shape) != 2 or not shape[1]:
        raise LoadError(
            path, f"{name} is {kind} {list(shape)}, not whole token ids [rows, pos]; ids.reshape(-1, n_ctx) makes rows"
        )
    return kind, shape, first


def _safetensors(path: str, field: str, text_bytes: int) -> Iterator[np.ndarray]:
    """Rows of token ids, without their padding (-1)."""
    with _opened(path) as (file, size):
        kind, (rows, width), first = _array(path, file, size, field)
        file.seek(first)
        at_once = max(1, _TOKENS // width)
        for begin in range(0, rows, at_once):
            n = min(at_once, rows - begin)
            raw = file.read(n * width * kind.itemsize)
            if len(raw) < n * width * kind.itemsize:
                raise LoadError(path, f"truncated after row {begin + len(raw) // (width * kind.itemsize):,}")
            yield from np.frombuffer(raw, kind).reshape(n, width).astype(np.int64)
