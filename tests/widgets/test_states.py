"""What a person sets is one record per instrument: read, saved, opened, put back, and refused where it does not fit."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import ipywidgets
import pytest
import sample_records
import traitlets
from instruments import CHANGES, MAKE

from saewidgets.files import LoadError
from saewidgets.records.states import ClampState, InstrumentState, PlaneState
from saewidgets.widgets import ClampPanel, FeatureDashboard, FeaturePlane, _base

# Fields that are no trait of the page: a chart's measure, and the settings that a lab on a run began with.
NOT_SENT = ("kind", "multiple", "feature", "recipe")


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()
    _base._cells.MADE.clear()


@pytest.mark.parametrize("name", sorted(MAKE))
def test_a_state_goes_through_a_file_and_back_into_another_instrument(name, tmp_path):
    one, other = MAKE[name](), MAKE[name]()
    begun = one.state()
    assert begun == other.state()
    wanted = replace(begun, **CHANGES[name])
    one.set(wanted)
    assert one.state() == wanted
    one.state().save(tmp_path / "state.json")
    read = InstrumentState.load(tmp_path / "state.json")
    assert type(read) is type(begun) and read == wanted
    other.set(read)
    for field in fields(wanted):
        assert getattr(other, field.name) == getattr(one, field.name), field.name
        assert other.traits()[field.name].metadata.get("sync") or field.name in NOT_SENT
    one.reset()
    assert one.state() == begun
    assert one.error == other.error == ""


@pytest.mark.parametrize("name", sorted(MAKE))
def test_every_public_setting_of_a_page_is_in_the_record(name):
    """A trait that a page may set and that is no report of the kernel's: a person's, so the record has it."""
    one = MAKE[name]()
    reports = {"error", "status", "waiting", "total", "labels", "unit", "note", "recipe_note"}
    reports |= {"layout", "tabbable", "tooltip"}
    reports.add("names")  # a record of its own: to reset an instrument takes no label away
    own = {key for key in one.keys if not key.startswith("_")} - reports
    assert own <= {field.name for field in fields(one.state())}


def test_what_does_not_fit_is_refused_and_nothing_is_set():
    plane = FeaturePlane()
    with pytest.raises(TypeError, match=r"FeaturePlane.set takes a PlaneState.*a DashboardState was given"):
        plane.set(FeatureDashboard(sample_records.dashboard()).state())
    panel = ClampPanel(sample_records.Writer(), sample_records.dashboard(), features=[31])
    before = panel.state()
    with pytest.raises(traitlets.TraitError, match="feature 40 is not in this dashboard"):
        panel.set(replace(before, seed=9, features=(31, 40)))
    assert panel.state() == before


def test_a_page_is_reset_to_what_the_notebook_had_made():
    board = FeatureDashboard(sample_records.dashboard(), feature=42)
    board.reset()  # nothing was set yet
    board.feature = 57  # the notebook's own doing
    board.set_state({"feature": 31})
    board.reset()
    assert board.feature == 57


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "format 2"),
        ({"instrument": "plan"}, "nearest: plane"),
        ({"point": [1.0]}, "point"),
        ({"more": 1}, "more"),
        ({"angles": "90"}, "angles is '90', not a list"),
    ],
)
def test_a_file_that_is_no_state_says_what_is_wrong(change, said, tmp_path):
    path = tmp_path / "state.json"
    path.write_text(json.dumps(PlaneState((0.5, 1.0), (90.0,)).to_dict() | change))
    with pytest.raises(LoadError, match=said):
        InstrumentState.load(path)


def test_a_state_of_another_instrument_is_not_read_as_this_one(tmp_path):
    PlaneState((0.5, 1.0), (90.0,)).save(tmp_path / "state.json")
    with pytest.raises(LoadError, match="the state of the instrument 'plane', not of 'clamp'"):
        ClampState.load(tmp_path / "state.json")
