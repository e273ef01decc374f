"""What a refusal costs: processor time, and memory above the file, of files that claim, nest or repeat more than they
hold.

python benchmarks/refusals.py

Each file is opened in a forked child. The targets: 100 ms, and 32 MB above the size of the file (Linux only).
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import struct
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from saewidgets.files import LoadError, read_json, read_tensors
from saewidgets.formats.untrusted import read_npz, read_pt
from saewidgets.records import DashboardData, TokenParts


def bombs(folder: Path) -> Iterator[tuple[str, Path, Callable[[Path], object]]]:
    """(what it is, file, what opens it)."""

    def written(name: str, content: bytes) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    yield "JSON, 500,000 lists in one another", written("deep.json", b'{"a":' + b"[" * 500_000), read_json
    yield "JSON, a number of 10^6 digits", written("long.json", b'{"a":' + b"9" * 1_000_000 + b"}"), read_json
    yield "JSON, 300,000 empty lists, no object", written("wide.json", b"[" + b"[]," * 300_000 + b"0]"), read_json
    header = json.dumps(
        {f"x{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(15_000)}
    ).encode()
    many = struct.pack("<Q", len(header)) + header
    yield "safetensors, 15,000 arrays", written("many.safetensors", many), read_tensors
    words = b"[" * 200_000
    entry = json.dumps({"words": {"dtype": "U8", "shape": [len(words)], "data_offsets": [0, len(words)]}}).encode()
    parts = struct.pack("<Q", len(entry)) + entry + words
    yield "token parts, 200,000 lists in one another", written("parts.safetensors", parts), TokenParts.load
    huge = np.full(64 << 20, 1, "<f4")
    huge[-1] = np.inf
    entry = json.dumps({"x": {"dtype": "F32", "shape": [huge.size], "data_offsets": [0, huge.nbytes]}}).encode()
    infinite = struct.pack("<Q", len(entry)) + entry + huge.tobytes()
    yield "safetensors, 256 MB with an infinity at its end", written("inf.safetensors", infinite), read_tensors
    yield ".pt, a request for 2 GB", _pt(folder, b"}(X\x01\0\0\0acbuiltins\nbytearray\n(J\0\0\0\x7ftRu"), read_pt
    keys = b"".join(_number(((1 << 61) - 1) * (i + 1)) + b"N" for i in range(15_000))
    yield ".pt, 15,000 keys that hash to 0", _pt(folder, b"}(" + keys + b"u"), read_pt
    yield ".pt, a key of 2^60 steps", _pt(folder, b"}()" + b"q\x01h\x01\x86" * 60 + b"Nu"), read_pt
    with zipfile.ZipFile(folder / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        out = io.BytesIO()
        np.save(out, np.zeros(64 << 20, "<f4"))
        archive.writestr("x.npy", out.getvalue())
    yield "npz, 256 MB of zeros", folder / "a.npz", read_npz
    with contextlib.suppress(ImportError):
        yield "Parquet, 20 million times one token", _parquet(folder / "a.parquet"), DashboardData.from_parquet


def _pt(folder: Path, pickle: bytes) -> Path:
    path = folder / f"{len(list(folder.iterdir()))}.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02" + pickle + b".")
        archive.writestr("a/version", "3\n")
    return path


def _number(n: int) -> bytes:
    size = (n.bit_length() + 8) // 8
    return b"\x8a" + bytes([size]) + n.to_bytes(size, "little")


def _parquet(path: Path) -> Path:
    import pyarrow as pa
    from pyarrow import parquet

    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    import sample_records

    from saewidgets.records.parquet import ABOUT, _schema

    data = sample_records.dashboard()
    row = asdict(next(iter(data.features.values())))
    row["top"][0]["tokens"] = ["A" * 32] * 20_000_000
    schema = _schema(pa).with_metadata({ABOUT: json.dumps(data._about())})
    parquet.write_table(pa.Table.from_pylist([row], schema=schema), path, compression="zstd")
    return path


def _status(key: str) -> int:
    with contextlib.suppress(OSError), open("/proc/self/status") as lines:
        return next((int(line.split()[1]) for line in lines if line.startswith(key)), 0)
    return 0


def measure(path: Path, opens: Callable[[Path], object]) -> tuple[str, float, float]:
    """(what came of it, ms of processor time, MB above the file), in a child of this process."""
    read, write = os.pipe()
    if not os.fork():
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        before, start = _status("VmRSS"), time.process_time()
        try:
            opens(path)
            what = "accepted"
        except LoadError as error:
            what = str(error.reason)[:70]
        except BaseException as error:
            what = f"{type(error).__name__}: {str(error)[:50]}"
        spent = 1000 * (time.process_time() - start)
        above = (_status("VmHWM") - before) / 1024 - path.stat().st_size / (1 << 20)
        os.write(write, json.dumps([what, spent, above]).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as told:
        what, spent, above = json.loads(told.read() or b'["the process ended", 0, 0]')
    os.wait()
    return what, spent, above


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(f"{'file':48} {'bytes':>13} {'ms':>8} {'MB above':>9}  what came of it")
        for told, path, opens in bombs(Path(name)):
            with contextlib.suppress(Exception):
                opens(Path(name) / "no such file")  # what a first call imports is not the file's
            what, spent, above = measure(path, opens)
            print(f"{told:48} {path.stat().st_size:13,} {spent:8.1f} {max(above, 0.0):9.1f}  {what}")
