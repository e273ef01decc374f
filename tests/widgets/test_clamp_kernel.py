"""The clamp panel in a real kernel, without a browser: it answers while a cell runs, on a channel of its own."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

jupyter_client = pytest.importorskip("jupyter_client")

TESTS = Path(__file__).parents[1]
PATIENCE = 60  # seconds after which a test gives up; a busy machine is slow, not wrong
PANEL = f"""
import sys, time
sys.path.insert(0, {str(TESTS)!r})
from pathlib import Path
import sample_records
import saewidgets as sw

panel = sw.ClampPanel(sample_records.Writer(delay=0.005), sample_records.dashboard(), features=[31])
print(panel.model_id, repr(panel._kernel))
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """(client, folder that the kernel works in) of a fresh kernel."""
    folder = tmp_path_factory.mktemp("kernel")
    manager = jupyter_client.KernelManager()
    manager.start_kernel(cwd=str(folder))
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=PATIENCE)
    yield client, folder
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def heard(client, found):
    """The first message on the output channel for which `found(message)` is true."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        message = client.get_iopub_msg(timeout=PATIENCE)
        if found(message):
            return message
    raise AssertionError("the kernel did not say it")


def test_the_panel_answers_on_a_subshell_while_a_cell_runs(kernel):
    client, folder = kernel
    client.execute(PANEL)
    printed = heard(client, lambda m: m["msg_type"] == "stream")["content"]["text"]
    comm, reason = printed.split(maxsplit=1)
    client.control_channel.send(client.session.msg("create_subshell_request", {}))
    reply = client.get_control_msg(timeout=PATIENCE)["content"]
    if reply.get("status") != "ok":
        assert "between cells" in reason, "a kernel that cannot is named to the person"
        pytest.skip("this ipykernel has no subshells")
    assert eval(reason) == ""

    def send(data):
        message = client.session.msg("comm_msg", {"comm_id": comm, "data": data})
        message["header"]["subshell_id"] = reply["subshell_id"]
        client.shell_channel.send(message)

    def state(message):
        return message["content"].get("data", {}).get("state", {}) if message["msg_type"] == "comm_msg" else {}

    # ipykernel 7.4 can miss the first message of a new subshell while a cell runs; a page has sent one long before.
    send({"method": "custom", "content": {"kind": "ping"}})
    heard(client, lambda m: state(m).get("_heard") == 1)

    go = folder / "go"
    running = client.execute("while not Path('go').exists():\n    time.sleep(0.02)\nprint('the cell is done')")
    heard(client, lambda m: m["msg_type"] == "execute_input" and m["parent_header"]["msg_id"] == running)

    def last_words(message):
        return [token[1] for token in state(message).get("_texts", {}).get("clamped", [])][-2:]

    try:
        send({"method": "custom", "content": {"kind": "ready"}})
        for multiple in range(1, 40):  # a drag, while the cell runs
            send({"method": "update", "state": {"multiples": {"31": multiple / 10}}})
        heard(client, lambda m: last_words(m) == [f" {3.9 * 12.5:g}", "\n"])  # the text of the last value, to its end
        assert not go.exists()
    finally:
        go.touch()
    heard(client, lambda m: m["msg_type"] == "stream" and "the cell is done" in m["content"]["text"])
