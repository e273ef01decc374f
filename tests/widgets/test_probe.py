"""The prompt view through its traits: what it reads, measures, refuses and carries; and the colors of its pins."""

from __future__ import annotations

import itertools
import json
import re
import sys

import ipywidgets
import numpy as np
import pytest
import sample_records
import traitlets
from hostile import HOSTILE

from saewidgets.frontend import INSTRUMENTS, css, payloads
from saewidgets.records import PromptActivations
from saewidgets.widgets import FeatureProbe, Selection
from saewidgets.widgets.probe import PINS

PATIENCE = 20.0  # seconds after which a test gives up; nothing here takes a tenth of it
TEXT = "The Golden Gate Bridge hums"


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()


def test_it_opens_on_the_text_and_says_what_is_active():
    probe = FeatureProbe(sample_records.Reader(), TEXT)
    assert probe.data.of(31).tolist() == [0, 0, 0, 5, 10, 0]
    rows = {f["feature"]: f for f in probe._prompt["features"]}
    assert (rows[31]["p"], rows[31]["a"], rows[31]["maximum"]) == ([3, 4], [5, 10], 12.5)
    assert rows[57]["label"] == "Spanish" and rows[88]["label"] == ""
    assert [text for _, text in probe._prompt["tokens"]][:3] == ["<|endoftext|>", " The", " Golden"]
    assert probe.feature == 31  # 10 of 12.5 is the largest share of a maximum; 42 has 6 of 12
    assert repr(probe) == f"FeatureProbe(text={TEXT!r}, tokens=6, features=4, feature=31)"
    assert set(probe.to_dataframe()["feature"]) == {31, 42, 57, 88}


def test_labels_and_a_dashboard_name_the_features():
    data = sample_records.dashboard()
    probe = FeatureProbe(sample_records.Reader(), TEXT, labels={88: "mine", 31: "a bridge"}, dashboard=data)
    rows = {f["feature"]: f for f in probe._prompt["features"]}
    assert (rows[88]["label"], rows[31]["label"]) == ("mine", "a bridge")
    assert rows[88]["promoted"][0] == " then"
    probe.pinned = [104]  # silent in this text; its name is there all the same
    assert probe._names == {"104": "plural", "31": "a bridge"}


def test_the_latest_text_wins():
    reader = sample_records.Reader(delay=0.01)
    probe = FeatureProbe(reader, TEXT)
    for i in range(60):
        probe.set_state({"text": f"{TEXT} {i}"})
    assert probe.wait(PATIENCE)
    assert probe.data.text == f"{TEXT} 59" and probe._prompt["text"] == f"{TEXT} 59"
    assert probe.status == "idle"
    assert len(reader.calls) < 30  # texts that were overtaken were never read


def test_a_text_that_is_refused_is_said_and_the_next_one_read():
    probe = FeatureProbe(sample_records.Reader(), TEXT)
    probe.text = "too long!"
    with pytest.raises(ValueError, match="shorten it"):
        probe.wait(PATIENCE)
    assert (probe.status, probe.error) == ("error", "the text is too long: shorten it")
    assert probe._prompt["text"] == TEXT  # what was last read stays on view
    probe.text = "The Bridge"
    assert probe.wait(PATIENCE)
    assert (probe.status, probe.error) == ("idle", "")
    probe.text = "!"  # and back to the text that is on view
    with pytest.raises(ValueError):
        probe.wait(PATIENCE)
    probe.text = "The Bridge"
    assert probe.wait(PATIENCE) and probe.data.text == "The Bridge"


def test_attribution_and_ablation_come_on_demand_with_their_correlations():
    reader = sample_records.Reader()
    probe = FeatureProbe(reader, TEXT)
    assert probe._prompt["measured"] is None
    probe.measure(" Bridge", " Gate")
    assert probe.wait(PATIENCE)
    rows = {f["feature"]: f for f in probe._prompt["features"]}
    assert rows[31]["attribution"] == [0.5, 1] and rows[57]["ablation"] == [-0.2, -0.4]
    value, sign = probe.data.value, np.where(probe.data.feature == 57, -1.0, 1.0)
    expected = np.corrcoef(0.1 * value, 0.2 * value * sign)[0, 1]  # by another formula
    measured = probe._prompt["measured"]
    assert measured["attribution"] == pytest.approx(expected, abs=1e-5) and 0.5 < expected < 1
    assert (measured["n"], measured["target"], measured["baseline"]) == (10, " Bridge", " Gate")
    assert "probe.measure(' Bridge', ' Gate')" in probe.to_code()
    probe.text = TEXT + " on"
    probe.wait(PATIENCE)
    assert probe._prompt["measured"] is None  # it held for the other text


def test_ablation_of_a_feature_adds_to_what_is_known_and_measures_nothing_twice():
    reader = sample_records.Reader()
    probe = FeatureProbe(reader, TEXT)
    probe.measure(" Bridge")
    probe.wait(PATIENCE)
    for feature in (31, 42):
        probe.feature = feature
        probe._message("ablate")
        assert probe.wait(PATIENCE)
    assert probe._prompt["losses"] == {"31": [0, 0, 0, 0, 0.5, 0.5], "42": [0, 0, 0, 0.5, 0, 0]}
    assert probe._prompt["measured"] is not None
    assert reader.calls[2:] == [(TEXT, "", "", [31]), (TEXT, "", "", [42])]
    probe.feature = 104
    with pytest.raises(ValueError, match="feature 104 is nowhere active in this text"):
        probe.ablate()
    probe.feature = None
    with pytest.raises(ValueError, match="pick a feature first"):
        probe.ablate()


def test_all_listed_features_are_ablated_at_once_and_order_the_table(monkeypatch):
    reader = sample_records.Reader()
    probe = FeatureProbe(reader, TEXT)
    probe._message("ablate_listed")
    assert probe.wait(PATIENCE) and probe.sort == "loss_effect"
    asked = reader.calls[-1][3]
    assert sorted(asked) == probe.data.listed.tolist() == sorted(map(int, probe._prompt["losses"]))
    share = probe.data.by_feature().set_index("feature")
    shares = (share["activation"] / share["maximum"])[asked].tolist()
    assert shares == sorted(shares, reverse=True)  # the nearest to their maximum first
    monkeypatch.setattr(sys.modules[FeatureProbe.__module__], "ABLATED", 2 * len(probe.data))
    probe.ablate_listed()
    assert probe.wait(PATIENCE) and reader.calls[-1][3] == asked[:2]  # of a long text a part
    at = int(probe.data.position[0])
    probe.position = at
    probe.ablate_listed()
    assert probe.wait(PATIENCE)
    assert set(reader.calls[-1][3]) <= set(probe.data.feature[probe.data.position == at].tolist())
    probe.position = next(p for p in range(len(probe.data)) if p not in probe.data.position)
    with pytest.raises(ValueError, match="nothing to ablate"):
        probe.ablate_listed()


@pytest.mark.parametrize(
    "state",
    [
        {"feature": 2048},
        {"feature": -1},
        {"feature": "31"},
        {"pinned": [31, 2048]},
        {"pinned": [31, 42, 57, 88, 104, 7]},
        {"pinned": None},
        {"position": 6},
        {"position": -1},
        {"sort": "beauty"},
        {"text": None},
    ],
)
def test_bad_values_from_the_browser_are_refused_and_said(state):
    probe = FeatureProbe(sample_records.Reader(), TEXT)
    before = {name: getattr(probe, name) for name in state}
    probe.set_state(state)
    assert {name: getattr(probe, name) for name in state} == before
    assert probe.error


@pytest.mark.parametrize("content", [None, 3, {"kind": "explode"}, {"kind": "measure"}])
def test_messages_that_cannot_be_followed_are_shown(content):
    probe = FeatureProbe(sample_records.Reader(), TEXT)
    probe._handle_custom_msg(content, [])
    assert "unknown kind" in probe.error or "name the next token first" in probe.error


def test_a_saved_reading_opens_and_stays_as_it_is(tmp_path):
    sample_records.prompt().save(tmp_path / "prompt.json")
    saved = PromptActivations.load(tmp_path / "prompt.json")
    probe = FeatureProbe(saved, pinned=[57, 57, 42])
    assert probe.pinned == [57, 42] and probe.data is saved and probe._can == []
    with pytest.raises(traitlets.TraitError, match="a saved reading"):
        probe.text = "another"
    with pytest.raises(ValueError, match="cannot be measured further"):
        probe.measure(" Bridge")
    with pytest.raises(ValueError, match="has its own text"):
        FeatureProbe(saved, "another")
    with pytest.raises(ValueError, match=f"at most {PINS} features"):
        FeatureProbe(saved, pinned=range(PINS + 1))


def test_the_feature_is_shared_and_a_position_past_the_end_is_let_go():
    selection = Selection()
    probe = FeatureProbe(sample_records.Reader(), TEXT, selection=selection)
    assert selection.feature == 31
    selection.feature = 42
    assert probe.feature == 42
    probe.feature = 57
    assert selection.feature == 57
    late = FeatureProbe(sample_records.Reader(), TEXT, selection=selection)
    assert late.feature == 57  # what others look at comes before what is strongest
    probe.position = 5
    probe.text = "The Bridge"
    probe.wait(PATIENCE)
    assert probe.position is None


def test_code_bundle_and_page_say_the_same():
    probe = FeatureProbe(sample_records.Reader(), TEXT, feature=57, pinned=[42], sort="share")
    code = probe.to_code()
    assert f"text={TEXT!r}, feature=57, pinned=[42], sort='share')" in code
    compile(code, "cell", "exec")
    bundle, _ = probe._repr_mimebundle_()
    assert "Golden Gate Bridge" in bundle["text/html"] and "<script" not in bundle["text/html"]
    page = probe.to_html()
    assert page == probe.to_html()
    state = json.loads(re.search(r'id="saew-data">(.*?)</script>', page).group(1))[0]["state"]
    assert state["_prompt"] == probe._prompt and state["pinned"] == [42]


def test_hostile_text_is_carried_as_text():
    record = sample_records.prompt(tokens=tuple(f" {h}" for h in HOSTILE))
    probe = FeatureProbe(record, labels={88: "</script><img src=x onerror=alert(1)>"})
    bundle, _ = probe._repr_mimebundle_()
    for text in (probe.to_html(), bundle["text/html"]):
        assert "<img src=x" not in text and "<svg/onload" not in text
    str(probe.get_state()).encode("utf-8")  # no lone surrogate reaches the comm


def test_a_feature_that_was_not_measured_has_no_numbers():
    record = sample_records.prompt()
    drawn = payloads.prompt(record)
    assert all(f["attribution"] is None and f["ablation"] is None for f in drawn["features"])
    assert drawn["losses"] == {}


# -- colors ----------------------------------------------------------------------------------------------------------

# Machado, Oliveira & Fernandes 2009, severity 1, on linear RGB.
_SEEN = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def _linear(color: str) -> np.ndarray:
    rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def _lab(linear: np.ndarray) -> np.ndarray:
    x = _XYZ @ np.clip(linear, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize(("theme", "card"), [(0, "#ffffff"), (1, "#1a1d23")], ids=["light", "dark"])
def test_pins_keep_apart_for_color_blind_eyes(theme, card):
    found = re.findall(r"--saew-p\d:(#[0-9a-f]{6})\b", css(*INSTRUMENTS))
    assert len(found) == 2 * PINS
    colors = found[theme * PINS : (theme + 1) * PINS]
    for seen in _SEEN.values():
        labs = [_lab(np.asarray(seen) @ _linear(c)) for c in colors]
        assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(labs, 2)) > 30  # CIE76; 2.3 is just seen
    for color in colors:  # WCAG asks 3 of graphics
        a, b = sorted(float(_XYZ[1] @ _linear(c)) for c in (color, card))
        assert (b + 0.05) / (a + 0.05) >= 3


# -- several texts at once -------------------------------------------------------------------------------------------


def test_other_texts_are_read_beside_the_one_in_front():
    reader = sample_records.Reader()
    probe = FeatureProbe(reader, TEXT, beside=["An owl sat", "The Golden Gate", "An owl sat"])
    assert probe.beside == ["An owl sat", "The Golden Gate"], "each once"
    assert [reading.text for reading in probe.readings] == probe.beside
    assert [own["text"] for own in probe._beside] == probe.beside
    assert [own["features"] for own in probe._beside] == [
        payloads.prompt(reader(text))["features"] for text in probe.beside
    ]
    probe.set_state({"beside": ["The Golden Gate", TEXT], "text": "An owl sat"})  # one was brought to the front
    assert probe.wait(PATIENCE)
    assert probe.data.text == "An owl sat" and [own["text"] for own in probe._beside] == ["The Golden Gate", TEXT]
    state = probe.state()
    assert state.beside == ("The Golden Gate", TEXT) and f"beside=['The Golden Gate', {TEXT!r}]" in probe.to_code()


def test_too_many_texts_and_texts_beside_a_saved_reading_are_refused():
    probe = FeatureProbe(sample_records.Reader(), TEXT)
    with pytest.raises(traitlets.TraitError, match="at most 12 texts stand beside the one in front, not 13"):
        probe.beside = [f"text {i}" for i in range(13)]
    with pytest.raises(ValueError, match="not 13"):
        FeatureProbe(sample_records.Reader(), TEXT, beside=[f"text {i}" for i in range(13)])
    with pytest.raises(ValueError, match="a saved reading has one text"):
        FeatureProbe(sample_records.prompt(), beside=["An owl"])
    with pytest.raises(TypeError, match="beside must be a list"):
        FeatureProbe(sample_records.Reader(), TEXT, beside="An owl")
    assert probe.beside == [] and probe.readings == ()
