"""SpecificityLab from a record: what it draws is what the record says, and every choice does something."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode
from dataclasses import replace

import ipywidgets
import pytest
import sample_records
import traitlets

import saewidgets as sw
from saewidgets.widgets import _base


@pytest.fixture
def data():
    return sample_records.specificity()


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()
    _base._cells.MADE.clear()


def test_it_draws_the_table_of_the_record(data):
    lab = sw.SpecificityLab(data)
    for judge, drawn in zip(data.judges, lab._lab["judges"], strict=True):
        table = data.table(judge.name)
        for (_, row), (n, refused, *shares) in zip(table.iterrows(), drawn["rows"], strict=True):
            assert (n, refused) == (row["n"], row["refused"])
            if n:
                assert [s[0] for s in shares] == pytest.approx([row[f"s{k}"] for k in (3, 2, 1, 0)], rel=1e-5)
                assert sum(s[0] for s in shares) == pytest.approx(1, abs=1e-5)
            else:
                assert shares == [[None] * 3] * 4
        assert drawn["above"][0] == pytest.approx(data.specific(judge.name), rel=1e-5)
    (kappa,) = data.agreement()["kappa"]
    assert (
        lab._lab["judges"][1]["kappa"][0] == pytest.approx(kappa, rel=1e-5) and lab._lab["judges"][0]["kappa"] is None
    )
    assert lab._lab["sensitivity"][0]["above"][5][0] == pytest.approx(
        data.sensitivity[0].recall(data.edges[5]).value, rel=1e-5
    )
    assert lab.to_dataframe().equals(data.table("planted labels"))


def test_a_level_shows_its_examples_strongest_first_and_a_score_some_of_them(data):
    lab = sw.SpecificityLab(data)
    assert lab.level == 9 and lab.score is None  # the strongest with examples
    lab.level = 5
    own = [e for e in data.examples if e.interval == 5]
    items = lab._shown["items"]
    assert lab._shown["level"] == 5 and set(lab.examples) == set(own) and len(items) == len(own)
    assert [i["a"][i["p"]] for i in items] == sorted((i["a"][i["p"]] for i in items), reverse=True)
    for item in items:
        (at,) = [k for k, e in enumerate(data.examples) if e.interval == 5 and e.context == item["c"]]
        assert item["s"] == [run.scores[at] for run in data.judges] and item["r"] == [
            r.reasons[at] for r in data.judges
        ]
    lab.score = 3
    scores = data.judges[0].scores
    assert lab.examples == tuple(e for e, s in zip(data.examples, scores, strict=True) if e.interval == 5 and s == 3)
    lab.judge = "a small model"
    assert lab.to_dataframe().equals(data.table("a small model"))


def test_what_is_not_there_is_refused(data):
    lab = sw.SpecificityLab(data)
    with pytest.raises(traitlets.TraitError, match="level"):
        lab.level = 0  # nothing was judged there
    with pytest.raises(traitlets.TraitError, match="not 4"):
        lab.score = 4
    with pytest.raises(traitlets.TraitError, match="planted labels"):
        lab.judge = "planted"
    with pytest.raises(ValueError, match="level"):
        sw.SpecificityLab(data, level=0)
    with pytest.raises(ValueError, match="judge"):
        sw.SpecificityLab(data, judge="nobody")
    with pytest.raises(ValueError, match="nothing to show"):
        sw.SpecificityLab(
            replace(data, examples=(), judges=tuple(replace(r, scores=(), reasons=()) for r in data.judges))
        )
    with pytest.raises(TypeError, match=r"sw.specificity\(model"):
        sw.SpecificityLab("data")
    lab.set_state({"level": 0})
    assert "level" in lab.error and lab.level == 9


def test_the_page_carries_every_level(data):
    lab = sw.SpecificityLab(data)
    view = lab._view()
    table = json.loads(zlib.decompress(b64decode(view["lookup"]["packed"])))["table"]
    assert sorted(map(int, table)) == list(range(1, 10))
    assert sum(len(shown["items"]) for shown in table.values()) == len(data.examples)
    assert lab.to_html() == sw.SpecificityLab(data).to_html()
    assert "score 3" in lab._fallback() and "golden gate bridge" in lab._fallback()
    assert repr(lab) == "SpecificityLab(feature=31, claim='golden_gate_bridge', judge='planted labels', judged=54)"


def test_the_code_names_the_judges_that_it_cannot_make(data):
    code = sw.SpecificityLab(data).to_code()
    assert (
        "judges = ...  # your judges: 'a small model'" in code and "corpus=corpus" in code and "judges=judges" in code
    )
    planted = replace(data, judges=data.judges[:1])
    assert "judges" not in sw.SpecificityLab(planted).to_code()


def test_a_level_selects_its_feature_and_the_lab_stays(data):
    selection = sw.Selection(feature=57)
    lab = sw.SpecificityLab(data, selection=selection)
    assert (lab.feature, selection.feature) == (31, 57)
    lab.level = 4
    assert selection.feature == 31


def test_the_figure_has_the_shares_and_the_counts(data):
    figure = sw.SpecificityLab(data).figure
    bars = {trace.name: trace for trace in figure.data if trace.type == "bar"}
    assert list(bars["score 3"].y)[1:] == data.table()["s3"].tolist()[1:]
    assert list(figure.data[-1].y) == list(data.histogram.counts)
