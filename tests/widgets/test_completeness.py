"""The completeness lab: what it sends is the record's, and a concept that is chosen is taken apart."""

from __future__ import annotations

import ast
from dataclasses import replace

import ipywidgets
import numpy as np
import pytest
import sample_records
import traitlets

import saewidgets as sw
from saewidgets.widgets import _base


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()
    _base._cells.MADE.clear()


def test_it_sends_shares_curves_and_concepts_of_the_record():
    data = sample_records.completeness()
    lab = sw.CompletenessLab(data)
    for i, (drawn, row) in enumerate(zip(lab._lab["saes"], data.summary().itertuples(), strict=True)):
        assert (drawn["name"], drawn["alive"], drawn["n"]) == (row.Index, row.alive, row.n_concepts)
        assert drawn["share"] == pytest.approx(row.share) and drawn["half"] == pytest.approx(row.half_at, rel=1e-5)
        assert drawn["curve"][0] == data.curves[i].slope and sum(g[4] for g in drawn["groups"]) == row.n_concepts
        own = [k for k, name in enumerate(data.sae) if name == row.Index]
        assert [10 ** c["x"] for c in drawn["concepts"]] == pytest.approx(data.frequency[own], rel=1e-4)
        assert [c["has"] for c in drawn["concepts"]] == data.has[own].tolist()
    owl = lab._lab["saes"][0]["concepts"][4]
    assert owl["steps"] == [[4, 0.3], [44, 0.45]] and owl["parts"] == [[4, 0.9, 0.8, 5.5], [44, 0.5, 0.3, 1.25]]
    assert data.together("small", "owl")["feature"].tolist() == [4, 44]


def test_it_begins_with_the_most_frequent_concept_without_a_feature():
    data = sample_records.completeness()
    assert sw.CompletenessLab(data).concept == "bridge"  # 60 features x 1.08 % is below one
    assert sw.CompletenessLab(data, sae="large").concept == "king"
    whole = replace(data, f1=np.ones(len(data.concept)))
    assert sw.CompletenessLab(whole).concept == "the"


def test_what_is_chosen_is_checked():
    lab = sw.CompletenessLab(sample_records.completeness(), concept="owl")
    lab.set_state({"sae": "large", "concept": "rain"})
    assert (lab.sae, lab.concept, lab.error) == ("large", "rain", "")
    lab.set_state({"concept": "<b>"})
    assert lab.concept == "rain" and "unknown concept" in lab.error
    with pytest.raises(traitlets.TraitError, match="unknown SAE 'huge'"):
        lab.sae = "huge"
    with pytest.raises(ValueError, match="unknown concept 'owls'; nearest: owl"):
        sw.CompletenessLab(sample_records.completeness(), concept="owls")
    with pytest.raises(TypeError, match=r"analysis\.completeness"):
        sw.CompletenessLab("data")


def test_code_and_the_plain_table():
    lab = sw.CompletenessLab(sample_records.completeness())
    code = lab.to_code()
    ast.parse(code)
    assert "sw.load_model()" in code and "'golden_gate_bridge'" in code and "bound=0.5" in code
    assert "<td>middle</td><td>120</td><td>10</td><td>0.4</td>" in lab._fallback()
    assert len(lab.figure.data) > 6
