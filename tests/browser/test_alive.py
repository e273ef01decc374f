"""Alive or dead: a restart, a shutdown and a reopened notebook are told by every instrument, a reconnection by none."""

from __future__ import annotations

import json

import pytest
from live_lab import open_notebook, run_all, watched_page
from ten import CELLS, TALL, write_ten

playwright = pytest.importorskip("playwright.sync_api")
expect, TimeoutError = playwright.expect, playwright.TimeoutError
expect.set_options(timeout=30_000)  # ms; a busy machine is slow, not wrong
pytestmark = pytest.mark.browser

KERNEL = "jupyterapp.shell.currentWidget.sessionContext.session.kernel"
SAVED = "This is the picture as it was saved. Run its cell to bring it to life."
RESTARTED = "The kernel has restarted and no longer knows this instrument. Run its cell again."
ENDED = "The kernel was shut down, and this instrument with it. Start the kernel and run its cell again."


def notes(page):
    """What the instruments that are drawn say of their kernel; "" where they say nothing."""
    return page.evaluate(
        """() => [...document.querySelectorAll(".saew-host")].map((host) => {
            const note = host.querySelector(".saew-life");
            const picture = host.querySelector(":scope > .saew");
            if (note.hidden === picture.inert) return "the note and the picture differ";
            return note.hidden ? "" : note.textContent;
        })"""
    )


def expect_notes(page, sentence):
    """All instruments say `sentence`."""
    try:
        page.wait_for_function(
            """([sentence, n]) => {
                const found = [...document.querySelectorAll(".saew-host > .saew-life")];
                return found.length === n && found.every((note) => (note.hidden ? "" : note.textContent) === sentence);
            }""",
            arg=[sentence, len(CELLS)],
            timeout=120_000,
        )
    except TimeoutError:
        pass  # what they say instead is told below
    assert notes(page) == [sentence] * len(CELLS)


@pytest.fixture(scope="module")
def shown(lab, browser):
    """A page, tall enough to draw every cell, on which all instruments are alive."""
    write_ten(lab, "alive.ipynb")
    with watched_page(browser, height=TALL) as page:
        open_notebook(page, lab, "alive.ipynb")
        run_all(page)
        yield page
        page.trouble.check()


def test_a_restart_a_reconnection_and_a_shutdown_are_told_apart(shown, lab, browser):
    page = shown
    expect_notes(page, "")

    page.evaluate(f"() => {KERNEL}.reconnect()")  # as after a break of the network
    board = page.get_by_role("group", name="Feature dashboard")
    board.get_by_role("button", name="Next feature").first.click()
    expect(board.locator("h2").first).to_contain_text("owl")  # the kernel has answered
    expect_notes(page, "")

    page.evaluate(f"() => {{ {KERNEL}.restart(); }}")
    expect_notes(page, RESTARTED)
    assert page.locator(".saew-host button:enabled").first.evaluate("(button) => button.closest('[inert]') !== null")

    page.evaluate(f"async () => {{ await {KERNEL}.info; }}")
    run_all(page)
    expect_notes(page, "")

    page.evaluate("async () => { await jupyterapp.commands.execute('docmanager:save'); }")
    page.evaluate("() => { jupyterapp.shell.currentWidget.sessionContext.shutdown(); }")
    expect_notes(page, ENDED)

    path = lab.folder / "alive.ipynb"
    state = json.loads(path.read_text(encoding="utf-8"))["metadata"]["widgets"]
    assert len(state["application/vnd.jupyter.widget-state+json"]["state"]) >= 20  # each has a layout
    assert path.stat().st_size < 1_500_000

    with watched_page(browser, height=TALL) as again:
        open_notebook(again, lab, "alive.ipynb")
        expect_notes(again, SAVED)
        saved = again.get_by_role("group", name="Feature dashboard", include_hidden=True)
        expect(saved.locator("h2").first).to_contain_text("Golden Gate Bridge")
        run_all(again)
        expect_notes(again, "")
        again.trouble.check()
