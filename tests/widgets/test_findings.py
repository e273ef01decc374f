"""Labels given, clamps tried and notes: taken from instruments, handed in as a file, opened again."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser

import hostile
import ipywidgets
import pytest
import sample_records

import saewidgets as sw
from saewidgets.files import LoadError
from saewidgets.records import Clamp, Dialogue, Findings, FoundLabel, Note, ReaderLabels, Subject, TriedClamp
from saewidgets.widgets import _base

SAE, OTHER = "0f" * 32, "1e" * 32


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()
    _base._cells.MADE.clear()


def data():
    own = sample_records.dashboard()
    return replace(own, passport=replace(own.passport, sae=SAE))


def test_what_was_labeled_and_tried_goes_into_a_file_and_back(tmp_path):
    selection = sw.Selection()
    board = sw.FeatureDashboard(data(), selection=selection)
    panel = sw.ClampPanel(
        sample_records.Writer(), data(), features=[31], prompt="I am", n_tokens=20, selection=selection
    )
    board.names = {31: "the bridge"}  # as the page sets it
    for multiple in (0.0, 2.0):
        panel.multiples = {31: multiple}
        panel.write()
        assert panel.wait(60)
    panel.scope = "generated"
    assert panel.wait(60)
    mine = Findings.of(panel, board, author="Ada").noted("It is a bridge.", feature=31).noted("More to do.")
    about = Subject.of(data().passport)
    assert mine.labels == (FoundLabel(31, "the bridge", about),)  # both hold it, and it stands once
    assert [(t.clamps, t.multiples) for t in mine.tries] == [
        ((Clamp(31, 0.0),), {31: 0.0}),
        ((Clamp(31, 25.0),), {31: 2.0}),
        ((Clamp(31, 25.0, "generated"),), {31: 2.0}),
    ]
    assert mine.tries[1].text == panel.history[1].generation.text and mine.tries[1].prompt == "I am"
    assert all(t.subject == about and (t.seed, t.n_tokens) == (0, 20) for t in mine.tries)
    mine.save(tmp_path / "ada.json")
    read = Findings.load(tmp_path / "ada.json")
    assert read == mine
    other = sw.Selection(labels=read.reader_labels)
    assert sw.FeatureDashboard(data(), selection=other).names == {31: "the bridge"}


def test_two_findings_are_put_together():
    here, there = Subject("m", saes=("one",), digests=(SAE,)), Subject("m", saes=("two",), digests=(OTHER,))
    tried = TriedClamp("Hi", (Clamp(3, 1.0),), "ho", subject=here)
    one = Findings("One", labels=(FoundLabel(3, "owls", here), FoundLabel(4, "night", here)), tries=(tried,))
    two = Findings("Two", "Bo", (FoundLabel(3, "birds", here), FoundLabel(3, "fog", there)), (tried,), (Note("so"),))
    both = one + two
    assert (both.title, both.author) == ("One", "Bo")
    assert [(f.feature, f.label) for f in both.labels] == [(3, "birds"), (4, "night"), (3, "fog")]
    assert both.tries == (tried,) and both.notes == (Note("so"),)
    assert both.reader_labels == ReaderLabels({SAE: {3: "birds", 4: "night"}, OTHER: {3: "fog"}})
    assert both + both == both


def test_the_table_has_a_row_for_each():
    chat = Dialogue([("user", "Who are you?")])
    tries = (
        TriedClamp(chat, (Clamp(31, 18.75), Clamp(42, 0.0, 4)), "A bridge.", {31: 1.5}, seed=7),
        TriedClamp("Hi", (Clamp(31, 18.75, "token -1"),), "ho", {31: 1.5}),
    )
    mine = Findings(labels=(FoundLabel(42, "owls", Subject("mini", saes=("s",), digests=("",))),), tries=tries)
    table = mine.noted("Strange.", 42).to_dataframe()
    assert table["what"].tolist() == ["label", "clamp", "clamp", "note"]
    assert table["feature"].tolist()[:1] + table["feature"].tolist()[2:] == [42, 31, 42] and table["feature"].isna()[1]
    assert table["multiples"].tolist()[1:3] == ["#31 at 1.5× + #42 at 0 (from 4)", "#31 at 1.5× (token -1)"]
    assert (
        table["prompt"][1] == "user: Who are you?" and table["sae"][0] == "s, mini" and table["text"][3] == "Strange."
    )
    assert Findings().to_dataframe().empty


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.texts = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, text):
        self.texts.append(text)


def test_the_page_holds_every_text_and_runs_nothing(tmp_path):
    bad = [
        text
        for text in hostile.HOSTILE
        if text.strip() and len(text.splitlines()) == 1 and len(text) <= 200 and "\0" not in text
    ]
    labels = tuple(FoundLabel(i, text) for i, text in enumerate(bad))
    mine = Findings(bad[0], bad[0], labels, (TriedClamp(bad[0], (Clamp(1, 2.0),), bad[0]),)).noted(bad[0])
    page = Tags()
    page.feed(mine.to_html(tmp_path / "mine.html"))
    assert (tmp_path / "mine.html").read_text(encoding="utf-8") == mine.to_html()
    kinds = {tag for tag, _ in page.tags}
    assert kinds <= {
        *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "div"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }
    assert all(not name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert "default-src 'none'" in page.tags[[t for t, _ in page.tags].index("meta") + 1][1]["content"]
    assert len([tag for tag, _ in page.tags if tag == "tr"]) == 3 + len(labels) + 2
    for text in bad:
        assert any(sw.records.tables.sayable(text).strip() in seen.strip() for seen in page.texts), text
    assert "Nothing was found yet" in Findings().to_html()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 9}, "findings format 9"),
        ({"labels": [{"feature": 1, "label": "two\nlines"}]}, "a label is one line"),
        ({"labels": [{"feature": -1, "label": "owls"}]}, "the feature of a label"),
        ({"notes": [{"text": " "}]}, "a note is a text of 1 to 10,000 characters"),
        ({"notes": [{"text": "x" * 10_001}]}, "a note is a text"),
        (
            {"tries": [{"prompt": "Hi", "clamps": [{"feature": 1, "value": 1e999}], "text": ""}]},
            "the number .1e999. is out of range",
        ),
        ({"more": 1}, "more"),
    ],
)
def test_a_file_that_holds_none_says_what_is_wrong(change, said, tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(sample_records.findings().to_dict() | change).replace("Infinity", "1e999"))
    with pytest.raises(LoadError, match=said):
        Findings.load(path)


def test_what_is_no_instrument_or_no_note_is_refused():
    with pytest.raises(TypeError, match="takes instruments, such as a ClampPanel, not a DashboardData"):
        Findings.of(data())
    for text in ("", "x" * 10_001, None):
        with pytest.raises(ValueError, match="a note is a text"):
            Findings().noted(text)
    with pytest.raises(ValueError, match="feature"):
        Findings().noted("so", feature=-1)
