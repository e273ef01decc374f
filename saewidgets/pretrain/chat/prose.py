"""Prose that people wrote, from a folder of texts, in rows of tokens."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from saewidgets.files import LoadError, open_regular
from saewidgets.models import Model
from saewidgets.records.arguments import seed_of, whole

ROW = 128  # tokens, the beginning-of-text token among them
PIECE = 700  # characters that give about a row
FILE_BYTES = 1 << 28


def prose_rows(model: Model, paths: Sequence[Path], n_tokens: int, seed: int = 0) -> list[list[int]]:
    """Rows of up to 128 token ids, each beginning a text, about `n_tokens` together: pieces of the files drawn evenly.

    `paths` are files or folders, searched to the bottom: .txt, .json (a list of texts), .jsonl (a line each, a text or
    an object with a "text"). The order is drawn by `seed`. Raises LoadError where there is no text.
    """
    n_tokens, seed = whole(n_tokens, "n_tokens", minimum=1), seed_of(seed)
    pieces = [piece for path in paths for file in _files(path) for text in _texts(file) for piece in _pieces(text)]
    if not pieces:
        raise LoadError(paths[0] if paths else Path(), "no text in it: give a folder of .txt, .json or .jsonl files")
    rows, found = [], 0
    for i in np.random.default_rng([seed, 16]).permutation(len(pieces)):
        row = model.tokens(pieces[i]).tolist()[:ROW]
        if len(row) < 16:
            continue
        rows.append(row)
        found += len(row)
        if found >= n_tokens:
            break
    return rows


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise LoadError(path, "it is not there: give a file or folder of texts")
    own = [path] if path.is_file() else sorted(path.rglob("*"))
    return [file for file in own if file.is_file() and file.suffix in (".txt", ".json", ".jsonl")]


def _texts(file: Path) -> Iterable[str]:
    try:
        with open_regular(file, FILE_BYTES) as (opened, _):
            text = opened.read().decode("utf-8", errors="replace")  # old files hold a few bytes of other encodings
        if file.suffix == ".txt":
            return [text]
        given = json.loads(text) if file.suffix == ".json" else [json.loads(x) for x in text.split("\n") if x.strip()]
    except ValueError as error:
        raise LoadError(file, f"no text in {file.suffix[1:]}: {error}") from error
    entries = given if isinstance(given, list) else []
    texts = [entry.get("text") if isinstance(entry, dict) else entry for entry in entries]
    return [text for text in texts if isinstance(text, str)]


def _pieces(text: str) -> Iterator[str]:
    """A text in pieces of about `PIECE` characters, cut at line ends where there are any, else at spaces."""
    first = 0
    while first < len(text):
        last = first + PIECE
        if last < len(text):
            cut = max(text.rfind("\n", first + PIECE // 2, last), 0) or max(text.rfind(" ", first + 1, last), 0)
            last = cut or last
        piece = text[first:last].strip()
        if piece:
            yield piece
        first = last
