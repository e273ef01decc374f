"""The dashboard's notebook as a person lives it: hover, a bar, a neighbor, two linked views, the keyboard alone."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from live_lab import run_all, scroll_to

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "03_feature_dashboard.ipynb"
expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=30_000)  # ms; a busy machine is slow, not wrong
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def shown(lab, desk):
    """A page on which the whole notebook has been run, once for this module."""
    shutil.copyfile(NOTEBOOK, lab.folder / NOTEBOOK.name)
    with desk.notebook(lab, NOTEBOOK.name) as page:
        run_all(page)
        yield page


def board_of(page, source: str):
    """The dashboard under the cell that holds `source`."""
    scroll_to(page, source)
    cell = page.locator(".jp-CodeCell").filter(has_text=source)
    return cell.get_by_role("group", name="Feature dashboard")


BROAD = "sw.FeatureDashboard(data, feature=broad)"


def test_a_hovered_token_tells_what_ablation_does_to_it(ran):
    board = board_of(ran, BROAD)
    expect(board.locator(".saew-underlines")).to_be_visible()  # measured in the background, and told when it is done
    board.locator(".saew-example").first.locator(".saew-peak").hover()
    tip = board.get_by_role("tooltip")
    expect(tip).to_contain_text("its loss without the feature")
    expect(tip).to_contain_text("makes likelier next")
    expect(tip).to_contain_text("bytes")


def test_a_bar_shows_examples_from_the_whole_corpus(ran):
    board = board_of(ran, BROAD)
    bars = board.locator(".saew-hit:not(.saew-hollow)")
    bars.nth(10).click()
    box = board.locator(".saew-bin")
    expect(box).to_contain_text(re.compile(r"10 of [\d,]+ tokens in this bar"))  # more than the record carries
    expect(box.locator(".saew-example")).to_have_count(10)


def test_a_neighbor_opens_and_its_effects_follow(ran):
    board = board_of(ran, "sw.FeatureDashboard(data, feature=narrow)")
    kicker = board.locator("h2 .saew-kicker")
    before = kicker.inner_text()
    neighbor = board.locator(".saew-neighbor:enabled").first
    number = neighbor.locator(".saew-id").inner_text().lstrip("#")
    neighbor.click()
    expect(kicker).to_have_text(f"Feature {number}")
    assert kicker.inner_text() != before
    expect(board.locator(".saew-underlines")).to_be_visible()
    expect(board.get_by_text(re.compile(r"Pearson’s r over [\d,]+ tokens"))).to_be_visible()


def test_linked_views_move_together(ran):
    follower = board_of(ran, "follower = sw.FeatureDashboard(")
    neighbor = follower.locator(".saew-neighbor:enabled").nth(1)
    number = neighbor.locator(".saew-id").inner_text().lstrip("#")
    neighbor.click()
    for board in (follower, board_of(ran, "board = sw.FeatureDashboard(")):
        expect(board.locator("h2 .saew-kicker")).to_have_text(f"Feature {number}")


def test_the_keyboard_alone_moves_it_and_the_notebook_stays(ran):
    board = board_of(ran, BROAD)
    cells = ran.locator(".jp-CodeCell").count()
    board.locator(".saew-example .saew-token[tabindex='0']").first.focus()
    for _ in range(2):
        ran.keyboard.press("ArrowRight")
    ran.keyboard.press("Enter")
    expect(board.locator(".saew-chosen-token")).to_contain_text("Chosen token")
    board.locator(".saew-hit[tabindex='0']").focus()
    ran.keyboard.press("End")
    ran.keyboard.press("Enter")
    expect(board.locator(".saew-bin")).to_contain_text("Examples with activation")
    expect(board.locator(".saew-hit[aria-pressed='true']")).to_be_focused()
    number = board.get_by_role("spinbutton", name="Feature number")
    before = number.input_value()
    board.get_by_role("button", name="Next feature").focus()
    ran.keyboard.press("Enter")
    expect(number).not_to_have_value(before)
    assert ran.locator(".jp-CodeCell").count() == cells


def test_a_reader_names_a_feature_and_the_linked_views_say_it(ran):
    board = board_of(ran, "board = sw.FeatureDashboard(")
    title = board.locator("h2 .saew-title")
    expect(title).not_to_have_text("")  # what has just come into sight is drawn anew
    given = title.text_content()
    board.get_by_role("button", name="Name this feature").click()
    box = board.get_by_role("textbox", name="Your label of feature")
    expect(box).to_be_focused()
    box.fill("not this")
    ran.keyboard.press("Escape")
    expect(title).to_have_text(given)
    title.click()
    box.fill("mine, by hand")
    ran.keyboard.press("Enter")
    expect(title).to_have_text("mine, by hand")
    expect(board.locator(".saew-given")).to_contain_text("your label")
    follower = board_of(ran, "follower = sw.FeatureDashboard(")
    expect(follower.locator("h2 .saew-title")).to_have_text("mine, by hand")  # by way of the kernel
    follower.get_by_role("combobox", name="Search features").fill("mine, by")
    expect(follower.get_by_role("listbox").get_by_role("option")).to_have_count(1)
    ran.keyboard.press("Escape")
    follower.get_by_role("button", name="Change your label").click()
    follower.get_by_role("textbox", name="Your label of feature").fill("")
    ran.keyboard.press("Enter")
    expect(follower.locator("h2 .saew-title")).to_have_text(given)
    expect(board_of(ran, "board = sw.FeatureDashboard(").locator("h2 .saew-title")).to_have_text(given)
