"""What a notebook needs before its cells run, and where they run already. The package carries the notebooks alone, not
this.
"""

from __future__ import annotations

import pytest
import real_model
from live_lab import CHROME

CHAT = "08_a_real_chat_model.ipynb"
# Notebook -> the browser tests whose page has run all of it, and has failed where a cell raised.
IN_A_BROWSER = {
    "00_tour.ipynb": "test_tour.py",
    "03_feature_dashboard.ipynb": "test_dashboard_notebook.py",
}


@pytest.hookimpl(trylast=True)  # after -k and -m have taken away what they do
def pytest_collection_modifyitems(config, items):
    """No notebook runs twice in one run of tests: minutes, for nothing more to be seen."""
    if not CHROME:
        return  # those browser tests are skipped
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
