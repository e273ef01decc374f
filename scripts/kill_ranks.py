"""Kill, halt and starve the processes of a training, again and again; after each time no process may be left, and the last
checkpoint must open, at most `EVERY` steps behind.

    python scripts/kill_ranks.py [N [SEED]]     N faults, 30 by default

A fault is one of: a rank killed, a rank halted (it hangs), the process that started them killed, rank 0's files cut short
as by a full disk. At the end the training goes on without faults, and must be, to the last digits, one that was never
disturbed. Needs Linux.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

import saewidgets as sw
from saewidgets.activations.cache import write_cache
from saewidgets.records.jobs import JobFolder, steps_of
from saewidgets.training.run import Run

EVERY, STEPS, D = 50, 40_000, 12
CONFIG = sw.TrainConfig(steps=STEPS)
FAULTS = ("kill 0", "kill 1", "halt 0", "halt 1", "kill parent", "full disk")
START = """
import sys, time, saewidgets as sw
from saewidgets.records.jobs import JobFolder
group = sw.Processes(2, device="cpu").start(JobFolder(sys.argv[1]))
print(*[process.pid for process in group.processes], flush=True)
while group.running:
    time.sleep(0.05)
group.kill()
"""


def cached(folder: Path) -> None:
    rng = np.random.default_rng(0)
    rows, tokens = rng.normal(size=(1080, D)).astype(np.float32) + 1, rng.integers(0, 50, (120, 9)).astype(np.int32)
    site = sw.records.ActivationSite("none", "blocks.0.hook_resid_pre", D)
    write_cache(
        folder, np.split(rows, 120), sizes=[9] * 120, tokens=tokens, wanted=np.ones_like(tokens, bool),
        start=np.arange(120) * 9, site=site, dtype="float32",
    )  # fmt: skip


def there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def checkpoint(job: JobFolder) -> Run:
    """The last one; LoadError if it does not open."""
    start = sw.SAE.load(job.path / "start" / "000")
    return Run(start, [], CONFIG, resume=job.path / "checkpoints" / "000")


def disturb(job: JobFolder, fault: str, more: int) -> tuple[float, list[int]]:
    """Start the job and do it harm after so many more steps; seconds until nobody is left, and who was there."""
    before, progress = job.status().start, job.progress()
    first = last = max((found.step for _, found in progress.more() if not isinstance(found, int)), default=0)
    parent = subprocess.Popen([sys.executable, "-c", START, str(job.path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    while job.status().start == before or last < first + more:
        for _, found in progress.more():
            if isinstance(found, int):
                first = found
            last = found if isinstance(found, int) else found.step
        assert parent.poll() is None, f"{fault}: it ended by itself"
        time.sleep(0.01)
    kind, _, who = fault.partition(" ")
    if fault == "full disk":
        resource.prlimit(pids[0], resource.RLIMIT_FSIZE, (1000, 1000))
    elif who == "parent":
        parent.kill()
    else:
        os.kill(pids[int(who)], signal.SIGKILL if kind == "kill" else signal.SIGSTOP)
    begun = time.monotonic()
    while any(map(there, pids)):
        assert time.monotonic() - begun < 180, f"{fault}: a process is left"
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    return time.monotonic() - begun, pids


def main(n: int = 30, seed: int = 0) -> None:
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cached(folder / "cache")
        store = sw.ActivationStore.from_disk(folder / "cache", batch_size=64, buffer_tokens=400, seed=3)
        sae = sw.SAE(sw.SAEConfig(D, 48, "topk", k=4, seed=3))
        job = sw.save_job(folder / "job", sae, store, CONFIG, every=EVERY, device="cpu", timeout=10)
        for i in range(n):
            fault = FAULTS[i % len(FAULTS)]
            seconds, _ = disturb(job, fault, draw.randrange(1, 150))
            steps = steps_of(job.path).get("run", [])
            last = steps[-1].step if steps else 0
            saved = checkpoint(job).step if job.status().saved else 0
            assert [step.step for step in steps] == list(range(1, last + 1)), fault
            assert 0 <= last - saved <= EVERY, (fault, last, saved)
            print(
                f"{i + 1:>3}  {fault:<12} at step {last:>6,}, kept {saved:>6,}, all gone after {seconds:4.1f} s",
                flush=True,
            )
        # To the end that it has come to, without faults: the whole of it takes too long.
        job.ask("stop")
        subprocess.run([sys.executable, "-m", "saewidgets", "train", str(job.path)], check=True)
        ended = checkpoint(job)
        whole = sw.train(sae, store, CONFIG)
        while whole.step < ended.step:
            next(whole)
        far = max(
            float(
                (tensor.double() - ended.tensors[own].double()).abs().max()
                / tensor.double().abs().max().clamp_min(1e-30)
            )
            for own, tensor in whole.tensors.items()
        )
        print(f"after {n} faults, at step {ended.step:,}: {far:.1e} from a training that was never disturbed")
        assert torch.isfinite(ended.sae.W_dec).all()


if __name__ == "__main__":
    main(*(int(given) for given in sys.argv[1:3]))
