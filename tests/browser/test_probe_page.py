"""The prompt view and the search box as a person uses them: typed into in a real JupyterLab, pinned and sorted in an
exported page.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sample_records
from hostile import HOSTILE

from saewidgets import export
from saewidgets.records.search import compile_pattern, matches
from saewidgets.widgets import FeatureProbe, FeatureSearch

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=30_000)  # ms; a busy machine is slow, not wrong
pytestmark = pytest.mark.browser

TESTS = Path(__file__).parents[1]
TEXT = "The Golden Gate Bridge hums"
SOURCE = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
import sample_records
import saewidgets as sw

data = sample_records.dashboard()
selection = sw.Selection()
probe = sw.FeatureProbe(sample_records.Reader(), {TEXT!r}, dashboard=data, selection=selection)
probe
"""
SEARCH = "search = sw.FeatureSearch(data, selection=selection)\nsearch"
BOARD = "sw.FeatureDashboard(data, selection=selection)"


@pytest.fixture
def show(page, tmp_path):
    """Write a page to disk, open it from there, and return Playwright's page."""

    def opened(text: str):
        path = tmp_path / "page.html"
        path.write_bytes(text.encode("utf-8"))
        page.goto(path.as_uri())
        page.wait_for_selector(".saew")
        return page

    return opened


def names(page) -> list[str]:
    """The features in the table of a probe, from the top."""
    return page.locator(".saew-probe-list .saew-feature .saew-id").all_text_contents()


def test_typing_reads_anew_measures_and_searching_opens(notebook):
    page = notebook(SOURCE, SEARCH, BOARD)
    probe = page.get_by_role("group", name="Feature probe")
    box = probe.get_by_label("Text: type or paste")
    expect(box).to_have_value(TEXT)
    box.press("End")
    box.press_sequentially(" The Bridge", delay=15)
    strip = probe.get_by_role("group", name="Tokens of the text")
    expect(strip.locator(".saew-token")).to_have_text(
        ["<|endoftext|>", *[f" {w}" for w in f"{TEXT} The Bridge".split()]]
    )
    expect(box).to_be_focused()
    assert box.input_value() == f"{TEXT} The Bridge"

    probe.get_by_label("Next token").fill(" Bridge")
    probe.get_by_role("button", name="Measure").click()
    expect(probe.get_by_text(re.compile(r"Correlation with the ablation, over \d+ activations"))).to_be_visible()
    probe.get_by_role("button", name="Sort by attribution").click()
    expect(probe.locator("th[aria-sort='descending']")).to_contain_text("Attribution")
    probe.get_by_role("button", name="Ablate #31").click()
    expect(probe.get_by_text("harder to predict without #31")).to_be_visible()
    probe.get_by_role("button", name="Ablate each of the listed features").click()
    expect(probe.locator("th[aria-sort='descending']")).to_contain_text("Loss effect")

    box.fill("much too long!")  # refused by the source: said, and what was read stays
    expect(probe.get_by_role("alert")).to_contain_text("the text is too long: shorten it")
    assert strip.locator(".saew-token").count() == 8
    box.fill("An owl")
    expect(probe.get_by_role("alert")).to_be_hidden()
    expect(strip.locator(".saew-token")).to_have_count(3)

    search = page.get_by_role("group", name="Feature search")
    query = search.get_by_role("textbox", name="Text")
    query.fill("buenos")
    expect(search.locator("tbody tr")).to_have_count(1)
    query.press("ArrowDown")
    page.keyboard.press("Enter")  # on the row's button: opens the feature wherever it is shared
    board = page.get_by_role("group", name="Feature dashboard")
    expect(board.locator(".saew-heading .saew-title")).to_have_text("Spanish")
    expect(search.locator("tr[aria-selected='true']")).to_contain_text("#57")
    expect(probe.locator(".saew-probe-legend")).to_contain_text("#57 Spanish")

    search.get_by_label("Find features by").select_option(label="a token that it promotes")
    expect(search.get_by_text("Still shown: 1 feature, by text in its examples: “buenos”.")).to_be_visible()
    expect(search.locator(".saew-search-old")).to_be_visible()


def test_a_saved_page_points_pins_sorts_and_picks(show):
    reading = sample_records.Reader()(TEXT, target=" Bridge", losses=[31])
    ablation = np.where(reading.feature == 57, -5.0, reading.ablation)
    ablation[(reading.feature == 88) & (reading.position == 5)] = np.nan  # one of the five was not measured
    reading = replace(reading, ablation=ablation)
    page = show(FeatureProbe(reading, feature=31, pinned=[57]).to_html())
    assert page.get_by_role("textbox").count() == 0, "nobody could read another text"
    assert names(page) == ["#31", "#42", "#57", "#88"]  # 10, 6, 2 and 0.5
    warm = page.locator(".saew-probe-strip .saew-warm")
    assert warm.all_text_contents() == [" Gate", " Bridge"]
    assert [w.evaluate("e => e.style.getPropertyValue('--h')") for w in warm.all()] == ["0.400", "0.800"]  # of 12.5

    token = page.locator(".saew-probe-strip .saew-token").nth(4)
    token.hover()
    tip = page.get_by_role("tooltip")
    assert [line for line in tip.inner_text().split("\n") if line.startswith("#")][:3] == [
        "#31 Golden Gate Bridge",
        "#57 Spanish",
        "#88 no label",
    ]
    token.click()
    expect(page.locator(".saew-probe-head h3")).to_have_text("Features at token 4, ·Bridge")
    assert names(page) == ["#31", "#57", "#88"]
    page.get_by_role("button", name="List the whole text").click()

    page.get_by_role("button", name="Pin #42").click()
    expect(page.locator(".saew-probe-legend .saew-pin")).to_have_text(["A", "B"])
    shadow = (
        page.locator(".saew-probe-strip .saew-token").nth(2).locator(".saew-word").evaluate("e => e.style.boxShadow")
    )
    assert "--saew-p2" in shadow and "--saew-p1" not in shadow  # " Golden" has the second pin and not the first
    page.get_by_role("button", name="Unpin #57").first.click()
    expect(page.locator(".saew-probe-legend .saew-pin")).to_have_text(["A"])

    page.get_by_role("button", name="Sort by ablation").click()
    # By size, sums over the tokens: 57 has 2 x -5, 31 has 0.2 x 15, 42 has 0.2 x 6; that of 88 is not known.
    assert names(page) == ["#57", "#31", "#42", "#88"]
    cells = page.locator(".saew-probe-table tbody tr").first.locator("td").all_inner_texts()
    assert "\N{MINUS SIGN}10" in cells
    assert page.locator(".saew-probe-table tbody tr").last.locator("td .saew-meter").last.inner_text() == "–"
    page.get_by_role("button", name="Sort by loss effect").click()
    assert names(page) == ["#31", "#42", "#57", "#88"]  # of 31 alone it is known: half a nat at each of two tokens
    assert "+1" in page.locator(".saew-probe-table tbody tr").first.locator("td").all_inner_texts()
    page.get_by_role("button", name="#42 owl").click()
    assert warm.all_text_contents() == [" Golden"]
    expect(page.locator(".saew-probe-legend")).to_contain_text("#42 owl: the more orange, the stronger")

    scroller = page.locator(".saew-probe-list .saew-scroll")
    assert scroller.get_attribute("tabindex") is None, "there is nothing to scroll"
    page.set_viewport_size({"width": 420, "height": 900})
    expect(page.get_by_text("There are more columns: scroll sideways.")).to_be_visible()
    assert scroller.get_attribute("tabindex") == "0"


def test_a_feature_that_is_off_is_said_to_be_off(show):
    page = show(FeatureProbe(sample_records.prompt(), feature=99, labels={99: "Dutch"}).to_html())
    expect(page.locator(".saew-probe-legend")).to_have_text("#99 Dutch is not on in this text")
    assert page.locator(".saew-probe-strip .saew-warm").count() == 0


def test_pointing_at_the_list_does_not_move_it(show):
    """A list that moved would leave the pointer, take back what it had changed, and come again."""
    reading = sample_records.Reader()(TEXT, losses=[31])
    labels = {f: f"{'a very long name ' * 12}{f}" for f in (31, 57)}
    page = show(FeatureProbe(reading, feature=88, pinned=[57, 31], labels=labels).to_html())
    for width in (420, 800):
        page.set_viewport_size({"width": width, "height": 900})
        rows = page.locator(".saew-probe-table tbody tr")
        at = [rows.first.bounding_box()["y"]]
        for i in range(rows.count()):
            rows.nth(i).hover()
            at.append(rows.first.bounding_box()["y"])
        assert len(set(at)) == 1
        page.mouse.move(1, 1)


def test_the_keyboard_alone_reaches_everything(show):
    page = show(FeatureProbe(sample_records.prompt(), feature=31).to_html())

    def tab() -> str:
        """The next control, past the words that explain themselves."""
        while True:
            page.keyboard.press("Tab")
            if not page.evaluate("document.activeElement.matches('.saew-term')"):
                return page.evaluate("document.activeElement.textContent")

    assert tab() == "Reset"
    assert tab() == "What am I looking at?"
    assert tab() == "<|endoftext|>"
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    assert "#42 owl" in page.get_by_role("tooltip").inner_text()
    page.keyboard.press("Enter")
    expect(page.locator(".saew-probe-head h3")).to_have_text("Features at token 2, ·Golden")
    assert page.evaluate("document.activeElement.textContent") == " Golden", "the focus stays where it was"
    page.keyboard.press("Escape")
    expect(page.locator(".saew-probe-head h3")).to_have_text("Features of the whole text")
    for _ in range(4):  # three columns that sort, then the first pin
        tab()
    page.keyboard.press("Enter")
    expect(page.locator(".saew-probe-legend .saew-pin")).to_have_text(["A"])
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Unpin #31"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator(".saew-probe-strip .saew-warm").all_text_contents() == [" Golden"]


@pytest.mark.parametrize(
    ("words", "regex", "case"),
    [
        ("golden gate", False, False),
        ("golden", False, True),
        ("Golden", False, True),
        (r"\b(towers?|cables)\b", True, False),
        ("(?=g)", True, False),  # matches of no characters find nothing
        ("bahía", False, False),
        ("a.", False, False),
    ],
)
def test_the_examples_of_a_feature_are_filtered_as_the_search_filters_them(show, words, regex, case):
    data = sample_records.dashboard()
    page = show(export.dashboard_html(data, feature=31))
    page.get_by_role("searchbox", name="Find in these examples").fill(words)
    page.get_by_label("Regular expression").set_checked(regex)
    page.get_by_label("Match case").set_checked(case)
    wanted = compile_pattern(words, regex, case)  # the same question, answered in Python
    examples = [(e, matches(e, wanted)) for e in (*data[31].top, *data[31].intervals)]
    found = [(e, spans) for e, spans in examples if spans]
    assert len(found) < len(examples)
    rows = page.locator(".saew-example:visible")
    expect(rows).to_have_count(len(found))
    expect(page.locator(".saew-filter [role=status]")).to_have_text(f"{len(found)} of {len(examples)}")
    marked = sum(len({i for first, stop, _ in spans for i in range(first, stop)}) for _, spans in found)
    assert page.locator(".saew-example:visible .saew-found").count() == marked


def test_a_broken_pattern_hides_nothing_and_the_filter_stays_with_the_next_feature(show):
    page = show(export.dashboard_html(sample_records.dashboard(), feature=31))
    box = page.get_by_role("searchbox", name="Find in these examples")
    page.get_by_label("Regular expression").check()
    box.fill("owl(")
    assert box.get_attribute("aria-invalid") == "true" and page.get_by_text("not a regular expression").is_visible()
    around = {
        (e.tokens[max(0, e.peak - 2) : e.peak], e.tokens[e.peak : e.peak + 3])
        for e in sample_records.dashboard()[31].top
    }
    assert page.locator(".saew-example:visible").count() == len(around) < 20  # one row for those that read the same
    box.fill("owl")
    assert page.locator(".saew-example:visible").count() == 0
    page.get_by_role("button", name="Next feature").click()
    assert page.locator(".saew-example:visible").count() > 0
    assert box.input_value() == "owl"


def test_hostile_tokens_are_harmless_and_told_apart(show, page):
    words = tuple(f" {text}" for text in HOSTILE)
    record = replace(sample_records.prompt(tokens=words), labels={88: HOSTILE[0]})
    probe = FeatureProbe(record)
    data = sample_records.with_token(sample_records.dashboard(), HOSTILE[0])
    search = FeatureSearch(data, "onerror")
    page.on("dialog", lambda dialog: pytest.fail(f"a token ran as a script: {dialog.message}"))
    show(export.page("hostile", [probe._view(), search._view()]))
    tokens = page.locator(".saew-probe-strip .saew-token")
    assert tokens.count() == 1 + len(HOSTILE)
    assert all(text for text in tokens.all_text_contents())
    for i in np.linspace(1, len(HOSTILE), 6).astype(int).tolist():
        tokens.nth(i).hover()
        tokens.nth(i).click()
    assert page.locator("img, iframe, svg[onload], base, math, a").count() == 0
    assert "onerror" in page.get_by_role("group", name="Feature search").locator("tbody").inner_text()
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width <= 0, "a token of 100,000 characters does not stretch the page"
