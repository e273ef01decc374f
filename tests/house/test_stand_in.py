"""The tests of `tests/gpu`, which a GPU alone would run, on a stand-in for one (`tests/stand_in.py`)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_every_path_of_a_gpu_runs_where_the_cpu_stands_in_for_it():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU, and tests/gpu runs on it")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")} | {
        "SAEWIDGETS_DEVICE": "stand-in"
    }
    # The interpreter's end is not waited for: threads of the stand-in are not taken down by torch.
    call = "import os, sys, pytest; code = pytest.main(sys.argv[1:]); sys.stdout.flush(); os._exit(int(code))"
    command = [sys.executable, "-c", call, "tests/gpu", "-q", "-p", "no:cacheprovider", "--tb=short"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed and int(passed[1]) > 30, done.stdout[-2000:]
