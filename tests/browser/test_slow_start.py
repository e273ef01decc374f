"""On a machine so slow that anywidget gives up on a module before it is loaded, instruments hear their kernel all the same."""

from __future__ import annotations

import pytest
from live_lab import open_notebook, run_all, watched_page, write_notebook
from ten import SETUP

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser

# As if anywidget's two seconds were none: every module is given up before it is loaded.
HASTE = "AbortSignal.timeout = () => { const end = new AbortController(); setTimeout(() => end.abort()); return end.signal; };"
MADE = "board = sw.FeatureDashboard(sample_records.dashboard())\nboard"
TOLD = "board.feature = 31\nboard.error = 'so says the kernel'"


def test_an_instrument_that_anywidget_gave_up_hears_its_kernel(lab, browser):
    write_notebook(lab, "slow_start.ipynb", SETUP + MADE, TOLD)
    with watched_page(browser) as page:
        page.add_init_script(HASTE)
        open_notebook(page, lab, "slow_start.ipynb")
        run_all(page)
        board = page.get_by_role("group", name="Feature dashboard")
        expect(board.get_by_text("so says the kernel")).to_be_visible()  # sent while nobody listened, or just after
        page.trouble.check()
