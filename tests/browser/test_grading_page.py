"""The grading sheet by keyboard, on a page where nobody but the page itself answers."""

from __future__ import annotations

import pytest
import sample_records
from axe import violations
from live_lab import watched_page

import saewidgets as sw
from saewidgets import export

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser


def test_a_sheet_is_graded_undone_and_finished_by_keys_alone(browser, tmp_path):
    sheet = sw.GradingSheet(sample_records.specificity(), n=3, seed=1)
    view = sheet._view()
    view["state"]["_static"] = False
    (tmp_path / "page.html").write_text(export.page("grading", [view]), encoding="utf-8")
    with watched_page(browser) as page:
        page.set_viewport_size({"width": 390, "height": 900})
        page.goto((tmp_path / "page.html").as_uri())
        passage = page.get_by_role("group", name="The passage")
        progress = page.locator(".saew-grading-progress")
        own = sheet.data.passages
        marked = [p.tokens[p.marked[0]].strip() for p in own]
        expect(passage.locator(".saew-judged .saew-word")).to_have_text(marked[0])
        page.keyboard.press("2")
        expect(progress).to_contain_text("3 to grade")  # a key outside is the page's
        passage.focus()
        page.keyboard.press("3")
        expect(progress).to_contain_text("1 of 3 graded")
        expect(passage).to_contain_text("Passage 2 of 3.")
        page.keyboard.press("7")
        page.keyboard.press("Backspace")
        expect(progress).to_contain_text("3 to grade")
        assert violations(page) == []
        for key in ("1", "s", "0"):
            page.keyboard.press(key)
        done = page.get_by_role("heading", name="All passages are graded.")
        expect(done).to_be_focused()  # what had the focus is gone
        listed = page.get_by_role("list", name="Every answer, in the order given").get_by_role("listitem")
        expect(listed).to_have_count(3)
        assert [row.get_by_role("img").get_attribute("aria-label") for row in listed.all()] == [
            "score 1",
            "cannot say",
            "score 0",
        ]
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert violations(page) == []
        page.keyboard.press("u")
        expect(passage).to_be_focused()
        expect(page.get_by_role("button", name="Undo (U)")).to_be_enabled()
        page.trouble.check()


def test_a_page_can_only_be_read(browser, tmp_path):
    sheet = sw.GradingSheet(sample_records.specificity(), n=2)
    sheet.grades = [[2, 1.0]]
    sheet.to_html(tmp_path / "page.html")
    with watched_page(browser) as page:
        page.goto((tmp_path / "page.html").as_uri())
        root = page.locator(".saew")
        expect(root).to_contain_text("This page can only be read")
        assert root.get_by_role("button", name="Cannot say").count() == 0
        page.locator(".saew-grading-list").focus()
        page.keyboard.press("3")
        expect(root.locator(".saew-grading-list li")).to_have_count(1)
        page.trouble.check()
