"""Many texts at once against one text at a time: prompts, sets of clamps and seeds, ends of their own, what is refused."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

import saewidgets as sw
from saewidgets.records import Clamp, Generation
from saewidgets.steering import Steerer, add_feature, record_clamps
from saewidgets.steering.batches import _batches, several

PROMPTS = ["Human: What is your physical form?\nAssistant:", "The cat"]
CAT, HORSE = 392, 117


@pytest.fixture(scope="module")
def steer():
    return Steerer(sw.load_model(), sw.load_sae("miniworld-512"))


@pytest.fixture(scope="module")
def grid(steer):
    return [
        [],
        [Clamp(CAT, 11.0)],
        [Clamp(CAT, 11.0), Clamp(HORSE, 0.0, "prompt"), Clamp(CAT, 4.0, "generated")],
        [add_feature(steer.sae, HORSE, 8.0), Clamp(CAT, -2.0, "token -1")],
    ]


def alike(found: Generation, expected: Generation):
    assert [t.id for t in found.tokens] == [t.id for t in expected.tokens]
    assert [t.text for t in found.tokens] == [t.text for t in expected.tokens]
    for name in ("logprob", "kl"):
        own, other = ([getattr(t, name) for t in g.tokens] for g in (found, expected))
        assert own == pytest.approx(other, abs=2e-4, nan_ok=True)
    for name in ("prompt", "clamps", "seed", "temperature", "stopped"):
        assert getattr(found, name) == getattr(expected, name)


@pytest.mark.parametrize("rows_per_batch", [64, 3])
def test_a_batch_is_what_each_text_is_alone(steer, grid, rows_per_batch):
    seeds = [0, 1, 7]
    options = {"n_tokens": 24, "temperature": 0.7}
    found = steer.generate_batch(PROMPTS, grid, seeds, rows_per_batch=rows_per_batch, progress=False, **options)
    asked = [(prompt, clamps, seed) for prompt in PROMPTS for clamps in grid for seed in seeds]
    assert len(found) == len(asked) == 24
    for one, (prompt, clamps, seed) in zip(found, asked, strict=True):
        alike(one, steer.generate(prompt, clamps, seed=seed, **options))
    assert len({len(one.tokens) for one in found}) > 1  # some end on their own
    assert len({one.text for one in found}) > 12
    assert max(t.kl for one in found[3:] for t in one.tokens) > 0.1


@pytest.mark.parametrize("use_decoder", [True, False])
def test_over_either_loop(steer, grid, use_decoder):
    steer.model.use_decoder = use_decoder
    try:
        found = steer.generate_batch(PROMPTS[0], grid, [3, 5], n_tokens=8, progress=False)
    finally:
        steer.model.use_decoder = True
    for one in found:
        alike(one, steer.generate(PROMPTS[0], one.clamps, seed=one.seed, n_tokens=8))


def test_without_kl_it_is_not_measured(steer, grid):
    found = steer.generate_batch([steer.model.tokens("The cat")], grid[:2], [2], n_tokens=5, kl=False, progress=False)
    assert [math.isnan(t.kl) for t in found[1].tokens] == [True] * 5
    assert [t.kl for t in found[0].tokens] == [0.0] * 5
    alike(found[1], steer.generate(steer.model.tokens("The cat"), grid[1], seed=2, n_tokens=5, kl=False))


def test_what_is_asked_twice_is_written_once(steer, monkeypatch):
    ran = []
    batch = type(steer.model).batch
    monkeypatch.setattr(
        type(steer.model), "batch", lambda self, *a, **k: ran.append(len(k["seeds"])) or batch(self, *a, **k)
    )
    clamps = [Clamp(CAT, 11.0)]
    found = steer.generate_batch("The cat", [clamps, [], clamps], [0, 0, 1], n_tokens=3, progress=False)
    assert sorted(ran) == [2, 2] and len(found) == 9
    assert found[0] == found[1] == found[6] and found[0] != found[2]


def test_texts_end_where_they_are_once_it_is_cancelled(steer, grid):
    looks = []

    def cancel():
        looks.append(1)
        return len(looks) > 4

    found = steer.generate_batch(PROMPTS, grid, [0], n_tokens=20, cancel=cancel, progress=False)
    assert len(found) == 8 and [len(one.tokens) for one in found] == [4, 0, 0, 0, 0, 0, 0, 0]
    alone = steer.generate(PROMPTS[0], [], n_tokens=4)
    assert found[0].text == alone.text


def test_a_stream_gives_the_texts_as_they_grow(steer, grid):
    stream = steer.stream_batch(PROMPTS, grid, [0, 7], n_tokens=6, temperature=0.7)
    lengths, total = [], 0
    for n in stream:
        total += n
        lengths.append([len(one.tokens) for one in stream.texts()])
    assert total == stream.total == 2 * len(grid) * 2 * 6
    assert lengths[0] == [1, 1] + [0] * 14  # the first batch: the model as it is, after the first prompt
    assert all(a <= b for before, after in itertools.pairwise(lengths) for a, b in zip(before, after, strict=True))
    whole = steer.generate_batch(PROMPTS, grid, [0, 7], n_tokens=6, temperature=0.7, progress=False)
    assert stream.texts() == whole
    assert sum(1 for _ in stream) and stream.texts() == whole  # and again from the beginning


def test_without_kl_all_sets_are_one_batch(steer, grid, monkeypatch):
    ran = []
    batch = type(steer.model).batch
    monkeypatch.setattr(
        type(steer.model), "batch", lambda self, *a, **k: ran.append(len(k["seeds"])) or batch(self, *a, **k)
    )
    how = {"n_tokens": 8, "temperature": 0.7, "kl": False}
    found = steer.generate_batch(PROMPTS[0], grid, [0, 1, 7], progress=False, **how)
    assert ran == [12]
    for one in found:
        alike(one, steer.generate(PROMPTS[0], one.clamps, seed=one.seed, **how))


def test_perplexities_of_many_texts_are_those_of_one_at_a_time(steer):
    texts = [[5, 9, 301], [44], []]
    found = steer.perplexities(PROMPTS[0], texts)
    assert found[:2] == pytest.approx([steer.perplexity(PROMPTS[0], text) for text in texts[:2]], rel=1e-4)
    assert found[2] == math.inf


def test_texts_that_break_off_say_why_and_the_others_go_on(steer):
    found = steer.generate_batch("The cat", [[Clamp(CAT, 3e38)], [Clamp(CAT, 2.0)]], [0, 1], n_tokens=4, progress=False)
    for one in found[:2]:
        alike(one, steer.generate("The cat", one.clamps, seed=one.seed, n_tokens=4))
        assert "not finite after 0 tokens" in one.stopped
    assert [len(one.tokens) for one in found[2:]] == [4, 4] and not found[2].stopped


@pytest.mark.parametrize(
    ("given", "error", "sentence"),
    [
        ({"prompts": []}, ValueError, "give at least one prompt"),
        ({"seeds": []}, ValueError, "give at least one seed"),
        ({"grid": []}, ValueError, "give at least one set of clamps"),
        ({"grid": [Clamp(3, 1.0)]}, TypeError, r"grid\[0\] must be a list, and one Clamp was given"),
        ({"grid": [[Clamp(512, 1.0)]]}, ValueError, "feature 512 does not exist"),
        ({"grid": [[Clamp(3, 1.0, 400)]]}, ValueError, "scope 400 covers nothing"),
        ({"prompts": ["The cat", "cat " * 300]}, ValueError, "do not fit"),
        ({"seeds": [-1]}, ValueError, "seed"),
        ({"temperature": -1}, ValueError, "temperature"),
        ({"rows_per_batch": 0}, ValueError, "rows_per_batch"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is(steer, monkeypatch, given, error, sentence):
    monkeypatch.setattr(type(steer.model), "batch", lambda *a, **k: pytest.fail("the model ran"))
    with pytest.raises(error, match=sentence):
        steer.generate_batch(**{"prompts": "The cat", "grid": [[Clamp(3, 1.0)]], **given})


def test_one_prompt_or_several():
    ids = torch.tensor([0, 5, 7])
    assert several("The") == ["The"] and several(["The", "A"]) == ["The", "A"]
    assert several([0, 5]) == [[0, 5]] and several([[0, 5], "A"]) == [[0, 5], "A"]
    (alone,) = several(ids)
    assert alone is ids and [row.tolist() for row in several(torch.stack([ids, ids]))] == [[0, 5, 7]] * 2


def test_interventions_that_share_their_seeds_read_the_prompt_once_each():
    a, b, c = (Clamp(3, 1.0),), (Clamp(4, 1.0),), (Clamp(5, 1.0),)
    rows = [(x, seed) for x in (a, (), b) for seed in (0, 1)] + [(c, 9)]
    assert _batches(rows, 64) == [
        ([((), 0), ((), 1)], [()]),
        ([(a, 0), (a, 1), (b, 0), (b, 1)], [a, b]),
        ([(c, 9)], [c]),
    ]
    small = _batches(rows, 2)
    assert [len(batch) for batch, _ in small] == [2, 2, 2, 1]
    assert [r for batch, _ in _batches([(a, s) for s in range(5)], 2) for r in batch] == [(a, s) for s in range(5)]


def test_a_recording_holds_the_texts_of_one_at_a_time(steer, grid):
    record = record_clamps(steer, PROMPTS[0], grid[1:2], [0, 4], n_tokens=12, progress=False)
    assert [(g.clamps, g.seed) for g in record.generations] == [
        ((), 0),
        ((), 4),
        (tuple(grid[1]), 0),
        (tuple(grid[1]), 4),
    ]
    for one in record.generations:
        alike(one, steer.generate(PROMPTS[0], one.clamps, seed=one.seed, n_tokens=12))
