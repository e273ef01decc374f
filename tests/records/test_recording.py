"""A recorded grid of clamps plays back the nearest text that was written, and says which; with no model."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets.files import LoadError, write_json
from saewidgets.records import Clamp, ClampRecording, Generation, Steer, TextSource, Token

PROMPT = "The cat"


def text(clamps, seed=0, words=("a", "b"), prompt=PROMPT, temperature=0.8):
    tokens = tuple(Token(i, f" {word}", -0.25 * i, math.nan if clamps and i else 0.0) for i, word in enumerate(words))
    return Generation(prompt, tokens, tuple(clamps), seed, temperature)


GRID = {
    (): "default",
    (Clamp(31, -8.0),): "less",
    (Clamp(31, 8.0),): "more",
    (Clamp(31, 16.0),): "most",
    (Clamp(31, 8.0, "generated"),): "later",
    (Clamp(31, 8.0), Clamp(42, 3.0)): "both",
    (Clamp(31, 8.0), Clamp(42, 30.0)): "both, 42 high",
    (Steer((1.0, 0.0), 2.0, name="east"),): "east",
}


@pytest.fixture(scope="module")
def recording():
    texts = [text(clamps, seed, (word, str(seed))) for seed in (0, 7) for clamps, word in GRID.items()]
    return ClampRecording(PROMPT, tuple(texts), {31: 4.0, 42: 10.0}, n_tokens=60)


def played(recording, *clamps, seed=0, n_tokens=60):
    return "".join(t.text for t in recording(PROMPT, clamps, n_tokens=n_tokens, seed=seed, temperature=0.8))


def test_what_was_recorded_is_played(recording):
    source: TextSource = recording
    for clamps, word in GRID.items():
        for seed in (0, 7):
            assert played(source, *clamps, seed=seed) == f" {word} {seed}"
            assert recording.nearest(clamps, seed).clamps == clamps
    assert played(recording, n_tokens=1) == " default"
    assert recording.seeds == (0, 7) and recording.temperature == 0.8 and recording.n_tokens == 60
    assert recording.features == (31, 42) and recording.scopes == ("all", "generated")
    assert recording.values(31) == [-8.0, 8.0, 16.0] and recording.multiples(31) == [-2.0, 2.0, 4.0]
    assert recording.values(5) == []


@pytest.mark.parametrize(
    ("clamps", "word"),
    [
        ([Clamp(31, 1e6)], "most"),
        ([Clamp(31, 11.9)], "more"),
        ([Clamp(31, 12.1)], "most"),
        ([Clamp(31, 12.0)], "more"),  # as near to 8 as to 16: the weaker one
        ([Clamp(31, -0.5)], "less"),
        ([Clamp(31, 500.0, "generated")], "later"),  # another scope is another recording
        ([Clamp(42, 17.0), Clamp(31, 8.0)], "both, 42 high"),  # the order does not matter
        ([Clamp(42, 16.0), Clamp(31, 8.0)], "both"),
        ([Steer((1.0, 0.0), 9.0)], "east"),
    ],
)
def test_between_recorded_values_the_nearest_is_played(recording, clamps, word):
    assert played(recording, *clamps) == f" {word} 0"


def test_distance_counts_in_maxima():
    """From (31 at 5, 42 at 5): (0, 6) is 5 and 1 away in SAE units, (6, 0) 1 and 5; in maxima of 1 and 100 it is the
    other way.
    """
    texts = (
        text([Clamp(31, 0.0), Clamp(42, 6.0)], words=("first",)),
        text([Clamp(31, 6.0), Clamp(42, 0.0)], words=("second",)),
    )
    asked = [Clamp(31, 5.0), Clamp(42, 5.0)]
    assert ClampRecording(PROMPT, texts, {31: 1.0, 42: 100.0}).nearest(asked, 0).text == " second"
    assert ClampRecording(PROMPT, texts, {31: 100.0, 42: 1.0}).nearest(asked, 0).text == " first"


@settings(max_examples=100, deadline=None, derandomize=True)
@given(values=st.lists(st.floats(-50, 50), min_size=1, max_size=8, unique=True), asked=st.floats(-60, 60))
def test_the_nearest_is_nearest(values, asked):
    texts = tuple(text([Clamp(1, v)], words=(str(i),)) for i, v in enumerate(values))
    found = ClampRecording(PROMPT, texts, {1: 2.0}).nearest([Clamp(1, asked)], 0).clamps[0].value
    assert abs(found - asked) == pytest.approx(min(abs(v - asked) for v in values), rel=1e-9, abs=1e-12)


def test_what_was_not_recorded_is_said(recording):
    options = {"n_tokens": 5, "seed": 0, "temperature": 0.8}
    for asked, change, phrase in (
        ("Hi", {}, "answers one prompt, 'The cat': another needs the model"),
        (PROMPT, {"temperature": 0.0}, "temperature 0.8: another needs the model"),
        (PROMPT, {"seed": 3}, "seed 3 was not recorded; recorded are 0, 7"),
    ):
        with pytest.raises(ValueError, match=phrase):  # at the call
            recording(asked, [], **(options | change))
    with pytest.raises(
        ValueError,
        match=r"feature 5 with feature 31 was not recorded; recorded are none; feature 31; .*feature 31 \(generated\)",
    ):
        recording(PROMPT, [Clamp(5, 1.0), Clamp(31, 1.0)], **options)
    with pytest.raises(ValueError, match="seed 0 was not recorded; recorded are none"):
        ClampRecording(PROMPT, ()).nearest([], 0)


def test_a_recording_that_contradicts_itself_is_refused():
    with pytest.raises(ValueError, match="holds one prompt, 'The cat', not also 'Hi'"):
        ClampRecording(PROMPT, (text([]), text([], 1, prompt="Hi")))
    with pytest.raises(ValueError, match="one temperature"):
        ClampRecording(PROMPT, (text([]), text([], 1, temperature=0.0)))
    with pytest.raises(ValueError, match="the same clamps and the same seed"):
        ClampRecording(PROMPT, (text([]), text([], words=("c",))))


def test_it_goes_to_disk_and_back(recording, tmp_path):
    recording.save(tmp_path / "clamps.json")
    again = ClampRecording.load(tmp_path / "clamps.json")
    assert again.to_dict() == recording.to_dict()  # nan is not equal to itself
    assert played(again, Clamp(31, 9.0), seed=7) == " more 7"
    assert math.isnan(again.nearest([Clamp(31, 9.0)], 0).tokens[1].kl)
    assert again.nearest([], 0) == recording.nearest([], 0)
    frame = again.to_dataframe()
    assert list(frame.columns) == ["clamps", "seed", "n_tokens", "kl", "text", "stopped"] and len(frame) == 16
    assert frame["clamps"][5] == "feature 31 = 8, feature 42 = 3"


def test_a_bad_file_is_a_load_error(recording, tmp_path):
    good = recording.to_dict()
    first = good["generations"][0]
    for bad in (
        good | {"format": 2},
        {k: v for k, v in good.items() if k != "maxima"},
        good | {"generations": [first | {"id": [1]}]},
        good | {"generations": [first | {"clamps": [{"feature": -1, "value": 0.0}]}]},
        good | {"generations": [first | {"clamps": [{"vector": []}]}]},
        good | {"generations": [first, first]},
        good | {"generations": [first | {"logprob": ["x", "y"]}]},
        good | {"maxima": {"x": 1.0}},
        good | {"temperature": None},
        good | {"generations": 3},
    ):
        write_json(tmp_path / "bad.json", bad)
        with pytest.raises(LoadError):
            ClampRecording.load(tmp_path / "bad.json")


def test_recording_a_steerer(tiny_model):
    from saewidgets.models import site
    from saewidgets.sae import SAE, SAEConfig
    from saewidgets.steering import Steerer, add_feature, record_clamps

    where = site(tiny_model, "blocks.0.hook_resid_post")
    sae = SAE(SAEConfig(where.d_in, 48, site=where, seed=3)).requires_grad_(False)
    steer = Steerer(tiny_model, sae)
    grid = [[Clamp(3, 2.0 * m)] for m in (-1, 0, 2)] + [[add_feature(sae, 3, 4.0)]]
    recording = record_clamps(steer, PROMPT, grid, seeds=[0, 5], n_tokens=6, temperature=0.9, maxima={3: 2.0})
    assert len(recording.generations) == 2 * (1 + 4)
    assert recording.multiples(3) == [-1.0, 0.0, 2.0] and recording.n_tokens == 6
    for clamps in [(), *grid]:
        for seed in (0, 5):
            live = tuple(steer(PROMPT, clamps, n_tokens=6, seed=seed, temperature=0.9))
            played = tuple(recording(PROMPT, clamps, n_tokens=6, seed=seed, temperature=0.9))
            assert [(t.id, t.text) for t in played] == [(t.id, t.text) for t in live]
            for name in ("logprob", "kl"):  # written in a batch: float32 sums in another order
                assert [getattr(t, name) for t in played] == pytest.approx([getattr(t, name) for t in live], abs=1e-5)
    assert recording.nearest([Clamp(3, 3.5)], 5) == replace(recording.nearest([Clamp(3, 4.0)], 5))
