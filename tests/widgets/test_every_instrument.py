"""What every instrument promises: `.feature`, `.selection`, `.data`, `.to_dataframe()`, `.to_html()`, `.to_code()`, and
one selection.
"""

from __future__ import annotations

import ast

import ipywidgets
import pandas as pd
import pytest
import sample_records
import torch
from instruments import MAKE

import saewidgets as sw
from saewidgets import widgets
from saewidgets.training import train
from saewidgets.widgets import _base

WITHOUT_FEATURE = {
    "CompletenessLab",
    "DirectionsLab",
    "FeaturePlane",
    "GradingSheet",
    "SuperpositionLab",
    "TrainingMonitor",
}  # no feature of an SAE is in front there
# A sweep is of one feature and stays with it, as what was judged does.
FOLLOWERS = sorted(set(MAKE) - WITHOUT_FEATURE - {"DoseResponse", "SpecificityLab"})


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()
    _base._cells.MADE.clear()


def test_no_instrument_is_left_out():
    assert set(MAKE) == {name for name in widgets.__all__ if name != "Selection"}


@pytest.mark.parametrize("name", sorted(MAKE))
def test_each_has_its_data_table_page_and_code(name, tmp_path):
    widget = MAKE[name]()
    if hasattr(widget, "wait"):
        widget.wait(20)
    assert widget.data is not None
    assert isinstance(widget.to_dataframe(), pd.DataFrame) and len(widget.to_dataframe().columns)
    page = widget.to_html(tmp_path / "page.html")
    assert page.startswith("<!doctype html>") and (tmp_path / "page.html").read_text(encoding="utf-8") == page
    tree = ast.parse(widget.to_code())
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "sw"
    }
    assert used and used <= set(sw.__all__)  # nothing that a reader could not type
    assert widget.selection is None
    assert hasattr(widget, "feature") == (name not in WITHOUT_FEATURE)


@pytest.mark.parametrize("name", FOLLOWERS)
def test_each_moves_and_follows_the_selection(name):
    selection = sw.Selection()
    widget = MAKE[name](selection=selection)
    assert widget.selection is selection
    known = [0, 2] if name == "FeatureMap" else [57, 31]
    for feature in known:
        selection.feature = feature
        assert widget.feature == feature and widget.error == ""
    widget.feature = known[0]
    assert selection.feature == known[0]


def test_a_click_in_the_two_layers_moves_the_dashboard_beside_them():
    selection = sw.Selection()
    board = sw.FeatureDashboard(sample_records.dashboard(), feature=42, selection=selection)
    panel = sw.ArchitecturePanel(sample_records.token_parts(), selection=selection)
    assert panel.feature == 42
    panel.set_state({"feature": 31})
    assert board.feature == selection.feature == 31
    panel.set_state({"feature": -1})
    assert "feature" in panel.error and board.feature == 31


def test_a_point_of_a_sweep_selects_its_feature_and_the_sweep_stays():
    selection = sw.Selection(feature=57)
    chart = sw.DoseResponse(sample_records.dose_response(), selection=selection)
    assert (chart.feature, selection.feature) == (chart.data.feature, 57)  # to open it moves nothing
    chart.multiple = 0.0 if chart.multiple else max(chart.data.multiples(chart.kind))
    assert selection.feature == chart.data.feature
    selection.feature = 57
    assert chart.feature == chart.data.feature


def test_the_code_of_a_training_names_what_was_set_and_runs():
    batches = [torch.randn(16, 4) for _ in range(3)]
    sae = sw.SAE(sw.SAEConfig(4, 8, "topk", k=2, seed=3))
    monitor = sw.TrainingMonitor(train(sae, batches, sw.TrainConfig(steps=3, lr=1e-3)))
    code = monitor.to_code()
    assert "sw.TrainConfig(steps=3, lr=0.001)" in code
    assert "sw.SAEConfig(d_in=4, d_sae=8, architecture='topk', k=2, seed=3)" in code
    again = eval(code.splitlines()[-2].removeprefix("sae = "), {"sw": sw})
    assert again.config == sae.config


@pytest.mark.parametrize("name", sorted(MAKE))
def test_half_of_a_surrogate_pair_leaves_no_instrument(name):
    widget = MAKE[name]()
    widget._failed(ValueError("a\ud83d"))
    assert widget.get_state("error")["error"] == "a⟨U+D83D⟩"
    for text in (str(widget.get_state()), widget.to_html(), widget._repr_mimebundle_()[0]["text/html"]):
        text.encode("utf-8")  # as every message and file is
