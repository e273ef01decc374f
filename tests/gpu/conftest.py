"""The device of these tests: a GPU, or, where `SAEWIDGETS_DEVICE=stand-in` asks for it, the stand-in for one.

`tests/house/test_stand_in.py` runs this folder on the stand-in, in a process of its own.
"""

from __future__ import annotations

import os

import pytest
import torch

STANDS_IN = os.environ.get("SAEWIDGETS_DEVICE") == "stand-in"


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/gpu/" in item.nodeid or item.path.parent.name == "gpu":
            item.add_marker("gpu")


@pytest.fixture(scope="session")
def _stand_in():
    import stand_in

    stand_in.install()
    return stand_in


@pytest.fixture
def device(request):
    """Where tensors are put. On the stand-in with `waits`: the operations for which the host waited."""
    if STANDS_IN:
        stand_in = request.getfixturevalue("_stand_in")
        with stand_in.Device() as entered:
            request.node.waits = entered.waits
            yield torch.device(stand_in.NAME, 0)
    elif torch.cuda.is_available():
        yield torch.device("cuda", 0)
    else:
        pytest.skip("there is no GPU")


@pytest.fixture
def waits(request, device):
    """The list of waits, to clear and to count; None on a GPU, where nobody counts."""
    return getattr(request.node, "waits", None)
