"""The one exception for a file that cannot be used, and how a file's words are made fit for a line of text."""

from __future__ import annotations

import reprlib
from pathlib import Path
from typing import Any

_REASON = 600  # characters that a LoadError's reason may have, and a file's words in a warning
_PATH = 1_000
_BOUNDED = reprlib.Repr()
_BOUNDED.maxlist = _BOUNDED.maxtuple = _BOUNDED.maxset = _BOUNDED.maxdict = 30
_BOUNDED.maxstring = _BOUNDED.maxlong = _BOUNDED.maxother = 100
_BOUNDED.maxlevel = 3


class LoadError(Exception):
    """A file that cannot be used, and why.

    A reason may quote the file. What it quotes is cut, and whatever is not printable is written as an escape, so that
    no file can fill a terminal or send it commands.

    Example:
        >>> str(LoadError("sae.safetensors", "the file is empty"))
        'sae.safetensors: the file is empty'
        >>> LoadError("a.json", "unknown key \\x1b[2J").reason
        'unknown key \\\\x1b[2J'
    """

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(str(path), reason)
        self.path = path
        self.reason = printable(reason)

    def __str__(self) -> str:
        return f"{printable(str(self.path), _PATH)}: {self.reason}"


def printable(text: str, most: int = _REASON) -> str:
    """`text` as one line of at most about `most` characters: white space is a blank, what is not printable an escape.

    Example:
        >>> printable("red \\x1b[31m and\\nlate \\u202e")
        'red \\\\x1b[31m and late \\\\u202e'
        >>> printable("x" * 10_000, 20)
        'xxxxxxxxxx ... xxxxx'
    """
    if len(text) > most:  # the end says as much as the beginning: "expected ..., found ..."
        text = f"{text[: most // 2]} ... {text[-(most // 2 - 5) :]}"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else ascii(c)[1:-1] for c in text)


def short(value: Any) -> str:
    """`repr`, cut to a length that an error line can carry; of a large value only the beginning is written out.

    Example:
        >>> len(short([0] * 10**6))
        60
    """
    text = _BOUNDED.repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def plain(error: BaseException) -> str:
    """What went wrong, without the path that LoadError already names."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
