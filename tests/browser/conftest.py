"""Fixtures of the browser tests: `lab`, `browser`, `page`, `notebook`.

Without Chromium the tests are skipped, except where CI=true: there its absence is a failure. A test that uses `page` fails if the page logged an
error or asked for anything outside this machine.
"""

from __future__ import annotations

import os
import time

import nbformat
import pytest
from live_lab import CHROME, chromium, jupyterlab, open_notebook, run_all, watched_page


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


@pytest.fixture
def page(browser):
    """A fresh page. What it did wrong is in `page.trouble`, and fails the test when it ends."""
    with watched_page(browser) as page:
        yield page
        page.trouble.check()


@pytest.fixture
def notebook(lab, page):
    """A function that runs cells, given as text, in a new notebook and returns the page that shows it."""

    def run(*cells):
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        # A new name each time: JupyterLab keeps the kernel of a path between page loads.
        name = f"cells-{time.monotonic_ns()}.ipynb"
        nbformat.write(made, lab.folder / name)
        open_notebook(page, lab, name)
        run_all(page)
        return page

    return run
