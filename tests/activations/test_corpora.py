"""Texts of any kind as rows that fit in the context: nothing is lost in silence, and what is no corpus is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from fake_model import SITE, FakeModel
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets.activations import ActivationStore, corpus_rows
from saewidgets.analysis.features import feature_activations
from saewidgets.analysis.quality import concept_scores, quality
from saewidgets.analysis.quality.detectors import halves
from saewidgets.miniworld import load_corpus
from saewidgets.models import read_corpus, site
from saewidgets.records import FeatureActivations
from saewidgets.sae import SAE, SAEConfig

LONG = "The cat sat on the mat. " * 20
TEXTS = ["The bay", LONG, "is red", "fog is cold " * 40]


class Short(FakeModel):
    """A context of 4 tokens."""

    n_ctx = 4


# -- long texts --------------------------------------------------------------------------------------------------------


def test_a_long_text_is_split_by_hand():
    """abcdefgh behind a beginning-of-text token, in rows of 4: 0 abc, 0 def, 0 gh."""
    with pytest.warns(
        UserWarning, match="1 of 3 texts split: the context of fake is 4 tokens, and the corpus is 5 rows"
    ):
        found = read_corpus(Short(), ["ab", "abcdefgh", "c"])
    assert found.rows.tolist() == [[0, 1, 2, -1], [0, 1, 2, 3], [0, 4, 5, 6], [0, 7, 8, -1], [0, 3, -1, -1]]
    assert found.text.tolist() == [0, 1, 1, 1, 2]
    assert (found.n_texts, found.n_split, found.n_cut) == (3, 1, 0)
    assert found.counted.sum() == 11


def test_a_long_text_is_cut_or_refused_where_that_is_asked():
    with pytest.warns(UserWarning, match="1 of 2 texts cut"):
        found = read_corpus(Short(), ["ab", "abcdefgh"], "cut")
    assert found.rows.tolist() == [[0, 1, 2, -1], [0, 1, 2, 3]] and (found.n_split, found.n_cut) == (0, 1)
    with pytest.raises(
        ValueError, match=r"text 1 of 2 \(from 0\) is 9 tokens, and the context of fake is 4: long=\"split\""
    ):
        read_corpus(Short(), ["ab", "abcdefgh"], "refuse")
    with pytest.raises(ValueError, match="unknown way with long texts 'spilt'; nearest: split"):
        read_corpus(Short(), ["ab"], "spilt")


def test_rows_without_the_beginning_stay_without_it():
    with pytest.warns(UserWarning, match="2 of 2 texts split"):
        found = read_corpus(Short(), np.array([[1, 2, 3, 4, 5, -1], [0, 1, 2, 3, 4, 5]], np.int32))
    assert found.rows.tolist() == [[1, 2, 3, 4], [5, -1, -1, -1], [0, 1, 2, 3], [0, 4, 5, -1]]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.integers(1, 49), max_size=15), min_size=1, max_size=6), st.integers(2, 7), st.booleans())
def test_split_rows_hold_every_token_once_and_in_order(texts, n_ctx, begins):
    model = Short()
    model.n_ctx = n_ctx
    rows = [[0] * begins + text for text in texts]
    if not any(rows):
        return
    found = read_corpus_quietly(model, rows)
    assert found.rows.shape[1] <= n_ctx
    for n, text in enumerate(texts):
        own = found.rows[found.text == n]
        assert [i for row in own for i in row[begins:].tolist() if i >= 0] == text
        assert not begins or (own[:, 0] == 0).all()


def read_corpus_quietly(*args):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return read_corpus(*args)


@pytest.fixture(scope="module")
def sae(tiny_model):
    torch.manual_seed(0)
    return SAE(SAEConfig(32, 24, "topk", k=3, site=site(tiny_model, "blocks.0.hook_resid_post")))


pytestmark = pytest.mark.filterwarnings("ignore:this SAE does not fit", "ignore:SAE does not fit")


def test_every_door_takes_a_long_text(tiny_model, sae, tmp_path):
    at = site(tiny_model, "blocks.0.hook_resid_post")
    n = sum(len(tiny_model.vocabulary.encode(text)) for text in TEXTS)
    with pytest.warns(UserWarning, match="of 4 texts split"):
        store = ActivationStore(tiny_model, at, TEXTS, epochs=1)
    assert store.n_split == 2 and store.n_tokens == n and "texts split: 2" in repr(store)
    assert sum(len(batch) for batch in store) == n
    with pytest.warns(UserWarning, match="of 4 texts split"):
        acts = feature_activations(tiny_model, sae, TEXTS)
    assert (acts.n_tokens, acts.n_split, acts.n_cut) == (n, 2, 0) and "2 of 4 texts split" in acts.corpus
    acts.save(tmp_path / "acts.safetensors")
    again = FeatureActivations.load(tmp_path / "acts.safetensors")
    assert (again.n_split, again.text.tolist(), again.corpus) == (2, acts.text.tolist(), acts.corpus)
    with pytest.warns(UserWarning, match="of 4 texts split"):
        assert quality(tiny_model, sae, TEXTS).n_tokens == n
    with pytest.warns(UserWarning, match="of 4 texts cut"):
        cut = feature_activations(tiny_model, sae, TEXTS, long="cut")
    assert cut.n_cut == 2 and cut.n_split == 0 and len(cut.tokens) == 4
    for call in (
        lambda: ActivationStore(tiny_model, at, TEXTS, long="refuse"),
        lambda: feature_activations(tiny_model, sae, TEXTS, long="refuse"),
        lambda: quality(tiny_model, sae, TEXTS, long="refuse"),
    ):
        with pytest.raises(ValueError, match=r"text 1 of 4 \(from 0\) is \d+ tokens"):
            call()


def test_a_piece_has_the_activations_of_its_own_row(tiny_model, sae):
    acts = feature_activations(tiny_model, sae, read_corpus_quietly(tiny_model, TEXTS).rows)
    found = {}
    for n in range(len(acts.tokens)):
        alone = feature_activations(tiny_model, sae, acts.tokens[n : n + 1])
        for f in range(24):
            _, position, value = alone.of(f)
            found |= {(f, n, int(p)): v for p, v in zip(position, value, strict=True)}
    for f in range(24):
        for c, p, v in zip(*acts.of(f), strict=True):
            assert found.pop((f, int(c), int(p))) == pytest.approx(v, abs=1e-4)
    assert not found


def test_pieces_of_one_text_go_to_one_half():
    tokens = np.arange(40, dtype=np.int32).reshape(10, 4)
    empty = np.zeros(0, np.int32)
    acts = FeatureActivations(
        tokens,
        empty,
        empty,
        empty.astype(np.float32),
        np.zeros(2, np.int64),
        tokens >= 0,
        text=np.repeat(np.arange(5), 2),
    )
    for seed in range(10):
        first, second = (own.counted.any(1) for own in halves(acts, seed))
        assert (first ^ second).all() and (first[::2] == first[1::2]).all()
    whole = replace(acts, text=None)
    assert any((a.counted.any(1)[::2] != a.counted.any(1)[1::2]).any() for a, _ in (halves(whole, s) for s in range(5)))


# -- labels ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_ctx", [2, 20, 33])
def test_a_split_corpus_keeps_each_label_at_its_token(n_ctx):
    whole = load_corpus(60, seed=5)
    split = whole.split(n_ctx)
    assert split.token_rows.shape[1] == n_ctx and split.n_tokens == whole.n_tokens
    assert len(split.texts) == len(split.kinds) == len(split.subjects) == len(split.token_rows)

    def labels(corpus):
        """Concepts of each token that is no separator, in reading order."""
        named = {}
        for d, p, c in zip(corpus.label_doc, corpus.label_pos, corpus.label_concept, strict=True):
            named.setdefault((int(d), int(p)), set()).add(int(c))
        return [
            (int(row[p]), frozenset(named.get((d, p), ())))
            for d, row in enumerate(corpus.token_rows)
            for p in range(1, len(row))
            if row[p] >= 0
        ]

    assert labels(split) == labels(whole)
    assert whole.split(10_000) is whole
    with pytest.raises(ValueError, match="rows of 1 tokens have no room"):
        whole.split(1)


def test_a_split_corpus_is_what_the_model_reads_and_labels_of_another_are_refused(tiny_model, sae):
    whole = load_corpus(60, seed=5)
    rows = np.where(whole.token_rows >= 0, whole.token_rows % 300, -1)  # within the tiny model's tokens
    whole = replace(whole, token_rows=rows.astype(np.int32))
    assert whole.token_rows.shape[1] > 64
    split = whole.split(64)
    assert np.array_equal(read_corpus_quietly(tiny_model, whole).rows, split.token_rows)
    with pytest.warns(UserWarning, match="of 60 texts split"):
        acts = feature_activations(tiny_model, sae, whole)
    with pytest.raises(ValueError, match=r"its long texts were split, so give corpus.split\(64\) in both places"):
        concept_scores(acts, whole)
    assert len(concept_scores(feature_activations(tiny_model, sae, split), split)) == len(whole.concepts)


# -- kinds of corpus ---------------------------------------------------------------------------------------------------


class DataSet:
    """What the package `datasets` gives, as far as it is used."""

    def __init__(self, columns, stream=False):
        self.columns, self.column_names, self.stream = columns, None if stream else list(columns), stream
        if stream:
            del self.columns
            self.rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def __getitem__(self, key):
        if self.stream:
            raise TypeError("a stream has no columns")
        return self.columns[key] if isinstance(key, str) else {k: v[key] for k, v in self.columns.items()}

    def __iter__(self):
        return iter(self.rows)


EXPECTED = [[0, 1, 2], [0, 3, -1]]
SAME = {
    "list": ["ab", "c"],
    "tuple": ("ab", "c"),
    "generator": (text for text in ("ab", "c")),
    "array of str": np.array(["ab", "c"]),
    "array of objects": np.array(["ab", "c"], dtype=object),
    "series": pd.Series(["ab", "c"], index=[7, 3]),
    "frame": pd.DataFrame({"id": [1, 2], "text": ["ab", "c"]}),
    "data set": DataSet({"id": [1, 2], "text": ["ab", "c"]}),
    "streamed data set": DataSet({"id": [1, 2], "text": ["ab", "c"]}, stream=True),
    "objects": [{"text": "ab"}, {"text": "c"}],
    "column": {"text": ["ab", "c"]},
    "tensor": torch.tensor([[0, 1, 2], [0, 3, -1]]),
    "rows": [[0, 1, 2], torch.tensor([0, 3])],
    "long rows": [np.array([0, 1, 2], np.int64), (0, 3)],
    "corpus": SimpleNamespace(token_rows=np.array(EXPECTED, np.int32)),
}


@pytest.mark.parametrize("kind", SAME)
def test_texts_of_every_kind_give_the_same_rows(kind):
    found = read_corpus(FakeModel(), SAME[kind])
    assert found.rows.tolist() == EXPECTED and found.rows.dtype == np.int32
    assert found.n_split == found.n_cut == 0 and not found.note


def test_a_data_set_of_the_library_is_read():
    datasets = pytest.importorskip("datasets")
    made = datasets.Dataset.from_dict({"id": [1, 2], "text": ["ab", "c"]})
    assert corpus_rows(FakeModel(), made)[0].tolist() == EXPECTED
    assert corpus_rows(FakeModel(), made.to_iterable_dataset())[0].tolist() == EXPECTED
    with pytest.raises(TypeError, match="DatasetDict"):
        corpus_rows(FakeModel(), datasets.DatasetDict({"train": made}))


@pytest.mark.parametrize(
    ("corpus", "error", "message"),
    [
        ("abc", ValueError, r"give a list of texts: \['abc'\]"),
        (b"abc", TypeError, r"bytes; give a list of texts: \[data.decode"),
        (Path("notes.txt"), TypeError, r"read_text\(\)"),
        ([b"abc"], TypeError, "text 0 is bytes"),
        (["a", None], TypeError, "text 1 is None"),
        (["a", 3], TypeError, "text 1 is 3"),
        (["a", float("nan")], TypeError, "text 1 is nan"),
        (pd.Series(["a", None]), TypeError, "text 1 is"),
        (pd.DataFrame({"body": ["a"]}), TypeError, r"no column 'text'; give the one of the texts, of \['body'\]"),
        (DataSet({"body": ["a"]}), TypeError, "no column 'text'"),
        ([{"body": "a"}], TypeError, r"text 0 is an object with \['body'\]"),
        ({"train": ["a"]}, TypeError, r"give one of them, data\['train'\]"),
        ({"a", "b"}, TypeError, r"sorted\(texts\)"),
        (7, TypeError, "the corpus is 7, a int"),
        (None, TypeError, "the corpus is None"),
        (np.array([[0.0, 1.0]]), TypeError, "array of float64"),
        (torch.zeros(2, 3), TypeError, "array of float32"),
        (np.array([b"abc"]), TypeError, "array of"),
        ([[0, 1], [0.5, 1.0]], ValueError, r"text 1 of 2 \(from 0\): its ids are float64, not whole"),
        ([[0, 1], [True]], ValueError, r"text 1 of 2 \(from 0\): its ids are bool"),
        ([[0, 1], [0, 50]], ValueError, r"text 1 of 2 \(from 0\): token id 50 does not exist"),
        ([[0, 1], [-1, 3]], ValueError, r"text 1 of 2 \(from 0\): a row has padding \(-1\) before"),
        ([], ValueError, "no tokens"),
    ],
)
def test_what_is_no_corpus_is_named_before_any_work(corpus, error, message):
    model = FakeModel()
    with pytest.raises(error, match=message):
        ActivationStore(model, SITE, corpus)
    assert not model.passes


def test_a_bad_text_is_named_by_its_number(tiny_model):
    with pytest.raises(ValueError, match=r"text 2 of 3 \(from 0\): character 1 of the text is half of a surrogate"):
        read_corpus(tiny_model, ["a", "b", "c\ud83d"])


# -- padding on the left -----------------------------------------------------------------------------------------------


def test_rows_that_are_padded_on_the_left_are_refused(tiny_model):
    ids = [tiny_model.tokens(text, prepend_bos=False).tolist() for text in ("The bay", "is red and cold", "fog")]
    width = max(map(len, ids)) + 1
    left = np.array([[0] * (width - len(row)) + row for row in ids], np.int32)
    right = np.array([[0, *row] + [-1] * (width - 1 - len(row)) for row in ids], np.int32)
    with pytest.raises(ValueError, match=r"row \d begins with \d beginning-of-text tokens \(0\).* Pad on the right"):
        read_corpus(tiny_model, left)
    assert read_corpus(tiny_model, right).rows.tolist() == right.tolist()
    with pytest.raises(ValueError, match="pad on the right"):
        tiny_model.activations(np.where(left == 0, -1, left), "blocks.0.hook_resid_post")


def test_packed_rows_are_no_padding(tiny_model):
    """A separator behind the beginning, now and then: [0, 0, text] in one row of twenty."""
    rows = np.random.default_rng(0).integers(1, 300, (20, 16)).astype(np.int32)
    rows[:, 0] = 0
    rows[4, 1] = 0
    assert read_corpus(tiny_model, rows).rows.tolist() == rows.tolist()
