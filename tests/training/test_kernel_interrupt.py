"""A real kernel, really interrupted in the middle of a training: the weights are those of the last whole step, the next
cell runs.
"""

from __future__ import annotations

import queue

import pytest

PATIENCE = 120  # seconds, on a busy machine

PREPARE = """
import itertools, signal, time, torch
import saewidgets as sw

class Stream:
    def __iter__(self):
        return self.batches()
    def batches(self, start=0):
        for i in itertools.count(start):
            yield torch.randn(64, 8, generator=torch.Generator().manual_seed(i))

def run_of():
    sae = sw.SAE(sw.SAEConfig(8, 32, architecture="topk", k=3))
    return sw.train(sae, Stream(), sw.TrainConfig(steps=10**8, lr=1e-2))

def same_as_never_interrupted(run):
    again = run_of()
    for _ in range(run.step):
        next(again)
    return all(torch.equal(weight, again.sae.weights[name]) for name, weight in run.sae.weights.items())

next(run_of())  # whatever is compiled once is compiled now
def told(wait):  # an interrupt before `wait` begins is none of the monitor's
    def waiting(*args):
        print("begun", flush=True)
        return wait(*args)
    return waiting

handler = signal.getsignal(signal.SIGINT)
run = run_of()
monitor = sw.TrainingMonitor(run)
"""

CELLS = {
    "for step in run": "print('begun', flush=True)\nfor step in run:\n    pass",
    "monitor.wait": "monitor._live.wait = told(monitor._live.wait)\nmonitor.start()\nmonitor.wait()",
    "progress": "print('begun', flush=True)\nfor step in sw.progress(run, disable=True):\n    pass",
}

AFTER = """
assert not monitor._live.wait(0) or monitor.status in ("ready", "paused"), monitor.status
assert not monitor._live.busy
assert signal.getsignal(signal.SIGINT) is handler
n = run.step
assert same_as_never_interrupted(run)
time.sleep(0.05)
assert run.step == n, "somebody is still training"
next(run)
assert run.step == n + 1
print("sound")
"""


@pytest.fixture(scope="module")
def kernel():
    manager = pytest.importorskip("jupyter_client.manager")
    km, kc = manager.start_new_kernel(kernel_name="python3")
    yield km, kc
    kc.stop_channels()
    km.shutdown_kernel(now=True)


def printed(kc, source, until=None):
    """Run a cell; its text and the name of its error. With `until`, return as soon as that text is out."""
    asked = kc.execute(source)
    text, error = "", ""
    while True:
        try:
            message = kc.get_iopub_msg(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError(f"no answer from the kernel; so far: {text}") from None
        if message["parent_header"].get("msg_id") != asked:
            continue
        content = message["content"]
        if message["msg_type"] == "stream":
            text += content["text"]
            if until and until in text:
                return text, ""
        elif message["msg_type"] == "error":
            error = content["ename"]
            text += "\n".join(content["traceback"])
        elif message["msg_type"] == "status" and content["execution_state"] == "idle":
            return text, error


def rest(kc):
    """What the cell under way still says: the name of its error, and what is shown of it."""
    error, shown = "", []
    while True:
        message = kc.get_iopub_msg(timeout=PATIENCE)
        if message["msg_type"] == "error":
            error, shown = message["content"]["ename"], message["content"]["traceback"]
        elif message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return error, shown


@pytest.mark.parametrize("cell", CELLS)
def test_an_interrupted_training_keeps_its_last_whole_step(kernel, cell):
    km, kc = kernel
    text, error = printed(kc, PREPARE)
    assert error == "", text
    for _ in range(3):  # again and again: nothing is worn out by it
        printed(kc, CELLS[cell], until="begun")
        km.interrupt_kernel()
        stopped, shown = rest(kc)
        assert stopped == "KeyboardInterrupt"  # it is raised again, not swallowed
        if cell == "monitor.wait":
            step = printed(kc, "print(run.step)")[0].strip()
            assert shown == [f"Paused at step {int(step):,} of 100,000,000. Run the cell again to go on."]
        text, error = printed(kc, AFTER)
        assert error == "" and "sound" in text, text


def test_a_cell_that_makes_its_monitor_is_not_told_to_run_again(kernel):
    km, kc = kernel
    printed(kc, PREPARE)
    whole = "monitor = sw.TrainingMonitor(run_of())\nmonitor._live.wait = told(monitor._live.wait)\nmonitor.start()\nmonitor.wait()"
    printed(kc, whole, until="begun")
    km.interrupt_kernel()
    error, shown = rest(kc)
    assert error == "KeyboardInterrupt" and len(shown) == 1
    assert shown[0].startswith("Paused at step ") and shown[0].endswith(". Press Start to go on.")
