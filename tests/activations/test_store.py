"""The stream of activations: every counted token once an epoch, in an order that the seed alone decides."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fake_model import SITE, FakeModel, as_rows, expected_rows, random_rows

from saewidgets.activations import ActivationStore, corpus_rows, harvest


def test_texts_corpora_arrays_and_lists_give_the_same_rows():
    model = FakeModel()
    array = np.array([[0, 1, 2, -1], [0, 3, -1, -1]], np.int32)
    for corpus in (["ab", "c"], array, [[0, 1, 2], [0, 3]], SimpleNamespace(token_rows=array)):
        rows, counted = corpus_rows(model, corpus)
        width = rows.shape[1]
        assert rows.tolist() == array[:, :width].tolist()
        assert counted.tolist() == [[False, True, True] + [False] * (width - 3), [False, True] + [False] * (width - 2)]


def test_the_beginning_token_does_not_count_wherever_it_stands():
    _, counted = corpus_rows(FakeModel(), np.array([[0, 5, 0, 7]], np.int32))
    assert counted.tolist() == [[False, True, False, True]]


@pytest.mark.parametrize(
    ("corpus", "words"),
    [
        ([], "no tokens"),
        ("abc", "list of texts"),
        (np.full((2, 3), -1, np.int32), "no tokens"),
        (np.array([[-1, 3]], np.int32), "pad on the right"),
        (np.array([[0, 50]], np.int32), "ids 0 to 49"),
    ],
)
def test_a_corpus_that_cannot_be_is_refused(corpus, words):
    with pytest.raises(ValueError, match=words):
        corpus_rows(FakeModel(), corpus)


def test_harvest_gives_each_wanted_token_its_own_activation():
    model, rows = FakeModel(), random_rows()
    counted = rows > 0
    seen = np.zeros(rows.shape, int)
    for context, position, acts in harvest(model, "h", rows, counted, tokens_per_pass=30):
        seen[context, position] += 1
        assert acts[:, 0].tolist() == rows[context, position].tolist()
        assert acts[:, 1].tolist() == position.tolist()
        keys = list(zip(context.tolist(), position.tolist(), strict=True))
        assert keys == sorted(keys)
    assert (seen == counted).all()
    assert all(batch * length <= 30 for batch, length in model.passes)


def test_every_counted_token_comes_once_an_epoch_and_no_special_one():
    rows = random_rows()
    store = ActivationStore(FakeModel(), SITE, rows, batch_size=7, buffer_tokens=60, epochs=2)
    assert as_rows(store) == sorted(expected_rows(rows) * 2)
    assert {len(batch) for batch in list(store)[:-1]} == {7}


def test_special_tokens_come_when_asked_for():
    rows = random_rows()
    store = ActivationStore(FakeModel(), SITE, rows, include_special=True, epochs=1, batch_size=16)
    assert sum(int((batch[:, 0] == 0).sum()) for batch in store) == len(rows)


@pytest.mark.parametrize("buffer_tokens", [1, 50, 10_000])
def test_a_stream_can_be_entered_at_any_batch(buffer_tokens):
    rows = random_rows()

    def store():
        return ActivationStore(FakeModel(), SITE, rows, batch_size=16, seed=3, epochs=3, buffer_tokens=buffer_tokens)

    whole = list(store())
    for start in (0, 1, 5, len(whole) - 1, len(whole)):
        rest = list(store().batches(start=start))
        assert len(rest) == len(whole) - start
        assert all(torch.equal(a, b) for a, b in zip(rest, whole[start:], strict=True))


def test_two_iterators_of_one_store_do_not_disturb_each_other():
    store = ActivationStore(FakeModel(), SITE, random_rows(), batch_size=16, buffer_tokens=50, epochs=1)
    alone = list(store)
    first, second = iter(store), store.batches(start=3)
    mixed = []
    for batch in first:
        mixed.append(batch)
        next(second, None)
    assert all(torch.equal(a, b) for a, b in zip(mixed, alone, strict=True))


def test_the_seed_alone_decides_the_order():
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()

    def first(seed):
        return next(iter(ActivationStore(FakeModel(), SITE, random_rows(), batch_size=32, seed=seed)))

    a, b, c = first(1), first(1), first(2)
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()


def test_batches_mix_documents():
    """Neighbors of a batch come from one document about as often as chance says (1 in 200), not in runs."""
    rows = np.full((200, 11), -1, np.int32)
    rows[:, 0] = 0
    rows[:, 1:] = 1 + np.arange(200)[:, None] % 49
    batch = next(iter(ActivationStore(FakeModel(), SITE, rows, batch_size=2000)))
    assert (batch[1:, 0] == batch[:-1, 0]).float().mean() < 0.06  # 4 or 5 documents share a token: chance is 0.02


def test_a_corpus_that_fits_is_run_through_the_model_once():
    model = FakeModel()
    store = ActivationStore(model, SITE, random_rows(), batch_size=16, epochs=4)
    list(store)
    once = len(model.passes)
    list(store)
    assert len(model.passes) == once == 1


def test_the_scale_makes_the_mean_squared_norm_equal_to_the_width():
    rows = random_rows()
    store = ActivationStore(FakeModel(), SITE, rows, batch_size=10_000, epochs=1)
    x = np.array(expected_rows(rows), float)
    assert store.site.scale == pytest.approx(np.sqrt(4 / (x**2).sum(1).mean()), rel=1e-6)
    scaled = store.site.scale * next(iter(store))
    assert float(scaled.square().sum(-1).mean()) == pytest.approx(4, rel=1e-5)


def test_a_given_scale_is_kept():
    rows = random_rows()
    assert ActivationStore(FakeModel(), replace(SITE, scale=0.5), rows).site.scale == 0.5
    assert ActivationStore(FakeModel(), SITE, rows, normalize=False).site.scale == 1.0


def test_sizes_that_cannot_be_are_refused():
    for wrong in ({"batch_size": 0}, {"buffer_tokens": 0}, {"epochs": 0}, {"seed": -1}):
        with pytest.raises(ValueError, match="must be"):
            ActivationStore(FakeModel(), SITE, random_rows(), **wrong)
    with pytest.raises(ValueError, match="besides special"):
        ActivationStore(FakeModel(), SITE, np.zeros((3, 1), np.int32))


def test_a_failed_pass_leaves_no_half_filled_buffer():
    model = FakeModel()
    store = ActivationStore(model, SITE, random_rows(), batch_size=16, epochs=1)
    sound = model.activations

    def broken(tokens, hook_name):
        raise RuntimeError("out of memory")

    model.activations = broken
    with pytest.raises(RuntimeError):
        next(iter(store))
    model.activations = sound
    assert as_rows(store) == expected_rows(random_rows())
