"""Fixtures of the browser tests: `lab`, `browser`, `page`, `notebook`, and `desk` and `ran` for a notebook per module.

Without Chromium the tests are skipped, except where CI=true: there its absence is a failure. A test that uses `page`
fails if the page logged an error or asked for anything outside this machine.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack

import pytest
from live_lab import CHROME, KeptPage, chromium, jupyterlab, run_all, write_notebook


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """One JupyterLab for the whole session."""
    with jupyterlab(tmp_path_factory.mktemp("lab") / "root") as lab:
        yield lab


@pytest.fixture(scope="session")
def browser():
    """One Chromium for the whole session."""
    if not CHROME:
        absent = "no Chromium or Chrome on the PATH (or named by CHROME)"
        if os.environ.get("CI") == "true":
            pytest.fail(absent)
        pytest.skip(absent)
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def kept_page(browser):
    """The page of all exported pages."""
    page = KeptPage(browser)
    yield page
    page.close()


@pytest.fixture(scope="session")
def desk(browser):
    """The page of all notebooks."""
    page = KeptPage(browser)
    yield page
    page.close()


@pytest.fixture
def page(kept_page):
    """A page as good as new. What it did wrong is in `page.trouble`, and fails the test when it ends."""
    with kept_page.leaf() as page:
        yield page
        page.trouble.check()


@pytest.fixture
def ran(shown):
    """The page that a module has `shown` once; it may not have logged an error, nor asked for anything outside this
    machine, before the test or in it.
    """
    yield shown
    shown.trouble.check()


@pytest.fixture
def notebook(lab, desk):
    """A function that runs cells, given as text, in a new notebook and returns the page that shows it."""
    with ExitStack() as shown:

        def run(*cells):
            # A new name each time: JupyterLab keeps the kernel of a path between page loads.
            name = f"cells-{time.monotonic_ns()}.ipynb"
            write_notebook(lab, name, *cells)
            page = shown.enter_context(desk.notebook(lab, name))
            shown.callback(page.trouble.check)
            run_all(page)
            return page

        yield run
