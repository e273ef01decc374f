"""Mutants of valid files of every format: refused or sound, and each fault told as what it is."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from saewidgets.files import LoadError

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="each mutant is opened in a forked child")


@pytest.fixture(scope="module")
def script():
    path = Path(__file__).resolve().parents[1] / "scripts" / "mutate_files.py"
    spec = importlib.util.spec_from_file_location("mutate_files", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutate_files"] = module  # its dataclass looks there for its own annotations
    spec.loader.exec_module(module)
    return module


def test_mutants_of_every_format_are_refused_or_sound(script, tmp_path):
    """The script's way, on a few hundred of them. A model folder, whose tokenizer another library opens, is left to the script."""
    known = [original for original in script.originals(tmp_path) if original.name != "model"]
    verdicts = list(script.judge(known, range(300), seed=20))
    assert [number for number, _, _ in verdicts] == list(range(300))
    assert [verdict for verdict in verdicts if verdict[2] not in ("refused", "loaded")] == []
    assert {name for _, name, _ in verdicts} == {original.name for original in known}
    assert sum(verdict == "loaded" for _, _, verdict in verdicts) > 20


def test_a_fault_is_told_as_what_it_is(script, tmp_path, monkeypatch):
    """An exception, an end of the process, a hang and memory, each in its own words; the next mutant is opened all the same."""
    monkeypatch.setattr(script, "SECONDS", 5)
    (tmp_path / "x").write_bytes(b"valid")

    def too_late():
        np.ones(8 << 20)  # 64 MB
        raise LoadError("x", "too late")

    calls = {
        "raise": lambda: 1 / 0,
        "end": os.abort,
        "hang": lambda: time.sleep(60),
        "memory": too_late,
        "fine": lambda: None,
    }

    def opener(call):
        return lambda path: None if path == tmp_path / "x" else call()

    known = [script.Original(name, tmp_path / "x", opener(call)) for name, call in calls.items()]
    told = {name: verdict for _, name, verdict in script.judge(known, range(len(known)), seed=0)}
    assert told["raise"].startswith("ZeroDivisionError")
    assert told["end"] == "the process ended (signal 6)"
    assert told["hang"] == "more than 5 s" and told["fine"] == "loaded"
    if sys.platform == "linux":
        assert told["memory"].startswith("refused ") and told["memory"].endswith(" MB above its size")
