"""The tour as a person lives it: a real JupyterLab, a real browser, a real drag."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from live_lab import drag_clamp, multiple_of, run_all, scroll_to

import saewidgets as sw

TOUR = Path(__file__).parents[2] / "notebooks" / "00_tour.ipynb"
PATIENCE = 60_000  # ms for a text to be written on a busy machine
expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=30_000)  # ms; a busy machine is slow, not wrong
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def shown(lab, desk):
    """A page on which the whole tour has been run, once for this module."""
    shutil.copyfile(TOUR, lab.folder / TOUR.name)
    with desk.notebook(lab, TOUR.name) as page:
        run_all(page)
        yield page


def record(page, locator):
    """Note every text that an element shows from now on, in the page's `seen`."""
    locator.evaluate(
        """(element) => {
            window.seen = [element.textContent];
            new MutationObserver(() => window.seen.push(element.textContent))
                .observe(element, { childList: true, subtree: true, characterData: true });
        }"""
    )


def test_a_dragged_slider_makes_the_model_say_it_is_the_bridge(ran):
    scroll_to(ran, "sw.ClampPanel(")
    panel = ran.get_by_role("group", name="Clamp panel")
    default = panel.get_by_role("log", name="Default")
    clamped = panel.get_by_role("log", name="Clamped")
    idle = panel.locator("[role=status][data-status=idle]")
    idle.wait_for(timeout=PATIENCE)
    own = default.inner_text()
    assert own.strip()
    assert "bridge" not in own.lower()
    assert clamped.inner_text() == own, "nothing is clamped yet"

    entry = sw.load_clamps()["golden_gate_bridge"]
    slider = panel.get_by_role("slider", name=re.compile(f"#{entry.feature} .*multiple of its maximum"))
    record(ran, clamped)
    drag_clamp(ran, slider, 0, entry.multiple, steps=15)
    expect(clamped).to_contain_text("bridge", ignore_case=True, timeout=PATIENCE)
    idle.wait_for(timeout=PATIENCE)
    final = clamped.inner_text()
    assert "bridge" in final.lower()
    assert default.inner_text() == own
    assert multiple_of(slider) == pytest.approx(entry.multiple, abs=0.1)

    seen = ran.evaluate("() => window.seen")
    beginnings = {len(text) for text in seen if text and text != seen[-1] and seen[-1].startswith(text)}
    assert beginnings, "the text came as it was written, not all at once"  # though all of it takes less than a second


def test_the_keyboard_moves_the_slider_and_the_notebook_stays_where_it_is(ran):
    scroll_to(ran, "sw.ClampPanel(")
    panel = ran.get_by_role("group", name="Clamp panel")
    panel.locator("[role=status][data-status=idle]").wait_for(timeout=PATIENCE)
    slider = panel.get_by_role("slider").first
    slider.focus()
    before = multiple_of(slider)
    for _ in range(4):
        ran.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", re.compile(rf"^{round(before + 0.2, 2):g}×"))
    assert slider.evaluate("element => document.activeElement === element")


def test_another_feature_can_be_picked_by_name_and_by_button(ran):
    scroll_to(ran, "sw.FeatureDashboard(demo.data, feature=best")
    dashboard = ran.get_by_role("group", name="Feature dashboard")
    number = dashboard.get_by_role("spinbutton", name="Feature number")
    first = int(number.input_value())

    entry = next(
        e
        for c, e in sw.load_clamps().items()
        if c != "golden_gate_bridge" and e.sae == "miniworld-2048" and e.feature != first
    )
    dashboard.get_by_role("combobox", name="Search features").fill(entry.label)
    dashboard.get_by_role("listbox").get_by_role("option", name=f"#{entry.feature}").first.click()
    expect(number).to_have_value(str(entry.feature))
    expect(dashboard.get_by_text(entry.label, exact=True).locator("visible=true").first).to_be_visible()

    dashboard.get_by_role("button", name="Next feature").click()
    expect(number).not_to_have_value(str(entry.feature))


def test_the_point_moves_by_keyboard_and_its_readout_follows(ran):
    scroll_to(ran, "plane = sw.FeaturePlane(")
    plane = ran.get_by_role("group", name="Feature plane").first
    before = plane.inner_text()
    plane.get_by_role("slider", name="Activation point").focus()
    ran.keyboard.press("ArrowUp")
    expect(plane).not_to_have_text(before, use_inner_text=True)


def test_the_training_monitor_shows_the_run(ran):
    scroll_to(ran, "monitor = sw.TrainingMonitor(")
    monitor = ran.get_by_role("group", name="Training monitor")
    expect(monitor.get_by_role("status")).to_have_text("finished")
    expect(monitor.get_by_role("img", name="at step")).to_have_count(6)
    expect(monitor.get_by_role("img", name="How often features fire")).to_be_visible()
    expect(monitor.locator(".saew-buttons")).to_be_hidden()  # nothing is left to press
