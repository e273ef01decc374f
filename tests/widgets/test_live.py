"""The thread behind an instrument when the interpreter ends."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import threading
import torch
from saewidgets.widgets._live import Live

class Owner:
    def _failed(self, error):
        print("failed", error)

    def _dropped(self, ticket):
        print("dropped", flush=True)

begun = threading.Event()
matrix = torch.ones(1000, 1000)  # a product takes long enough for the end to come within one

def step(owner, ticket):
    begun.set()
    matrix @ matrix
    return 0.0

owner = Owner()
live = Live(owner)
live.submit(step)
assert begun.wait(60)
print("over", flush=True)
"""


def test_a_script_that_ends_during_a_step_ends_in_peace():
    """Python ends a daemon thread where it takes up the interpreter's lock again: in torch that aborts the process."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["over", "dropped"], "")
