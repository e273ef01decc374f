"""JSON that nobody vouches for: its depth is measured before it is parsed, its numbers while it is."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from saewidgets.files.errors import LoadError, plain, short
from saewidgets.files.opening import open_regular

MAX_DEPTH = 100  # lists and objects within one another; records and configs need 8
MAX_DIGITS = 40  # of an integer: transformers writes 10^30 for "no limit", and math.isfinite raises on 10^400
_PIECE = 1 << 18  # bytes of text looked at in one go
_NAMES: dict[type, str] = {dict: "object", list: "list"}
_ONLY_MARKS = bytes(c for c in range(256) if c not in b'"[]{}')
_ONE_BRACKET = bytes.maketrans(b"{}", b"[]")
_BACKSLASHES = re.compile(rb"\\*")


def read_json(path: str | Path, *, max_bytes: int = 1 << 20, foreign: bool = False) -> dict[str, Any]:
    """One JSON object from a file.

    Args:
        path: the file.
        max_bytes: the largest file that is opened.
        foreign: whether another program wrote it. Then a byte-order mark at its start is skipped, and NaN, Infinity and
            numbers beyond every float, which Python's `json.dump` and others write, come back as floats that are not finite:
            whoever uses one of them must look.

    Raises:
        LoadError: and nothing else. Stricter than `json.load`: a duplicate key, an integer of more than 40 digits, more
            than 100 lists and objects in one another, anything but an object at the top, and in a file of ours NaN, an
            infinity and a number that overflows to one.

    Example:
        >>> read_json("runs/mine/config.json")["d_in"]  # doctest: +SKIP
        160
    """
    try:
        with open_regular(path, max_bytes) as (file, _size):
            raw = file.read(max_bytes)
    except (OSError, ValueError, MemoryError) as error:
        raise LoadError(path, plain(error)) from error
    found: dict[str, Any] = parse_json(path, raw, foreign=foreign)
    return found


def parse_json(path: str | Path, raw: bytes, *, kind: type = dict, foreign: bool = False) -> Any:
    """One JSON object, or with `kind=list` one list, from bytes that stand in `path`, as `read_json` reads it.

    Raises LoadError, and nothing else.

    Example:
        >>> parse_json("words.json", b'["a", "b"]', kind=list)
        ['a', 'b']
    """

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        out = dict(items)
        if len(out) != len(items):
            seen: set[str] = set()
            twice = next(k for k, _ in items if k in seen or seen.add(k))  # type: ignore[func-returns-value]
            raise LoadError(path, f"the key {short(twice)} stands twice in one JSON object")
        return out

    def number(text: str) -> float:
        value = float(text)
        if not math.isfinite(value) and not foreign:
            raise LoadError(path, f"the number {short(text)} is out of range")
        return value

    def whole(text: str) -> int:
        if len(text) > MAX_DIGITS:
            raise LoadError(
                path, f"the number {text[:20]}... has {len(text):,} digits, more than the {MAX_DIGITS} allowed"
            )
        return int(text)

    def constant(text: str) -> float:
        if not foreign:
            raise LoadError(path, f"{text} is not a JSON number")
        return float(text)

    try:
        _require_flat(path, raw)
        text = raw.decode("utf-8-sig" if foreign else "utf-8")
        data = json.loads(text, object_pairs_hook=pairs, parse_float=number, parse_int=whole, parse_constant=constant)
    except UnicodeDecodeError as error:
        raise LoadError(path, "not UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise LoadError(path, f"not JSON: {error}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise LoadError(path, f"not readable JSON: {plain(error)}") from error
    if not isinstance(data, kind):
        raise LoadError(path, f"expected a JSON {_NAMES[kind]}, found {type(data).__name__}")
    return data


def _require_flat(path: str | Path, raw: bytes) -> None:
    """LoadError if more than MAX_DEPTH brackets are open at once, those within strings aside.

    The parser recurses, and how deep it may go before it takes the process with it depends on the thread that it runs
    in. In a text that is not JSON the count is right up to the place where the parser stops.
    """
    depth = start = quotes = 0
    while start < len(raw):
        end = min(start + _PIECE, len(raw))
        if raw[end - 1] == 0x5C:  # a backslash stays with what it escapes
            run = _BACKSLASHES.match(raw, end)
            end = (run.end() if run else end) + 1
        piece = raw[start:end].replace(b"\\\\", b"").replace(b'\\"', b"").translate(_ONE_BRACKET, _ONLY_MARKS)
        parts = piece.split(b'"')
        outside = np.frombuffer(b"".join(parts[quotes % 2 :: 2]), np.uint8)
        if len(outside):
            open_here = np.cumsum(np.where(outside == ord("["), 1, -1)) + depth
            if open_here.max() > MAX_DEPTH:
                raise LoadError(path, f"nested too deeply: more than {MAX_DEPTH} lists and objects in one another")
            depth = int(open_here[-1])
        quotes += len(parts) - 1
        start = end
