"""Accessibility, as far as a program can tell: axe-core over every instrument and every kind of exported page, in both
themes; keys; print.
"""

from __future__ import annotations

import instruments
import pytest
import sample_records
from axe import violations
from live_lab import open_notebook, run_all, watched_page
from ten import CELLS, TALL, wait_for_ten, write_ten

import saewidgets as sw
from saewidgets import export
from saewidgets.widgets.explorer import Explorer

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=30_000)  # ms; a busy machine is slow, not wrong
pytestmark = pytest.mark.browser

NAME = """() => {
    const at = document.activeElement;
    return `${at.localName} ${at.getAttribute("aria-label") ?? at.labels?.[0]?.textContent ?? at.textContent}`;
}"""
# The controls that a person sees, in the order of the page, each as NAME names it; of radio buttons the chosen one.
STOPS = """() => [...document.querySelectorAll(".saew :is(button, input, select, textarea, summary, [tabindex='0'])")]
    .filter((one) => one.checkVisibility() && !one.disabled && one.tabIndex >= 0 && (one.type !== "radio" || one.checked))
    .map((at) => `${at.localName} ${at.getAttribute("aria-label") ?? at.labels?.[0]?.textContent ?? at.textContent}`)"""
CHANGE_THEME = "(theme) => jupyterapp.commands.execute('apputils:change-theme', { theme })"
OPEN = "() => { for (const one of document.querySelectorAll('.saew details')) one.open = true; }"


def written(panel: sw.ClampPanel) -> sw.ClampPanel:
    """A panel whose texts are there: one without a clamp, one with feature 31 at twice its maximum."""
    panel.multiples = {31: 2.0}
    assert panel.wait(60)
    return panel


def explorer() -> Explorer:
    data, selection = sample_records.dashboard(), sw.Selection()
    return Explorer(
        written(sw.ClampPanel(sample_records.Writer(), data, features=[31], selection=selection)),
        sw.FeatureDashboard(data, selection=selection),
        sw.FeatureProbe(sample_records.prompt(), selection=selection),
    )


KINDS = {**instruments.MAKE, "ClampPanel": lambda: written(instruments.MAKE["ClampPanel"]()), "Explorer": explorer}


@pytest.fixture(scope="module")
def leaf(browser):
    """One page for all exported pages of this module."""
    with watched_page(browser) as page:
        yield page
        page.trouble.check()


@pytest.fixture
def show(leaf, tmp_path):
    """Open the exported page of a kind, in a light browser at first."""

    def opened(kind, *, live=False):
        made = KINDS[kind]()
        if live:
            view = made._view()
            view["state"]["_static"] = False  # the controls of a notebook, with nobody to answer
            (tmp_path / "page.html").write_text(export.page(kind, [view]), encoding="utf-8")
        else:
            made.to_html(tmp_path / "page.html")
        leaf.emulate_media(color_scheme="light", media="screen")
        leaf.goto((tmp_path / "page.html").as_uri())
        leaf.wait_for_selector(".saew-host > .saew")
        return leaf

    return opened


@pytest.mark.parametrize("kind", KINDS)
def test_an_exported_page_has_no_violation(show, kind):
    page = show(kind)
    assert page.title() == page.locator("main > h1").inner_text() != ""
    assert violations(page) == []
    page.evaluate(OPEN)
    page.emulate_media(color_scheme="dark")
    expect(page.locator(".saew").first).to_have_attribute("data-theme", "dark")
    assert violations(page) == []


def test_the_ten_instruments_have_no_violation_in_a_notebook(lab, browser):
    write_ten(lab, "axe.ipynb")
    with watched_page(browser, height=TALL) as page:
        open_notebook(page, lab, "axe.ipynb")
        run_all(page)
        wait_for_ten(page)
        found = {"light": violations(page, ".saew-host")}
        page.evaluate(OPEN)
        page.evaluate(CHANGE_THEME, "JupyterLab Dark")
        expect(page.locator(".saew[data-theme=dark]")).to_have_count(len(CELLS))
        found["dark"] = violations(page, ".saew-host")
        page.evaluate(CHANGE_THEME, "JupyterLab Light")  # the server keeps it, for whatever is opened next
        assert found == {"light": [], "dark": []}
        page.trouble.check()


def test_a_violation_is_found(show):
    """The net holds: an image without a name, and gray words on gray."""
    page = show("FeaturePlane")
    page.evaluate(
        """() => {
            const card = document.querySelector(".saew");
            card.append(document.createElement("button"));
            card.append(Object.assign(document.createElement("p"), { textContent: "pale" }));
            card.lastChild.style.color = "#ccc";
        }"""
    )
    assert {one.split(":")[0] for one in violations(page)} == {"critical button-name", "serious color-contrast"}


def test_no_stop_is_lost_on_the_way_through_a_clamp_panel_by_tab(show):
    """As in a notebook: the page's own panel has no controls to set."""
    page = show("ClampPanel", live=True)
    box = page.get_by_role("combobox", name="Add a feature").first
    box.focus()
    expect(page.get_by_role("listbox").first).to_be_visible()  # it scrolls: a browser would give it a stop of its own
    stops = page.evaluate(STOPS)
    assert len(stops) >= 8
    begun = stops.index(page.evaluate(NAME))
    for expected in stops[begun + 1 :]:
        page.keyboard.press("Tab")
        assert page.evaluate(NAME) == expected
        assert page.evaluate("() => document.activeElement.matches(':focus-visible')")


@pytest.mark.parametrize("kind", ["FeatureDashboard", "FeatureMap"])
def test_a_page_that_is_dark_on_the_screen_is_printed_light(show, kind):
    page = show(kind)
    card = page.locator(".saew").first
    page.emulate_media(color_scheme="dark")
    expect(card).to_have_attribute("data-theme", "dark")
    page.emulate_media(color_scheme="dark", media="print")
    expect(card).to_have_attribute("data-theme", "light")
    colors = "() => ['body', '.saew'].map((at) => getComputedStyle(document.querySelector(at)).backgroundColor)"
    assert page.evaluate(colors) == ["rgb(255, 255, 255)"] * 2
    page.emulate_media(color_scheme="dark", media="screen")
    expect(card).to_have_attribute("data-theme", "dark")
    # A browser that prints draws no frame between its event and the print, so the picture must be light when the event returns.
    tell = "(event) => { dispatchEvent(new Event(event)); return document.querySelector('.saew').dataset.theme; }"
    assert [page.evaluate(tell, event) for event in ("beforeprint", "afterprint")] == ["light", "dark"]
