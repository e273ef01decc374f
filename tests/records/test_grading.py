"""A person's grading sheet: blind, shuffled, opened again, and a judge whose answers are the person's."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sample_records

from saewidgets.files import LoadError
from saewidgets.records import Grading, Passage
from saewidgets.records.grading import passage_of


def sheet(n: int = 18) -> Grading:
    return Grading.of("golden_gate_bridge", sample_records.specificity(), n=n, name="me", seed=3)


def spot(passage: Passage) -> tuple[int, int]:
    (at,) = passage.marked
    return passage.context, passage.position + at


def test_passages_are_drawn_evenly_and_shuffled_by_the_seed():
    data = sample_records.specificity()
    interval = {spot(passage_of(e)): e.interval for e in data.examples}
    drawn = [interval[spot(p)] for p in sheet().passages]
    assert sorted(drawn) == sorted([*range(1, 10)] * 2)  # two of each of the nine intervals with examples
    assert drawn not in (sorted(drawn), sorted(drawn, reverse=True))
    assert sheet() == sheet()
    other = Grading.of("golden_gate_bridge", data, n=18, seed=4)
    assert [spot(p) for p in other.passages] != [spot(p) for p in sheet().passages]
    everything = Grading.of("golden_gate_bridge", data)
    assert {spot(p) for p in everything.passages} == set(interval)


def test_nothing_on_a_sheet_tells_the_activation():
    saved = sheet().to_dict()
    assert set(saved) == {"format", "claim", "passages", "grades", "name", "seed"}
    assert set(saved["passages"][0]) == {"tokens", "ids", "marked", "context", "position"}


def test_it_is_a_judge_that_says_what_was_said():
    data, own = sample_records.specificity(), sheet()
    own = own.answered(3, 2.0).answered(None, 4.0).answered(0, 500.0)
    run = own.run(data)
    said = {spot(p): g for p, g in zip(own.passages, own.grades, strict=False)}
    for example, score, reason in zip(data.examples, run.scores, run.reasons, strict=True):
        at = spot(passage_of(example))
        if at in said:
            assert score == said[at].score and reason == ("could not say" if score is None else "")
        else:
            left = at in {spot(p) for p in own.passages}
            assert (score, reason) == (None, "not graded yet" if left else "not on the sheet")
    assert (run.name, run.kind, run.seconds) == ("me", "person", 2 + 4 + 120)  # whoever takes longer has left
    assert run.n_refused == len(data.examples) - 2
    judged = data.judged_by(run)
    (row,) = judged.agreement(against="planted labels").query("judge == 'me'").to_dict("records")
    assert row["n"] == 2 and row["seconds"] == 126


def test_agreement_is_the_same_whichever_judge_stands_first():
    data = sample_records.specificity()
    one = data.agreement().iloc[0]
    other = data.agreement(against="a small model").iloc[0]
    assert (other["judge"], other["kappa"], other["n"]) == ("planted labels", pytest.approx(one["kappa"]), one["n"])
    with pytest.raises(ValueError, match="unknown judge 'nobody'"):
        data.agreement(against="nobody")


def test_more_text_around_the_same_token_is_the_same_passage():
    own = sheet().answered(2, 1.0)
    first = own.passages[0]
    wide = Passage(
        ("x", *first.tokens), (5, *first.ids), tuple(i + 1 for i in first.marked), first.context, first.position - 1
    )
    assert own(own.claim, [wide])[0].score == 2
    moved = replace(first, position=first.position + 1)
    assert own(own.claim, [moved])[0].reason == "not on the sheet"
    with pytest.raises(ValueError, match="of another corpus"):
        own(own.claim, [replace(first, ids=tuple(i + 1 for i in first.ids))])


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="has graded the claim 'golden_gate_bridge', not 'owl'"):
        sheet()("owl", [])
    with pytest.raises(ValueError, match="n is 55, and there are 54 passages"):
        sheet(55)
    with pytest.raises(ValueError, match="nothing to grade"):
        Grading.of("red", [])
    with pytest.raises(ValueError, match="twice"):
        Grading.of("red", [Passage(("a",), (1,), (0,), 2, 3)] * 2)
    with pytest.raises(TypeError, match="Passage"):
        Grading.of("red", ["a red car"])
    with pytest.raises(ValueError, match="a score is 0, 1, 2 or 3"):
        sheet().answered(4)
    one = Grading.of("red", [Passage(("a",), (1,), (0,), 2, 3)]).answered(1)
    assert one.done and one.undone().grades == ()
    with pytest.raises(ValueError, match="2 answers and 1 passages"):
        one.answered(1)


def test_a_sheet_comes_back_from_its_file(tmp_path):
    own = sheet().answered(3, 1.25).answered(None)
    own.save(tmp_path / "me.json")
    assert Grading.load(tmp_path / "me.json") == own
    (tmp_path / "bad.json").write_text('{"format": 1, "claim": "red"}')
    with pytest.raises(LoadError, match="passages"):
        Grading.load(tmp_path / "bad.json")
    assert own.to_dataframe()["score"].tolist()[:1] == [3] and "«" in own.to_dataframe()["text"][0]
