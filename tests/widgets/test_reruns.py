"""A cell that runs again and again in a real kernel: what its last run made is let go, with or without cell ids."""

from __future__ import annotations

import queue
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[1]
PATIENCE = 120  # seconds, on a busy machine
MB = 1 << 20

PREPARE = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
import numpy as np, psutil
import saewidgets as sw
import sample_records
selection = sw.Selection()
"""
# 24 MB hang on each dashboard, as activations hang on the data of a real one; all of them are touched, so that they
# count.
CELL = """
data = sample_records.dashboard()
object.__setattr__(data, "ballast", np.ones(3_000_000))
board = sw.FeatureDashboard(data, selection=selection)
board
"""
SIZE = "print(psutil.Process().memory_info().rss)"


@pytest.fixture(scope="module")
def kernel():
    manager = pytest.importorskip("jupyter_client.manager")
    pytest.importorskip("psutil")
    km, kc = manager.start_new_kernel(kernel_name="python3")
    yield kc
    kc.stop_channels()
    km.shutdown_kernel(now=True)


def run(kc, source, cell_id=None):
    """Run a cell as a front end does that sends such an id, or none; what it prints and shows."""
    message = kc.session.msg(
        "execute_request",
        {"code": source, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False},
        metadata={"cellId": cell_id} if cell_id else {},
    )
    kc.shell_channel.send(message)
    text = ""
    while True:
        try:
            answer = kc.get_iopub_msg(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError(f"no answer from the kernel; so far: {text}") from None
        if answer["parent_header"].get("msg_id") != message["header"]["msg_id"]:
            continue
        content = answer["content"]
        if answer["msg_type"] == "stream":
            text += content["text"]
        elif answer["msg_type"] == "execute_result":
            text += content["data"]["text/plain"]
        elif answer["msg_type"] == "error":
            raise AssertionError("\n".join(content["traceback"]))
        elif answer["msg_type"] == "status" and content["execution_state"] == "idle":
            return text


@pytest.fixture(scope="module")
def ready(kernel):
    run(kernel, PREPARE)
    return kernel


@pytest.mark.parametrize(("cell_id", "times"), [(None, 20), ("a-cell", 5)])
def test_runs_of_a_cell_do_not_grow_the_kernel(ready, cell_id, times):
    for _ in range(2):
        run(ready, CELL, cell_id)
    before = int(run(ready, SIZE))
    for _ in range(times):
        run(ready, CELL, cell_id)
    assert int(run(ready, SIZE)) - before < 50 * MB  # one dashboard has 24


def test_the_history_says_what_became_of_a_replaced_instrument_and_a_variable_keeps_it(ready):
    run(ready, "board = sw.FeatureDashboard(sample_records.dashboard())\nboard", "shown")
    run(ready, "kept, n = board, max(Out)")
    run(ready, "board = sw.FeatureDashboard(sample_records.dashboard())\nboard", "shown")
    said = run(ready, "Out[n]")
    assert said.startswith("<FeatureDashboard(feature=31") and said.endswith("its cell ran again and made a new one>")
    assert run(ready, "kept.comm is None, len(kept.data.features), board.comm is None") == "(True, 5, False)"
    run(ready, "3 * 3")
    assert run(ready, "_ + 1") == "10"  # IPython's own names still follow


def test_a_box_of_replaced_instruments_goes_with_them(ready):
    cell = (
        "import ipywidgets\n"
        "boards = [sw.FeatureDashboard(sample_records.dashboard()) for _ in range(2)]\n"
        "ipywidgets.VBox(boards)"
    )
    for _ in range(3):
        run(ready, cell, "box")
    count = "sum(isinstance(w, ipywidgets.VBox) for w in ipywidgets.widgets.widget._instances.values())"
    assert run(ready, count) == "1"


def test_cells_of_other_text_leave_one_another_alone(ready):
    run(ready, "one = sw.FeaturePlane()")
    run(ready, "two = sw.FeaturePlane()")
    assert run(ready, "one.comm is None, two.comm is None") == "(False, False)"
