"""A process that is killed, one that hangs, a notebook that is killed: the others end, and the last checkpoint opens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

import saewidgets as sw
from saewidgets.records.jobs import steps_of
from saewidgets.sae import SAE
from saewidgets.training import TrainConfig
from saewidgets.training.run import Run

EVERY = 20
CONFIG = TrainConfig(steps=100_000)


def there(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be noticed does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def opens(job) -> int:
    """The step of the last checkpoint, which is whole; at most `EVERY` steps came after it."""
    step = Run(SAE.load(job.path / "start" / "000"), [], CONFIG, resume=job.path / "checkpoints" / "000").step
    assert step - job.status().saved in (0, EVERY)  # killed before it could say so
    assert 0 <= steps_of(job.path)["run"][-1].step - step <= EVERY
    return step


def test_a_killed_process_and_one_that_hangs_end_the_others_and_the_next_start_goes_on(
    tmp_path, store, sae, monkeypatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    place = sw.Processes(2, device="cpu", folder=tmp_path / "job", every=EVERY, timeout=20)
    run = sw.train(sae, store, CONFIG, on=place)
    before = 0
    for fault, words in ((signal.SIGKILL, "SIGKILL"), (signal.SIGSTOP, "did not answer")):
        pids: list[int] = []
        with pytest.raises(RuntimeError, match=words):
            for step in run:
                if step.step > before + 2 * EVERY and not pids:
                    pids = [process.pid for process in run._group.processes]
                    os.kill(pids[1], fault)
        assert len(pids) == 2 and not any(there(pid) for pid in pids)
        kept = opens(run.job)
        assert kept > before
        state = Run(SAE.load(run.job.path / "start" / "000"), [], CONFIG, resume=run.job.path / "checkpoints" / "000")
        assert torch.equal(sae.W_enc, state.sae.W_enc)  # the one here has its weights
        before = run.step
    assert [step.step for step in run.history] == list(range(1, before + 1))


PARENT = """
import sys, time, saewidgets as sw
from saewidgets.records.jobs import JobFolder
job = JobFolder(sys.argv[1])
group = sw.Processes(1, device="cpu").start(job)
print(*[process.pid for process in group.processes], flush=True)
time.sleep(600)
"""


def test_where_the_notebook_s_process_is_killed_none_is_left(tmp_path, store, sae):
    job = sw.save_job(tmp_path / "job", sae, store, CONFIG, every=EVERY, device="cpu")
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(job.path)], stdout=subprocess.PIPE, text=True)
    try:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        while job.status().saved < EVERY:
            assert not job.status().over and any(map(there, pids))
            time.sleep(0.05)
    finally:
        parent.kill()
        parent.wait()
    for _ in range(400):
        if not any(map(there, pids)):
            break
        time.sleep(0.05)
    assert not any(map(there, pids))
    opens(job)
