"""`saewidgets.warmup`: after it, nothing that a person starts has to be compiled any more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from saewidgets import warmup

ROOT = Path(__file__).parents[2]

# Prints what is compiled after `warmup` and, in its place, after the work of a person on other sizes and settings.
WORK = """
import json
import numpy as np
import torch
import saewidgets as sw
from saewidgets import warmup
from saewidgets.kernels import layer_numba, logistic_numba, sparse_numba, sums_numba, toy_numba

def compiled():
    return {
        f"{module.__name__}.{name}": sorted(map(str, loop.signatures))
        for module in (layer_numba, logistic_numba, sparse_numba, sums_numba, toy_numba)
        for name, loop in vars(module).items()
        if hasattr(loop, "signatures")
    }

said = []
failed = warmup.compile_all(said.append)
before = compiled()

model, sae = sw.load_model(), sw.load_sae()
steer = sw.Steerer(model, sae)
for clamps in ([], [sw.Clamp(31, 8.0)], [sw.Clamp(31, 8.0), sw.Clamp(5, 0.0, "generated")]):
    steer.generate("Human: What is your physical form? " * 3 + "Assistant:", clamps, n_tokens=5)
    steer.generate("The", clamps, n_tokens=5, kl=False, temperature=0.0)

for architecture in ("topk", "batchtopk", "relu", "jumprelu", "gated"):
    for matryoshka in (False, True):
        if matryoshka and "topk" not in architecture:
            continue
        mine = sw.SAE(sw.SAEConfig(d_in=24, d_sae=128, architecture=architecture, k=4))
        config = sw.TrainConfig(steps=6, dead_window=128, prefixes=(32, 128) if matryoshka else ())
        for _ in sw.train(mine, [torch.randn(128, 24) for _ in range(6)], config):
            pass

from saewidgets.analysis.quality.probes import nested_aside
nested_aside(np.eye(8)[:, :4], np.arange(8) % 3 == 0, np.arange(8) < 4, [1, 2, 4])

for more in (
    {},
    {"task": "absolute", "hidden": "relu"},
    {"adversarial": 0.1, "l1": 0.1},
    {"sets": ((0, 1), (2, 3)), "relation": "anticorrelated", "activation": "linear", "feature_probability": 0.2},
    {"n_instances": 3, "feature_probability": [[1.0], [0.3], [0.1]], "importance": [1.0, 0.9, 0.8, 0.7, 0.6, 0.5]},
):
    toy = sw.train_toy(sw.ToyConfig(n_features=6, n_hidden=3, steps=3, **more))
    for _ in toy:
        pass

print(json.dumps({"said": said, "failed": failed, "before": before, "after": compiled()}))
"""


@pytest.fixture(scope="module")
def found():
    pytest.importorskip("numba", reason="without numba nothing is compiled")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WORK], capture_output=True, text=True, env=environment, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


def test_every_part_runs_and_says_how_long_it_took(found):
    assert found["failed"] == []
    assert [line.split(":")[0] for line in found["said"]] == list(warmup.PARTS)


def test_a_text_a_training_step_and_a_toy_model_compile_nothing_new(found):
    new = {name: sorted(set(now) - set(found["before"][name])) for name, now in found["after"].items()}
    assert {name: loops for name, loops in new.items() if loops} == {}


def test_a_loop_of_each_kind_was_compiled(found):
    loops = ("layer_numba.layer", "sparse_numba.top_k_rows", "sparse_numba.rows_above", "sums_numba.weighted_sums")
    for loop in (*loops, "toy_numba._advance", "logistic_numba.sparse_pass"):
        assert found["before"][f"saewidgets.kernels.{loop}"], loop


def test_what_fails_is_told_and_the_rest_still_runs(monkeypatch):
    ran = []

    def broken():
        raise ValueError("no\nluck")

    monkeypatch.setattr(warmup, "find_spec", lambda name: object())
    monkeypatch.setattr(warmup, "PARTS", {"one": broken, "two": lambda: ran.append("two")})
    assert warmup.compile_all() == ["one: ValueError: no luck"]
    assert ran == ["two"]


def test_without_numba_nothing_runs(monkeypatch):
    monkeypatch.setattr(warmup, "find_spec", lambda name: None)
    monkeypatch.setattr(warmup, "PARTS", {"one": lambda: pytest.fail("nothing is there to compile")})
    assert warmup.compile_all() == []


def test_binder_compiles_for_the_copy_that_its_notebooks_import():
    """In the clone's folder plain `python` finds the clone's own copy first, and the loops are kept beside the source."""
    script = (ROOT / "binder" / "postBuild").read_text(encoding="utf-8")
    lines = [line for line in script.splitlines() if line.startswith("python") and "saewidgets" in line]
    assert len(lines) == 2 and all(line.startswith("python -P ") for line in lines)
