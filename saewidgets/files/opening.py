"""Whether a path can be read from at all, and the bytes of a file."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from saewidgets.files.errors import LoadError, plain, short


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


def present(path: str | Path) -> bool:
    """Whether there is a file or folder of this name. LoadError for a name that the system does not even look up.

    Example:
        >>> present("no/such/file")
        False
    """
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:  # too long, a zero byte, a folder that may not be searched
        raise LoadError(short(os.fspath(path)), plain(error)) from error
    return True


def sha256(path: str | Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
