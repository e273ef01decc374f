"""Texts of any kind as rows of token ids that fit in a model's context."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from torch import Tensor

from saewidgets.corpora import StreamedCorpus
from saewidgets.files import short, unknown
from saewidgets.models.model import Model

T = TypeVar("T")
Long = Literal["split", "cut", "refuse"]  # what is done with a text that is longer than the context


@dataclass(frozen=True, eq=False)
class CorpusRows:
    """The token rows of a corpus, which of their tokens count, and which text each row is of."""

    rows: np.ndarray  # int32 [context, pos], padded on the right with -1
    counted: np.ndarray  # bool [context, pos], False at padding and at special tokens wherever they stand
    text: np.ndarray  # int32 [context], number of the text that the row is of, from 0
    n_cut: int = 0  # texts whose end was left out
    n_packed: int = 0  # texts that share their row with another

    @property
    def n_texts(self) -> int:
        """Number of texts."""
        return int(self.text[-1]) + 1 if len(self.text) else 0

    @property
    def n_split(self) -> int:
        """Number of texts that stand in more than one row."""
        return int((np.bincount(self.text) > 1).sum()) if len(self.text) else 0

    @property
    def note(self) -> str:
        """What was done to long texts, in a few words; "" for nothing."""
        found = ((self.n_split, "split"), (self.n_cut, "cut"))
        return ", ".join(f"{n:,} of {self.n_texts:,} texts {done}" for n, done in found if n)


def read_corpus(model: Model, corpus: Any, long: Long = "split", *, pack: bool = False) -> CorpusRows:
    """The token rows of a corpus, none longer than the model's context.

    Args:
        model: makes tokens of texts, and says which token is its beginning-of-text token.
        corpus: texts (a list, a generator, a NumPy array or pandas Series of them; a data set or data frame with a
            column "text"); a `Corpus` with `.token_rows`; an integer array [context, pos] padded with -1; or a list of
            rows of token ids.
        long: what is done with a text of more tokens than the context holds. "split" reads it in pieces, one row per
            piece, each of which begins with the beginning-of-text token if the text does; "cut" leaves its end out;
            "refuse" is an error. A warning says how many there were of the first two.
        pack: put short texts together in one row, as `packed` does.

    The beginning-of-text token does not count, nor any other special token: its activation is of another kind and many
    times larger, and would drown the rest.

    Raises:
        TypeError: for what is no corpus, with what to give instead.
        ValueError: for an empty corpus, ids that the model does not have, or rows that are padded on the left. Where
            one text is to blame it is named by its number, from 0 on.

    Example:
        >>> read_corpus(load_model(), ["The cat", "sat on the mat"]).rows.shape
        (2, 7)
    """
    if long not in get_args(Long):
        raise ValueError(unknown("way with long texts", long, get_args(Long)))
    given = texts_of(corpus)
    if isinstance(given, np.ndarray):
        rows, texts, cut = _array(model, given, long)
    else:
        rows, texts, cut = _fit(model, [_ids(model, n, len(given), text) for n, text in enumerate(given)], long)
    if not (rows >= 0).any():
        raise ValueError(f"the corpus has no tokens (its rows have shape {list(rows.shape)})")
    found = CorpusRows(rows, counted_tokens(model, rows), texts, cut)
    if found.note:
        warnings.warn(
            f"{found.note}: the context of {model.name} is {model.n_ctx} tokens, and the corpus is "
            f"{len(found.rows):,} rows of at most that many",
            stacklevel=3,
        )
    return packed(model, found) if pack else found


def packed(model: Model, corpus: CorpusRows) -> CorpusRows:
    """Short rows put together, in their order, into rows of at most the model's context, none of them cut.

    Every text but a row's first has the beginning-of-text token before it, or, in a model without one, the end-of-text
    token. It does not count, wherever it stands; what follows it sees the texts before it in the row. `text` is the
    number of a row's first text.

    Raises ValueError for a model with neither token: texts would run into each other.

    Example:
        >>> packed(model, read_corpus(model, ["The cat", "sat on the mat"])).rows.shape
        (1, 10)
    """
    between = separator(model)
    texts = [row[row >= 0] for row in corpus.rows]
    rows = list(joined(((n, text) for n, text in enumerate(texts)), between, model.n_ctx))
    made = padded_rows([ids for _, ids in rows])
    shared = sum(len(own) for own, _ in rows if len(own) > 1)
    counted = counted_tokens(model, made) & (made != between)
    first = np.asarray([corpus.text[own[0]] for own, _ in rows], np.int32)
    return CorpusRows(made, counted, first, corpus.n_cut, shared)


def separator(model: Model) -> int:
    """The token that stands between packed texts. Raises ValueError for a model without one."""
    between = model.bos_token_id if model.bos_token_id is not None else model.eos_token_id
    if between is None:
        raise ValueError(f"{model.name} has no token to put between packed texts; leave pack out")
    return between


def joined(texts: Iterable[tuple[T, np.ndarray]], between: int, n_ctx: int) -> Iterator[tuple[list[T], np.ndarray]]:
    """Texts (name, ids int32 [pos]) put together in rows as `packed` says: (names of the texts in it, ids) per row.

    A row does not depend on what stood in the rows before it.
    """
    names: list[T] = []
    parts: list[np.ndarray] = []
    room = 0
    for name, text in texts:
        own = text if len(text) and text[0] == between else np.concatenate([[between], text]).astype(np.int32)
        if not names or len(own) > room:
            if names:
                yield names, np.concatenate(parts)
            names, parts, room = [name], [text], n_ctx - len(text)
        else:
            names.append(name)
            parts.append(own)
            room -= len(own)
    if names:
        yield names, np.concatenate(parts)


def padded_rows(texts: Sequence[Sequence[int] | np.ndarray]) -> np.ndarray:
    """Token ids of texts as rows int32 [text, pos], padded on the right with -1.

    Example:
        >>> padded_rows([[5, 6, 7], [8]]).tolist()
        [[5, 6, 7], [8, -1, -1]]
    """
    rows = np.full((len(texts), max(map(len, texts), default=0)), -1, np.int32)
    for row, ids in zip(rows, texts, strict=True):
        row[: len(ids)] = ids
    return rows


def counted_tokens(model: Model, rows: np.ndarray) -> np.ndarray:
    """bool [context, pos], the tokens of rows [context, pos] that are neither padding (-1) nor special."""
    special = {model.bos_token_id, *getattr(model, "special_token_ids", ())} - {None}
    real = rows >= 0
    return real & ~np.isin(rows, list(special)) if special else real


def texts_of(corpus: Any) -> list[Any] | np.ndarray:
    """What a corpus holds: a list of texts or of rows of token ids, or an array of the latter.

    Raises TypeError for what is no corpus, with what to give instead; ValueError for a single text.
    """
    corpus = getattr(corpus, "token_rows", corpus)
    if isinstance(corpus, StreamedCorpus):
        raise TypeError(
            "the corpus is streamed, and this needs one in memory; give some of its texts: "
            "[text.value for text, _ in zip(corpus.texts(), range(1000))]"
        )
    kind = type(corpus).__name__
    if isinstance(corpus, str):
        raise ValueError(f"the corpus is one text; give a list of texts: [{short(corpus)}]")
    if isinstance(corpus, (bytes, bytearray)):
        raise TypeError(f"the corpus is {kind}; give a list of texts: [data.decode('utf-8')]")
    if isinstance(corpus, PathLike):
        raise TypeError(f"the corpus is a path; give a list of texts: [Path({str(corpus)!r}).read_text()]")
    if isinstance(corpus, Tensor):
        corpus = corpus.detach().cpu().numpy()
    if isinstance(corpus, np.ndarray):
        if corpus.dtype.kind in "OUT" and corpus.ndim == 1:
            value: list[Any] | np.ndarray = corpus.tolist()
            return value
        if corpus.dtype.kind not in "iu":
            raise TypeError(
                f"the corpus is an array of {corpus.dtype} {list(corpus.shape)}; give texts, or whole token ids [context, pos]"
            )
        return corpus
    columns = getattr(corpus, "column_names", None)  # of a data set
    if columns is None and hasattr(corpus, "columns"):  # of a data frame
        columns = list(corpus.columns)
    if columns is None and isinstance(corpus, Mapping):
        columns = list(corpus)
    if columns is not None:
        return _column(corpus, columns, kind)
    if isinstance(corpus, (set, frozenset)):
        raise TypeError("the corpus is a set, which has no order; give sorted(texts)")
    if not isinstance(corpus, Iterable):
        raise TypeError(f"the corpus is {short(corpus)}, a {kind}; give a list of texts, or rows of token ids")
    return [_of_row(n, row) for n, row in enumerate(corpus)]


def _column(corpus: Any, columns: Any, kind: str) -> list[Any]:
    """The column "text" of a data set, a data frame or a mapping."""
    if isinstance(columns, Mapping) or (isinstance(corpus, Mapping) and not _texts(corpus.get("text"))):
        raise TypeError(
            f"the corpus is a {kind} of {short(list(columns))}; give one of them, data[{next(iter(columns), '')!r}]"
        )
    if "text" not in columns:
        raise TypeError(
            f"the corpus is a {kind} with no column 'text'; give the one of the texts, of {short(list(columns))}"
        )
    try:
        return [_of_row(n, row) for n, row in enumerate(corpus["text"])]
    except (TypeError, NotImplementedError):  # a data set that is only gone through, row by row
        return [_of_row(n, row) for n, row in enumerate(corpus)]


def _texts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value)


def _of_row(n: int, row: Any) -> Any:
    """A text, or a row of token ids; that of an object with a "text"."""
    if isinstance(row, Mapping):
        if not isinstance(row.get("text"), str):
            raise TypeError(f"text {n} is an object with {short(list(row))}, without a 'text'; give its text")
        return row["text"]
    if isinstance(row, (bytes, bytearray)):
        raise TypeError(f"text {n} is {type(row).__name__}; give a str: data.decode('utf-8')")
    if row is None or not isinstance(row, (str, Tensor, np.ndarray, Iterable)):
        raise TypeError(f"text {n} is {short(row)}; give a str, or a row of token ids")
    return row


def _ids(model: Model, n: int, of: int, text: Any) -> np.ndarray:
    """One text or row as int32 [pos]."""
    try:
        return ids_of(model, text)
    except ValueError as error:
        raise ValueError(f"text {n} of {of:,} (from 0): {error}") from error


def ids_of(model: Model, text: Any) -> np.ndarray:
    """A text, or a row of token ids, as int32 [pos]. Raises ValueError for ids that the model does not have.

    Example:
        >>> ids_of(load_model(), [0, 5]).tolist()
        [0, 5]
    """
    if isinstance(text, str):
        return np.asarray(model.text_ids(text), np.int32)
    ids = np.asarray(text.cpu() if isinstance(text, Tensor) else text if hasattr(text, "__len__") else list(text))
    if ids.size and ids.dtype.kind not in "iu":
        raise ValueError(f"its ids are {ids.dtype}, not whole numbers")
    value: np.ndarray = _checked(model, ids.reshape(1, -1))[0]
    return value


def _array(model: Model, given: np.ndarray, long: Long) -> tuple[np.ndarray, np.ndarray, int]:
    """An array of token ids [context, pos] as rows that fit; as it is, if they do."""
    if given.ndim != 2 or not given.size:
        raise ValueError(f"the corpus has no tokens (its rows have shape {list(given.shape)})")
    rows = _checked(model, given)
    _refuse_left_padding(model, rows)
    if (rows >= 0).sum(1).max() > model.n_ctx:
        return _fit(model, [row[row >= 0] for row in rows], long)
    return rows, np.arange(len(rows), dtype=np.int32), 0


def _checked(model: Model, rows: np.ndarray) -> np.ndarray:
    """Rows [context, pos] as int32. Raises ValueError for padding before a token, or for ids that do not exist."""
    if rows.size and rows.max() >= model.d_vocab:
        raise ValueError(f"token id {rows.max()} does not exist: {model.name} has ids 0 to {model.d_vocab - 1}")
    real = rows >= 0
    if (real[:, 1:] & ~real[:, :-1]).any():
        raise ValueError("a row has padding (-1) before a token; pad on the right")
    return np.ascontiguousarray(np.where(real, rows, -1), np.int32)


def _refuse_left_padding(model: Model, rows: np.ndarray) -> None:
    """Raise ValueError where rows look padded on the left with the beginning-of-text token, which the model would read.

    No row has padding of ours, and some begin with three such tokens, or one in ten with two: packed text has a
    separator there now and then.
    """
    if model.bos_token_id is None or (rows < 0).any():
        return
    leading = np.cumprod(rows == model.bos_token_id, axis=1).sum(1)
    leading[leading == rows.shape[1]] = 0
    if leading.max() > 2 or 10 * (leading == 2).sum() >= len(rows):
        row = int(np.argmax(leading))
        raise ValueError(
            f"row {row} begins with {leading[row]} beginning-of-text tokens ({model.bos_token_id}), which looks like padding on "
            "the left: the model would read it. Pad on the right, with -1"
        )


def _fit(model: Model, texts: list[np.ndarray], long: Long) -> tuple[np.ndarray, np.ndarray, int]:
    """(rows, number of each row's text, texts that were cut) of texts that may be longer than the context."""
    pieces: list[np.ndarray] = []
    owner: list[int] = []
    n_cut = 0
    for n, ids in enumerate(texts):
        try:
            own, cut = pieces_of(model, ids, long)
        except ValueError as error:
            raise ValueError(f"text {n} of {len(texts):,} (from 0) {error}") from error
        n_cut += cut
        pieces += own
        owner += [n] * len(own)
    return padded_rows(pieces), np.asarray(owner, np.int32), n_cut


def pieces_of(model: Model, ids: np.ndarray, long: Long) -> tuple[list[np.ndarray], bool]:
    """One text's token ids [pos], -1 left out, in pieces that fit in the context, and whether its end was left out.

    Raises ValueError, a sentence without its subject, for a text that is too long where that is to be refused.

    Example:
        >>> pieces_of(model, np.arange(5), "split")  # doctest: +SKIP
    """
    ids = ids[ids >= 0]
    if len(ids) <= model.n_ctx:
        return [ids], False
    if long == "refuse":
        raise ValueError(
            f"is {len(ids):,} tokens, and the context of {model.name} is {model.n_ctx}: "
            'long="split" reads it in pieces, long="cut" leaves its end out'
        )
    if long == "cut":
        return [ids[: model.n_ctx]], True
    begin = ids[:1] if ids[0] == model.bos_token_id else ids[:0]
    room = model.n_ctx - len(begin)
    if room < 1:
        raise ValueError(
            f"does not fit: a context of {model.n_ctx} token has no room for text after the beginning-of-text token"
        )
    body = ids[len(begin) :]
    return [np.concatenate([begin, body[i : i + room]]) for i in range(0, len(body), room)], False
