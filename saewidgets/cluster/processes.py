"""Several processes of this machine that train together."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from saewidgets.cluster.away import Away, SweepAway
from saewidgets.cluster.harvesting import harvest_on
from saewidgets.cluster.spec import DEVICES, EVERY, TIMEOUT, save_job
from saewidgets.cluster.worker import MEET, PARENT
from saewidgets.files import unknown
from saewidgets.records import ActivationSite
from saewidgets.records.arguments import real, whole
from saewidgets.records.jobs import JobFolder
from saewidgets.sae import SAE
from saewidgets.training import TrainConfig

GRACE = 10.0  # seconds that a process has to end after another one failed


class Processes:
    """`n` processes of this machine: `sw.train(sae, store, config, on=sw.Processes(8))`.

    Each is a Python of its own, begun anew (nothing is forked), with a GPU each where there are some. What they train is
    what one process would. They end with the training, when the notebook's cell is interrupted, and when this process ends,
    however it does.

    Args:
        n: how many.
        device: "cpu", "cuda" or "auto", as for `save_job`.
        folder: where the job is kept, with its checkpoints and logs; it must not exist. None: a folder for the time being,
            removed at the end.
        every: steps between two checkpoints: what a fault may lose.
        timeout: seconds after which they give up one that does not answer. It must be longer than it takes to fill the
            store's buffer.

    Example:
        >>> run = sw.train(mine, store, config, on=sw.Processes(8))  # doctest: +SKIP
        >>> sw.TrainingMonitor(run).start()  # doctest: +SKIP
    """

    def __init__(
        self,
        n: int,
        *,
        device: str = "auto",
        folder: str | Path | None = None,
        every: int = EVERY,
        timeout: float = TIMEOUT,
    ) -> None:
        self.n = whole(n, "n, the number of processes,", minimum=1)
        if device not in DEVICES:
            raise ValueError(unknown("device", str(device), DEVICES))
        self.device, self.folder = device, None if folder is None else Path(folder)
        self.every, self.timeout = whole(every, "every", minimum=1), real(timeout, "timeout", minimum=0.1)

    def __repr__(self) -> str:
        return f"Processes({self.n}, device={self.device!r})"

    def train(self, sae: SAE, batches: Any, config: TrainConfig, *, resume: str | Path | None = None) -> Away:
        """See `sw.train`."""
        return Away(self, self._save(sae, batches, config, resume), sae, config)

    def train_sweep(
        self, runs: Mapping[str, tuple[SAE, TrainConfig]], batches: Any, *, resume: str | Path | None = None
    ) -> SweepAway:
        """See `sw.train_sweep`."""
        if resume is not None:
            raise ValueError(
                "a sweep's own job goes on: sw.TrainingMonitor.attach(folder).start(); resume is for one process"
            )
        return SweepAway(self, self._save(runs, batches, None, None), runs)

    def harvest(
        self, model: Any, site: ActivationSite, corpus: Any, folder: str | Path, options: Mapping[str, Any]
    ) -> None:
        """See `sw.harvest`."""

        def begin(command: list[str], logs: Path) -> Group:
            return Group(command, logs, self.n, cpu=self.device == "cpu")

        harvest_on(begin, self.device, model, site, corpus, folder, options)

    def _save(self, sae: Any, batches: Any, config: TrainConfig | None, resume: str | Path | None) -> JobFolder:
        folder = self.folder
        if folder is None:
            held = Path(tempfile.mkdtemp(prefix="saewidgets-job-"))
            folder = held / "job"
        options: dict[str, Any] = {"every": self.every, "device": self.device, "timeout": self.timeout}
        try:
            job = save_job(folder, sae, batches, config, resume=resume, **options)
        except BaseException:
            if self.folder is None:
                shutil.rmtree(held, ignore_errors=True)
            raise
        if self.folder is None:
            weakref.finalize(job, shutil.rmtree, held, ignore_errors=True)
        return job

    def start(self, job: JobFolder) -> Group:
        """Begin the processes of a job."""
        command = [sys.executable, "-m", "saewidgets", "train", str(job.path.resolve())]
        return Group(command, job.path / "log", self.n, cpu=self.device == "cpu")


class Group:
    """Processes that run; when this object goes, so do they."""

    def __init__(self, command: list[str], logs: Path, n: int, *, cpu: bool) -> None:
        self._meet = tempfile.mkdtemp(prefix="saewidgets-meet-")
        env = {
            **os.environ,
            PARENT: str(os.getpid()),
            "WORLD_SIZE": str(n),
            MEET: f"file://{self._meet}/{secrets.token_hex(4)}",
        }
        env.pop("TORCHELASTIC_RUN_ID", None)
        own = str(Path(__file__).resolve().parents[2])  # the package that speaks here is the one that runs there
        env["PYTHONPATH"] = os.pathsep.join([own, *filter(None, [env.get("PYTHONPATH")])])
        if cpu or not _gpus():
            env.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // n)))
        if sys.platform == "linux":
            env.setdefault("GLOO_SOCKET_IFNAME", "lo")  # a machine need not be able to look up its own name
        self.processes: list[subprocess.Popen[bytes]] = []
        try:
            for rank in range(n):
                with open(logs / f"rank-{rank}.txt", "ab") as out:
                    self.processes.append(
                        subprocess.Popen(
                            command,
                            env={**env, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                            stdin=subprocess.DEVNULL,
                            stdout=out,
                            stderr=out,
                            start_new_session=True,  # Ctrl-C is for this process, which then asks them to stop
                        )
                    )
        finally:
            self._end = weakref.finalize(self, _kill, self.processes, self._meet)
        self._failed_at = 0.0

    @property
    def running(self) -> bool:
        """Whether one of them is there. Where one failed, the others are ended after `GRACE` seconds."""
        codes = [process.poll() for process in self.processes]
        if any(code for code in codes) and None in codes:
            self._failed_at = self._failed_at or time.monotonic()
            if time.monotonic() - self._failed_at > GRACE:
                self.kill()
                return False
        return None in codes

    def wait(self, timeout: float) -> bool:
        """Whether they end within so many seconds."""
        until = time.monotonic() + timeout
        while self.running and time.monotonic() < until:
            time.sleep(0.02)
        return not self.running

    def kill(self) -> None:
        """End them now, whatever they do."""
        self._end()

    @property
    def why(self) -> str:
        """Which of them failed and how; "" where none did."""
        said = []
        for rank, process in enumerate(self.processes):
            code = process.poll()
            if code:
                name = signal.Signals(-code).name if code < 0 else ""
                said.append(
                    f"process {rank} was ended by {name}" if name else f"process {rank} ended with status {code}"
                )
        return ", ".join(said)


def _kill(processes: list[subprocess.Popen[bytes]], meet: str) -> None:
    for process in processes:
        with suppress(OSError):
            if process.poll() is None:
                process.kill()
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
    shutil.rmtree(meet, ignore_errors=True)


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()
