"""What a notebook needs before its cells run. The package carries the notebooks alone, not this."""

from __future__ import annotations

import real_model

CHAT = "08_a_real_chat_model.ipynb"


def pytest_runtest_setup(item):
    """A real model is fetched, or the notebook skipped, before its kernel would try and fail."""
    if item.path.name == CHAT:
        real_model.fetched(
            item.config._tmp_path_factory.getbasetemp().parent / "smollm2.lock"
        )
