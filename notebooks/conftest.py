"""What a notebook needs before its cells run, and where they run already. The package carries the notebooks alone, not
this.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import real_model
from live_lab import CHROME

CHAT = "08_a_real_chat_model.ipynb"
# Notebook -> the browser tests whose page has run all of it, and has failed where a cell raised.
IN_A_BROWSER = {
    "00_tour.ipynb": "test_tour.py",
    "03_feature_dashboard.ipynb": "test_dashboard_notebook.py",
}
# A folder in which the notebooks leave their outputs and their instruments' pages, for scripts/build_docs.py.
KEPT = os.environ.get("SAEWIDGETS_KEEP_OUTPUTS")


@pytest.hookimpl(trylast=True)  # after -k and -m have taken away what they do
def pytest_collection_modifyitems(config, items):
    """No notebook runs twice in one run of tests: minutes, for nothing more to be seen."""
    if KEPT or not CHROME:
        return  # what a browser runs is not kept; without one, those browser tests are skipped
    names = {item.path.name for item in items}
    twice = {notebook for notebook, tests in IN_A_BROWSER.items() if tests in names}
    again = [item for item in items if item.path.name in twice]
    if again:
        config.hook.pytest_deselected(items=again)
        items[:] = [item for item in items if item.path.name not in twice]


def pytest_runtest_setup(item):
    """A real model is fetched, or the notebook skipped, before its kernel would try and fail."""
    if item.path.name == CHAT:
        real_model.fetched(
            item.config._tmp_path_factory.getbasetemp().parent / "smollm2.lock"
        )


@pytest.hookimpl(tryfirst=True)  # before the kernel is stopped
def pytest_runtest_teardown(item, nextitem):
    """The last cell of a notebook has run: keep all of it, where that is asked for and every cell has done well."""
    if not KEPT or item.path.suffix != ".ipynb":
        return
    notebook = item.parent
    ran = notebook.__dict__.setdefault("_kept", {})
    ran[item.cell_num] = item.test_outputs
    if nextitem is not None and nextitem.parent is notebook:
        return
    wanted = range(sum(cell.cell_type == "code" for cell in notebook.nb.cells))
    outputs = [ran.get(number) for number in wanted]
    if any(
        given is None or any(one.output_type == "error" for one in given)
        for given in outputs
    ):
        return
    sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
    from website import kept

    def execute(code):
        asked = notebook.kernel.execute_cell_input(code, allow_stdin=False)
        notebook.kernel.await_reply(asked, timeout=600)

    kept.save(item.path, outputs, Path(KEPT).resolve(), execute)
