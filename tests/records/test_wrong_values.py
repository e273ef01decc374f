"""A wrong value anywhere in a saved record: a LoadError when it is opened, or a record that can be drawn like any
other.
"""

from __future__ import annotations

import copy
import json
import math
import random
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
import pytest
import sample_records
from sample_records import dashboard

import saewidgets as sw
from saewidgets.files import read_tensors, write_tensors
from saewidgets.records import (
    ActivationSite,
    Clamp,
    ClampRecording,
    Correlation,
    DashboardData,
    DoseResponseData,
    FeatureMapData,
    Generation,
    Histogram,
    MovedLogits,
    NeuronLink,
    PromptActivations,
    Specificity,
    Steer,
    Token,
    TokenEffect,
)

VALUES: list[Any] = [None, 10**400, 2**63, -1, 0, 1.5, 1e300, [], {}, True, "abc", "", [[1, "a"]], {"a": {"b": [None]}}]
# A value of one of these types may stand where the other stands: a whole number is a number.
NUMBER = (int, float)
SAMPLED = 250  # of each record's places and values, of which there are about a thousand


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()


def small_dashboard() -> DashboardData:
    """One feature, every field of which holds something."""
    data = dashboard()
    f = data[31]
    effect = TokenEffect(" a", 5, 0.5)
    moved = (MovedLogits(1, (effect,), (effect,)),)
    example = f.top[0]
    top = replace(example, loss_effects=(None, *[0.25] * (len(example.tokens) - 1)), moved=moved)
    link = NeuronLink(2, 7, 0.5, 0.25, 0.125, 0.0625)
    whole = replace(
        f,
        top=(top,),
        intervals=f.intervals[:2],
        logit_histogram=Histogram((0.0, 0.5, 1.0), (3, 4)),
        encoder_neighbors=f.neighbors[:1],
        correlated=(Correlation(42, 0.5, 0.5, 0.25),),
        aligned_neurons=(link,),
        correlated_neurons=(link,),
        neuron_tokens=100,
        measured=True,
    )
    site = replace(data.passport.site, fingerprint=(0.5, 0.25))
    return DashboardData(replace(data.passport, site=site), {31: whole}, {7: "ff"}, Histogram((-3.0, -2.0), (5,)), 2)


def recording() -> ClampRecording:
    def text(*clamps: Clamp | Steer) -> Generation:
        return Generation("Hi", (Token(7, " a", -0.5, 0.25), Token(8, " b", -0.25, 0.0)), clamps, 0, 0.5)

    return ClampRecording("Hi", (text(), text(Clamp(31, 8.0)), text(Steer((0.5, 0.25), name="v"))), {31: 4.0}, 2)


def sweep() -> DoseResponseData:
    data = sample_records.dose_response(2)
    few = (("none", 0.0), ("clamp", 0.0), ("clamp", 1.4), ("prompt", 0.0))
    return replace(data, texts=tuple(t for t in data.texts if (t.kind, t.multiple) in few))


def prompt() -> PromptActivations:
    found = sample_records.Reader()("The Golden Gate Bridge", target=" hums", losses=True)
    return replace(found, text=found.text, logit_difference=0.5)


def draw_dashboard(data: DashboardData) -> None:
    data.to_dataframe()
    if data.features:
        sw.export.dashboard_html(data), data.between(next(iter(data.features)), 0.0, 99.0)


def draw_sweep(data: DoseResponseData) -> None:
    data.to_dataframe()
    if data.texts:
        sw.DoseResponse(data).to_html()


def judged() -> Specificity:
    data = sample_records.specificity(1)
    return replace(data, sensitivity=tuple(replace(s, maxima=s.maxima[:2]) for s in data.sensitivity))


def draw_judged(data: Specificity) -> None:
    data.to_dataframe(), data.agreement(), data.specific()
    if data.examples:
        sw.SpecificityLab(data).to_html()


def draw_recording(data: ClampRecording) -> None:
    data.to_dataframe(), data.scopes, [data.multiples(f) for f in data.features if data.maxima.get(f)]
    if data.generations and data.temperature <= 10:  # the most that a panel takes
        panel = sw.ClampPanel(data, sample_records.dashboard(), features=[31])
        panel.wait(10)
        panel.to_html(), panel.to_code()


def draw_map(data: FeatureMapData) -> None:
    data.to_dataframe(), data.sentence()
    if len(data):
        sw.FeatureMap(data).to_html()
        _ = sw.FeatureMap(data).figure


def draw_prompt(data: PromptActivations) -> None:
    data.by_feature(), data.correlations()
    sw.FeatureProbe(data).to_html()


KINDS: dict[str, tuple[Callable[[], Any], Callable[[Any], None]]] = {
    "dashboard": (small_dashboard, draw_dashboard),
    "dose-response": (sweep, draw_sweep),
    "specificity": (judged, draw_judged),
    "recording": (recording, draw_recording),
    "map": (sample_records.feature_map, draw_map),
    "prompt": (prompt, draw_prompt),
}


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a tree of JSON; of a list the first entry and the last."""
    if path:
        yield path
    if isinstance(data, dict):
        for key in data:
            yield from places(data[key], (*path, key))
    elif isinstance(data, list) and data:
        for i in {0: 0, len(data) - 1: 0}:
            yield from places(data[i], (*path, i))


def put(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    out = copy.deepcopy(data)
    at = out
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return out


def of_one_type(old: Any, new: Any) -> bool:
    if isinstance(old, bool) or isinstance(new, bool):
        return type(old) is type(new)
    return type(old) is type(new) or (isinstance(old, NUMBER) and isinstance(new, NUMBER))


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_value_at_any_place_is_refused_or_drawn(kind, tmp_path):
    make, draw = KINDS[kind]
    good = make()
    draw(good)
    path = tmp_path / "record.json"
    good.save(path)
    data = json.loads(path.read_text())
    assert type(good).load(path).to_dict() == good.to_dict()
    failures, refused, drawn = [], 0, 0
    cases = [(place, value) for place in places(data) for value in VALUES]
    for place, value in random.Random(kind).sample(cases, SAMPLED):
        old = data
        for step in place:
            old = old[step]
        path.write_text(json.dumps(put(data, place, value)))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                record = type(good).load(path)
        except sw.LoadError as error:
            refused += 1
            if not str(error.reason).strip() or len(str(error)) > 600:
                failures.append((place, value, f"says {error}"))
            continue
        except Exception as error:
            failures.append((place, value, f"{type(error).__name__} when opened: {error}"))
            continue
        if not of_one_type(old, value) and not may_be(place, old, value):
            failures.append((place, value, "taken in place of " + repr(old)[:40]))
        try:
            draw(record)
            drawn += 1
        except Exception as error:
            failures.append((place, value, f"{type(error).__name__} when drawn: {error}"))
        finally:
            ipywidgets.Widget.close_all()
    assert not failures, "\n".join(f"{'.'.join(map(str, p))} = {v!r:.30}: {w}" for p, v, w in failures[:40])
    assert refused > SAMPLED / 2 and drawn > SAMPLED / 20


# What may be null, and what may be one of two types.
NULLABLE = {
    *("log_density", "encoder_cosine", "loss_effects", "logit_histogram", "pearson", "cosine"),
    *("concept", "perplexity", "kl", "own_perplexity", "logit_difference", "max_norm"),
    *("density", "maximum", "precision", "quantile", "loss", "attribution", "ablation", "loss_effect"),
    *("low", "high"),  # of a score without an interval
}


def may_be(place: tuple[Any, ...], old: Any, new: Any) -> bool:
    name = next(step for step in reversed(place) if isinstance(step, str))
    if name in NULLABLE and (old is None or new is None):
        return new is None or type(new) in NUMBER
    return name == "scope" and type(new) in (int, str)


def test_what_is_refused_says_where_and_what(tmp_path):
    path = tmp_path / "d.json"
    small_dashboard().save(path)
    data = json.loads(path.read_text())
    for place, value, words in (
        (("features", 0, "top", 0, "tokens", 0), 3, "features[0].top[0].tokens[0] is 3, not a text"),
        (("passport", "site", "d_in"), "a", "passport.site.d_in is 'a', not a whole number"),
        (("features", 0, "top", 0, "peak"), 99, "features[0].top[0]: peak is at token 99 of an example of"),
        (("features", 0, "histogram", "counts"), [1], 'features[0].histogram: counts has 1 entry along "bin"'),
        (("features",), [data["features"][0]] * 2, "features holds feature 31 more than once"),
        (("features", 0, "feature"), 4000, "feature 4000"),
    ):
        path.write_text(json.dumps(put(data, place, value)))
        with pytest.raises(sw.LoadError) as caught:
            DashboardData.load(path)
        assert caught.value.reason.startswith(words), caught.value.reason
        assert caught.value.path == path


def test_a_site_is_checked_wherever_it_is_read():
    good = ActivationSite("m", "h", 4).to_dict()
    for change, words in (
        ({"scale": -1}, "scale"),
        ({"scale": "x"}, "site.scale is 'x', not a number"),
        ({"scale": 10**400}, "site.scale is a whole number of about 401 digits"),
        ({"hook_name": ["h"]}, "site.hook_name is a list, not a text"),
        ({"d_in": 0}, "d_in"),
        ({"fingerprint": [1.0, None]}, r"site.fingerprint\[1\] is null"),
    ):
        with pytest.raises(ValueError, match=words):
            ActivationSite.from_dict({**good, **change})


@pytest.mark.parametrize("scale", [0, 0.0, -1.0, math.nan, math.inf, 10**400, True, "1", None])
def test_no_site_has_a_scale_that_cannot_be(scale):
    """So that neither side of an SAE or a transcoder has one: what a config says of its sites is checked here."""
    with pytest.raises((TypeError, ValueError), match="scale must be"):
        ActivationSite("m", "out", 4, scale=scale)


def test_a_sites_numbers_are_pythons_own():
    site = ActivationSite("m", "h", np.int64(4), scale=np.float32(0.5))
    assert site == ActivationSite("m", "h", 4, scale=0.5)
    assert (type(site.d_in), type(site.scale)) == (int, float)
    json.dumps(site.to_dict())


PARQUET = pytest.mark.skipif(
    __import__("importlib.util").util.find_spec("pyarrow") is None, reason="pyarrow is missing"
)


@PARQUET
def test_a_parquet_file_is_read_by_the_same_rules(tmp_path):
    from saewidgets.records.parquet import write_rows

    data = json.loads(small_dashboard().to_json())
    rows, about = data.pop("features"), data
    path = tmp_path / "d.parquet"
    write_rows(path, rows, about)
    assert DashboardData.from_parquet(path) == small_dashboard()
    for place, value, words in (
        (("label",), None, "features[0].label is null, not a text"),
        (("maximum",), float("nan"), "features[0].maximum is nan, out of range"),
        (("top", 0, "token_ids"), [1], 'features[0].top[0]: token_ids has 1 entry along "token"'),
        (("top", 0, "tokens", 0), None, "features[0].top[0].tokens[0] is null, not a text"),
    ):
        write_rows(path, [put(rows[0], place, value)], about)
        with pytest.raises(sw.LoadError) as caught:
            DashboardData.from_parquet(path)
        assert caught.value.reason.startswith(words), caught.value.reason


ARRAYS = {
    "parts": (sample_records.token_parts, sw.records.TokenParts),
    "toy run": (sample_records.toy_run, sw.records.ToyRun),
    "trainings": (sample_records.training_record, sw.TrainingRecord),
    "activations": (
        lambda: sw.records.FeatureActivations(
            np.array([[1, 2, -1]], np.int32), np.array([0], np.int32), np.array([1], np.int32), np.ones(1, np.float32),
            np.array([0, 0, 1]), np.array([[True, True, False]]), "a corpus",
        ),
        sw.records.FeatureActivations,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ARRAYS)
def test_an_array_of_another_kind_is_refused_or_drawn(kind, tmp_path):
    make, cls = ARRAYS[kind]
    path = tmp_path / "record.safetensors"
    make().save(path)
    good = read_tensors(path)
    cls.load(path)
    refused = 0
    for name, array in good.items():
        others = [array[:0], array[None], array.reshape(-1)[:1], array.ravel()[:-1], np.zeros(array.shape, np.uint8)]
        others += [
            array.astype(np.float64),
            array.astype(np.int64),
            -1 - array.astype(np.int64),
            np.zeros((), np.int64),
        ]
        for other in others:
            write_tensors(path, {**good, name: np.ascontiguousarray(other)})
            try:
                record = cls.load(path)
            except sw.LoadError:
                refused += 1
                continue
            if kind == "parts" and len(record.tokens):
                sw.ArchitecturePanel(record).to_html()
            elif kind == "toy run":
                sw.SuperpositionLab(run=record).to_html()
            elif kind == "trainings":
                record.frontier(), sw.TrainingMonitor(record).to_html()
            elif kind == "activations":
                assert record.density.shape == record.maximum.shape
            ipywidgets.Widget.close_all()
    assert refused > 3 * len(good)


def test_the_words_of_a_training_record_are_read_by_the_same_rules(tmp_path):
    path = tmp_path / "t.safetensors"
    sample_records.training_record().save(path)
    good = read_tensors(path)
    about = json.loads(good["about"].tobytes())
    for place in places(about):
        for value in VALUES:
            raw = json.dumps(put(about, place, value)).encode()
            write_tensors(path, {**good, "about": np.frombuffer(raw, np.uint8)})
            try:
                record = sw.TrainingRecord.load(path)
            except sw.LoadError:
                continue
            if record.runs:
                sw.TrainingMonitor(record).to_html()
            assert isinstance(value, (str, int)) or value == [], (place, value)


# -- half of a surrogate pair, in every text of every table ------------------------------------------------------------

HALF = "a\ud83d"


def with_halves(data: Any) -> Any:
    """The JSON of a record with a half of a pair at the end of every text that is no name of a choice."""
    if isinstance(data, dict):
        kept = ("kind", "scope", "method", "weight_processing")
        return {key: item if key in kept else with_halves(item) for key, item in data.items()}
    if isinstance(data, list):
        return [with_halves(item) for item in data]
    return data + HALF if isinstance(data, str) else data


TABLES: dict[str, Callable[[], list[Any]]] = {
    "dashboard": lambda: [
        (d := halved(sample_records.dashboard())).to_dataframe(),
        sw.FeatureDashboard(d).to_dataframe(),
        sw.FeatureSearch(d, "bridge").to_dataframe(),
        sw.records.ExampleSearch(d)("text", pattern="bridge"),
    ],
    "map": lambda: [
        (d := halved(sample_records.feature_map())).to_dataframe(),
        d.children(0),
        d.parents(9),
        sw.FeatureMap(d).to_dataframe(),
    ],
    "prompt": lambda: [
        (d := halved(prompt())).to_dataframe(),
        d.by_feature(),
        sw.FeatureProbe(d).to_dataframe(),
    ],
    "dose-response": lambda: [
        (d := halved(sweep())).to_dataframe(),
        d.summary(),
        sw.DoseResponse(d).to_dataframe(),
    ],
    "recording": lambda: [(d := halved(recording())).to_dataframe(), *[g.to_dataframe() for g in d.generations]],
    "trainings": lambda: [
        (d := halved_runs()).to_dataframe(),
        d.frontier(),
        sw.TrainingMonitor(d).to_dataframe(),
    ],
    "parts": lambda: [sw.ArchitecturePanel(replace(sample_records.token_parts(), labels=(HALF,) * 3)).to_dataframe()],
    "plane": lambda: [
        (p := sw.FeaturePlane([0, 90], labels=[HALF, "b"])).to_dataframe(),
        p.interference,
    ],
    "diagnosis": lambda: [
        sw.records.Diagnosis(HALF, HALF, HALF, 1, (), (sw.records.Trial(HALF, HALF, 0.1, 2.0),)).to_dataframe()
    ],
    "quality": lambda: [
        sw.records.quality_table({HALF: sw.records.Quality(0.1, 1.0, 0.0, 1.0, 1.5, 2.0, 9, 8)}),
        sw.records.Absorption((sw.records.AbsorbedPair(HALF, HALF, (1,), 2, 0.5, 4, 2, 1),)).to_dataframe(),
    ],
}


def halved(record: Any) -> Any:
    return type(record).from_dict(with_halves(json.loads(json.dumps(record.to_dict()))))


def halved_runs() -> sw.TrainingRecord:
    steps = tuple(replace(s, parts={HALF: s.loss}) for s in sample_records.training(3))
    return sw.TrainingRecord({HALF: sw.records.RunRecord(steps, None, 3, HALF, HALF)})


@pytest.mark.parametrize("storage", ["python", pytest.param("pyarrow", marks=PARQUET)])
@pytest.mark.parametrize("kind", TABLES)
def test_a_table_names_half_of_a_surrogate_pair(kind, storage):
    with pd.option_context("future.infer_string", True, "mode.string_storage", storage):
        tables = TABLES[kind]()
    for table in tables:
        text = table.to_csv()
        text.encode()  # can be written and sent
        assert len(table)
    assert any("⟨U+D83D⟩" in table.to_csv() for table in tables)
