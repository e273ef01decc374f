"""One global order: every text once an epoch, at one rank, from any place on."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import saewidgets as sw
from saewidgets.corpora import Permutation, Position


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 700), st.integers(0, 2**40))
def test_a_permutation_without_memory_is_one(n, seed):
    found = Permutation(n, seed, 3)(np.arange(n))
    assert sorted(found.tolist()) == list(range(n))
    some = np.arange(n)[::3]
    assert (Permutation(n, seed, 3)(some) == found[some]).all()


def test_a_permutation_mixes():
    """Of 4,096 numbers about one stays in place, neighbors end up n / 3 apart on average, and two seeds disagree."""
    found = Permutation(4096, 5)(np.arange(4096))
    assert (found == np.arange(4096)).sum() < 8
    assert np.abs(np.diff(found)).mean() == pytest.approx(4096 / 3, rel=0.05)
    assert abs(np.corrcoef(found, np.arange(4096))[0, 1]) < 0.06
    assert (found == Permutation(4096, 6)(np.arange(4096))).sum() < 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Shards of 0, 1, 7, 30 and 64 texts, blank lines among them, which say where they stand."""
    folder = tmp_path_factory.mktemp("shards")
    for n in (0, 1, 7):
        (folder / f"{n}.txt").write_text("".join(f"{n}:{i}\n\n" for i in range(n)))
    for n in (30, 64):
        (folder / f"{n}.jsonl").write_text("".join(json.dumps({"text": f"{n}:{i}"}) + "\n" for i in range(n)))
    return folder


ALL = sorted(f"{n}:{i}" for n in (1, 7, 30, 64) for i in range(n))


def corpora(folder, kind, shuffle, seed):
    """The same texts as shards, as a list, and as a function."""
    texts = {"shards": folder, "list": ALL, "function": lambda: iter(ALL)}[kind]
    return sw.open_corpus(texts, shuffle=shuffle, seed=seed)


KINDS = st.sampled_from(["shards", "list", "function"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(KINDS, st.sampled_from([0, 1, 2, 5, 16, 4096]), st.integers(0, 9), st.integers(1, 6))
def test_ranks_are_disjoint_and_together_everything(folder, kind, shuffle, seed, ranks):
    corpus = corpora(folder, kind, shuffle, seed)
    whole = list(corpus.texts(epochs=2))
    for epoch in (0, 1):
        assert sorted(text.value for text in whole if text.epoch == epoch) == ALL
    numbers = [(text.epoch, text.number) for text in whole]
    assert numbers == sorted(set(numbers))
    parts = [list(corpus.texts(epochs=2, rank=rank, ranks=ranks)) for rank in range(ranks)]
    for rank, part in enumerate(parts):
        assert all(text.number % ranks == rank for text in part)
    joined = sorted((text.epoch, text.number, text.value) for part in parts for text in part)
    assert joined == [(text.epoch, text.number, text.value) for text in whole]


@settings(max_examples=60, deadline=None)
@given(KINDS, st.sampled_from([0, 3, 16, 4096]), st.integers(0, 230), st.integers(1, 4), st.integers(1, 4))
def test_any_number_of_ranks_goes_on_where_another_stopped(folder, kind, shuffle, done, before, after):
    """`before` ranks do `done` texts each; `after` ranks do the rest. Nothing is lost, nothing comes twice."""
    corpus = corpora(folder, kind, shuffle, 1)
    whole = {(text.epoch, text.number): text.value for text in corpus.texts(epochs=2)}
    n = sum(epoch == 0 for epoch, _ in whole) if kind != "shards" else 30 + 64 + 2 * 8  # numbers of an epoch
    epoch, number = divmod(done, n)
    first = number - number % before  # where all ranks have done the same number of texts
    stood = Position(epoch, first)
    fresh = corpora(folder, kind, shuffle, 1)
    place = fresh.position(json.loads(json.dumps(corpus.state(stood))))
    assert place == stood
    rest = [t for rank in range(after) for t in fresh.texts(place, rank=rank, ranks=after, epochs=2)]
    wanted = {key: value for key, value in whole.items() if key >= (epoch, first)}
    assert sorted(((t.epoch, t.number), t.value) for t in rest) == sorted(wanted.items())


def test_the_seed_and_the_epoch_decide_the_order(folder):
    def order(seed, epoch=0, shuffle=16):
        texts = sw.open_corpus(folder, seed=seed, shuffle=shuffle).texts(Position(epoch), epochs=epoch + 1)
        return [text.value for text in texts]

    assert order(0) == order(0) and order(0) != order(1) and order(0) != order(0, epoch=1)
    assert order(0, shuffle=0) == order(1, epoch=1, shuffle=0)
    names = [value.split(":")[0] for value in order(0, shuffle=0)]
    assert list(dict.fromkeys(names)) == ["1", "30", "64", "7"]  # shards in the order of their names


def test_a_text_stays_in_its_block_of_its_shard(folder):
    corpus = sw.open_corpus(folder / "64.jsonl", shuffle=16, seed=2)
    items = [text.item for text in corpus.texts(epochs=1)]
    for block in range(4):
        own = items[16 * block : 16 * block + 16]
        assert sorted(own) == list(range(16 * block, 16 * block + 16)) and own != sorted(own)


def test_a_state_is_small_and_is_refused_by_another_order(folder):
    corpus = sw.open_corpus(folder, seed=0)
    list(corpus.texts(epochs=1))
    state = corpus.state(Position(3, 10_000_000))
    assert len(json.dumps(state)) < 200
    assert state["lengths"] == [0, 2, 30, 64, 14]  # lines, blank ones too
    for other in ({"seed": 1}, {"shuffle": 7}, {"field": "body"}):
        with pytest.raises(ValueError, match="another order of it"):
            sw.open_corpus(folder, **other).position(state)
    with pytest.raises(ValueError, match="not the state of a corpus: KeyError"):
        corpus.position({})


def test_shards_that_were_gone_through_are_not_opened_again(folder, monkeypatch):
    corpus = sw.open_corpus(folder, shuffle=0)
    list(corpus.texts(epochs=1))
    opened = []
    items = corpus._source.items
    monkeypatch.setattr(corpus._source, "items", lambda shard: opened.append(shard) or items(shard))
    found = [text.value for text in corpus.texts(Position(0, 100), epochs=1)]
    assert opened == [4] and found == ["7:2", "7:3", "7:4", "7:5", "7:6"]  # 0 + 2 + 30 + 64 = 96 lines before


def test_an_epoch_without_a_text_is_said(folder):
    with pytest.raises(ValueError, match=r"no text$"):
        list(sw.open_corpus(folder / "0.txt").texts())
    with pytest.raises(ValueError, match="no text for rank 5 of 8"):
        list(sw.open_corpus(["a", "b"]).texts(rank=5, ranks=8))
    with pytest.raises(ValueError, match="rank must be a whole number from 0 to 1, not 2"):
        sw.open_corpus(["a", "b"]).texts(rank=2, ranks=2)


def test_a_spec_opens_the_same_corpus_elsewhere(folder, monkeypatch):
    monkeypatch.chdir(folder)
    corpus = sw.open_corpus("*", shuffle=5, seed=3)
    monkeypatch.chdir("/")
    again = sw.open_corpus(**json.loads(json.dumps(corpus.spec)))
    monkeypatch.chdir(folder)
    assert [t.value for t in again.texts(epochs=1)] == [t.value for t in corpus.texts(epochs=1)]
    assert again.position(corpus.state(Position(0, 5))) == Position(0, 5)
    with pytest.raises(ValueError, match="write it to shards"):
        _ = sw.open_corpus(ALL).spec
