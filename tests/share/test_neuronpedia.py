"""Upload batches for Neuronpedia, checked against its schema as its server states it, written out once more here."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import sample_records
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets.records import DashboardData, FeatureData, FeatureExample, Histogram, TokenEffect
from saewidgets.share import save_neuronpedia

IDS = {"model_id": "mini-world", "source": "2-mine"}


def number(value, low=-math.inf, high=math.inf):
    return type(value) in (int, float) and math.isfinite(value) and low <= value <= high


def text(value, most=math.inf):
    return isinstance(value, str) and 1 <= len(value) <= most and "\0" not in value and value.encode() is not None


def check(body):
    """The schema of the server's upload of features, and what it asks besides."""
    assert set(body) == {"modelId", "source", "features"}
    assert text(body["modelId"]) and body["modelId"] == body["modelId"].lower() and text(body["source"])
    assert 1 <= len(body["features"]) <= 128
    assert len({f["index"] for f in body["features"]}) == len(body["features"])
    for f in body["features"]:
        assert type(f["index"]) is int and 0 <= f["index"] <= 10_000_000 and number(f["density"], 0, 1)
        for end in ("topLogits", "bottomLogits"):
            assert len(f[end]) <= 20 and all(text(e["token"]) and number(e["value"]) for e in f[end])
        assert all(text(e["text"], 512) for e in f["explanations"])
        assert len(f["activations"]) >= 1
        for a in f["activations"]:
            assert 1 <= len(a["tokens"]) == len(a["values"]) <= 1024
            assert all(map(text, a["tokens"])) and all(map(number, a["values"]))
            low, high, share = a["quantileMin"], a["quantileMax"], a["quantileFraction"]
            assert (low is None and high is None) or (number(low) and number(high, low, 99_999_999))
            assert share is None or number(share, 0, 1)


def written(data, folder, **more):
    done = save_neuronpedia(data, folder, **(IDS | more), progress=False)
    bodies = [json.loads(path.read_text()) for path in done.files]
    for body in bodies:
        check(body)
    return done, bodies


def test_the_sample_features(tmp_path):
    data = sample_records.dashboard()
    done, (body,) = written(data, tmp_path / "up")
    assert [p.name for p in done.files] == ["batch-0000.json"] and done.features == (31, 42, 57, 88, 104)
    assert sorted(p.name for p in (tmp_path / "up").iterdir()) == ["batch-0000.json"] and done.silent == ()
    first, own = body["features"][0], data[31]
    assert (first["index"], first["density"]) == (31, own.density)
    assert first["explanations"] == [{"text": "Golden Gate Bridge"}]
    assert body["features"][3]["explanations"] == []  # it has no label
    assert first["topLogits"][0] == {"token": " Bridge", "value": 0.62} and len(first["topLogits"]) == 10
    assert first["bottomLogits"][0] == {"token": " a", "value": -0.31}
    assert first["activations"][0]["tokens"] == list(own.top[0].tokens)
    assert first["activations"][0]["values"] == list(own.top[0].activations)
    assert first["activations"][0]["quantileMin"] is None
    # 10 intervals of [0, 12.5], the strongest first; 40 bins, 4 to an interval.
    strongest = first["activations"][len(own.top)]
    assert (strongest["quantileMin"], strongest["quantileMax"]) == (11.25, 12.5)
    counts = own.histogram.counts
    assert strongest["quantileFraction"] == sum(counts[36:]) / sum(counts)
    shares = {a["quantileMin"]: a["quantileFraction"] for a in first["activations"] if a["quantileMin"] is not None}
    assert len(shares) == 10 and math.isclose(sum(shares.values()), 1)


def test_tokens_have_their_own_text(tmp_path):
    """What the dashboard shows of a line end or of half a character is not what the token is."""
    shown = ("⏎", "<0xE2>", "<0x00>", " is")
    own = FeatureExample(shown, (5, 6, 7, 8), (0.0, 0.1, 1.0, 0.3), 2, 0, 0)
    raw = {5: b"\n".hex(), 6: b"\xe2".hex(), 7: b"\0".hex()}
    feature = replace(sample_records.feature(31, 1.0), top=(own,), promoted=(TokenEffect("⏎", 5, 1.0),))
    data = DashboardData(sample_records.dashboard().passport, {31: feature}, raw)
    _, (body,) = written(data, tmp_path / "up")
    assert body["features"][0]["activations"][0]["tokens"] == ["\n", "<0xE2>", "<0x00>", " is"]
    assert body["features"][0]["topLogits"] == [{"token": "\n", "value": 1.0}]
    assert body["features"][0]["activations"][0]["values"] == [0, 0.1, 1, 0.3]


def test_batches_and_what_is_left_out(tmp_path):
    one = sample_records.feature(31, 9.0)
    lone = replace(one, top=one.top[:1], intervals=())
    features = {f: replace(lone, feature=f) for f in range(300)}
    features[7] = replace(features[7], top=())
    data = DashboardData(replace(sample_records.dashboard().passport, d_sae=300), features)
    done, bodies = written(data, tmp_path / "all")
    assert [len(b["features"]) for b in bodies] == [128, 128, 43] and done.silent == (7,)
    assert [f["index"] for b in bodies for f in b["features"]] == [f for f in range(300) if f != 7]
    done, bodies = written(data, tmp_path / "some", features=[9, 3, 9, 200], per_batch=2)
    assert [[f["index"] for f in b["features"]] for b in bodies] == [[3, 9], [200]] and done.features == (3, 9, 200)
    with pytest.raises(FileExistsError):
        save_neuronpedia(data, tmp_path / "some", **IDS)


def changed(**fields):
    return lambda data: replace(data, features={**data.features, 42: replace(data[42], **fields)})


def with_example(**fields):
    return lambda data: changed(top=(replace(data[42].top[0], **fields),))(data)


LONG = FeatureExample((" a",) * 1025, (1,) * 1025, (1.0,) * 1025, 0, 0, 0)
REFUSED = {
    "capital letters": (None, {"model_id": "SmolLM2"}, "lower case: give model_id='smollm2'"),
    "no id": (None, {"model_id": ""}, "model_id must be a text"),
    "no layer": (None, {"source": "mine"}, "source must be a layer and a source set, such as '8-mine'"),
    "another layer": (None, {"source": "3-mine"}, "of layer 3, and this SAE reads blocks.2.*give source='2-mine'"),
    "too many": (None, {"per_batch": 129}, "per_batch.*129"),
    "no such feature": (None, {"features": [32]}, "feature 32 is not in this dashboard; nearest: 31"),
    "no feature": (None, {"features": []}, "nothing to upload"),
    "never active": (changed(top=(), intervals=()), {"features": [42]}, "feature 42 has no example of an activation"),
    "a long label": (changed(label="x" * 513), {}, "feature 42: its label has 513 characters"),
    "a long text": (changed(top=(LONG,)), {}, "feature 42: an example has 1,025 tokens"),
    "no density": (changed(density=1.5), {}, "feature 42: its density is 1.5"),
    "a large maximum": (changed(maximum=1e9), {}, "feature 42: its maximum is 1e.09"),
    "not finite": (changed(promoted=(TokenEffect(" a", 1, math.nan),)), {}, "feature 42: an effect on a token is nan"),
    "no text": (changed(promoted=(TokenEffect("", 1, 1.0),)), {}, "feature 42: token 1 is shown as ''"),
    "half a pair": (changed(promoted=(TokenEffect("\ud800", 1, 1.0),)), {}, "feature 42: token 1 is shown as"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_schema_does_not_hold_is_refused(tmp_path, case):
    change, more, words = REFUSED[case]
    data = sample_records.dashboard()
    with pytest.raises(ValueError, match=words):
        save_neuronpedia(change(data) if change else data, tmp_path / "up", **(IDS | more), progress=False)
    assert list(tmp_path.iterdir()) == []


TEXT = st.one_of(*[st.text("ab \n⏎é\0", min_size=1, max_size=4)] * 30, st.just(""))
VALUE = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def features(draw):
    def example(interval):
        n = draw(st.integers(1, 4))
        tokens = tuple(draw(TEXT) for _ in range(n))
        values = tuple(draw(VALUE) for _ in range(n))
        return FeatureExample(tokens, tuple(range(n)), values, draw(st.integers(0, n - 1)), 0, 0, interval)

    top = tuple(example(-1) for _ in range(draw(st.integers(0, 2))))
    intervals = tuple(example(draw(st.integers(0, 4))) for _ in range(draw(st.integers(0, 3))))
    effects = tuple(TokenEffect(draw(TEXT), i, draw(VALUE)) for i in range(draw(st.integers(0, 25))))
    maximum = draw(st.floats(0, 1.2e8, width=32))
    counts = tuple(draw(st.lists(st.integers(0, 5), min_size=1, max_size=6)))
    return FeatureData(
        draw(st.integers(0, 12 * 10**6)),
        maximum,
        draw(st.floats(0, 1.1)),
        top,
        intervals,
        Histogram(tuple(np.linspace(0, maximum, len(counts) + 1).tolist()), counts),
        promoted=effects,
        suppressed=effects[:3],
        neighbors=(),
        label=draw(st.sampled_from(["", "owls", "x" * 512, "x" * 513])),
    )


def fits(feature, raw):
    examples = (*feature.top, *feature.intervals)
    shown = [(i, t) for e in examples for i, t in zip(e.token_ids, e.tokens, strict=True)]
    shown += [(e.token_id, e.token) for e in feature.promoted[:20]]

    def sound(number, text):
        try:
            own = raw.get(number, b"").decode()
        except UnicodeDecodeError:
            own = ""
        return any(t and "\0" not in t for t in (own, text))

    return (
        feature.feature <= 10**7
        and feature.density <= 1
        and len(feature.label) <= 512
        and bool(examples)
        and (feature.maximum < 10**8 or not feature.intervals)
        and all(sound(*token) for token in shown)
    )


@given(features(), st.dictionaries(st.integers(0, 3), st.binary(max_size=3)))
@settings(max_examples=40, deadline=None)
def test_whatever_is_written_is_what_the_server_takes(tmp_path_factory, feature, raw):
    folder = tmp_path_factory.mktemp("up") / "up"
    passport = replace(sample_records.dashboard().passport, d_sae=2 * 10**7 + 1)
    data = DashboardData(passport, {feature.feature: feature}, {i: own.hex() for i, own in raw.items()})
    if not fits(feature, raw):
        with pytest.raises(ValueError):
            written(data, folder)
        assert list(folder.parent.iterdir()) == []
        return
    _, (body,) = written(data, folder)
    (own,) = body["features"]
    as_float32 = [np.float32(e.activations).tolist() for e in (*feature.top, *feature.intervals)]
    assert [np.float32(a["values"]).tolist() for a in own["activations"]] == as_float32
    assert np.float32([e["value"] for e in own["topLogits"]]).tolist() == [e.logit for e in feature.promoted[:20]]
