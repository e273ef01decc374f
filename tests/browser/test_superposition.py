"""The superposition lab as a person uses it: in an exported page, and alive in a real JupyterLab."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import numpy as np
import pytest
import sample_records
from axe import violations
from live_lab import scroll_to

from saewidgets import export
from saewidgets.records import PhaseDiagram
from saewidgets.widgets import ArchitecturePanel, FeaturePlane, SuperpositionLab

expect = pytest.importorskip("playwright.sync_api").expect
KNOBS = ("Features n", "Dimensions m", "Densest model", "Sparsest model", "Models side by side", "Next feature matters")
DRAWN_WIDTH = """async () => {
    for (let k = 0; k < 3; k += 1) await new Promise(requestAnimationFrame); // charts are drawn a frame later
    return document.documentElement.scrollWidth;
}"""
PATIENCE = 60_000  # ms for a training on a busy machine
pytestmark = pytest.mark.browser


@pytest.fixture
def show(page, tmp_path):
    """Open a recorded run in a page from disk; `live` shows the controls as a notebook does, with nobody to answer."""

    def opened(run, *, live: bool = False, **traits):
        lab = SuperpositionLab(run=run)
        for name, value in traits.items():
            setattr(lab, name, value)
        view = lab._view()
        view["state"]["_static"] = not live
        path = tmp_path / "page.html"
        path.write_text(export.page("lab", [view]) if live else lab.to_html(), encoding="utf-8")
        page.goto("about:blank")
        page.goto(path.as_uri())
        page.wait_for_selector(".saew-panel")
        return page

    return opened


def arrows(page, picture: str = ".saew-portrait svg") -> list[tuple[float, float]]:
    """(length, angle in degrees) of each feature's arrow in a picture, in its own pixels, in the order of the features."""
    found = page.locator(picture).first.evaluate(
        """(svg) => [...svg.querySelectorAll('.saew-feature')]
            .sort((a, b) => a.dataset.feature - b.dataset.feature)
            .map((g) => g.querySelector('line'))
            .map((l) => ['x1', 'y1', 'x2', 'y2'].map((k) => Number(l.getAttribute(k))))"""
    )
    return [(math.hypot(c - a, d - b), math.degrees(math.atan2(b - d, c - a)) % 360) for a, b, c, d in found]


def radius(page) -> float:
    return float(page.locator(".saew-portrait .saew-unit").get_attribute("r"))


def drag(page, slider, share: float) -> None:
    """Take hold of a slider's handle and drag it to a share of its length."""
    box = slider.bounding_box()
    low, high, value = (float(slider.evaluate(f"e => e.{name}")) for name in ("min", "max", "value"))
    y, thumb = box["y"] + box["height"] / 2, 16

    def x(at: float) -> float:
        return box["x"] + thumb / 2 + (box["width"] - thumb) * at

    page.mouse.move(x((value - low) / (high - low)), y)
    page.mouse.down()
    page.mouse.move(x(share), y, steps=8)
    page.mouse.up()


# -- an exported page ------------------------------------------------------------------------------------------------


def test_the_page_draws_the_pentagon_and_says_its_numbers(show):
    page = show(sample_records.toy_run(4))
    assert page.locator(".saew-panel").count() == 4
    unit = radius(page)
    lengths, angles = zip(*arrows(page), strict=True)
    assert lengths == pytest.approx([unit] * 5, rel=1e-3)
    assert angles == pytest.approx([0, 72, 144, 216, 288], abs=0.1)
    labels = [image.get_attribute("aria-label") for image in page.get_by_role("img").all()]
    assert "5 feature directions in 2 dimensions; longer than a half: 0, 1, 2, 3, 4" in labels
    assert any(label.startswith("Feature dimensionality") and label.endswith("0.4, 0.4, 0.4, 0.4") for label in labels)
    assert page.get_by_text("5 of 5 features").count() == 4
    assert page.get_by_role("slider", name="Features n").count() == 0  # a recording has nothing to set


def test_scrubbing_goes_back_through_the_training_without_a_kernel(show):
    page = show(sample_records.toy_run(2))
    scrub = page.get_by_role("slider", name="Training step")
    assert scrub.get_attribute("aria-valuetext") == "step 100 of 100"
    scrub.focus()
    page.keyboard.press("ArrowLeft")
    expect(scrub).to_have_attribute("aria-valuetext", "step 10 of 100")
    expect(page.locator(".saew-panel").first).to_contain_text("loss 0.5")
    assert [length for length, _ in arrows(page)] == pytest.approx([radius(page) / 2] * 5, rel=1e-3)
    page.keyboard.press("Home")
    expect(page.locator(".saew-panel").first).to_contain_text("0 of 5 features")
    page.get_by_role("button", name="Play the training").click()
    expect(scrub).to_have_attribute("aria-valuetext", "step 100 of 100")
    expect(page.get_by_role("button", name="Play the training")).to_be_visible()  # it has stopped at the end


def test_a_click_on_the_loss_goes_there(show):
    page = show(sample_records.toy_run(2))
    chart = page.locator(".saew-seek").bounding_box()
    page.mouse.click(chart["x"] + chart["width"] * 0.55, chart["y"] + 60)
    expect(page.get_by_role("slider", name="Training step")).to_have_attribute("aria-valuetext", "step 10 of 100")


def test_a_model_is_chosen_by_mouse_and_by_keys(show):
    page = show(sample_records.toy_run(3))
    panels = page.locator(".saew-panel")
    assert [p.get_attribute("aria-pressed") for p in panels.all()] == ["true", "false", "false"]
    panels.nth(2).click()
    expect(panels.nth(2)).to_have_attribute("aria-pressed", "true")
    panels.nth(1).focus()
    page.keyboard.press("Enter")
    expect(panels.nth(1)).to_have_attribute("aria-pressed", "true")


def test_a_space_is_turned_by_mouse_and_by_keys(show):
    page = show(sample_records.toy_run(2, n_hidden=3))
    before = arrows(page)
    box = page.locator(".saew-portrait svg").bounding_box()
    page.mouse.move(box["x"] + 80, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 100, steps=6)
    page.mouse.up()
    turned = arrows(page)
    assert turned != before
    page.locator(".saew-portrait.saew-space").focus()
    page.keyboard.press("ArrowRight")
    assert arrows(page) != turned
    # whatever the view, the lengths seen are at most the true ones
    assert max(length for length, _ in arrows(page)) <= radius(page) * 1.001


def test_what_is_under_the_mouse_is_said(show):
    page = show(sample_records.toy_run(2))
    matrix = page.locator(".saew-gram canvas").first.bounding_box()
    page.mouse.move(matrix["x"] + matrix["width"] * 0.3, matrix["y"] + matrix["height"] * 0.1)  # row 0, column 1
    expect(page.locator(".saew-tell")).to_have_text("W′W, row 0, column 1: 0.309")  # cos 72 degrees
    bar = page.locator(".saew-view:has(h3:text('Represented')) svg").bounding_box()
    page.mouse.move(bar["x"] + 60, bar["y"] + 8)
    expect(page.locator(".saew-tell")).to_contain_text("feature 0: |W| 1, superposition 1.5, D 0.4, bias −0.2")


@pytest.mark.parametrize("width", [700, 1000, 1600])
@pytest.mark.parametrize("live", [True, False])
def test_the_lab_is_not_wider_than_the_page(show, page, width, live):
    page.set_viewport_size({"width": width, "height": 900})
    show(sample_records.toy_run(8), live=live)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_picture_is_in_sight_beside_its_sliders(show, page):
    page.set_viewport_size({"width": 1008, "height": 900})
    show(sample_records.toy_run(8), live=True)
    page.get_by_text("More settings").click()
    boxes = [page.get_by_role("slider", name=name).bounding_box() for name in KNOBS]
    assert len({box["x"] for box in boxes}) == 1 and len({box["width"] for box in boxes}) == 1
    gaps = {round(b["y"] - a["y"], 1) for a, b in pairwise(boxes)}
    assert len(gaps) == 1  # no name takes two lines
    portrait = page.locator(".saew-portrait svg").bounding_box()
    assert portrait["x"] > boxes[0]["x"] + boxes[0]["width"]
    cards = [card.bounding_box() for card in page.locator(".saew-panel").all()]
    assert len({card["y"] for card in cards}) == len({card["height"] for card in cards}) == 1
    steps = page.get_by_label("Steps")
    steps.fill("100000")
    assert steps.evaluate("input => input.scrollWidth <= input.clientWidth")  # none of its digits is cut
    assert page.locator(".saew").bounding_box()["height"] < 1000


@pytest.mark.parametrize(("width", "columns"), [(1008, [7]), (880, [7]), (680, [4, 3]), (390, [4, 3])])
def test_cards_stand_in_even_rows(show, page, width, columns):
    page.set_viewport_size({"width": width, "height": 900})
    show(sample_records.toy_run(7), live=True)
    tops = [card.bounding_box()["y"] for card in page.locator(".saew-panel").all()]
    assert [tops.count(top) for top in sorted(set(tops))] == columns
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_control_of_the_lab_has_a_name(show):
    page = show(sample_records.toy_run(2), live=True)
    page.get_by_text("More settings").click()
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, [role=slider]')].filter((el) =>
            !(el.getAttribute('aria-label') || el.textContent.trim() || el.labels?.[0]?.textContent.trim())).length"""
    )
    assert unnamed == 0


def test_matrices_follow_the_theme(show, page):
    """Canvas does not know style sheets: what is painted must be painted again."""
    show(sample_records.toy_run(2))
    corner = """() => { const c = document.querySelector('.saew-gram canvas');
        return [...c.getContext('2d').getImageData(4, 4, 1, 1).data].slice(0, 3); }"""
    light = page.evaluate(corner)
    page.emulate_media(color_scheme="dark")
    for _ in range(300):  # a function to wait for would be evaluated in the page, which admits no such thing
        if page.evaluate(corner) != light:
            break
        page.wait_for_timeout(20)
    assert page.evaluate(corner) != light


def test_a_feature_that_is_marked_in_the_graph_is_marked_in_every_view(show):
    page = show(sample_records.polytopes_run(), view="graph")
    tell = page.locator(".saew-tell")
    graph = page.get_by_role("slider", name="Graph of features")
    nodes = page.locator(".saew-node")
    assert nodes.count() == 8 and page.locator(".saew-node.saew-left").count() == 1
    rows = [row.inner_text().split() for row in page.locator(".saew-polytopes tbody tr").all()]
    assert [row[:3] for row in rows] == [
        ["single", "1", "0.99"],  # feature 5 leans on it by a tenth: 1 / (1 + 0.1^2)
        ["tetrahedron", "1", "0.75"],
        ["digon", "1", "0.5"],
        ["left", "out", "1"],
    ]
    places = [[node.get_attribute("cx"), node.get_attribute("cy")] for node in nodes.all()]
    page.get_by_role("slider", name="Training step").press("Home")  # nothing is represented yet, and nothing moves
    expect(page.locator(".saew-node.saew-left")).to_have_count(8)
    assert [[node.get_attribute("cx"), node.get_attribute("cy")] for node in nodes.all()] == places
    page.get_by_role("slider", name="Training step").press("End")
    nodes.nth(6).hover()
    expect(tell).to_have_text("feature 6, digon with 4: |W| 1, D 0.5")
    graph.focus()
    graph.press("Home")
    expect(graph).to_have_attribute("aria-valuetext", "feature 0, tetrahedron with 1, 2, 3: |W| 1, D 0.75")
    graph.press("ArrowRight")
    graph.press("Enter")
    expect(page.get_by_role("button", name="0, 1, 2, 3")).to_have_attribute("aria-pressed", "true")
    expect(
        page.get_by_text("Marked: tetrahedron of 0, 1, 2, 3, in 3 of 5 hidden dimensions, share 0.75.")
    ).to_be_visible()
    page.get_by_role("tab", name="Graph and polytopes").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Matrix and points")).to_be_focused()
    bands = [page.locator(f".saew-band-{way}").bounding_box() for way in ("row", "column")]
    matrix = page.locator(".saew-linked canvas").bounding_box()
    for band, size in zip(bands, ("height", "width"), strict=True):
        assert band[size] == pytest.approx(matrix[size] / 8, abs=2)
    assert bands[0]["y"] - matrix["y"] == pytest.approx(matrix["height"] / 8, abs=2)  # row 1
    expect(page.get_by_text("In the dimensions of features 0, 1, 2, 3")).to_be_visible()
    page.get_by_role("slider", name="W′W as a matrix").focus()
    page.keyboard.press("ArrowRight")
    expect(tell).to_have_text("features 0 and 1: Wᵢ · Wⱼ = −0.333, 109° apart")
    expect(page.locator(".saew-points .saew-halo")).to_have_count(2)
    page.get_by_role("tab", name="Attack").click()
    expect(page.get_by_text("Feature 1 alone, at 1: along row")).to_be_visible()
    page.get_by_role("button", name="Another input").click()
    expect(page.get_by_text("Input 2 of the sample: along row")).to_be_visible()


def test_the_attack_is_as_long_as_it_is_set_and_the_curves_say_the_price(show):
    page = show(sample_records.polytopes_run(), view="attack", marked=4)
    said = page.locator(".saew-attack-said")
    before = said.inner_text()
    # a digon, at its feature alone: along (1, -1) the loss rises by twice the squared length, one output by sqrt 2 of it
    length = page.get_by_role("slider", name="Length of the attack")
    radius = float(length.get_attribute("aria-valuetext").split()[-1])
    expect(said).to_contain_text(f"Moves h by {radius * 2**0.5:.2g}, x′ by {radius * 2**0.5:.2g}")
    length.fill("0")
    expect(said).to_have_text("Feature 4 alone, at 1: no step of this length raises the loss.")
    length.fill("0.1")
    expect(said).to_have_text(before)
    curves = page.get_by_role("img", name=re.compile("^features per dimension: 1.4, 1.4; vulnerability: "))
    expect(curves).to_be_visible()
    page.get_by_role("tab", name="Overview").click()
    densities = page.get_by_text("Density of each feature", exact=True)
    expect(densities).to_be_hidden()  # all alike in the first model
    page.locator(".saew-panel").nth(1).click()
    expect(densities).to_be_visible()
    expect(page.get_by_role("img", name="Density of each feature: 10 %, 2 %, 10 %")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_group_of_views_is_accessible_and_none_is_wider_than_the_page(show, page, theme):
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": 1008, "height": 900})
    show(sample_records.polytopes_run(), live=True, marked=1, selected=1)
    for tab in page.get_by_role("tab").all():
        tab.click()
        expect(tab).to_have_attribute("aria-selected", "true")
        assert violations(page, ".saew") == []
        pictures = page.locator(".saew-views:not([hidden])").bounding_box()
        knob = page.get_by_role("slider", name="Features n").bounding_box()
        assert pictures["x"] > knob["x"] + knob["width"]
        for width in (390, 700, 1440, 1008):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate(DRAWN_WIDTH) <= width, (tab.inner_text(), width)


def test_a_token_is_followed_through_the_layers(page, tmp_path):
    hostile = "<img src=x onerror=alert(1)>"
    path = tmp_path / "parts.html"
    text = ArchitecturePanel(sample_records.token_parts((" Golden", " Gate", hostile))).to_html()
    path.write_text(text, encoding="utf-8")
    page.goto(path.as_uri())
    panel = page.get_by_role("group", name="Architecture panel")
    expect(panel.get_by_role("radio", name="Token 1")).to_have_attribute("aria-checked", "true")
    expect(panel).to_contain_text("2 of 4")
    expect(panel).to_contain_text("Golden Gate Bridge")
    expect(panel.get_by_role("img", name="4 pre-activations from 4 to −2; 2 pass")).to_be_visible()
    panel.get_by_role("radio", name="Token 1").focus()
    page.keyboard.press("ArrowRight")
    expect(panel.get_by_role("radio", name="Token 2")).to_be_focused()
    expect(panel).to_contain_text("No feature is on")
    assert page.locator("img").count() == 0 and hostile in panel.inner_text()
    panel.get_by_role("radio", name="Token 0").click()
    expect(panel).to_contain_text("1 of 4")
    for width in (700, 1600):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("width", "rows"), [(1440, 1), (1008, 1), (900, 1), (390, 5)])
def test_the_way_through_the_layers_is_one_row_with_its_arrows(page, tmp_path, width, rows):
    page.set_viewport_size({"width": width, "height": 900})
    ArchitecturePanel(sample_records.token_parts()).to_html(tmp_path / "parts.html")
    page.goto((tmp_path / "parts.html").as_uri())
    page.wait_for_selector(".saew-part-name")
    tops = [stage.bounding_box()["y"] for stage in page.locator(".saew-stage").all()]
    assert len(set(tops)) == rows
    arrow = "e => getComputedStyle(e, '::after').content"
    arrows_seen = [stage.evaluate(arrow) for stage in page.locator(".saew-stage").all()]
    assert arrows_seen == (['"→"'] * 3 + ['"−"', "none"] if rows == 1 else ["none"] * 5)
    pictures = [picture.bounding_box()["y"] for picture in page.locator(".saew-stage canvas").all()]
    assert len(set(pictures)) == (1 if rows == 1 else 3)
    # a feature without a label is told by what it promotes; what is seen is what is said
    expect(page.get_by_role("button", name="#7 Gate, bridge 1 3")).to_be_visible()
    expect(page.get_by_role("button", name="#31 Golden Gate Bridge 4 4")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_phase_diagram_shows_the_model_that_won_in_a_cell(page, tmp_path):
    """Two cells, made by hand: on the left an antipodal pair won, on the right the second feature was left out."""
    W = np.zeros((1, 2, 2, 1, 2), np.float32)
    W[0, 0, :, 0] = [[1, -1], [1, 0]]
    W[0, 1, :, 0] = [[1, 0], [0, 1]]
    x, y = np.array([0.1, 0.9]), np.array([0.5])
    losses = np.float32([[[0.01, 0.02], [0.1, 0.2]]])
    diagram = PhaseDiagram("density", "importance", x, y, W, losses, *np.meshgrid(x, y), np.full((1, 2), 2), 0)
    lab = SuperpositionLab(preset="M4", phases=lambda config: iter([(1.0, diagram)]))
    lab.start()
    assert lab.wait(60)
    page.set_viewport_size({"width": 1008, "height": 800})
    (tmp_path / "page.html").write_text(lab.to_html(), encoding="utf-8")
    page.goto((tmp_path / "page.html").as_uri())
    expect(page.locator(".saew-lesson h3")).to_have_text("M4 Phase diagram: two features, one dimension")
    field = page.get_by_role("group", name="Phase diagram; the arrow keys go from cell to cell")
    field.focus()
    page.keyboard.press("ArrowLeft")
    said = page.locator(".saew-phases-winner")
    expect(said).to_contain_text("Density 0.1, importance 0.5: in superposition, as in 1 of 2 models. Loss 0.01.")
    assert len(arrows(page, ".saew-phases-winner svg")) == 2
    page.keyboard.press("ArrowRight")
    expect(said).to_contain_text("Density 0.9, importance 0.5: not learned, as in 1 of 2 models. Loss 0.1.")
    cell = field.locator("g rect").first.bounding_box()
    page.mouse.move(cell["x"] + 5, cell["y"] + 5)
    expect(said).to_contain_text("Density 0.1")
    assert said.bounding_box()["x"] > field.bounding_box()["x"] + field.bounding_box()["width"]  # both in sight
    assert page.evaluate("document.documentElement.scrollWidth") <= 1008


def test_loss_curves_stand_against_the_setting_and_a_ring_chooses_its_model(show):
    page = show(sample_records.toy_run(3), view="loss")
    chart = page.get_by_role("img", name="Loss of the trained models by their setting")
    rings = chart.locator(".saew-found")
    assert rings.count() == 3
    rings.nth(1).click()
    expect(page.locator(".saew-panel").nth(1)).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("one feature per dimension", exact=True)).to_be_visible()


# -- a notebook ------------------------------------------------------------------------------------------------------


def test_a_dragged_slider_trains_anew_and_the_arrows_answer(notebook):
    page = notebook(
        "import saewidgets as sw",
        "lab = sw.SuperpositionLab(5, 2, densities=[0.9, 0.7], tries=4, steps=400, importance_decay=1.0)\nlab",
    )
    lab = page.get_by_role("group", name="Superposition lab")
    trained = lab.locator(".saew-status[data-status=finished]")
    trained.wait_for(timeout=PATIENCE)
    expect(lab.locator(".saew-panel")).to_have_count(2)
    dense = arrows(page, ".saew-panel:nth-child(2) svg")
    assert sum(length > 40 for length, _ in dense) <= 4  # dense: not all five are there

    page.evaluate(
        """() => { window.seen = new Set();
            const panel = document.querySelectorAll('.saew-panel')[1];
            new MutationObserver(() => window.seen.add(panel.querySelector('svg')?.innerHTML))
                .observe(panel, { childList: true, subtree: true }); }"""
    )
    drag(page, lab.get_by_role("slider", name="Sparsest model"), 0.35)  # on in about 5 %
    expect(lab.locator(".saew-panel").nth(1)).to_contain_text(re.compile(r"density 0\.0[3-8]"), timeout=PATIENCE)
    trained.wait_for(timeout=PATIENCE)
    expect(lab.locator(".saew-panel").nth(1)).to_contain_text("5 of 5 features", timeout=PATIENCE)
    sparse = sorted(angle for _, angle in arrows(page, ".saew-panel:nth-child(2) svg"))
    gaps = [(b - a) % 360 for a, b in zip(sparse, [*sparse[1:], sparse[0]], strict=True)]
    assert gaps == pytest.approx([72] * 5, abs=12)  # a pentagon
    assert page.evaluate("window.seen.size") >= 2  # it was drawn while it learned, too

    features = lab.get_by_role("slider", name="Features n")
    features.focus()
    page.keyboard.press("ArrowRight")
    expect(lab.locator(".saew-panel").nth(1)).to_contain_text("of 6 features", timeout=PATIENCE)
    assert features.evaluate("element => document.activeElement === element")  # the notebook did not take the key


def test_a_lab_far_down_the_notebook_is_painted_in_its_colors(notebook):
    """JupyterLab draws it before it is part of the page, when it has no style yet."""
    recorded = (
        "import numpy as np, saewidgets as sw\n"
        "W = np.tile(np.eye(2, 3, dtype=np.float32), (2, 2, 1, 1))\n"
        "ones = np.ones((2, 3), np.float32)\n"
        "run = sw.records.ToyRun(W, W[:, :, 0], np.array([0, 1]), ones[:, :2], ones, ones)"
    )
    page = notebook(recorded, *["for _ in range(60):\n    print('on and on')"] * 4, "sw.SuperpositionLab(run=run)")
    scroll_to(page, "SuperpositionLab(run=run)")
    page.locator(".saew-gram canvas").first.wait_for()
    corner = "() => [...document.querySelector('.saew-gram canvas').getContext('2d').getImageData(4, 4, 1, 1).data]"
    expect(page.get_by_text("Read-out matrix and bias")).to_be_visible()
    for _ in range(300):
        if sum(page.evaluate(corner)[:3]) > 0:
            break
        page.wait_for_timeout(20)
    red, green, blue, alpha = page.evaluate(corner)  # W'W is 1 here: orange
    assert red > green > blue and alpha == 255


def test_an_experiment_is_chosen_changed_and_taken_back_and_an_sae_recovers_it(notebook):
    page = notebook(
        "import saewidgets as sw",
        "lab = sw.SuperpositionLab(3, 2, densities=[0.5], tries=2, steps=50)\nlab",
    )
    lab = page.get_by_role("group", name="Superposition lab")
    trained = lab.locator(".saew-status[data-status=finished]")
    expect(trained).to_be_visible(timeout=PATIENCE)
    lab.get_by_label("Experiment").select_option("M12")
    expect(lab.get_by_text("And features that never come together?")).to_be_visible()
    expect(lab.get_by_text("4 features in 2 dimensions, never on together")).to_be_visible(timeout=PATIENCE)
    expect(trained).to_be_visible(timeout=PATIENCE)
    lab.get_by_role("tab", name="SAE").click()
    lab.get_by_role("button", name="Train an SAE on this toy").click()
    expect(lab.get_by_text("true features were found")).to_be_visible(timeout=PATIENCE)
    lab.get_by_text("More settings").click()
    lab.get_by_label("Steps").fill("60")
    lab.get_by_label("Steps").press("Enter")
    expect(lab.locator(".saew-changed")).to_contain_text("Changed since M12 was chosen: Steps 60, was")
    lab.get_by_role("button", name="Take the choice back").click()
    expect(lab.get_by_label("Experiment")).to_have_value("")
    expect(lab.get_by_label("Steps")).to_have_value("50")


def test_an_error_is_said_in_the_lab(notebook):
    page = notebook(
        "import saewidgets as sw",
        "def train(config):\n    raise RuntimeError('no <b>torch</b> today')\n    yield\nsw.SuperpositionLab(train=train)",
    )
    alert = page.get_by_role("group", name="Superposition lab").get_by_role("alert")
    expect(alert).to_contain_text("RuntimeError: no <b>torch</b> today")
    expect(page.locator(".saew-status")).to_have_text("failed")


@pytest.mark.parametrize("width", [400, 640, 700, 1280])
def test_nothing_of_the_plane_is_cut_off(page, tmp_path, width):
    page.set_viewport_size({"width": width, "height": 900})
    FeaturePlane(angles=(0, 90, 45), point=(1.0, 0.0)).to_html(tmp_path / "plane.html")
    page.goto((tmp_path / "plane.html").as_uri())
    page.wait_for_selector(".saew-plane-side table")
    edge = page.evaluate("document.querySelector('.saew').getBoundingClientRect().right")
    cut = page.evaluate(
        "edge => [...document.querySelectorAll('.saew *')].filter(e => !(e instanceof SVGElement) && e.getBoundingClientRect().right > edge).length",
        edge,
    )
    assert cut == 0
