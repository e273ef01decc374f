"""A store over a corpus that is not in memory: the same rows as one that is, from any batch on, whatever the ranks."""

from __future__ import annotations

import gc
import json
import random
import threading
import tracemalloc
import warnings
from functools import partial

import numpy as np
import pytest
import torch
from fake_model import SITE, FakeModel, as_rows, expected_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

import saewidgets as sw
from saewidgets.activations import ActivationStore, StreamedStore, groups
from saewidgets.activations.described import describe, described
from saewidgets.activations.rows import passes
from saewidgets.corpora import Position
from saewidgets.files import LoadError
from saewidgets.models import padded_rows, read_corpus, streams
from saewidgets.models.streams import RowStream
from saewidgets.ranks import Ranks
from saewidgets.training import Pairs


class Short(FakeModel):
    """A context of 6 tokens."""

    n_ctx = 6


def texts(n=50, seed=0):
    """Texts of 1 to 15 letters."""
    draw = random.Random(seed)
    return ["".join(draw.choices("abcdefghijklmnopqrs", k=draw.randint(1, 15))) for _ in range(n)]


TEXTS = texts()


def in_memory(given=TEXTS, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_corpus(Short(), given, **options)


EXPECTED = expected_rows(in_memory().rows)  # one epoch


def store(given=TEXTS, *, shuffle=8, **options):
    corpus = sw.open_corpus(given, shuffle=shuffle)
    return ActivationStore(Short(), SITE, corpus, **{"batch_size": 16, "buffer_tokens": 60, "epochs": 1} | options)


def same(some, others):
    return len(some) == len(others) and all(torch.equal(a, b) for a, b in zip(some, others, strict=True))


# -- rows --------------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.text("abc", min_size=1, max_size=14), min_size=1, max_size=12),
    st.sampled_from(["split", "cut"]),
    st.booleans(),
    st.data(),
)
def test_rows_are_those_of_a_corpus_in_memory_from_any_row_on(given, long, pack, data):
    whole = in_memory(given, long=long, pack=pack)
    stream = RowStream(Short(), sw.open_corpus(given, shuffle=0), long=long, pack=pack)
    rows = list(stream.rows(epochs=1))
    assert padded_rows([row.ids for row in rows]).tolist() == whole.rows.tolist()
    assert [row.counted.tolist() for row in rows] == [
        mask[ids >= 0].tolist() for mask, ids in zip(whole.counted, whole.rows, strict=True)
    ]
    assert [row.at.sequence for row in rows] == whole.text.tolist()
    assert (stream.n_cut, stream.n_packed) == (whole.n_cut, whole.n_packed)
    assert stream.n_split == sum(len(t) + 1 > 6 for t in given) * (long == "split")
    k = data.draw(st.integers(0, len(rows) - 1))
    for start, left in ((rows[k].at, rows[k:]), (rows[k].after, rows[k + 1 :])):
        if left:
            again = RowStream(Short(), sw.open_corpus(given, shuffle=0), long=long, pack=pack)
            assert [r.ids.tolist() for r in again.rows(start, epochs=1)] == [r.ids.tolist() for r in left]


def test_a_text_that_is_refused_is_named_by_its_place(tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_text('{"text": "ab"}\n{"text": "abcdefgh"}\n')
    with pytest.raises(LoadError, match=r"s\.jsonl: line 2 cannot be read by the model: is 9 tokens, and the context"):
        list(RowStream(Short(), sw.open_corpus(path, shuffle=0), long="refuse").rows(epochs=1))
    rows = [[0, 3], [0, 50], [-1, -1]]
    with pytest.raises(
        ValueError, match=r"text 1 \(from 0\) of the corpus cannot be read .*token id 50 does not exist"
    ):
        list(RowStream(Short(), sw.open_corpus(rows, shuffle=0)).rows(epochs=1))
    corpus = sw.open_corpus(rows, shuffle=0, skip_bad=True)
    with pytest.warns(UserWarning, match="2 bad texts were left out"):
        assert [row.ids.tolist() for row in RowStream(Short(), corpus).rows(epochs=1)] == [[0, 3]]


# -- batches -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [TEXTS, lambda: iter(TEXTS)])
@pytest.mark.parametrize("pack", [False, True])
def test_every_counted_token_comes_once_an_epoch(given, pack):
    found = store(given, pack=pack, epochs=2, shuffle=0)
    assert isinstance(found, StreamedStore) and isinstance(found, ActivationStore)
    batches = list(found)
    assert as_rows(batches) == sorted(expected_rows(in_memory(pack=pack).rows) * 2)
    assert {len(batch) for batch in batches[:-1]} == {16}


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 12), st.sampled_from([12, 60, 10_000]), st.booleans(), st.integers(0, 80))
def test_a_stream_can_be_entered_at_any_batch(batch_size, buffer_tokens, keep, start):
    options = {"batch_size": 4 * batch_size, "buffer_tokens": buffer_tokens, "epochs": 2}
    options["outliers"] = "keep" if keep else 45.0  # of norms up to 50: rows are left out
    one = store(**options)
    whole = list(one)
    start = min(start, len(whole))
    assert same(list(store(**options).batches(start)), whole[start:])  # found by going through the corpus
    assert same(list(one.batches(start)), whole[start:])  # found by what was noted
    stopped = store(**options)
    for _ in zip(range(start), stopped, strict=False):
        pass
    state = json.loads(json.dumps(stopped.state_dict()))
    again = store(**options)
    again.load_state_dict(state)
    assert state["batch"] == start and same(list(again.batches(start)), whole[start:])


def test_a_state_spares_what_came_before_it():
    class Counted(Short):
        made = 0

        def text_ids(self, text, **options):
            Counted.made += 1
            return super().text_ids(text)

    def fresh():
        corpus = sw.open_corpus(TEXTS, shuffle=0)
        return ActivationStore(Counted(), SITE, corpus, batch_size=16, buffer_tokens=60, epochs=1)

    one = fresh()
    whole = list(one)
    state = one.state_dict(len(whole) - 1)
    again = fresh()
    again.load_state_dict(state)
    Counted.made = 0
    assert same(list(again.batches(len(whole) - 1)), whole[-1:])
    assert Counted.made < 20 and again.model.passes  # of 50; and the sample was not measured again


def test_the_seed_and_the_corpus_decide_the_order():
    assert same(list(store(seed=1)), list(store(seed=1)))
    assert not same(list(store(seed=1)), list(store(seed=2)))
    assert not same(list(store()), list(store(shuffle=9, given=lambda: iter(TEXTS))))


def test_two_iterators_do_not_disturb_each_other():
    one = store()
    alone = list(one)
    first, second = iter(one), one.batches(3)
    mixed = []
    for batch in first:
        mixed.append(batch)
        next(second, None)
    second.close()
    assert same(mixed, alone)


def test_scale_and_bound_are_measured_on_the_first_tokens_of_all_ranks():
    x = np.array(EXPECTED, float)
    sites = [store(rank=rank, ranks=ranks).site for ranks in (1, 2) for rank in range(ranks)]
    assert sites[0] == sites[1] == sites[2]
    assert sites[0].scale == pytest.approx(np.sqrt(4 / (x**2).sum(1).mean()), rel=1e-6)


def test_outliers_are_left_out_and_counted():
    bounded = store(outliers=10.0)
    kept = [row for row in EXPECTED if np.linalg.norm(row) <= 10]
    assert as_rows(bounded) == kept and bounded.site.max_norm == 10
    assert bounded.left_out == len(EXPECTED) - len(kept) == int(f"{bounded}".split("left out: ")[1].rstrip(")"))
    list(bounded)
    assert bounded.left_out == len(EXPECTED) - len(kept)  # counted once
    with pytest.raises(ValueError, match=r"every token's activation is longer than 0\.5: none is left"):
        list(store(outliers=0.5, epochs=None, normalize=False))


def test_a_corpus_of_special_tokens_alone_is_refused():
    for epochs in (1, None):
        with pytest.raises(ValueError, match="no tokens besides special ones"):
            list(store([[0], [0]], epochs=epochs))


@pytest.mark.parametrize("pack", [False, True])
def test_ranks_share_the_texts(pack):
    parts = [store(rank=rank, ranks=2, pack=pack) for rank in (0, 1)]
    assert [one.batch_size for one in parts] == [16, 16]
    batches = [list(one) for one in parts]
    assert {len(batch) for own in batches for batch in own[:-1]} == {8}
    tokens = sorted(row[0] for row in as_rows(batches[0] + batches[1]))
    assert tokens == sorted(row[0] for row in EXPECTED)
    if not pack:
        assert as_rows(batches[0] + batches[1]) == EXPECTED
    with pytest.raises(ValueError, match=r"16 rows cannot be shared evenly by 3; give batch_size=15"):
        store(rank=0, ranks=3)


def test_another_number_of_ranks_goes_on_and_leaves_nothing_out():
    """Two ranks stop; one goes on from both their states, at the buffer of the one furthest behind."""
    parts = [store(given=lambda: iter(TEXTS), shuffle=0, rank=rank, ranks=2, batch_size=32) for rank in (0, 1)]
    streams = [one.batches() for one in parts]
    given = [next(stream) for stream in streams for _ in range(6)]
    states = [json.loads(json.dumps(one.state_dict(6))) for one in parts]
    with pytest.raises(ValueError, match="rank 1 of 2, and this is 0 of 1: give the states of all"):
        store(given=lambda: iter(TEXTS), shuffle=0, batch_size=32).load_state_dict(states[1])
    with pytest.raises(ValueError, match="2 states were given, not one of each of 2 ranks"):
        store(given=lambda: iter(TEXTS), shuffle=0, batch_size=32).load_state_dict([states[0], states[0]])
    one = store(given=lambda: iter(TEXTS), shuffle=0, batch_size=32)
    one.load_state_dict(states)
    rest = list(one.batches(6))
    everything = as_rows(given + rest)
    assert set(EXPECTED) <= set(everything)
    assert 0 < len(everything) - len(EXPECTED) <= 2 * 60 + 6 * 32  # at most what the ranks had beyond
    with pytest.raises(ValueError, match="goes on from batch 6"):
        next(one.batches(2))


def test_a_state_of_something_else_is_refused():
    state = store().state_dict(0)
    for other, words in (
        (store(batch_size=8), "batch_size = 16, and this store has 8"),
        (store(pack=True), "pack = False, and this store has True"),
        (store(texts(51)), "another corpus"),
        (
            ActivationStore(Short(), sw.records.ActivationSite("b", "h", 4), sw.open_corpus(TEXTS, shuffle=8)),
            "is of fake at blocks.0",
        ),
    ):
        with pytest.raises(ValueError, match=words):
            other.load_state_dict(state)
    with pytest.raises(ValueError, match="not the state of a store: KeyError"):
        store().load_state_dict({"rank": 0, "ranks": 1})


@pytest.mark.parametrize("streamed", [True, False])
def test_a_data_loader_with_workers_gives_every_batch_once_and_in_order(streamed):
    one = (
        store()
        if streamed
        else ActivationStore(Short(), SITE, in_memory().rows, batch_size=16, buffer_tokens=60, epochs=1)
    )
    assert same(list(DataLoader(one, batch_size=None, num_workers=2)), list(one))


def test_ranks_of_a_store_in_memory_share_its_batches():
    rows = in_memory().rows
    one, *parts = (
        ActivationStore(FakeModel(), SITE, rows, batch_size=16, epochs=1, rank=rank, ranks=ranks)
        for rank, ranks in ((0, 1), (0, 2), (1, 2))
    )
    for whole, first, second in zip(one, *parts, strict=True):
        assert torch.equal(torch.cat([first, second]), whole)


class InThreads(Ranks):
    """Two ranks as threads of this process: what `same` does over torch.distributed, over a list."""

    def __init__(self, rank, shared, barrier):
        super().__init__(rank, 2)
        self.shared, self.barrier = shared, barrier

    def same(self, tensors, source=0):
        for tensor in tensors:
            if self.rank == source:
                self.shared[:] = [tensor.clone()]
            self.barrier.wait(30)
            tensor.copy_(self.shared[0])
            self.barrier.wait(30)


def test_processes_that_read_together_share_the_passes_and_all_get_all(monkeypatch):
    monkeypatch.setattr(groups, "passes", partial(passes, tokens_per_pass=12))  # several a buffer
    given = {
        "outliers": "keep",
        "normalize": False,
    }  # a measured property is made by one thread at a time (Python 3.11)
    alone, *stores = (store(**given) for _ in range(3))
    whole = list(alone)
    shared, barrier = [], threading.Barrier(2)
    found = [None, None]

    def read(rank):
        stores[rank]._readers = InThreads(rank, shared, barrier)
        found[rank] = list(stores[rank])

    threads = [threading.Thread(target=read, args=(rank,)) for rank in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert same(found[0], whole) and same(found[1], whole)
    counts = [len(one.model.passes) for one in stores]
    assert sum(counts) == len(alone.model.passes) and max(counts) < 0.7 * sum(counts)


def test_a_description_makes_the_same_store_elsewhere(tmp_path):
    (tmp_path / "s.txt").write_text("\n".join(TEXTS))
    model = Short()
    model.source = {"name": "short"}
    one = ActivationStore(
        model,
        SITE,
        sw.open_corpus(tmp_path / "s.txt", seed=2),
        batch_size=16,
        buffer_tokens=60,
        epochs=1,
        pack=True,
        seed=4,
    )
    describe(one, tmp_path / "fresh")
    whole = list(one)
    describe(one, tmp_path / "measured")
    for name in ("fresh", "measured"):
        again = described(tmp_path / name, lambda source: Short())
        assert same(list(again), whole) and again.site == one.site
    harvested = sw.harvest(Short(), SITE, TEXTS, tmp_path / "h")
    describe(harvested, tmp_path / "harvested")
    assert same([next(iter(described(tmp_path / "harvested", lambda source: None)))], [next(iter(harvested))])
    listed = ActivationStore(model, SITE, sw.open_corpus(TEXTS))
    with pytest.raises(ValueError, match=r"write it to shards, such as \.jsonl, and give their paths to open_corpus"):
        describe(listed, tmp_path / "listed")
    with pytest.raises(ValueError, match="rank 1's part of 2; give one without rank"):
        describe(ActivationStore(model, SITE, sw.open_corpus(tmp_path / "s.txt"), rank=1, ranks=2), tmp_path / "part")
    assert not (tmp_path / "listed").exists() and not (tmp_path / "part").exists()


# -- what a run sees ---------------------------------------------------------------------------------------------------


def test_an_iterator_lasts_for_one_epoch_its_beginning_measured_first():
    one = store(iter(TEXTS))
    assert as_rows(one) == EXPECTED
    assert one.site == store(shuffle=8, given=lambda: iter(TEXTS)).site
    endless = store(iter(TEXTS), epochs=None)
    with pytest.raises(ValueError, match="give a function that makes a new one"):
        for n, _ in enumerate(endless):
            assert n < 60


def test_a_bad_line_reaches_who_reads_batches_with_its_place(tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_text("".join(json.dumps({"text": t}) + "\n" for t in TEXTS) + "{\n")
    with pytest.raises(LoadError, match=r"s\.jsonl: line 51 is no JSON"):
        list(store(path))
    assert [t for t in threading.enumerate() if t.name == "saewidgets-ahead"] == []


def test_training_goes_on_bit_for_bit_from_where_the_checkpoint_says(tmp_path):
    def run(batches=None, **options):
        sae = sw.SAE(sw.SAEConfig(4, 8, "relu"))
        return sw.train(sae, batches or store(epochs=None), sw.TrainConfig(steps=30), **options)

    whole = run()
    list(whole)
    first = run()
    for _ in range(17):
        next(first)
    first.save(tmp_path / "c.safetensors")
    batches = store(epochs=None)
    second = run(batches, resume=tmp_path / "c.safetensors")
    assert not batches.model.passes and batches.state_dict(17)["row"] > 200  # what came before is not read again
    list(second)
    assert all(torch.equal(second.sae.weights[name], w) for name, w in whole.sae.weights.items())
    with pytest.raises(
        LoadError, match="the batches are not those that it was trained on: the state is one of another corpus"
    ):
        run(store(texts(51), epochs=None), resume=tmp_path / "c.safetensors")


def test_a_sweep_goes_on_from_where_its_checkpoints_say(tmp_path):
    def sweep(batches, **options):
        runs = {
            name: (sw.SAE(sw.SAEConfig(4, 8, "relu")), sw.TrainConfig(steps=20, lr=lr))
            for name, lr in (("a", 1e-3), ("b", 1e-2))
        }
        return sw.train_sweep(runs, batches, **options)

    whole = sweep(store(epochs=None))
    list(whole)
    first = sweep(store(epochs=None))
    for _ in range(13):
        next(first)
    first.save(tmp_path / "s")
    batches = store(epochs=None)
    second = sweep(batches, resume=tmp_path / "s")
    assert batches.state_dict(13)["row"] > 150
    list(second)
    for name in "ab":
        assert all(torch.equal(second.saes[name].weights[n], w) for n, w in whole.saes[name].weights.items())


def test_what_needs_all_texts_at_once_refuses_a_stream():
    with pytest.raises(TypeError, match="the corpus is streamed, and this needs one in memory; give some of its texts"):
        read_corpus(Short(), sw.open_corpus(TEXTS))
    with pytest.raises(TypeError, match=r"training cannot take for batches .*ActivationStore\(model, site, corpus\)"):
        sw.train(sw.SAE(sw.SAEConfig(4, 8)), sw.open_corpus(TEXTS), sw.TrainConfig(steps=1))


def test_what_needs_a_corpus_in_memory_says_so(tmp_path):
    with pytest.raises(TypeError, match=r"written by sw\.harvest\(model, site, corpus, "):
        store().cache(tmp_path / "cache")
    with pytest.raises(ValueError, match="how many tokens a streamed corpus has is not known"):
        Pairs(store(), store())


def test_memory_is_bounded_by_the_buffer(tmp_path, monkeypatch):
    """A corpus of 4 MB is gone through with blocks of 64 texts and buffers of 2,000 tokens: what Python and NumPy hold never
    reaches 1 MB. Were it read whole, it would take four times as much.
    """
    monkeypatch.setattr(streams, "AHEAD", 4000)
    path = tmp_path / "long.txt"
    path.write_text(("abcdefgh" * 25 + "\n") * 20_000)
    corpus = sw.open_corpus(path, shuffle=64)

    def read():
        options = {"batch_size": 500, "buffer_tokens": 2000, "outliers": "keep", "normalize": False}
        batches = ActivationStore(FakeModel(), SITE, corpus, **options).batches()
        for _ in range(20):
            next(batches)
        batches.close()

    read()  # what is imported only once counts for nobody
    assert sum(1 for _ in corpus.texts(Position(0, 19_990), epochs=1)) == 10
    gc.collect()
    tracemalloc.start()
    try:
        read()
        n = sum(1 for _ in corpus.texts(epochs=1))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert n == 20_000 and peak < 1e6
