"""Texts whose spans people have labeled: read from a file, and carried over to the tokens of a model."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from saewidgets.bars import bar
from saewidgets.files import LoadError, open_regular, parse_json, plain, short
from saewidgets.models import Model, padded_rows
from saewidgets.records.arguments import expect, whole

MAX_BYTES = 1 << 30  # of one file
MAX_LINE = 1 << 24  # bytes of one line


@dataclass(frozen=True)
class SpanTexts:
    """Texts and their labeled spans of characters."""

    texts: tuple[str, ...]
    spans: tuple[tuple[tuple[int, int, str], ...], ...]  # of each text: (first character, one past the last, label)
    name: str = ""

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label, sorted."""
        return tuple(sorted({label for spans in self.spans for _, _, label in spans}))


@dataclass(frozen=True, eq=False)
class LabeledTexts:
    """Texts as a model's tokens, and the labels of each token: a corpus for `feature_activations`, `concept_scores` and
    a `LabelJudge`.

    A token has a label when it shares a character that is no space with a span of it.
    """

    name: str
    texts: tuple[str, ...]
    token_rows: np.ndarray  # int32 [row, pos], padded with -1
    text_of_row: np.ndarray  # int32 [row], ascending: the number of the text that each row is of
    label_doc: np.ndarray  # int32 [label], row of `token_rows`
    label_pos: np.ndarray  # int32 [label], column of `token_rows`
    label_concept: np.ndarray  # int32 [label], index into `concepts`
    concepts: tuple[str, ...]
    n_lost: int = field(default=0)  # spans that no token holds a character of

    def __repr__(self) -> str:
        return f"LabeledTexts({self.name}: {len(self.texts):,} texts, {len(self.concepts)} labels)"


def read_spans(*paths: str | Path, most: int | None = None) -> SpanTexts:
    """Texts with labeled spans, from files with one JSON object per line:

        {"text": "Find me a bus to Seattle.", "spans": [[17, 24, "city"]]}

    A span is [first character, one past the last, label], or an object with "start", "end" and "label". What else an
    object holds is left alone, and empty lines are skipped.

    Args:
        paths: one file or several, read in this order.
        most: stop after so many texts.

    Raises:
        LoadError: a file that cannot be read, or the line that is not of this form, with its number.

    Example:
        >>> read_spans("dialogues.jsonl", most=1000).labels  # doctest: +SKIP
        ('city', 'date')
    """
    expect(paths, bool(paths), "paths", "read_spans", "give the path of a file with one JSON object per line")
    most = None if most is None else whole(most, "most, the number of texts,", minimum=1)
    texts: list[str] = []
    spans: list[tuple[tuple[int, int, str], ...]] = []
    for path in paths:
        for number, line in _lines(path):
            if most is not None and len(texts) >= most:
                break
            text, found = _parsed(path, number, line)
            texts.append(text)
            spans.append(found)
    if not texts:
        raise LoadError(paths[0], "it holds no text")
    return SpanTexts(tuple(texts), tuple(spans), ", ".join(Path(p).name for p in paths))


def _lines(path: str | Path) -> Iterator[tuple[int, bytes]]:
    """(number from 1, bytes) of each line that is not empty."""
    try:
        with open_regular(path, MAX_BYTES) as (file, _):
            number = 0
            while line := file.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    raise LoadError(path, f"line {number} has more than the {MAX_LINE:,} bytes allowed")
                if line.strip():
                    yield number, line
    except LoadError:
        raise
    except (OSError, ValueError) as error:
        raise LoadError(path, plain(error)) from error


def _parsed(path: str | Path, number: int, line: bytes) -> tuple[str, tuple[tuple[int, int, str], ...]]:
    where = f"line {number}"
    try:
        data = parse_json(path, line, foreign=True)
    except LoadError as error:
        raise LoadError(path, f"{where}: {error.reason}") from error
    text, listed = data.get("text"), data.get("spans")
    if not isinstance(text, str) or not isinstance(listed, list):
        raise LoadError(path, f'{where} needs a "text" and a list "spans"; it holds {short(list(data))}')
    return text, tuple(_span(path, where, span, len(text)) for span in listed)


def _span(path: str | Path, where: str, span: Any, n: int) -> tuple[int, int, str]:
    if isinstance(span, Mapping):
        span = [span.get(key) for key in ("start", "end", "label")]
    sound = isinstance(span, list) and len(span) == 3
    sound = sound and type(span[0]) is int and type(span[1]) is int and isinstance(span[2], str) and span[2] != ""
    if not sound or not 0 <= span[0] < span[1] <= n:
        raise LoadError(
            path, f"{where}: the span {short(span)} is not [first, stop, label] within a text of {n} characters"
        )
    return span[0], span[1], span[2]


def label_tokens(model: Model | nn.Module, spans: SpanTexts, *, progress: bool = True) -> LabeledTexts:
    """Labeled texts as tokens of a model. A text longer than its context stands in several rows, each of which begins
    with the beginning-of-text token where the model has one.

    Raises ValueError for a model without a tokenizer.

    Example:
        >>> corpus = label_tokens(model, read_spans("dialogues.jsonl"))  # doctest: +SKIP
        >>> acts = sw.feature_activations(model, sae, corpus)  # doctest: +SKIP
    """
    model = Model.wrap(model)
    expect(spans, SpanTexts, "spans", "label_tokens", "make them with read_spans(path)")
    concepts = spans.labels
    number = {label: i for i, label in enumerate(concepts)}
    rows: list[list[int]] = []
    of: list[int] = []
    labels: list[tuple[int, int, int]] = []
    lost = 0
    with bar(len(spans), "labeling tokens", "texts", progress=progress) as advance:
        for n, (text, own) in enumerate(zip(spans.texts, spans.spans, strict=True)):
            ids = model.text_ids(text)
            n_before = len(ids) - len(offsets := solid_offsets(model, text))
            room = model.n_ctx - n_before
            first_row = len(rows)
            for begin in range(0, max(1, len(offsets)), room):
                rows.append([*ids[:n_before], *ids[n_before + begin : n_before + begin + room]])
                of.append(n)
            for start, stop, label in own:
                held = tokens_of(offsets, text, start, stop)
                lost += not len(held)
                labels += [(first_row + i // room, n_before + i % room, number[label]) for i in held]
            advance(1)
    found = np.unique(np.array(labels, np.int32).reshape(-1, 3), axis=0)
    name = f"{spans.name or 'labeled texts'}, {len(spans):,} texts"
    row, column, concept = np.ascontiguousarray(found.T)
    return LabeledTexts(
        name, spans.texts, padded_rows(rows), np.array(of, np.int32), row, column, concept, concepts, lost
    )


def solid_offsets(model: Model, text: str) -> list[tuple[int, int]]:
    """Of each token of a text, the characters [first, stop) that it stands for, white space before them left out."""
    out = []
    for first, stop in model.vocabulary.offsets(text):
        piece = text[first:stop]
        out.append((stop - len(piece.lstrip()) if piece.strip() else first, stop))
    return out


def tokens_of(offsets: Sequence[tuple[int, int]], text: str, start: int, stop: int) -> list[int]:
    """The tokens that share a character, other than white space, with the characters [start, stop). `offsets` ascend.

    Example:
        >>> tokens_of([(0, 2), (3, 8)], "to Berlin", 3, 9)
        [1]
    """
    first = bisect_right(offsets, start, key=lambda token: token[1])
    last = bisect_left(offsets, stop, key=lambda token: token[0])
    return [i for i in range(first, last) if text[max(offsets[i][0], start) : min(offsets[i][1], stop)].strip()]
