"""The map of features as a person uses it: mouse and keyboard on an exported page, and linked with a dashboard in
JupyterLab.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import sample_records
from hostile import HOSTILE

from saewidgets import export
from saewidgets.records.map import MapSAE
from saewidgets.widgets import FeatureMap, Selection

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=30_000)  # ms; a busy machine is slow, not wrong
pytestmark = pytest.mark.browser

TESTS = Path(__file__).parents[1]
DATA = sample_records.feature_map()


@pytest.fixture
def show(page, tmp_path):
    """Write a page to disk, open it from there, and return Playwright's page."""

    def opened(text: str):
        path = tmp_path / "page.html"
        path.write_bytes(text.encode("utf-8"))
        page.goto(path.as_uri())
        page.wait_for_selector(".saew-map-picture")
        return page

    return opened


def middle_of(page) -> tuple[float, float, float]:
    """Where the middle of the map is in the window while it is the middle of what is free of the picture; px per unit
    of the map.
    """
    box = page.locator(".saew-map-picture").bounding_box()
    side = page.locator(".saew-map-side").bounding_box()
    over = side["y"] < box["y"] + box["height"]  # the details lie over the right edge, or stand below the picture
    free = side["x"] - box["x"] if over else box["width"]
    return box["x"] + free / 2, box["y"] + box["height"] / 2, 0.48 * min(free, box["height"])


def where(page, point: int) -> tuple[float, float]:
    """Where a point lies in the window while the whole map is seen."""
    *middle, unit = middle_of(page)
    return middle[0] + float(DATA.x[point]) * unit, middle[1] - float(DATA.y[point]) * unit


def title(page):
    return page.locator(".saew-map-title")


@pytest.mark.parametrize("width", [1040, 390])
def test_a_name_without_a_space_widens_nothing(show, width):
    name = "x" * 3000
    saes = tuple(replace(sae, name=f"{name}{i}") for i, sae in enumerate(DATA.saes))
    data = replace(DATA, saes=saes, labels=(name,) * len(DATA))
    page = show(FeatureMap(data, feature=int(data.feature[3])).to_html())
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_mouse_tells_selects_and_follows_the_links(show):
    page = show(FeatureMap(DATA).to_html())
    at = where(page, 2)
    page.mouse.move(at[0] + 3, at[1] - 2)
    tip = page.get_by_role("tooltip")
    expect(tip).to_contain_text("#2 of small")
    expect(tip).to_contain_text("·word2")
    page.mouse.click(*at)
    expect(title(page)).to_have_text("#2 of small")
    expect(page.locator(".saew-map-about h4")).to_have_text(["Splits into, in a larger SAE"])
    children = page.locator(".saew-map-about .saew-map-row")
    expect(children.locator(".saew-id")).to_have_text(["#7", "#6", "#8"])  # by cosine: 0.9, 0.6, 0.55
    children.first.click()
    expect(title(page)).to_have_text("#7 of large")
    expect(page.locator(".saew-map-about h4")).to_have_text(["Comes from, in a smaller SAE"])
    page.mouse.click(*where(page, 5))
    expect(title(page)).to_have_text("#5 of small")


def test_the_wheel_zooms_about_the_pointer_and_dragging_moves(show):
    page = show(FeatureMap(DATA).to_html())
    at = where(page, 3)
    page.mouse.move(*at)
    page.keyboard.down("Control")
    for _ in range(6):
        page.mouse.wheel(0, -120)
    page.keyboard.up("Control")
    page.mouse.click(*at)  # it has stayed under the pointer
    expect(title(page)).to_have_text("#3 of small")
    page.mouse.move(*at)
    page.mouse.down()
    page.mouse.move(at[0] - 60, at[1] - 40, steps=5)
    page.mouse.up()
    expect(title(page)).to_have_text("#3 of small")  # a drag is not a click
    page.mouse.click(at[0] - 300, at[1] + 200)
    page.mouse.click(at[0] - 60, at[1] - 40)
    expect(title(page)).to_have_text("#3 of small")
    page.get_by_role("button", name="Whole map").click()
    page.mouse.click(*where(page, 6))
    expect(title(page)).to_have_text("#6 of small")
    page.set_viewport_size({"width": 1280, "height": 400})
    page.locator(".saew-map-picture").hover(position={"x": 30, "y": 30})
    spent = """() => {
        window.taken = null;
        window.addEventListener("wheel", (event) => { window.taken = event.defaultPrevented; }, { passive: true });
    }"""
    page.evaluate(spent)

    def takes(turn: int) -> bool:
        page.evaluate("window.taken = null")
        page.mouse.wheel(0, turn)
        return page.wait_for_function("window.taken !== null && [window.taken]").json_value()[0]

    hint = page.locator(".saew-map-hint")
    expect(hint).to_be_hidden()
    assert not takes(-200)  # nobody has clicked: the wheel is the page's
    expect(hint).to_have_text("Ctrl and the wheel zoom. So does the wheel alone after a click on the map.")
    picture = page.locator(".saew-map-picture")
    picture.click(position={"x": 30, "y": 30})
    expect(hint).to_be_hidden()
    assert not takes(200)  # nothing is left to zoom out of
    assert takes(-200)
    assert takes(200)
    page.mouse.move(5, 5)
    picture.hover(position={"x": 30, "y": 30})
    assert not takes(-200)  # the pointer has left since the click
    page.keyboard.down("Control")
    assert takes(-200)
    page.keyboard.up("Control")


@pytest.mark.parametrize("tool", ["lasso", "box", "shift"])
def test_a_lasso_and_a_box_choose_what_lies_inside(show, tool):
    page = show(FeatureMap(DATA).to_html())
    if tool != "shift":
        page.get_by_label("Dragging").select_option(tool)
    (x0, y0), (x1, y1) = where(page, 0), where(page, 1)
    corners = [(x0 - 40, y0 - 12), (x1 + 30, y0 - 12), (x1 + 30, y1 + 30), (x0 - 40, y1 + 30)]
    if tool == "shift":
        page.keyboard.down("Shift")
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in [corners[2]] if tool == "box" else [*corners[1:], corners[0]]:
        page.mouse.move(*corner, steps=8)
    page.mouse.up()
    left, top, unit = middle_of(page)
    border = [((x - left) / unit, (top - y) / unit) for x, y in corners]
    wanted = DATA.to_dataframe(DATA.inside(border).tolist())
    assert 4 <= len(wanted) < 20
    expect(page.locator(".saew-map-chosen h4")).to_have_text(f"{len(wanted)} chosen")
    listed = page.locator(".saew-map-chosen + p + .saew-map-list .saew-id")
    expect(listed).to_have_text([f"#{f}" for f in wanted["feature"].head(12)])
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".saew-map-chosen h4")).to_be_hidden()


def test_the_keyboard_alone_walks_zooms_chooses_and_finds(show):
    page = show(FeatureMap(DATA, feature=0).to_html())
    expect(title(page)).to_have_text("#0 of small")
    page.locator(".saew-map-picture").focus()
    page.keyboard.press("ArrowRight")
    told = title(page).inner_text()
    x, y = float(DATA.x[0]), float(DATA.y[0])
    cone = [i for i in range(1, len(DATA)) if 0 < DATA.x[i] - x >= abs(DATA.y[i] - y)]  # within 45 degrees to the right
    near = min(cone, key=lambda i: (DATA.x[i] - x) ** 2 + (DATA.y[i] - y) ** 2)
    assert told == f"#{DATA.feature[near]} of {DATA.saes[DATA.sae[near]].name}"
    status = page.locator(".saew-map-said")
    assert told in status.get_attribute("aria-label") and "Density" in status.get_attribute("aria-label")
    page.keyboard.press("Space")
    expect(page.locator(".saew-map-chosen h4")).to_have_text("1 chosen")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(page.locator(".saew-map-chosen h4")).to_have_text("2 chosen")
    page.keyboard.press("Escape")
    expect(page.locator(".saew-map-chosen h4")).to_be_hidden()
    for key in ("+", "+", "-", "0", "Shift+ArrowRight"):
        page.keyboard.press(key)
    box = page.get_by_role("searchbox", name="Find a feature or token")
    box.focus()
    page.keyboard.type("word13")
    expect(page.locator(".saew-map-find [role=status]")).to_have_text("1 found")
    page.keyboard.press("Enter")
    expect(title(page)).to_have_text("#5 of large")
    box.fill("golden gate")
    wanted = [i for i in range(len(DATA)) if DATA.concept[i] == 1 or "golden gate" in DATA.labels[i]]
    expect(page.locator(".saew-map-find [role=status]")).to_have_text(f"{len(wanted)} found")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    rows = page.get_by_role("group", name="Points that were found").get_by_role("button")
    assert title(page).inner_text().startswith(rows.nth(1).locator(".saew-id").inner_text())


def test_a_size_that_is_not_shown_cannot_be_met_and_the_legend_dims_the_rest(show):
    page = show(FeatureMap(DATA, color="concept").to_html())
    page.get_by_label("small 8").uncheck()
    page.mouse.click(*where(page, 9))
    expect(title(page)).to_have_text("#1 of large")
    page.mouse.click(*where(page, 4))  # nothing is there any more
    expect(title(page)).to_have_text("#1 of large")
    page.get_by_label("small 8").check()
    page.get_by_role("button", name="Show only spanish").click()
    page.mouse.click(*where(page, 4))  # code: dimmed
    expect(title(page)).to_have_text("#1 of large")
    page.mouse.click(*where(page, 2))
    expect(title(page)).to_have_text("#2 of small")


def test_instruments_on_one_page_share_the_feature(show):
    board = sample_records.dashboard()
    labels = ["other"] * 8
    mapped = replace(DATA, feature=DATA.feature.copy(), labels=(*labels, *DATA.labels[8:]))
    mapped.feature[:8] = [31, 42, 57, 60, 61, 62, 88, 104]
    page = show(
        export.page(
            "both", [FeatureMap(mapped, selection=Selection())._view(), export.dashboard_view(board, feature=57)]
        )
    )
    page.mouse.click(*where(page, 1))
    expect(page.locator(".saew-heading .saew-title")).to_have_text("owl")
    page.get_by_role("button", name="Next feature").click()
    expect(title(page)).to_have_text("#57 of small")
    page.evaluate("scrollTo(0, 0)")
    page.mouse.click(*where(page, 8 + 4))  # of the other SAE: the dashboard stays
    expect(title(page)).to_have_text("#4 of large")
    expect(page.get_by_text("A feature of another SAE than the views beside this one show")).to_be_visible()
    expect(page.locator(".saew-heading .saew-title")).to_have_text("Spanish")


def test_hostile_names_are_harmless(show, page):
    n = len(DATA)
    evil = replace(
        DATA,
        labels=tuple(HOSTILE[i % len(HOSTILE)] for i in range(n)),
        tokens=tuple((HOSTILE[(7 * i) % len(HOSTILE)],) for i in range(n)),
        concepts=tuple(f"{text}{i}" for i, text in enumerate(HOSTILE[:9])),
        saes=(MapSAE(HOSTILE[0], 8), MapSAE(HOSTILE[-1], 24)),
    )
    page.on("dialog", lambda dialog: pytest.fail(f"a name ran as a script: {dialog.message}"))
    show(FeatureMap(evil, feature=0).to_html())
    for i in range(0, n, 4):
        page.mouse.move(*where(page, i))
        page.mouse.click(*where(page, i))
    page.get_by_role("searchbox").fill("<")
    assert page.locator("img, iframe, svg[onload], base, math, a").count() == 0
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width <= 0, "a name of 100,000 characters does not stretch the page"


SOURCE = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
import sample_records
import saewidgets as sw

selection = sw.Selection()
features = sw.FeatureMap(sample_records.feature_map(), selection=selection)
features
"""
ASK = """
import ipywidgets
said = ipywidgets.Label("-")
def tell(change):
    said.value = f"chosen {features.to_dataframe()['point'].tolist()} feature {selection.feature}"
features.observe(tell, names=["chosen", "feature"])
said
"""


def test_in_jupyterlab_the_kernel_hears_of_click_lasso_and_wheel(notebook):
    page = notebook(SOURCE, ASK)
    picture = page.locator(".saew-map-picture")
    picture.scroll_into_view_if_needed()
    page.mouse.click(*where(page, 4))
    expect(page.get_by_text("feature 4")).to_be_visible()
    at = where(page, 4)
    for _ in range(3):
        page.mouse.wheel(0, -100)  # after the click the wheel is the map's
    page.mouse.click(*at)
    expect(title(page)).to_have_text("#4 of small")
    page.get_by_role("button", name="Whole map").click()
    page.get_by_label("Dragging").select_option("box")
    (x0, y0) = where(page, 6)
    page.mouse.move(x0 - 15, y0 - 15)
    page.mouse.down()
    page.mouse.move(x0 + 12, y0 + 12, steps=6)
    page.mouse.up()
    expect(page.get_by_text("chosen [6] feature 4")).to_be_visible()
    picture.focus()
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowUp")
    assert title(page).inner_text() != "#4 of small"
