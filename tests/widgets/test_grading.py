"""GradingSheet: what a page says is checked, saved as it comes, and opens again; kappa waits until the end."""

from __future__ import annotations

import json

import ipywidgets
import pytest
import sample_records
import traitlets

import saewidgets as sw
from saewidgets.records import Grading, Passage, agreement
from saewidgets.widgets import _base

BRIDGE = "golden_gate_bridge"


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()
    _base._cells.MADE.clear()


@pytest.fixture
def found():
    return sample_records.specificity()


def test_every_answer_is_saved_and_the_sheet_goes_on_where_it_was_left(found, tmp_path):
    path = tmp_path / "me.json"
    sheet = sw.GradingSheet(found, n=9, path=path, name="me")
    assert not path.exists()
    sheet.set_state({"grades": [[3, 1.5]]})
    sheet.set_state({"grades": [[3, 1.5], [None, 2]]})
    assert [g.score for g in Grading.load(path).grades] == [3, None]
    again = sw.GradingSheet(found, n=9, path=path, name="me")
    assert again.grades == [[3, 1.5], [None, 2.0]] and again._sheet == sheet._sheet
    again.set_state({"grades": [[3, 1.5]]})  # undone
    assert len(Grading.load(path).grades) == 1
    for other, what in (({"name": "you"}, "name is 'me'"), ({"n": 8}, "passages are others")):
        with pytest.raises(ValueError, match=what):
            sw.GradingSheet(found, **{"n": 9, "path": path, "name": "me"} | other)
    path.write_text("{}")
    with pytest.raises(sw.LoadError):
        sw.GradingSheet(found, path=path)


def test_a_page_cannot_say_what_is_no_answer(found):
    sheet = sw.GradingSheet(found, n=2)
    for bad in ([[4, 1.0]], [[3]], [[3, "soon"]], [[True, 1.0]], [[3, -1.0]], [[3, 1e9]], [[1, 1.0]] * 3):
        sheet.set_state({"grades": bad})
        assert sheet.error and sheet.grades == []
    with pytest.raises(traitlets.TraitError, match="answer 1"):
        sheet.grades = [[3, 1.0], [7, 1.0]]
    with pytest.raises(traitlets.TraitError, match="3 answers and 2 passages"):
        sheet.grades = [[3, 1.0]] * 3


def test_what_leaves_for_the_page_tells_neither_activation_nor_scores(found):
    sheet = sw.GradingSheet(found, n=20)
    assert set(sheet._sheet) == {"claim", "name", "rubric", "kept", "passages", "pool"}
    (tokens, marked), own = sheet._sheet["passages"][0], sheet.data.passages[0]
    assert [sheet._sheet["pool"][i] for i in tokens] == [list(one) for one in zip(own.ids, own.tokens, strict=True)]
    assert marked == list(own.marked)
    sent = json.dumps(sheet._view())
    assert "inside a labeled span" not in sent and "as I see it" not in sent
    assert not any(str(e.maximum) in sent for e in found.examples)


def test_kappa_with_the_others_is_shown_at_the_end_and_is_theirs(found):
    sheet = sw.GradingSheet(found, n=27, name="me")
    truth = dict(zip([(e.context, e.position + e.peak) for e in found.examples], found.judges[0].scores, strict=True))
    own = [truth[p.context, p.position + p.marked[0]] for p in sheet.data.passages]
    said = [(s + (i % 3 == 0)) % 4 for i, s in enumerate(own)]
    sheet.grades = [[s, 1.0] for s in said[:-1]]
    assert sheet._compared == []
    sheet.grades = [*sheet.grades, [said[-1], 1.0]]
    judge, n, (kappa, *_), same = sheet._compared[0]
    expected = agreement(own, said)
    assert (judge, n) == ("planted labels", 27)
    assert (kappa, same) == (pytest.approx(expected.kappa, rel=1e-5), pytest.approx(expected.same.value, rel=1e-5))
    assert sheet.judged.run_of("me").kind == "person"
    assert sw.SpecificityLab(sheet.judged, judge="me").to_dataframe()["n"].sum() == 27


def test_answers_do_not_go_to_other_passages(found):
    sheet = sw.GradingSheet(found, n=6, seed=1)
    sheet.grades = [[2, 1.0]]
    given = sheet.to_preset()
    again = sw.GradingSheet(found, n=6, seed=1)
    again.load_preset(given)
    assert again.grades == [[2, 1.0]]
    with pytest.raises(ValueError, match="other ones in this GradingSheet"):
        sw.GradingSheet(found, n=6, seed=2).load_preset(given)


def test_a_judge_does_not_change_while_one_goes_on(found):
    sheet = sw.GradingSheet(found, n=3)
    before = sheet.judge
    sheet.grades = [[1, 1.0]]
    assert before.grades == () and len(sheet.judge.grades) == 1
    assert repr(sheet) == f"GradingSheet(claim={BRIDGE!r}, name='a person', graded=1, of=3)"


def test_passages_of_ones_own_need_a_claim(found):
    own = [Passage(("", "é", " red"), (4, 5, 6), (0, 2)), Passage((" blue",), (7,), (0,))]
    sheet = sw.GradingSheet(own, "red")
    drawn = {len(p[0]): p for p in sheet._sheet["passages"]}
    assert drawn[2][1] == [0, 1]  # the first part of a character goes with the rest of it, and so does its mark
    assert "sw.GradingSheet(passages, 'red', n=2, name='a person', seed=0)" in sheet.to_code()
    with pytest.raises(ValueError, match="of no record"):
        _ = sheet.judged
    with pytest.raises(ValueError, match="claim nothing"):
        sw.GradingSheet(own)
    with pytest.raises(ValueError, match="is of the claim 'golden_gate_bridge', not 'owl'"):
        sw.GradingSheet(found, "owl")
    with pytest.raises(TypeError, match="specificity"):
        sw.GradingSheet("found")
