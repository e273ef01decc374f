"""Mutants of valid files of every format: refused or sound, and each fault told as what it is."""

from __future__ import annotations

import gc
import importlib.util
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from saewidgets.files import LoadError

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="each mutant is opened in a forked child")


SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "mutate_files.py"


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("mutate_files", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutate_files"] = module  # its dataclass looks there for its own annotations
    spec.loader.exec_module(module)
    return module


def test_mutants_of_every_format_are_refused_or_sound():
    """A few hundred of the script's. A model folder, whose tokenizer another library opens, is left to the script.

    In a process of its own: children of one that has run parallel loops may not run any.
    """
    env = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT), "300", "--seed", "20", "--but", "model"]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    told = re.fullmatch(r"300 mutants of (\d+) formats: (\d+) refused, (\d+) loaded; \d+ s\n", done.stdout)
    assert told and int(told[1]) >= 40 and int(told[2]) + int(told[3]) == 300 and int(told[3]) > 20


def test_a_fault_is_told_as_what_it_is(script, tmp_path, monkeypatch):
    """An exception, an end of the process, a hang and memory, each in its own words; the next mutant is opened all the
    same.
    """
    monkeypatch.setattr(script, "SECONDS", 1)
    (tmp_path / "x").write_bytes(b"valid")

    garbage = [np.ones(16 << 20)]  # 128 MB that a collection gives back: they are not taken off what a mutant takes
    garbage.append(garbage)
    del garbage

    def too_late():
        gc.collect()
        held = np.ones(32 << 20)  # 256 MB, in use until the refusal has been caught
        raise LoadError("x", f"too late, at {len(held)}")

    calls = {
        "raise": lambda: 1 / 0,
        "end": os.abort,
        "hang": lambda: all(itertools.count(1)),
        "memory": too_late,
        "fine": lambda: None,
    }

    def opener(call):
        return lambda path: None if path == tmp_path / "x" else call()

    known = [script.Original(name, tmp_path / "x", opener(call)) for name, call in calls.items()]
    told = {name: verdict for _, name, verdict in script.judge(known, range(len(known)), seed=0)}
    assert told["raise"].startswith("ZeroDivisionError")
    assert told["end"] == "the process ended (signal 6)"
    assert told["hang"] == "more than 1 s of processor time" and told["fine"] == "loaded"
    if sys.platform == "linux":
        assert re.fullmatch(r"refused (2[45]|26)\d MB above its size", told["memory"]), told["memory"]
