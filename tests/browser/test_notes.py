"""How an instrument explains itself on a page: notes over its parts, and words that say what they mean."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from instruments import MAKE
from live_lab import watched_page

from saewidgets import export, frontend

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser

INSTRUMENTS = Path(frontend.__file__).parent / "instruments"
FOLDERS = {
    "ArchitecturePanel": "architecture",
    "ClampPanel": "clamp",
    "CompletenessLab": "completeness",
    "DirectionsLab": "directions",
    "DoseResponse": "dose_response",
    "FeatureDashboard": "dashboard",
    "FeatureMap": "map",
    "FeaturePlane": "plane",
    "FeatureProbe": "probe",
    "FeatureSearch": "search",
    "GradingSheet": "grading",
    "SpecificityLab": "specificity",
    "SuperpositionLab": "superposition",
    "TrainingMonitor": "training",
}
# Parts that a page without a kernel does not have, or only after something was done.
LIVE_ONLY = {
    ".saew-grading-ask",
    ".saew-knobs",
    ".saew-lab-do",
    ".saew-lesson > select",
    ".saew-measured",
    ".saew-pencil",
    ".saew-search-form",
    ".saew-settings",
    ".saew-several",
    ".saew-tries-list",
}

CARRIED_ONLY = {".saew-dose-writing"}  # on a page that carries the model: see test_live_page.py


@pytest.fixture(scope="module")
def page(browser):
    with watched_page(browser) as page:
        yield page
        page.trouble.check()


def selectors(folder: str) -> list[str]:
    """Of the parts that the notes of an instrument are laid on, in their order."""
    return re.findall(r"^\s*at: \"(.+)\",$", (INSTRUMENTS / folder / "notes.js").read_text(encoding="utf-8"), re.M)


def made(name: str):
    """The instrument with something to see on it."""
    widget = MAKE[name]()
    if name == "TrainingMonitor":
        widget.start()
    if hasattr(widget, "wait"):
        widget.wait(20)
    return widget


@pytest.mark.parametrize("name", sorted(MAKE))
def test_notes_are_laid_over_the_parts_and_taken_away(page, name, tmp_path):
    assert set(FOLDERS) == set(MAKE)
    made(name).to_html(tmp_path / "page.html")
    page.goto(f"file://{tmp_path}/page.html")
    root = page.locator(".saew")
    ask = root.get_by_role("button", name="What am I looking at?")
    ask.click()
    layer = root.get_by_role("dialog", name="What am I looking at?")
    wanted = [at for at in selectors(FOLDERS[name]) if at not in LIVE_ONLY | CARRIED_ONLY]
    missing = [at for at in wanted if root.locator(at).count() == 0]
    assert missing == [], "a note without its part: mend the selector in notes.js"
    assert layer.get_by_role("listitem").count() >= min(2, len(wanted))

    boxes = [note.bounding_box() for note in layer.get_by_role("listitem").all()]
    frame = root.bounding_box()
    for i, a in enumerate(boxes):
        assert frame["x"] <= a["x"] and a["x"] + a["width"] <= frame["x"] + frame["width"] + 1
        for b in boxes[:i]:
            apart = a["x"] >= b["x"] + b["width"] or b["x"] >= a["x"] + a["width"]
            assert apart or a["y"] >= b["y"] + b["height"] or b["y"] >= a["y"] + a["height"]

    close = layer.get_by_role("button", name="Close the notes")
    expect(close).to_be_focused()
    page.keyboard.press("Tab")
    expect(close).to_be_focused()
    page.keyboard.press("Escape")
    expect(layer).to_have_count(0)
    expect(ask).to_be_focused()
    assert page.evaluate("() => document.querySelectorAll('.saew [inert]').length") == 0


LIVE = sorted(name for name in MAKE if LIVE_ONLY & set(selectors(FOLDERS[name])))
LIVE.remove("FeatureDashboard")  # its page alone has a lookup, which only a page without a kernel reads


@pytest.mark.parametrize("name", LIVE)
def test_notes_on_controls_find_them_where_a_kernel_answers(page, name, tmp_path):
    view = made(name)._view()
    view["state"]["_static"] = False
    (tmp_path / "page.html").write_text(export.page("live", [view]), encoding="utf-8")
    page.goto(f"file://{tmp_path}/page.html")
    for at in selectors(FOLDERS[name]):
        expect(page.locator(f".saew {at}").first, "a note without its part: mend the selector").to_be_attached()
