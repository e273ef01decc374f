"""What the views of the superposition lab are told beyond the weights, and what a person sets in them."""

from __future__ import annotations

from dataclasses import replace

import ipywidgets
import numpy as np
import pytest
import sample_records
import traitlets

from saewidgets.analysis.toys import gallery
from saewidgets.records import ToyRun
from saewidgets.records.states import SuperpositionState
from saewidgets.widgets import SuperpositionLab


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()


def run_of(*models: np.ndarray, p, importance=1.0, **changes) -> ToyRun:
    """Models without a bias, of one snapshot."""
    W = np.float32(models)[None]
    _, instances, _, n = W.shape
    each = np.ones((instances, n), np.float32)
    return ToyRun(
        weights=W,
        biases=np.zeros((1, instances, n), np.float32),
        steps=np.array([0]),
        losses=np.float32([np.arange(instances)]),
        feature_probability=np.float32(p) * each,
        importance=np.float32(importance) * each,
        **changes,
    )


def test_a_model_without_superposition_has_a_vulnerability_of_1_and_a_digon_of_2():
    apart, digon = np.eye(2), np.float64([[1, -1], [0, 0]])
    run = run_of(apart, digon, p=[[0.5, 0.5], [0.4, 0.0]])
    # apart: one output moves by the length r, r^2; digon: along (1, -1) both read-outs move by sqrt 2 r, and the ReLU
    # keeps one of them, 2 r^2
    assert gallery.vulnerability(run) == pytest.approx([1, 2], rel=1e-6)
    assert gallery.vulnerability(replace(run, importance=3 * run.importance)) == pytest.approx([1, 2], rel=1e-6)


def test_vulnerability_is_left_out_where_the_attack_has_no_closed_form():
    run = run_of(np.eye(2), p=0.5)
    for changes in (
        {"activation": "linear"},
        {"hidden": "relu"},
        {"task": "absolute"},
        {"decoder": run.decoders},
        {"relation": "correlated", "sets": ((0, 1),)},
    ):
        changed = replace(run, **changes)
        assert gallery.vulnerability(changed) == []
        picture = SuperpositionLab(run=changed)._picture
        assert picture["vulnerability"] == [] and picture["attackable"] == ("sets" in changes)


def test_the_picture_says_densities_per_feature_only_where_they_differ():
    run = run_of(np.eye(2), np.eye(2), p=[[0.05, 0.05], [0.01, 0.05]], importance=[[1, 0.5], [1, 1]])
    picture = SuperpositionLab(run=run)._picture
    assert picture["density"] == [[0.05], [0.01, 0.05]]
    assert picture["importance"] == [[1.0, 0.5], [1.0]]
    assert picture["vulnerability"] == pytest.approx([1, 1], rel=1e-6)


def test_what_is_set_in_the_views_is_kept_and_put_back():
    lab = SuperpositionLab(run=sample_records.toy_run(2))
    lab.view, lab.marked, lab.attack, lab.sample = "attack", 3, 0.25, 7
    state = lab.state()
    assert (state.view, state.marked, state.attack, state.sample) == ("attack", 3, 0.25, 7)
    older = {
        name: value for name, value in state.to_dict().items() if name not in ("view", "marked", "attack", "sample")
    }
    opened = SuperpositionState.from_dict(older)  # written before there were such views
    assert (opened.view, opened.marked, opened.attack, opened.sample) == ("overview", None, 0.1, 1)
    for name, value in {"view": "grahp", "marked": -1, "attack": 2.5, "sample": 0}.items():
        with pytest.raises(traitlets.TraitError, match=name):
            setattr(lab, name, value)
    assert lab.state() == state
