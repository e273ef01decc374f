"""The directions lab: what it sends, what it refuses, and what a reader without a kernel sees."""

from __future__ import annotations

import ast
import math
from dataclasses import replace

import ipywidgets
import pytest
import sample_records

from saewidgets.records import DirectionsData
from saewidgets.widgets import DirectionsLab, _base


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()
    _base._cells.MADE.clear()


def test_it_sends_the_shares_of_what_was_answered():
    lab = DirectionsLab(sample_records.directions())
    embedding, middle = lab._lab["spaces"]
    gender, capital = embedding["relations"]
    assert (embedding["label"], middle["label"]) == ("embedding", "blocks.2.hook_resid_post")
    assert gender["shares"] == {"offset": 0.8, "kept": 0, "neighbor": 0.4, "chance": 0.2} and capital["skipped"] == 1
    assert gender["parts"] == [] and gender["error"] is None
    assert middle["relations"][0]["parts"][0] == [31, "Golden Gate Bridge", 0.4, 0, 5.5]
    assert middle["relations"][0]["error"] == 0.3 and middle["sae"] == "miniworld-2048"
    assert "1 word is of several tokens: Ottawa" in lab._lab["note"]


def test_a_relation_without_an_answer_has_no_share():
    data = sample_records.directions()
    none = replace(
        data.spaces[0].relations[0], n=0, correct=0, neighbor=0, chance=math.nan, parallel=math.nan, pairs=()
    )
    lab = DirectionsLab(replace(data, spaces=(replace(data.spaces[0], relations=(none,)),)))
    sent = lab._lab["spaces"][0]["relations"][0]
    assert set(sent["shares"].values()) == {None} and sent["parallel"] is None
    assert math.isnan(lab.to_dataframe()["accuracy"][0]) and "<td></td>" in lab._fallback()


def test_what_is_chosen_from_python_and_from_the_page():
    lab = DirectionsLab(sample_records.directions(), relation="capital")
    assert (lab.space, lab.relation) == ("hook_embed", "capital")
    lab.set_state({"space": "blocks.2.hook_resid_post"})
    assert lab.space == "blocks.2.hook_resid_post" and not lab.error
    for state in ({"space": "blocks.3.hook_resid_post"}, {"relation": "<b>"}, {"relation": 3}, {"_lab": {}}):
        before = lab.get_state(["space", "relation", "_lab"])
        lab.set_state(state)
        assert lab.get_state(["space", "relation", "_lab"]) == before and lab.error
    with pytest.raises(ValueError, match="unknown relation 'gendre'; nearest: gender"):
        DirectionsLab(sample_records.directions(), relation="gendre")
    with pytest.raises(ValueError, match="unknown space"):
        DirectionsLab(sample_records.directions(), space="hook_embd")


def test_its_code_asks_the_same_again():
    code = DirectionsLab(sample_records.directions()).to_code()
    assert "sw.load_sae('miniworld-2048')" in code and "read_analogies" not in code
    assert "hook_names=['hook_embed', 'blocks.2.hook_resid_post']" in code
    other = replace(sample_records.directions(), questions="questions-words", template="This is {}")
    code = DirectionsLab(other).to_code()
    assert "read_analogies('questions-words.txt')" in code and "template='This is {}'" in code
    ast.parse(code)


def test_a_record_needs_a_space_and_a_relation():
    data = sample_records.directions()
    with pytest.raises(ValueError, match="need a space with a relation"):
        DirectionsData("none", 0, ())
    with pytest.raises(ValueError, match="two spaces have one name"):
        replace(data, spaces=(data.spaces[0], data.spaces[0]))
