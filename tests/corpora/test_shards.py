"""What a corpus can be made of: each kind of shard and of object gives its texts, and what is none is named."""

from __future__ import annotations

import gzip
import json
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import torch

import saewidgets as sw
from saewidgets.files import LoadError, write_tensors

TEXTS = ["one", "zwei\u00e4", "three three"]
LINES = "".join(json.dumps({"text": text, "n": 3}) + "\n" for text in TEXTS).encode()


def values(corpus, **options):
    return [text.value for text in corpus.texts(epochs=1, **options)]


def plain(value):
    return value.tolist() if hasattr(value, "tolist") else value


def test_every_kind_of_shard_gives_its_texts(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(TEXTS).encode())
    (tmp_path / "b.jsonl").write_bytes(LINES)
    (tmp_path / "c.JSONL.gz").write_bytes(gzip.compress(LINES[:50]) + gzip.compress(LINES[50:]))
    for name in ("a.txt", "b.jsonl", "c.JSONL.gz"):
        assert values(sw.open_corpus(tmp_path / name, shuffle=0)) == TEXTS, name
    assert values(sw.open_corpus([tmp_path / "b.jsonl", str(tmp_path / "a.txt")], shuffle=0)) == TEXTS * 2
    assert values(sw.open_corpus(f"{tmp_path}/*.txt", shuffle=0)) == TEXTS
    assert sorted(values(sw.open_corpus(str(tmp_path)))) == sorted(TEXTS * 3)


def test_tables_and_compressed_lines(tmp_path):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table({"body": TEXTS, "ids": [[0, 1], [0, 2, 3], [0, 4]]}), tmp_path / "t.parquet")
    assert values(sw.open_corpus(tmp_path / "t.parquet", "body", shuffle=0)) == TEXTS
    ids = values(sw.open_corpus(tmp_path / "t.parquet", "ids", shuffle=0))
    assert [row.tolist() for row in ids] == [[0, 1], [0, 2, 3], [0, 4]]
    with pytest.raises(LoadError, match=r"no column 'text'; give one as field, of \['body', 'ids'\]"):
        values(sw.open_corpus(tmp_path / "t.parquet"))
    with pa.CompressedOutputStream(str(tmp_path / "z.jsonl.zst"), "zstd") as file:
        file.write(LINES)
    assert values(sw.open_corpus(tmp_path / "z.jsonl.zst", shuffle=0)) == TEXTS


@pytest.mark.parametrize("kind", [np.int32, np.uint16, np.int64])
def test_arrays_of_tokens(tmp_path, kind):
    from safetensors.numpy import save_file

    rows = np.arange(40_000 * 3).reshape(-1, 3) % 60_000  # more than are read at once
    path = tmp_path / "t.safetensors"
    save_file({"tokens": rows.astype(kind)}, path)
    found = values(sw.open_corpus(path, shuffle=0))
    assert (np.stack(found) == rows).all()
    corpus = sw.open_corpus(path, shuffle=0)
    assert [v.tolist() for v in values(corpus, rank=39_999, ranks=40_000)] == [rows[-1].tolist()]


def test_an_array_that_is_no_rows_of_tokens_is_refused(tmp_path):
    for name, arrays, words in (
        ("flat", {"a": np.arange(9)}, r"a is int64 \[9\], not whole token ids \[rows, pos\]; ids.reshape"),
        ("float", {"a": np.ones((2, 2), np.float32)}, r"a is float32 \[2, 2\]"),
        ("two", {"a": np.ones((2, 2), np.int32), "b": np.ones((2, 2), np.int32)}, "no array 'text'; give one as field"),
    ):
        write_tensors(tmp_path / f"{name}.safetensors", arrays)
        with pytest.raises(LoadError, match=words):
            values(sw.open_corpus(tmp_path / f"{name}.safetensors"))


def test_urls_are_read_by_fsspec():
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    system.pipe("/corpus/a.jsonl", LINES)
    system.pipe("/corpus/b.txt.gz", gzip.compress(b"four\n"))
    assert values(sw.open_corpus("memory://corpus/a.jsonl", shuffle=0)) == TEXTS
    assert values(sw.open_corpus("memory://corpus/*", shuffle=0)) == [*TEXTS, "four"]
    with pytest.raises(LoadError, match="there is no such file"):
        sw.open_corpus("memory://corpus/c.jsonl")


class Rows:
    """A data set, as Hugging Face's are: rows are objects."""

    column_names = ("id", "text")

    def __len__(self):
        return len(TEXTS)

    def __getitem__(self, number):
        return {"id": number, "text": TEXTS[number]}


class Gone:
    """A data set that is only gone through, and does not know its columns."""

    column_names = None

    def __iter__(self):
        return iter([{"text": text} for text in TEXTS])


def test_every_kind_of_object_gives_its_texts():
    for given in (
        TEXTS,
        tuple(TEXTS),
        np.array(TEXTS),
        pd.Series(TEXTS, index=[5, 6, 7]),
        pd.DataFrame({"text": TEXTS}),
        {"text": TEXTS},
        Rows(),
        Gone(),
        lambda: iter(TEXTS),
        lambda: TEXTS,
        iter(TEXTS),
        [{"text": text} for text in TEXTS],
    ):
        assert [plain(v) for v in values(sw.open_corpus(given, shuffle=0))] == TEXTS
    for rows in (torch.tensor([[0, 1], [0, 2]]), np.array([[0, 1], [0, 2]]), [[0, 1], [0, 2]]):
        assert [plain(v) for v in values(sw.open_corpus(rows, shuffle=0))] == [[0, 1], [0, 2]]


def test_data_sets_of_hugging_face():
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_dict({"body": TEXTS})
    assert values(sw.open_corpus(data, "body", shuffle=0)) == TEXTS
    assert values(sw.open_corpus(data.to_iterable_dataset(), "body", shuffle=0)) == TEXTS
    with pytest.raises(TypeError, match="unknown column 'text'; nearest: body; give field="):
        sw.open_corpus(data)


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ("missing.jsonl", LoadError, "there is no such file"),
        (
            "notes.csv",
            ValueError,
            r"'notes.csv' is no shard that can be read; its name must end in one of .txt, .jsonl",
        ),
        ("data/*.jsonl", LoadError, "no shard has a name like this"),
        (3, TypeError, "give paths of shards, texts, or a function"),
        ({"a", "b"}, TypeError, "sorted"),
        (b"a", TypeError, "give paths"),
        (np.arange(4), TypeError, r"token ids come as \[rows, pos\]"),
        ({"body": ["a"]}, TypeError, "unknown column 'text'; nearest: body"),
    ],
)
def test_what_is_no_corpus_is_refused_at_once(given, kind, words):
    with pytest.raises(kind, match=words):
        sw.open_corpus(given)


def test_settings_that_cannot_be_are_refused(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    for wrong in ({"shuffle": -1}, {"seed": -1}, {"text_bytes": 0}):
        with pytest.raises(ValueError, match="must be a whole number"):
            sw.open_corpus(tmp_path, **wrong)
    with pytest.raises(ValueError, match="named twice"):
        sw.open_corpus([tmp_path / "a.txt", tmp_path / "a.txt"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(LoadError, match="no shard is in this folder"):
        sw.open_corpus(tmp_path / "empty")


@pytest.mark.parametrize(
    ("name", "missing", "word"), [("a.parquet", "pyarrow.parquet", "pyarrow"), ("a.txt.zst", "", "zstandard")]
)
def test_what_reads_a_shard_and_is_not_here_is_named_before_anything_is_read(
    tmp_path, monkeypatch, name, missing, word
):
    (tmp_path / name).write_bytes(b"")
    for module in (missing, "zstandard", "pyarrow"):
        if module:
            monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(LoadError, match=f"pip install {word}"):
        sw.open_corpus(tmp_path / name)


# -- bad lines ---------------------------------------------------------------------------------------------------------

BAD = [
    (b'{"text": "b"', "is no JSON .Expecting ',' delimiter, character 13 of the line"),
    (b'{"body": "b"}', r"has no field 'text', but \['body'\]"),
    (b'{"text": ""}', "is an empty text"),
    (b'{"text": null}', "holds None, not a text"),
    (b'["b"]', r"is \['b'\], not an object with a field 'text'"),
    (b'{"text": "\xff"}', r"is not UTF-8 \(byte 10 of the line\)"),
    (b'{"text": "' + b"b" * 90 + b'"}', "is longer than 64 bytes; split it, or give a larger text_bytes"),
]


@pytest.mark.parametrize(("line", "words"), BAD)
def test_a_bad_line_is_named_with_its_shard_and_number(tmp_path, line, words):
    path = tmp_path / "s.jsonl"
    path.write_bytes(b'{"text": "a"}\n\n' + line + b'\n{"text": "c"}\n')
    corpus = sw.open_corpus(path, shuffle=0, text_bytes=64)
    with pytest.raises(LoadError, match=rf"s\.jsonl: line 3 {words}.*; mend it, or .*skip_bad=True") as caught:
        values(corpus)
    assert caught.value.path == str(path)


def test_bad_lines_are_left_out_and_counted_where_that_is_asked(tmp_path):
    (tmp_path / "s.jsonl").write_bytes(b"".join(b'{"text": "a"}\n' + line + b"\n" for line, _ in BAD))
    corpus = sw.open_corpus(tmp_path / "s.jsonl", text_bytes=64, skip_bad=True)
    with pytest.warns(
        UserWarning, match=r"after epoch 0: 7 bad texts were left out: .*s\.jsonl line .*; and 2 more"
    ) as told:
        found = list(corpus.texts(epochs=2))
    assert len(told) == 1
    assert [text.value for text in found] == ["a"] * 14
    assert corpus.n_bad == 7 and "bad: 7" in repr(corpus)  # and not 14: each counts once
    with pytest.raises(ValueError, match="no text: 1 bad text was left out: text 0"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values(sw.open_corpus([""], skip_bad=True))


def test_bad_items_of_a_list_are_named_by_their_number():
    for bad, words in (
        (None, "holds None"),
        ("", "is an empty text"),
        ({"a": 1}, "has no field 'text'"),
        (3.5, "holds 3.5"),
    ):
        with pytest.raises(ValueError, match=rf"text 1 \(from 0\) of the corpus {words}.*skip_bad=True"):
            values(sw.open_corpus(["a", bad], shuffle=0))


def test_a_file_that_breaks_off_says_after_which_line(tmp_path):
    whole = gzip.compress(b"".join(b"line %d\n" % i for i in range(9000)), mtime=0)
    (tmp_path / "a.txt.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LoadError, match=r"a\.txt\.gz: cannot be read on after line [\d,]+: "):
        values(sw.open_corpus(tmp_path / "a.txt.gz"))
    (tmp_path / "b.parquet").write_bytes(b"no table")
    if "pyarrow" in sys.modules or __import__("importlib").util.find_spec("pyarrow"):
        with pytest.raises(LoadError, match="not a Parquet file"):
            values(sw.open_corpus(tmp_path / "b.parquet"))


def test_an_error_of_a_generator_says_which_text_it_was_asked_for():
    def texts():
        yield "a"
        raise RuntimeError("the network is down")

    with pytest.raises(RuntimeError, match="the network is down") as caught:
        values(sw.open_corpus(texts, shuffle=0))
    assert caught.value.__notes__ == ["while text 1 (from 0) of the corpus was asked for"]
    with pytest.raises(TypeError, match="a function that gives 3; it must give an iterator"):
        values(sw.open_corpus(lambda: 3))


def test_an_iterator_lasts_for_one_epoch_and_says_so():
    corpus = sw.open_corpus(iter(TEXTS), shuffle=2)
    assert not corpus.reusable
    looked = [next(corpus.texts(look=True)).value for _ in range(2)]  # may be looked at before
    assert looked[0] == looked[1]
    with pytest.raises(
        ValueError, match="which can be gone through once, and was: give a function that makes a new one"
    ):
        for n, _ in enumerate(corpus.texts()):
            assert n < 3


def test_no_more_lines_are_held_than_a_block(tmp_path, monkeypatch):
    """Of 10,000 lines no more than two blocks were read when the first text comes, also where a block is bounded by bytes."""
    from saewidgets.corpora import streamed

    def read_before_the_first(shuffle):
        read = []
        corpus = sw.open_corpus(lambda: (read.append(i) or "x" * 100 for i in range(10_000)), shuffle=shuffle)
        next(corpus.texts())
        return len(read)

    assert read_before_the_first(0) == 1
    assert read_before_the_first(64) == 64
    monkeypatch.setattr(streamed, "BLOCK_BYTES", 1000)
    assert read_before_the_first(64) == 10


def test_lines_are_read_from_a_file_that_is_open(tmp_path):
    """A line longer than allowed is passed over to its end, and the next one is whole."""
    from saewidgets.corpora.shards import Shards

    (tmp_path / "a.txt").write_bytes(b"ab\n" + b"x" * 1000 + b"\ncd\n" + b"y" * 30)
    shards = Shards([str(tmp_path / "a.txt")], "text", 10)
    assert [len(line) for line in shards.items(0)] == [3, 11, 3, 11]
