"""A harvest on disk: every counted token once, whoever wrote it and however often it was stopped; and its stream."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from fake_model import SITE, FakeModel, as_rows, expected_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

import saewidgets as sw
from saewidgets.activations import ActivationStore, HarvestedStore, harvesting
from saewidgets.activations.harvesting import harvest_rank
from saewidgets.files import LoadError
from saewidgets.models import Model, padded_rows, site


class Short(FakeModel):
    """A context of 6 tokens."""

    n_ctx = 6


class Interrupted(Short):
    """It is stopped at a forward pass."""

    def __init__(self, passes):
        super().__init__()
        self.left = passes

    def activations(self, tokens, hook_name):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().activations(tokens, hook_name)


TEXTS = ["abcdefghijklmnop"[: 1 + (7 * n) % 15] for n in range(40)]
ROWS = padded_rows(
    [[0, *ids] for ids in [[ord(c) - 96 for c in t[i : i + 5]] for t in TEXTS for i in range(0, len(t), 5)]]
)
EXPECTED = expected_rows(ROWS)
SMALL = {"shard_bytes": 320, "dtype": "float32"}  # of 20 rows
LARGER = {"shard_bytes": 960, "dtype": "float32"}


def corpus(given=TEXTS, **options):
    return sw.open_corpus(given, **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("acts") / "harvest"
    sw.harvest(Short(), SITE, corpus(), path, **SMALL)
    return path


def contents(store):
    """All rows, sorted by their place in the corpus."""
    return sorted(
        (row.sequence, row.piece, row.tokens.tolist(), row.wanted.tolist(), row.activations.tolist())
        for row in store.rows()
    )


def same(some, others):
    return len(some) == len(others) and all(torch.equal(a, b) for a, b in zip(some, others, strict=True))


def test_every_counted_token_is_written_once_beside_its_tokens(folder):
    store = ActivationStore.from_disk(folder)
    assert isinstance(store, HarvestedStore) and store.n_tokens == len(EXPECTED)
    found = contents(store)
    assert expected_rows(padded_rows([row[2] for row in found])) == EXPECTED
    for _, _, tokens, wanted, acts in found:
        assert wanted == [token != 0 for token in tokens]
        assert [int(row[0]) for row in acts] == [t for t in tokens if t]
        assert [int(row[1]) for row in acts] == [n for n, t in enumerate(tokens) if t]
    assert [row[0] for row in found] == sorted(n for n, t in enumerate(order()) for _ in range(0, len(t), 5))


def order():
    """The texts in the order of the corpus."""
    return [text.value for text in corpus().texts(epochs=1)]


def test_the_files_are_plain_safetensors(folder):
    shard = json.loads((folder / "manifest.json").read_text())["shards"][0]
    assert shard["rows"] == len(load_file(folder / shard["file"])["activations"]) <= 20
    assert set(load_file(folder / shard["index"]["file"])) == {"tokens", "wanted", "length", "sequence", "piece"}


def test_the_scale_is_that_of_a_store_over_the_model(folder):
    direct = ActivationStore(Short(), SITE, corpus())
    assert ActivationStore.from_disk(folder).site == direct.site
    assert ActivationStore.from_disk(folder).measure_scale() == pytest.approx(direct.site.scale, rel=1e-6)


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_write_what_one_process_writes(folder, tmp_path, ranks):
    whole = [
        harvest_rank(Short(), SITE, corpus(), tmp_path / "h", rank=rank, ranks=ranks, **SMALL)
        for rank in reversed(range(ranks))
    ]
    assert whole == [False] * (ranks - 1) + [True]
    assert contents(ActivationStore.from_disk(tmp_path / "h")) == contents(ActivationStore.from_disk(folder))


def stopped(path, passes, rank=0, ranks=1, **options):
    with pytest.raises(KeyboardInterrupt):
        harvest_rank(Interrupted(passes), SITE, corpus(), path, rank=rank, ranks=ranks, **SMALL, **options)


def test_it_goes_on_where_it_was_stopped_byte_for_byte(folder, tmp_path):
    path = tmp_path / "h"
    for passes in (3, 2, 5):  # the first of each start is of the sample, but for the first start
        stopped(path, passes)
        with pytest.raises(
            LoadError, match=r"its harvest is not finished: ask sw\.harvest\(\.\.\.\) for the same again"
        ):
            ActivationStore.from_disk(path)
    model = Short()
    sw.harvest(model, SITE, corpus(), path, **SMALL)
    assert {p.name: p.read_bytes() for p in path.iterdir()} == {p.name: p.read_bytes() for p in folder.iterdir()}
    again = Short()
    sw.harvest(again, SITE, corpus(), path, **SMALL)
    assert model.passes and not again.passes  # nothing was left to do


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 9)), max_size=3), st.integers(1, 3), st.booleans())
def test_any_number_of_ranks_goes_on_where_any_other_stopped(folder, tmp_path_factory, starts, last, packed):
    path = tmp_path_factory.mktemp("any") / "h"
    for ranks, passes in starts:
        for rank in range(ranks):
            try:
                harvest_rank(
                    Interrupted(passes + rank), SITE, corpus(), path, rank=rank, ranks=ranks, pack=packed, **LARGER
                )
            except KeyboardInterrupt:
                pass
    for rank in range(last):
        harvest_rank(Short(), SITE, corpus(), path, rank=rank, ranks=last, pack=packed, **LARGER)
    found = contents(ActivationStore.from_disk(path))
    if packed:  # which texts share a row depends on the ranks; that every token is there once does not
        letters = sorted(t for row in found for t, w in zip(row[2], row[3], strict=True) if w)
        assert letters == sorted(row[0] for row in EXPECTED)
    else:
        assert found == contents(ActivationStore.from_disk(folder))


def test_only_the_first_texts_where_that_is_asked(folder, tmp_path):
    store = sw.harvest(Short(), SITE, corpus(), tmp_path / "h", texts=7, **SMALL)
    assert contents(store) == [row for row in contents(ActivationStore.from_disk(folder)) if row[0] < 7]
    with pytest.raises(LoadError, match="it holds a harvest with texts = 7, not 8: choose another folder"):
        sw.harvest(Short(), SITE, corpus(), tmp_path / "h", texts=8, **SMALL)


def test_outliers_are_not_written(tmp_path):
    store = sw.harvest(Short(), SITE, corpus(), tmp_path / "h", outliers=10.0, **SMALL)
    kept = [row for row in EXPECTED if np.linalg.norm(row) <= 10]
    assert as_rows([row.activations for row in store.rows()]) == kept
    assert (store.n_tokens, store.left_out, store.site.max_norm) == (len(kept), len(EXPECTED) - len(kept), 10.0)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_values_are_rounded_to_the_type_that_was_asked_for(tiny_model, tmp_path, dtype):
    """Of a real (random) model; and which texts share a forward pass changes no more than rounding does."""
    where = site(tiny_model, "blocks.1.hook_resid_post")
    texts = ["The bay is red", "fog is cold", "The bridge over the bay"]
    store = sw.harvest(tiny_model, where, texts, tmp_path / "h", dtype=dtype, normalize=False, outliers="keep")
    for row in store.rows():
        tokens = torch.tensor(row.tokens, dtype=torch.long)[None]
        direct = tiny_model.activations(tokens, where.hook_name)[0][torch.from_numpy(row.wanted)]
        assert torch.allclose(row.activations, direct, rtol=2**-7 if dtype == "bfloat16" else 2**-10, atol=1e-3)


def test_a_folder_of_something_else_is_refused(folder, tmp_path):
    for other, words in (
        ({"corpus": corpus(seed=1)}, "a harvest with corpus = "),
        ({"dtype": "float16"}, "a harvest with dtype = 'float32', not 'float16'"),
        ({"pack": True}, "a harvest with pack = False, not True"),
        (
            {"site": sw.records.ActivationSite("fake", "blocks.1.hook_resid_post", 4)},
            "of fake at blocks.0.hook_resid_post, not",
        ),
    ):
        options = {"site": SITE, "corpus": corpus(), **SMALL} | other
        with pytest.raises(LoadError, match=words):
            sw.harvest(Short(), options.pop("site"), options.pop("corpus"), folder, **options)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="no harvest; choose another name"):
        sw.harvest(Short(), SITE, corpus(), tmp_path)
    with pytest.raises(ValueError, match="is a URL; a harvest is written to a folder"):
        sw.harvest(Short(), SITE, corpus(), "s3://bucket/acts")
    with pytest.raises(ValueError, match="unknown dtype 'float8'"):
        sw.harvest(Short(), SITE, corpus(), tmp_path / "h", dtype="float8")
    assert not (tmp_path / "h").exists()


def test_a_full_disk_leaves_what_was_written(folder, tmp_path, monkeypatch):
    written = []

    def full(path, data):
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        written.append(path)
        write_bytes(path, data)

    write_bytes = harvesting.write_bytes
    monkeypatch.setattr(harvesting, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        sw.harvest(Short(), SITE, corpus(), tmp_path / "h", **SMALL)
    monkeypatch.setattr(harvesting, "write_bytes", write_bytes)
    store = sw.harvest(Short(), SITE, corpus(), tmp_path / "h", **SMALL)
    assert contents(store) == contents(ActivationStore.from_disk(folder))


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("rows", lambda data: data[:-1], "truncated"),
        ("rows", lambda data: data[:-4] + b"\0\0\x40\x40", "its bytes have changed"),
        ("rows", None, "this file of the cache is missing"),
        ("index", None, "this file of the cache is missing"),
        ("index", lambda data: data + b" ", "too long"),
        ("manifest", lambda data: data.replace(b'"float32"', b'"float33"'), "unknown dtype 'float33'"),
        (
            "manifest",
            lambda data: data.replace(b'"rows":', b'"rows":1', 1),
            "the manifest says 1325 rows, and its shards hold 325",
        ),
        ("manifest", lambda data: data.replace(b"rows-00-0000-000001", b"rows-00-0000-000000"), "names one file twice"),
        (
            "manifest",
            lambda data: data.replace(b"rows-00-0000-000001", b"../00-0000-000001ab"),
            "not one of its folder",
        ),
        ("manifest", lambda data: b'{"format": 2}', "not a harvest: KeyError"),
    ],
)
def test_a_damaged_harvest_is_refused(folder, tmp_path, file, change, words):
    path = tmp_path / "h"
    shutil.copytree(folder, path)
    target = sorted(path.glob(f"{file}*"))[0]
    target.write_bytes(change(target.read_bytes())) if change else target.unlink()
    with pytest.raises(LoadError, match=words):
        ActivationStore.from_disk(path)


# -- the stream --------------------------------------------------------------------------------------------------------


@settings(max_examples=12, deadline=None)
@given(
    st.integers(1, 5),
    st.integers(1, 4),
    st.sampled_from([17, 64, 10_000]),
    st.integers(1, 2),
    st.integers(0, 60),
    st.integers(0, 3),
)
def test_ranks_share_batches_that_do_not_depend_on_their_number(
    folder, size, ranks, buffer_tokens, epochs, start, seed
):
    def store(**share):
        sizes = {"batch_size": 12 * size, "seed": seed, "buffer_tokens": buffer_tokens, "epochs": epochs}
        return ActivationStore.from_disk(folder, **sizes, verify=False, **share)

    whole = list(store())
    assert as_rows(whole) == sorted(EXPECTED * epochs)
    assert {len(batch) for batch in whole[:-1]} <= {12 * size}
    start = min(start, len(whole))
    assert same(list(store().batches(start)), whole[start:])
    parts = [list(store(rank=rank, ranks=ranks).batches(start)) for rank in range(ranks)]
    for n, batch in enumerate(whole[start:]):
        assert torch.equal(torch.cat([part[n] for part in parts if n < len(part)]), batch)


def test_blocks_are_mixed_and_the_seed_and_epoch_decide(folder):
    def first(epochs=1, **options):
        return list(ActivationStore.from_disk(folder, batch_size=32, buffer_tokens=64, epochs=epochs, **options))

    assert same(first(), first()) and not same(first(), first(seed=1))
    one, two = first(epochs=2)[:3], first(epochs=2)[-3:]
    assert not same(one, two)


def test_an_sae_trains_on_a_harvest(folder):
    store = ActivationStore.from_disk(folder, batch_size=64)
    sae = sw.SAE(sw.SAEConfig(4, 8, "relu", site=store.site))
    losses = [step.loss for step in sw.train(sae, store, sw.TrainConfig(steps=30, lr=1e-2))]
    assert losses[-1] < losses[0]
    with pytest.raises(TypeError, match="reads from disk already"):
        store.cache("elsewhere")


def test_a_harvest_of_the_mini_world_trains_as_its_store_does(tmp_path):
    """By the bundled model, through the door that one types; the store over the same rows gives the same scale."""
    model = sw.load_model()
    where = sw.site(model, "blocks.2.hook_resid_post")
    rows = sw.load_corpus(40)
    store = sw.harvest(model, where, rows, tmp_path / "h", dtype="float32")
    direct = ActivationStore(model, where, rows)
    assert store.n_tokens == direct.n_tokens
    assert store.site.scale == pytest.approx(direct.site.scale, rel=1e-5)
    x = torch.cat([row.activations for row in store.rows()]).norm(dim=-1).sort().values
    y = next(ActivationStore(model, where, rows, batch_size=direct.n_tokens).batches()).norm(dim=-1).sort().values
    assert torch.allclose(x, y, rtol=1e-5)


def test_the_model_is_wrapped_and_the_corpus_opened(tmp_path):
    with pytest.raises((TypeError, ValueError)):
        sw.harvest(3, SITE, TEXTS, tmp_path / "h")
    with pytest.raises(TypeError, match="site must be an ActivationSite"):
        sw.harvest(Short(), "blocks.2.hook_resid_post", TEXTS, tmp_path / "h")
    assert issubclass(Short, Model) and not (tmp_path / "h").exists()
