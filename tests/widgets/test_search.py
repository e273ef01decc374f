"""The search box through its traits: which question each mode asks, what is found in saved records, what is refused."""

from __future__ import annotations

import json
import re
import threading
from typing import Any

import ipywidgets
import pandas as pd
import pytest
import sample_records
import traitlets

from saewidgets.bars import bar
from saewidgets.records.search import COLUMNS
from saewidgets.widgets import FeatureDashboard, FeatureSearch, Selection

PATIENCE = 20.0


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()


@pytest.fixture
def data():
    return sample_records.dashboard()


class Asked:
    """A Searcher that notes what it is asked and finds feature 31, with a score of 0.5."""

    modes = ("prompt", "prompts", "classifier", "direction", "token", "attribution", "effect", "text", "concept")
    concepts = ("golden_gate_bridge", "owl")

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, mode: str, **query: Any) -> pd.DataFrame:
        self.calls.append((mode, query))
        if query.get("token") == "Bridge":
            raise ValueError("'Bridge' is not one token")
        row = (31, "", 0.5, 0.01, 12.5, (" Gate", "\ud83d"), (5, 3, 1))
        return pd.DataFrame([(*row, 0.25)], columns=[*COLUMNS, "precision"])


@pytest.mark.parametrize(
    ("mode", "boxes", "query"),
    [
        ("text", {"query": "gate"}, {"pattern": "gate", "regex": False, "case": False}),
        ("text", {"query": "g.te", "regex": True, "case": True}, {"pattern": "g.te", "regex": True, "case": True}),
        ("token", {"query": " Gate"}, {"token": " Gate"}),
        ("token", {"query": "Bridge"}, {"token": " Bridge"}),  # the space that most words have
        ("direction", {"query": " #31 "}, {"direction": 31}),
        ("prompt", {"query": "The old bridge is old."}, {"text": "The old bridge is old."}),
        ("prompt", {"query": "The old bridge is old.", "other": "bridge"}, {"text": "The old bridge"}),
        ("prompt", {"query": "an owl", "relative": True}, {"text": "an owl", "relative": True}),
        ("prompts", {"query": "a b\n\n c ", "other": "d"}, {"positive": ["a b", "c"], "negative": ["d"]}),
        (
            "prompts",
            {"query": "a", "other": "d", "at_least": 2.5, "at_most": 0.5},
            {"positive": ["a"], "negative": ["d"], "at_least": 2.5, "at_most": 0.5},
        ),
        ("classifier", {"query": "a b\n\n c ", "other": "d\ne"}, {"positive": ["a b", "c"], "negative": ["d", "e"]}),
        ("attribution", {"query": "I am", "other": "sad"}, {"text": "I am", "target": " sad"}),
        (
            "attribution",
            {"query": "I am ", "other": "sad\nhappy"},
            {"text": "I am ", "target": "sad", "baseline_token": "happy"},
        ),
        (
            "effect",
            {"query": "I am", "other": "a cat\n\n an owl\n."},
            {"prompt": "I am", "continuations": [" a cat", " an owl", "."]},
        ),
        ("effect", {"query": "A:\n", "other": "I am"}, {"prompt": "A:\n", "continuations": ["I am"]}),
        ("effect", {"query": "I am a", "other": "cat", "words": True}, {"prompt": "I am a", "words": [" cat"]}),
        (
            "effect",
            {"query": "I am", "other": "a cat\nan owl", "scope": "assistant", "combine": "each"},
            {"prompt": "I am", "continuations": [" a cat", " an owl"], "scope": "assistant", "combine": "each"},
        ),
        ("concept", {"query": "owl"}, {"concept": "owl"}),
        ("concept", {"query": "Golden Gate Bridge"}, {"concept": "golden_gate_bridge"}),
    ],
)
def test_each_mode_asks_its_question(mode, boxes, query):
    source = Asked()
    search = FeatureSearch(source)
    search.set_state({"mode": mode})
    search.set_state(boxes)
    search._handle_custom_msg({"kind": "search"}, [])
    assert search.wait(PATIENCE)
    assert source.calls[-1] == (mode, query)
    (row,) = search.get_state("_results")["_results"]["rows"]  # as the page gets it
    assert (row["feature"], row["score"], row["counts"], row["extra"]) == (31, 0.5, [5, 3, 1], {"precision": 0.25})
    assert row["tokens"] == [" Gate", "⟨U+D83D⟩"]
    assert search.to_dataframe()["feature"].tolist() == [31]
    assert search.status == "idle"


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"query": "thirty", "mode": "direction"}, "a feature is a number, such as 31, not 'thirty'"),
        ({"query": "an owl", "other": "cat", "mode": "prompt"}, "'cat' does not stand in the text"),
        ({"query": "I am", "mode": "effect"}, "write what should follow the prompt, one continuation per line"),
    ],
)
def test_what_cannot_be_asked_is_said(question, said):
    search = FeatureSearch(Asked(), "gate")
    search.search(**question)
    with pytest.raises(ValueError, match=said):
        search.wait(PATIENCE)
    assert (search.status, search.error) == ("error", said)
    search.search("an owl", mode="prompt", other="")
    assert search.wait(PATIENCE) and search.error == ""


def test_saved_records_are_searched_with_no_model(data):
    search = FeatureSearch(data, "golden gate")
    assert search._modes == ["text", "token", "direction"]
    assert search.to_dataframe()["feature"].tolist() == [31]
    search.search(" night", mode="token")
    search.wait(PATIENCE)
    (found,) = search.to_dataframe().to_dict("records")
    logit = next(e.logit for e in data[42].promoted if e.token == " night")
    assert (found["feature"], found["score"]) == (42, logit)
    search.search("31", mode="direction")
    search.wait(PATIENCE)
    cosines = {n.feature: n.cosine for n in data[31].neighbors if n.feature in data.features}
    found = search.to_dataframe()
    assert dict(zip(found["feature"], found["score"], strict=True)) == cosines  # 1999 is named there, and not carried
    assert found["score"].is_monotonic_decreasing
    search.search("xyzzy", mode="token")
    with pytest.raises(ValueError, match="no feature of these records lists"):
        search.wait(PATIENCE)
    search.search("(", mode="text", regex=True)
    with pytest.raises(ValueError, match="is not a regular expression"):
        search.wait(PATIENCE)
    with pytest.raises(traitlets.TraitError, match="unknown mode"):
        search.mode = "prompt"
    with pytest.raises(ValueError, match="unknown mode 'concept'"):
        FeatureSearch(data, mode="concept")


def test_an_empty_box_finds_nothing_and_asks_nothing():
    source = Asked()
    search = FeatureSearch(source, "gate")
    assert len(source.calls) == 1
    search.search("  ")
    search.wait(PATIENCE)
    assert len(source.calls) == 1 and search._results["rows"] == [] and search._results["mode"] == ""


def test_another_mode_empties_the_boxes():
    search = FeatureSearch(Asked(), "gate")
    search.mode = "prompt"
    assert (search.query, search.other) == ("", "")


def test_what_is_opened_opens_in_the_dashboard(data):
    selection = Selection()
    board = FeatureDashboard(data, feature=42, selection=selection)
    search = FeatureSearch(data, "golden gate", selection=selection)
    assert search.feature == 42
    search.set_state({"feature": 31})
    assert (selection.feature, board.feature) == (31, 31)
    search.set_state({"feature": -3})
    assert search.feature == 31 and "a feature is a number from 0" in search.error


def test_code_bundle_and_page_say_the_same(data):
    search = FeatureSearch(data, "Golden", case=True)
    assert "sw.FeatureSearch(source, 'Golden', mode='text', case=True)" in search.to_code()
    compile(search.to_code(), "cell", "exec")
    bundle, _ = search._repr_mimebundle_()
    assert "#31" in bundle["text/html"]
    state = json.loads(re.search(r'id="saew-data">(.*?)</script>', search.to_html()).group(1))[0]["state"]
    assert state["_results"]["rows"][0]["feature"] == 31
    assert repr(search) == "FeatureSearch(mode='text', query='Golden', found=1, feature=None)"


def test_hostile_text_is_carried_as_text(data):
    token = "</script><img src=x onerror=alert(1)>"
    search = FeatureSearch(sample_records.with_token(data, token), "onerror")
    bundle, _ = search._repr_mimebundle_()
    assert search._results["rows"][0]["feature"] == 31
    assert "<img" not in search.to_html() and "<img" not in bundle["text/html"]
    str(search.get_state()).encode("utf-8")


def test_a_search_that_must_wait_for_hooks_says_so_and_goes_on_when_they_are_gone():
    class Held(Asked):
        why = "thread 'other' holds hooks on the model"

        def waiting(self, seconds: float = 0.0) -> str:
            return self.why

    source = Held()
    search = FeatureSearch(source)
    said: list[str] = []
    search.observe(lambda change: said.append(change["new"]), names=["waiting"])
    search.search("an owl", mode="text")  # needs no model
    assert search.wait(PATIENCE) and not said
    search.search("an owl", mode="prompt")
    assert not search.wait(0.2)
    assert said == [Held.why] and search.status == "searching" and len(source.calls) == 1
    source.why = ""
    assert search.wait(PATIENCE)
    assert said == [Held.why, ""] and search.status == "idle" and len(source.calls) == 2


def test_an_answer_keeps_the_question_that_it_answers():
    search = FeatureSearch(Asked(), "an owl", mode="prompt", other="owl")
    search.set_state({"mode": "token"})  # the boxes are emptied, the answer stays
    assert (search.query, search.other) == ("", "")
    asked = {name: search._results[name] for name in ("mode", "query", "other")}
    assert asked == {"mode": "prompt", "query": "an owl", "other": "owl"}


class Slow(Asked):
    """A source that goes on until it is ended, a hundredth at a time and then in place; `n` counts its searches."""

    def __init__(self) -> None:
        super().__init__()
        self.ended, self.n = threading.Event(), 0

    def __call__(self, mode: str, **query: Any) -> pd.DataFrame:
        self.n += 1
        if query.get("prompt") != "on":
            return super().__call__(mode, **query)
        try:
            with bar(100, "pushing", "features") as advance:
                for done in range(100_000):
                    self.ended.wait(0.01)
                    advance(done < 40)
        finally:
            self.ended.set()
        raise AssertionError("nobody ended it")


def running(source: Slow) -> FeatureSearch:
    """A search by effect that has told how far it is."""
    search = FeatureSearch(source, mode="effect", other="and on")
    told = threading.Event()
    search.observe(lambda change: change["new"] and told.set(), "_share")
    search.search("on")
    assert search.status == "searching" and search._share == 0.0
    assert told.wait(PATIENCE)
    return search


def test_a_search_tells_how_far_it_is_and_can_be_cancelled():
    source = Slow()
    search = running(source)
    assert 0 < search._share <= 0.4
    search._handle_custom_msg({"kind": "stop"}, [])
    assert search.status == "stopped" and source.ended.wait(PATIENCE) and search.wait(PATIENCE)
    assert (search.status, search._share, search.error) == ("stopped", None, "")
    assert search.data.empty  # what was found before stays: nothing
    search.search("off")
    assert search.wait(PATIENCE) and (search.status, search._share) == ("idle", None) and len(search.data) == 1


def test_another_question_ends_the_search_that_runs():
    source = Slow()
    search = running(source)
    search.search("off")
    assert search.wait(PATIENCE) and source.ended.is_set() and source.n == 2
    assert search.status == "idle" and search._results["query"] == "off"


def test_how_effects_are_searched_is_checked_and_said_in_code():
    search = FeatureSearch(Asked(), mode="effect", scope=3, combine="each")
    search.query, search.other = "I am", "a cat"
    assert search.to_code().endswith("'I am', mode='effect', other='a cat', scope=3, combine='each')")
    with pytest.raises(traitlets.TraitError, match="unknown scope 'answer'"):
        search.scope = "answer"
    with pytest.raises(traitlets.TraitError, match="unknown combine 'all'"):
        search.combine = "all"
