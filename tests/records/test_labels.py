"""A reader's labels: one record, tied to the SAE's weights, shared through the selection, saved, and in exports."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import ipywidgets
import numpy as np
import pytest
import sample_records
import torch
import traitlets

import saewidgets as sw
from saewidgets.files import LoadError
from saewidgets.records import DashboardData
from saewidgets.records.labels import ReaderLabels
from saewidgets.widgets import ClampPanel, FeatureDashboard, FeatureMap, FeatureProbe, Selection, _base

ONE, OTHER = "31" * 32, "0f" * 32


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()
    _base._cells.MADE.clear()


def of_sae(digest):
    data = sample_records.dashboard()
    return replace(data, passport=replace(data.passport, sae=digest))


def test_the_digest_is_of_the_weights_alone():
    sae = sw.SAE(sw.SAEConfig(2, 3, "relu", seed=1))
    total = hashlib.sha256()
    for name, tensor in sae.weights.items():
        array = tensor.detach().numpy()
        total.update(f"{name} {array.shape}\n".encode() + np.ascontiguousarray(array, "<f4").tobytes())
    assert sae.digest == total.hexdigest()
    before = sae.digest
    with torch.no_grad():
        sae.W_dec[0, 0] += 1e-3
    assert sae.digest != before


def test_labels_go_through_a_file_and_stay_with_their_sae(tmp_path):
    mine = ReaderLabels().named(ONE, 42, "owls").named(OTHER, 42, "a colon").named(ONE, 31, "bridges")
    mine.save(tmp_path / "labels.json")
    assert ReaderLabels.load(tmp_path / "labels.json") == mine
    assert mine.of(ONE) == {31: "bridges", 42: "owls"} and mine.of(OTHER) == {42: "a colon"}
    assert mine.of("ab" * 32) == {}


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"abc": {"31": "x"}}, "64 hexadecimal digits, not 'abc'"),
        ({ONE: {"-1": "x"}}, "a feature is a number from 0, not -1"),
        ({ONE: {"31": "two\nlines"}}, "feature 31: a label is one line"),
        ({ONE: {"31": 7}}, "labels.*31.* is 7, not a text"),
        ({ONE: {"031": "x"}}, "031"),
    ],
)
def test_a_file_that_holds_no_labels_says_what_is_wrong(labels, said, tmp_path):
    path = tmp_path / "labels.json"
    path.write_text(json.dumps({"format": 1, "labels": labels}))
    with pytest.raises(LoadError, match=said):
        ReaderLabels.load(path)


def test_a_label_given_in_one_dashboard_is_in_the_selection_and_in_the_next(tmp_path):
    selection = Selection()
    one = FeatureDashboard(of_sae(ONE), selection=selection)
    other = FeatureDashboard(of_sae(OTHER), selection=selection)
    one.set_state({"names": {"31": "my bridge"}})  # as a page does
    assert selection.labels.of(ONE) == {31: "my bridge"}
    assert other.names == {}  # 31 of another SAE is another feature
    later = FeatureDashboard(of_sae(ONE), selection=selection)
    assert later.names == {31: "my bridge"}
    selection.labels = selection.labels.named(ONE, 31, "").named(OTHER, 57, "Spanish")
    assert (one.names, later.names, other.names) == ({}, {}, {57: "Spanish"})
    later.close()
    one.names = {42: "owls"}
    assert later.names == {} and selection.labels.of(ONE) == {42: "owls"}


def test_every_view_of_a_selection_shows_the_label_and_gives_the_old_one_back():
    selection = Selection()
    data = of_sae(ONE)
    board = FeatureDashboard(data, selection=selection)
    panel = ClampPanel(sample_records.Writer(), data, features=[31, 42], selection=selection)
    reading = sample_records.prompt()
    reading = replace(reading, passport=replace(reading.passport, sae=ONE))
    probe = FeatureProbe(reading, selection=selection)
    points = sample_records.feature_map()
    first, second = points.saes
    points = replace(points, saes=(replace(first, sae=OTHER), replace(second, sae=ONE)))
    selection.feature = 7
    atlas = FeatureMap(points, sae=1, selection=selection)
    at = points.point(7, 1)

    def seen():
        return (
            [row["label"] for row in panel._rows][:2],
            next(row["label"] for row in panel._index if row["feature"] == 31),
            next(f["label"] for f in probe._prompt["features"] if f["feature"] == 31),
            atlas._names,
        )

    before = seen()
    assert before == (["Golden Gate Bridge", "owl"], "Golden Gate Bridge", "Golden Gate Bridge", {})
    board.set_state({"names": {"31": "my bridge", "7": "a quiet one"}})
    assert seen() == (["my bridge", "owl"], "my bridge", "my bridge", {str(at): "a quiet one"})
    later = ClampPanel(sample_records.Writer(), data, features=[31], selection=selection)
    assert later._rows[0]["label"] == "my bridge"
    atlas.close()
    board.names = {}
    assert seen()[:3] == before[:3] and atlas._names == {str(at): "a quiet one"}  # what is closed is left alone


def test_a_page_carries_the_labels_of_its_features():
    board = FeatureDashboard(of_sae(ONE))
    board.names = {31: "my bridge", 42: "an owl", 7: "not here"}
    page = board.to_html(features=[31, 57])
    data = page.split('id="saew-data">')[1].split("</script>")[0]
    assert json.loads(data)[0]["state"]["names"] == {"31": "my bridge"}


def test_a_record_a_table_and_a_reader_without_scripts_have_the_label(tmp_path):
    data = of_sae(ONE)
    board = FeatureDashboard(data, feature=42)
    assert "own" not in board.to_dataframe()
    board.names = {42: "an <owl>"}
    table = board.to_dataframe().set_index("feature")
    assert (table.own[42], table.label[42], table.own[31]) == ("an <owl>", "owl", "")
    assert "an &lt;owl&gt;" in board._fallback() and "label='an <owl>'" in repr(board)
    assert "<td>an &lt;owl&gt;</td>" in board.to_html().split("<noscript>")[1]
    mine = data.relabeled(ReaderLabels().named(ONE, 42, "an <owl>").named(OTHER, 31, "another's"))
    mine.save(tmp_path / "mine.json")
    again = DashboardData.load(tmp_path / "mine.json")
    assert [f.label for f in again.features.values()] == ["Golden Gate Bridge", "an <owl>", "Spanish", "", "plural"]
    assert data[42].label == "owl"


def test_what_cannot_be_named_is_refused_with_a_sentence():
    board = FeatureDashboard(of_sae(ONE))
    with pytest.raises(traitlets.TraitError, match="features 0 to 2047, not 2048"):
        board.names = {2048: "x"}
    with pytest.raises(traitlets.TraitError, match="a label is one line of 1 to 200 characters"):
        board.names = {31: "x" * 201}
    with pytest.raises(traitlets.TraitError, match="make them again with dashboard_data"):
        FeatureDashboard(of_sae("")).names = {31: "x"}
    assert board.names == {}
