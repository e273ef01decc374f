"""Activations on disk: written once, read by row, refused where a byte is missing.

A cache is a folder: `manifest.json` with the site, the sizes and a SHA-256 of each file; `index.safetensors` with the
tokens and where each document's rows begin; and shards of rows, each a plain safetensors file with one array
`activations`. It appears whole or not at all, and is never changed afterwards, so that any number of readers may share
it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from saewidgets.files import (
    LoadError,
    new_folder,
    open_regular,
    read_json,
    read_tensors,
    sha256,
    short,
    unknown,
    write_json,
    write_tensors,
)
from saewidgets.records import ActivationSite

FORMAT = 1
# Name -> (what numpy holds, what safetensors calls it). numpy has no bfloat16: its bits stand in a uint16.
DTYPES: dict[str, tuple[np.dtype[Any], str]] = {
    "float32": (np.dtype("<f4"), "F32"),
    "float16": (np.dtype("<f2"), "F16"),
    "bfloat16": (np.dtype("<u2"), "BF16"),
}
SHARD_BYTES = 1 << 28
MAX_MANIFEST = 1 << 30  # bytes: some hundred a shard
_BLOCK_ROWS = 4096  # that are looked at together
_BF16_EXPONENT = np.uint16(0x7F80)  # all of these bits are set in an infinity or a NaN, and in nothing else


def write_cache(
    path: str | Path,
    chunks: Iterable[np.ndarray],
    *,
    sizes: Sequence[int],
    tokens: np.ndarray,
    wanted: np.ndarray,
    start: np.ndarray,
    site: ActivationSite,
    dtype: str,
    kept: Callable[[], np.ndarray] | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write a cache, document by document.

    Args:
        path: the folder to make; it must not exist.
        chunks: a document's rows [rows, d_in] each, of the numpy type of `dtype`, in the order of the file.
        sizes: rows of each chunk, known beforehand; a document is never cut between two shards.
        tokens: int32 [context, pos], padded with -1.
        wanted: bool [context, pos], the tokens whose activations are kept.
        start: int64 [context], the first row of each document; its rows follow one another by position.
        site: where they were read.
        dtype: a name in `DTYPES`.
        kept: asked after the last row: bool [context, pos], the wanted tokens whose rows count; of those of outlying
            norm a row of zeros stands in the file. Given where, and only where, the site has a `max_norm`.
        shard_bytes: about the size of one file.

    Raises:
        FileExistsError: if `path` is there. ValueError: for a value that is not finite, or for chunks that are not as
            announced. OSError: if the disk is full. In each case nothing is left behind.
    """
    if dtype not in DTYPES:
        raise ValueError(unknown("dtype", dtype, DTYPES))
    kind, _ = DTYPES[dtype]
    shards = _split(sizes, max(1, shard_bytes // (site.d_in * kind.itemsize)))
    given = iter(chunks)
    with new_folder(path) as folder:
        files = []
        for number, own in enumerate(shards):
            name = f"rows-{number:05}.safetensors"
            header = shard_header(sum(own), site.d_in, dtype)
            digest = hashlib.sha256(header)
            with open(folder / name, "xb") as file:
                file.write(header)
                for n in own:
                    chunk = next(given, None)
                    if chunk is None or chunk.shape != (n, site.d_in) or chunk.dtype != kind:
                        found = "none" if chunk is None else f"{chunk.dtype} {list(chunk.shape)}"
                        raise ValueError(f"expected {kind} [{n}, {site.d_in}] as the next rows, not {found}")
                    require_finite(chunk, dtype)
                    data = np.ascontiguousarray(chunk).tobytes()
                    digest.update(data)
                    file.write(data)
                size = file.tell()
            files.append({"file": name, "rows": sum(own), "bytes": size, "sha256": digest.hexdigest()})
        index = folder / "index.safetensors"
        left = {} if kept is None else {"kept": kept()}
        write_tensors(index, {"tokens": tokens, "wanted": wanted, "start": start} | left)
        write_json(
            folder / "manifest.json",
            {
                "format": FORMAT,
                "dtype": dtype,
                "site": site.to_dict(),
                "rows": sum(sizes),
                "index": {"file": index.name, "bytes": index.stat().st_size, "sha256": sha256(index)},
                "shards": files,
            },
            indent=1,
        )


def read_manifest(path: str | Path) -> tuple[int, dict[str, Any]]:
    """(format, manifest) of a folder of activations; 0 where that says none.

    Raises LoadError for a folder without one, and for a harvest that is not finished.
    """
    folder = Path(path)
    if (folder / "harvest.json").exists() and not (folder / "manifest.json").exists():
        raise LoadError(path, "its harvest is not finished: ask sw.harvest(...) for the same again, and it goes on")
    manifest = read_json(folder / "manifest.json", max_bytes=MAX_MANIFEST)
    kind = manifest.get("format")
    return (kind if type(kind) is int else 0), manifest


class Cache:
    """A cache open for reading. Its rows stay on disk until they are asked for.

    Args:
        path: the folder that `write_cache` made.
        verify: also hash every byte, and look whether every number is finite (about a second per gigabyte); sizes and
            headers are always checked.

    Raises LoadError, and nothing else, for a folder that does not hold a whole cache.
    """

    def __init__(self, path: str | Path, *, verify: bool = True) -> None:
        folder = Path(path)
        manifest = read_json(folder / "manifest.json", max_bytes=1 << 24)
        try:
            self._open(folder, manifest, verify)
        except (KeyError, TypeError, ValueError, OSError, OverflowError) as error:
            raise LoadError(path, f"not a cache of activations: {type(error).__name__}: {error}") from error
        self.path = folder

    def _open(self, folder: Path, manifest: dict[str, Any], verify: bool) -> None:
        if manifest["format"] != FORMAT:
            raise LoadError(folder, f"cache format {short(manifest['format'])}; this version reads {FORMAT}")
        self.dtype: str = manifest["dtype"]
        if self.dtype not in DTYPES:
            raise LoadError(folder, unknown("dtype", self.dtype, DTYPES))
        self.site = ActivationSite.from_dict(manifest["site"])
        entry = manifest["index"]
        index = checked_file(folder, entry, verify)
        names = {"tokens", "wanted", "start"} | ({"kept"} if self.site.max_norm is not None else set())
        arrays = read_tensors(index, names=names, max_bytes=1 << 33)
        self.tokens, self.wanted, self.start = arrays["tokens"], arrays["wanted"], arrays["start"]
        self.kept = arrays.get("kept", self.wanted)
        self._shards: list[np.ndarray] = []
        if len({entry["file"] for entry in manifest["shards"]}) != len(manifest["shards"]):
            raise LoadError(folder, "the manifest names one file twice")
        for entry in manifest["shards"]:
            self._shards.append(open_shard(folder, entry, self.site.d_in, self.dtype, verify))
        self._first = np.cumsum([0, *(len(shard) for shard in self._shards)])  # row with which each shard begins
        counts = self.wanted.sum(1) if self.wanted.ndim == 2 else np.zeros(0)
        sound = (
            self.tokens.dtype == np.int32
            and self.tokens.shape == self.wanted.shape == self.kept.shape
            and self.wanted.dtype == self.kept.dtype == np.bool_
            and not bool((self.kept & ~self.wanted).any())
            and self.start.shape == (len(self.tokens),)
            and manifest["rows"] == self._first[-1] == counts.sum()
            and bool(((self.start >= 0) & (self.start + counts <= self._first[-1]))[counts > 0].all())
            and bool((self._shard_of(self.start) == self._shard_of(self.start + counts - 1))[counts > 0].all())
        )
        if not sound:
            raise LoadError(index, "the index does not fit the rows")

    def rows(self, first: int, n: int) -> np.ndarray:
        """`n` rows of one document, from its first on, as the file has them (bfloat16 as bits in uint16)."""
        shard = int(self._shard_of(np.asarray(first)))
        at = first - int(self._first[shard])
        return self._shards[shard][at : at + n]

    def _shard_of(self, row: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._first, row, side="right") - 1


def _split(sizes: Sequence[int], most: int) -> list[list[int]]:
    """The sizes in groups of at most `most` rows together, in order; a larger one stands alone."""
    groups: list[list[int]] = []
    room = 0
    for n in sizes:
        if n > room or not groups:
            groups.append([])
            room = most
        groups[-1].append(n)
        room -= n
    return groups


def open_shard(folder: Path, entry: dict[str, Any], d_in: int, dtype: str, verify: bool) -> np.ndarray:
    """The rows [rows, d_in] of one shard, on disk, as a manifest's entry describes it. Raises LoadError if it is not so."""
    file = checked_file(folder, entry, verify)
    kind, _ = DTYPES[dtype]
    rows = entry["rows"]
    header = shard_header(rows, d_in, dtype)
    if entry["bytes"] != len(header) + rows * d_in * kind.itemsize:
        raise LoadError(file, f"{entry['bytes']:,} bytes are not {rows:,} rows of {d_in} {dtype}")
    with open_regular(file, entry["bytes"]) as (opened, _):
        if opened.read(len(header)) != header:
            raise LoadError(file, "its header is not the one that the manifest describes")
    found = np.memmap(file, kind, "r", offset=len(header), shape=(rows, d_in))
    for first in range(0, rows if verify else 0, _BLOCK_ROWS):
        if not _finite(found[first : first + _BLOCK_ROWS], dtype):
            raise LoadError(file, "it holds an activation that is not finite")
    return found


def shard_header(rows: int, d_in: int, dtype: str) -> bytes:
    """The safetensors header of one shard. One text for one content, so that a reader can compare it byte by byte."""
    kind, code = DTYPES[dtype]
    entry = {"dtype": code, "shape": [rows, d_in], "data_offsets": [0, rows * d_in * kind.itemsize]}
    text = json.dumps({"activations": entry}, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % 64)  # the rows begin at a multiple of 64 bytes
    return len(text).to_bytes(8, "little") + text


def checked_file(folder: Path, entry: dict[str, Any], verify: bool) -> Path:
    """The file of a manifest's entry, if it is as the manifest says."""
    name = entry["file"]
    if not isinstance(name, str) or Path(name).name != name or name in ("", ".", ".."):
        raise LoadError(folder, f"the manifest names the file {name!r:.60}, which is not one of its folder")
    file = folder / name
    if not file.is_file():
        raise LoadError(file, "this file of the cache is missing")
    size = file.stat().st_size
    if size != entry["bytes"]:
        word = "truncated" if size < entry["bytes"] else "too long"
        raise LoadError(file, f"{word}: {size:,} bytes of {entry['bytes']:,}")
    if verify and sha256(file) != entry["sha256"]:
        raise LoadError(file, "its bytes have changed since they were written (SHA-256)")
    return file


def _finite(chunk: np.ndarray, dtype: str) -> bool:
    if dtype == "bfloat16":
        return bool(((chunk & _BF16_EXPONENT) != _BF16_EXPONENT).all())
    return bool(np.isfinite(chunk).all())


def require_finite(chunk: np.ndarray, dtype: str) -> None:
    if not _finite(chunk, dtype):
        hint = " (float16 ends at 65,504: use bfloat16 or float32)" if dtype == "float16" else ""
        raise ValueError(f"an activation is not finite{hint}; nothing was kept")
