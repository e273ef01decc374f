"""Two file kinds that published SAEs come in and that claim more than they hold: npz and torch's `.pt`.

Both are zip archives. What an archive says about its contents is checked before anything is unpacked, and the arrays
again afterwards; every failure is a `LoadError`.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from saewidgets.files import MAX_NDIM, MAX_TENSORS, LoadError, all_finite, open_regular, short
from saewidgets.formats.state_pickle import NotAStateDict, check_state_pickle
from saewidgets.sae import MAX_BYTES

MAX_RATIO = 10  # unpacked bytes per packed byte, above so many bytes: weights do not shrink so far, bombs do
FREE_BYTES = 64 << 20
MAX_PICKLE = 1 << 18  # bytes; names, shapes and strides of a state dict take a few thousand
SAFE_TORCH = (2, 10)  # before it, a file could get past weights_only (CVE-2025-32434, CVE-2026-24747)
_NPY_HEADER = 10_000  # bytes
_PIECE = 1 << 20  # bytes unpacked in one go
_TORCH_DTYPES = {torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.bool}


def read_npz(
    path: str | Path,
    *,
    check: Callable[[Mapping[str, tuple[int, ...]]], None] = lambda shapes: None,
    max_bytes: int = MAX_BYTES,
) -> dict[str, np.ndarray]:
    """The floating-point arrays of one npz file, by name.

    Args:
        path: the file.
        check: is given every array's name and shape, read from the headers, before any array is unpacked; what it
            raises goes on.
        max_bytes: the largest file, and the most that it may unpack to.

    Raises LoadError, and nothing else but what `check` does: also for an archive that unpacks to more than 64 MB and to
    more than ten times its size, an array whose header does not fit its bytes, Python objects, and a value that is not
    finite.

    Example:
        >>> read_npz("params.npz")["threshold"].shape  # doctest: +SKIP
        (16384,)
    """
    try:
        with open_regular(path, max_bytes) as (file, size), zipfile.ZipFile(file) as archive:
            entries = _entries(path, archive, size, max_bytes)
            if not all(name.endswith(".npy") for name in entries):
                raise LoadError(path, "an npz file holds .npy arrays; this one holds something else")
            headers = {name.removesuffix(".npy"): _npy_header(path, archive, e) for name, e in entries.items()}
            check({name: shape for name, (shape, _, _) in headers.items()})
            return {n: _read_npy(path, archive, entries[f"{n}.npy"], *header) for n, header in headers.items()}
    except LoadError:
        raise
    except Exception as error:  # zipfile, zlib and numpy's header parser raise a dozen kinds on a broken file
        raise LoadError(path, f"not a sound npz file: {_line(error)}") from error


def read_pt(path: str | Path, *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """A state dict that `torch.save` wrote: arrays, numbers and text by name, and state dicts in it.

    Only through torch's restricted unpickler, only where torch is 2.10 or newer, and only if its pickle does nothing
    but what a state dict needs (see `state_pickle`). Raises LoadError, and nothing else.

    Example:
        >>> sorted(read_pt("ae.pt"))  # doctest: +SKIP
        ['bias', 'decoder.weight', 'encoder.bias', 'encoder.weight']
    """
    found = tuple(int("".join(c for c in part if c.isdigit()) or 0) for part in torch.__version__.split(".")[:2])
    if found < SAFE_TORCH:
        raise LoadError(
            path,
            f"a .pt file can run code in torch {torch.__version__}: install torch 2.10 or newer, or convert the file to "
            "safetensors on a machine where you trust it",
        )
    try:
        with open_regular(path, max_bytes) as (file, size):
            if not zipfile.is_zipfile(file):
                raise LoadError(
                    path, "not a file of torch.save since torch 1.6: load it where you trust it and save it again"
                )
            _check_pt(path, file, size, max_bytes)
            file.seek(0)
            data = torch.load(file, map_location="cpu", weights_only=True)
        return _state_dict(path, data, {}, depth=0)
    except LoadError:
        raise
    except Exception as error:  # the unpickler raises whatever a broken pickle leads it to
        raise LoadError(path, f"not a state dict that torch loads with weights_only=True: {_line(error)}") from error


def _entries(path: str | Path, archive: zipfile.ZipFile, size: int, max_bytes: int) -> dict[str, zipfile.ZipInfo]:
    """What the archive holds, if it is few, plain and small enough."""
    infos = archive.infolist()
    if len(infos) > MAX_TENSORS:
        raise LoadError(path, f"{len(infos):,} entries, more than the {MAX_TENSORS} allowed")
    entries = {info.filename: info for info in infos}
    if len(entries) != len(infos):
        raise LoadError(path, "one name stands twice in the archive")
    if any(info.flag_bits & 0x1 for info in infos):
        raise LoadError(path, "encrypted")
    if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in infos):
        raise LoadError(path, "packed in a way that neither numpy nor torch writes")  # LZMA's window may be 4 GB
    unpacked = sum(info.file_size for info in infos)
    if unpacked > max_bytes or unpacked > max(FREE_BYTES, MAX_RATIO * size):
        raise LoadError(path, f"{size:,} bytes that unpack to {unpacked:,}: more than is allowed")
    return entries


def _npy_header(
    path: str | Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """(shape, whether the first axis runs fastest, dtype) of one array."""
    name = repr(entry.filename[:60])
    with archive.open(entry) as stream:
        version = np.lib.format.read_magic(stream)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
        if read is None:
            raise LoadError(path, f"{name} is npy version {version}")
        shape, fortran, dtype = read(stream, max_header_size=_NPY_HEADER)
        stored = entry.file_size - stream.tell()
    if dtype.kind != "f" or dtype.itemsize > 8 or len(shape) > MAX_NDIM or any(n < 0 for n in shape):
        raise LoadError(path, f"{name} is {dtype} {short(list(shape))}; readable are arrays of floats")
    n_bytes = math.prod(shape) * dtype.itemsize
    if n_bytes > stored:
        raise LoadError(path, f"{name} announces {n_bytes:,} bytes, and {stored:,} are stored")
    if n_bytes != stored:
        raise LoadError(path, f"{name} has a shape that does not fit its bytes")
    return shape, fortran, dtype


def _read_npy(
    path: str | Path,
    archive: zipfile.ZipFile,
    entry: zipfile.ZipInfo,
    shape: tuple[int, ...],
    fortran: bool,
    dtype: np.dtype[Any],
) -> np.ndarray:
    raw = bytearray(math.prod(shape) * dtype.itemsize)
    with archive.open(entry) as stream:
        stream.seek(entry.file_size - len(raw))  # past the header
        view, at = memoryview(raw), 0
        while at < len(raw):  # piece by piece: `readinto` of it all would hold it twice
            n = stream.readinto(view[at : at + _PIECE])  # type: ignore[attr-defined]
            if not n:
                raise LoadError(path, f"{entry.filename[:60]!r} has a shape that does not fit its bytes")
            at += n
        if stream.read(1):
            raise LoadError(path, f"{entry.filename[:60]!r} has a shape that does not fit its bytes")
    array = np.frombuffer(raw, dtype).reshape(shape, order="F" if fortran else "C")
    if not all_finite(array):
        raise LoadError(path, f"{entry.filename[:60]!r} holds values that are not finite")
    return array.astype(dtype.newbyteorder("="), copy=False)


def _check_pt(path: str | Path, file: BinaryIO, size: int, max_bytes: int) -> None:
    """LoadError unless the archive holds the storages and the pickle of a state dict."""
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        entries = _entries(path, archive, size, max_bytes)
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values()):
            raise LoadError(path, "its entries are compressed, which torch.save never does")
        if sum(entry.file_size for entry in entries.values()) > size:
            raise LoadError(path, "its entries lie over one another")
        pickles = [name for name in entries if name.endswith("data.pkl")]
        if len(pickles) != 1 or entries[pickles[0]].file_size > MAX_PICKLE:
            raise LoadError(path, "it holds no state dict of a plausible size")
        folder = pickles[0].removesuffix("data.pkl") + "data/"
        stored = {name.removeprefix(folder): e.file_size for name, e in entries.items() if name.startswith(folder)}
        try:
            check_state_pickle(archive.read(pickles[0]), stored)
        except NotAStateDict as error:
            raise LoadError(path, str(error)) from error


def _state_dict(path: str | Path, data: Any, arrays: dict[int, np.ndarray], depth: int) -> dict[str, Any]:
    """The same with arrays for tensors, one array per tensor: `arrays` holds those that are made, by the tensor's id."""
    if not isinstance(data, dict) or len(data) > MAX_TENSORS or not all(isinstance(name, str) for name in data):
        raise LoadError(path, "not a state dict: expected arrays by name")
    out: dict[str, Any] = {}
    for name, value in data.items():
        if isinstance(value, Tensor):
            if id(value) not in arrays:
                arrays[id(value)] = _array(path, name, value)
            out[name] = arrays[id(value)]
        elif isinstance(value, dict) and depth == 0:
            out[name] = _state_dict(path, value, arrays, depth=1)
        elif isinstance(value, bool | int | float | str):
            out[name] = value
        else:
            raise LoadError(path, f"{name[:60]!r} is a {type(value).__name__}")
    return out


def _array(path: str | Path, name: str, tensor: Tensor) -> np.ndarray:
    plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and tensor.dtype in _TORCH_DTYPES
    if not plain or tensor.ndim > MAX_NDIM:
        raise LoadError(path, f"{name[:60]!r} is not a plain array of numbers")
    # A stride of 0 makes 10^9 numbers out of a file of 1.5 kB.
    if tensor.untyped_storage().nbytes() != tensor.numel() * tensor.element_size():
        raise LoadError(path, f"{name[:60]!r} has a shape that does not fit its bytes")
    tensor = tensor.detach()
    array = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    if array.dtype.kind == "f" and not all_finite(array):
        raise LoadError(path, f"{name[:60]!r} holds values that are not finite")
    return array


def _line(error: BaseException) -> str:
    """The first line of what went wrong, short."""
    text = (str(error) or type(error).__name__).splitlines()[0]
    return text if len(text) <= 160 else text[:157] + "..."
