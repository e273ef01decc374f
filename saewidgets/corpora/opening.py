"""From what a person has to a corpus."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from saewidgets.corpora.given import Indexed, Stream
from saewidgets.corpora.shards import KINDS, Shards, check_name, is_shard
from saewidgets.corpora.streamed import StreamedCorpus
from saewidgets.files import LoadError, plain, short, unknown
from saewidgets.records.arguments import seed_of, whole

SHUFFLE = 4096  # texts of a block


def open_corpus(
    texts: Any,
    field: str = "text",
    *,
    shuffle: int = SHUFFLE,
    seed: int = 0,
    skip_bad: bool = False,
    text_bytes: int = 8 << 20,
) -> StreamedCorpus:
    """A corpus that is read as it is needed, for `ActivationStore`, `harvest` and what takes a store.

    Each epoch has one order, which the seed decides, and each text a number in it. Shards come in a shuffled order, and
    the texts of each in blocks of `shuffle` successive ones (fewer where they are more than 32 MB together), each block
    shuffled: a text moves by less than one block within its shard. What has an index, a list or a data set with a
    length, is shuffled whole. Rank r of W takes the numbers r, r + W, ...: every rank reads all bytes of text and makes
    texts and tokens of its own alone.

    Args:
        texts: a path, an fsspec URL, a pattern (`"data/*.jsonl.zst"`), a folder, or a list of these, of shards `.txt`
            (a text a line), `.jsonl` (an object a line; either also `.gz` or `.zst`), `.parquet`, or `.safetensors` (an
            array of token ids [rows, pos], padded with -1); a list, array, data frame or data set; a function that gives an
            iterator, and is called for each epoch; or an iterator, which lasts for one epoch. Texts are str, or rows
            of token ids, or objects with a `field`.
        field: of an object, the column or the array that holds the text or token ids.
        shuffle: texts of a block; 0 keeps shards and texts in the order in which they are given.
        seed: of the order, 0 or more.
        skip_bad: leave out and count (`n_bad`, and a warning after each epoch) what is no text: broken JSON, no such
            field, not UTF-8, an empty text. Otherwise it is an error that names shard and line.
        text_bytes: the longest line, in bytes; one text of 8 MB takes about 200 MB while it is made tokens.

    Blank lines of `.txt` and `.jsonl` are no texts. Raises LoadError for a shard that is not there or cannot be read here,
    ValueError for a name of another kind, TypeError for what is no corpus.

    Example:
        >>> corpus = open_corpus(["The cat", "sat on", "the mat"], shuffle=0)
        >>> [(text.number, text.value) for text in corpus.texts(epochs=1, rank=1, ranks=2)]
        [(1, 'sat on')]
    """
    shuffle = whole(shuffle, "shuffle", minimum=0)
    seed = seed_of(seed)
    text_bytes = whole(text_bytes, "text_bytes", minimum=1)
    if not isinstance(field, str):
        raise TypeError(f"field must be the name of a field, such as 'text', not {short(field)}")
    if isinstance(texts, StreamedCorpus):
        raise TypeError("the corpus is open already: give it as it is")
    paths = _paths(texts)
    if paths is not None:
        source: Any = Shards(paths, field, text_bytes)
        absolute = [path if "://" in path else os.path.abspath(path) for path in paths]
        spec = {"texts": absolute, "field": field, "text_bytes": text_bytes}
    else:
        source, spec = _given(texts, field), None
    return StreamedCorpus(source, shuffle=shuffle, seed=seed, skip_bad=bool(skip_bad), spec=spec)


def _paths(texts: Any) -> list[str] | None:
    """The shards that were named, in their order; None where something else was given."""
    if isinstance(texts, (str, os.PathLike)):
        texts = [texts]
    elif not isinstance(texts, (list, tuple)) or not texts or not all(map(_is_path, texts)):
        return None
    found = [path for text in texts for path in _expanded(os.fspath(text))]
    if len(set(found)) < len(found):
        twice = next(path for n, path in enumerate(found) if path in found[:n])
        raise ValueError(f"the shard {short(twice)} is named twice")
    return found


def _is_path(text: Any) -> bool:
    return isinstance(text, os.PathLike) or (isinstance(text, str) and is_shard(text))


def _expanded(path: str) -> list[str]:
    """The shards behind one path, pattern or folder, sorted by name."""
    import fsspec  # here: a corpus of another kind needs none of it

    if isinstance(path, bytes):
        path = os.fsdecode(path)
    try:
        system, bare = fsspec.core.url_to_fs(path)
        named = system.unstrip_protocol if "://" in path else str
        if any(mark in path for mark in "*?["):
            found = [named(name) for name in sorted(system.glob(bare)) if is_shard(name)]
            if not found:
                raise LoadError(path, f"no shard has a name like this; shards end in {', '.join(KINDS)}")
            return found
        if system.isdir(bare):
            found = [named(name) for name in sorted(system.find(bare)) if is_shard(name)]
            if not found:
                raise LoadError(path, f"no shard is in this folder; shards end in {', '.join(KINDS)}")
            return found
        check_name(path)
        if not system.exists(bare):
            raise LoadError(path, "there is no such file")
    except ImportError as error:
        raise LoadError(path, f"its file system needs a package that is not here: {error}") from error
    except OSError as error:
        raise LoadError(path, plain(error)) from error
    return [path]


def _given(texts: Any, field: str) -> Indexed | Stream:
    """A source over an object."""
    texts = getattr(texts, "token_rows", texts)
    kind = type(texts).__name__
    if hasattr(texts, "detach"):  # a tensor
        texts = texts.detach().cpu().numpy()
    if hasattr(texts, "dtype") and hasattr(texts, "ndim"):  # an array
        if texts.dtype.kind in "iu" and texts.ndim != 2:
            raise TypeError(f"the corpus is an array {list(texts.shape)}; token ids come as [rows, pos]")
        return Indexed(texts.tolist() if texts.ndim == 1 else texts, field)
    columns = getattr(texts, "column_names", None)  # of a data set; None where it does not know
    if columns is None and hasattr(texts, "columns"):  # of a data frame
        columns = list(texts.columns)
    if isinstance(columns, Mapping):
        raise TypeError(
            f"the corpus is a {kind} of {short(list(columns))}; give one of them, data[{next(iter(columns))!r}]"
        )
    if isinstance(texts, Mapping):
        columns = list(texts)
    if columns is not None and field not in columns:
        raise TypeError(f"the corpus is a {kind}: {unknown('column', field, columns)}; give field=")
    if hasattr(texts, "columns") or isinstance(texts, Mapping):
        return Indexed(list(texts[field]), field)
    if isinstance(texts, (set, frozenset)):
        raise TypeError("the corpus is a set, which has no order; give sorted(texts)")
    if isinstance(texts, (bytes, bytearray, type)):
        raise TypeError(f"the corpus is {short(texts)}; give paths, texts, or a function that gives texts")
    if hasattr(texts, "__getitem__") and hasattr(texts, "__len__"):
        return Indexed(texts, field)
    return _gone_through(texts, field, kind)


def _gone_through(texts: Any, field: str, kind: str) -> Stream:
    if isinstance(texts, Iterator):
        return Stream(lambda: texts, field, reusable=False, said=f"a {kind}")
    if isinstance(texts, Iterable):
        iterable: Iterable[Any] = texts
        return Stream(lambda: iter(iterable), field, reusable=True, said=f"a {kind}")
    if callable(texts):
        make: Callable[[], Iterator[Any]] = texts
        return Stream(make, field, reusable=True, said="a function")
    raise TypeError(
        f"the corpus is {short(texts)}, a {kind}; give paths of shards, texts, or a function that gives texts"
    )
