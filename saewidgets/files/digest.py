"""The SHA-256 that a safetensors file of ours carries in its own metadata, over everything else that it holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from saewidgets.files.errors import LoadError

KEY = "saewidgets.sha256"  # in the metadata
_BLOCK = 1 << 20  # bytes


def begin(entries: Mapping[str, Any], metadata: Mapping[str, str]) -> hashlib._Hash:
    """SHA-256 of the header, without its own entry in it: compact JSON, keys sorted, ASCII. The arrays' bytes come
    next.
    """
    rest = {name: value for name, value in metadata.items() if name != KEY}
    header = {**entries, "__metadata__": rest} if rest else dict(entries)
    return hashlib.sha256(json.dumps(header, sort_keys=True, separators=(",", ":")).encode("ascii"))


def check(
    path: str | Path, file: BinaryIO, data_start: int, entries: Mapping[str, Any], metadata: Mapping[str, str]
) -> None:
    """Raise LoadError if the open file carries a digest and is not what it was when that was written."""
    if KEY not in metadata:  # of another program, or from before there were digests
        return
    total = begin(entries, metadata)
    file.seek(data_start)
    while block := file.read(_BLOCK):
        total.update(block)
    if total.hexdigest() != metadata[KEY]:
        raise LoadError(
            path,
            "its contents are not those that were written (SHA-256): the file was damaged, or changed by a program that kept "
            f"the entry {KEY} of its metadata",
        )
