"""A training in other processes, as one sees it from here: iterated like one in this process."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from saewidgets.files import write_json
from saewidgets.records import RunRecord, TrainingRecord, TrainStep
from saewidgets.records.jobs import RUN, JobFolder, Progress, take
from saewidgets.sae import SAE
from saewidgets.training import TrainConfig
from saewidgets.training.run import Run

LOOK = 0.05  # seconds between two looks for new steps
PATIENCE = 60.0  # seconds that an interrupt waits for the step under way and its checkpoint


class Running(Protocol):
    """Processes that were started."""

    @property
    def running(self) -> bool: ...

    @property
    def why(self) -> str: ...

    def wait(self, timeout: float) -> bool: ...

    def kill(self) -> None: ...


class Place(Protocol):
    """Where a job is started."""

    def start(self, job: JobFolder) -> Running: ...


class Learner:
    """One SAE of a job: `sae`, trained in place when the job ends, its `config`, and its `history` so far."""

    def __init__(self, job: JobFolder, number: int, sae: SAE, config: TrainConfig) -> None:
        self.sae = sae
        self.config = config
        self.history: list[TrainStep] = []
        self._job, self._number = job, number
        self._own: Run | None = None

    @property
    def step(self) -> int:
        """Steps so far."""
        return self.history[-1].step if self.history else 0

    @property
    def tokens(self) -> int:
        """Activation vectors seen so far."""
        return self.history[-1].tokens if self.history else 0

    def firing_rates(self) -> np.ndarray | None:
        """float64 [d_sae]: the share of tokens at which each feature was on, as the job last said; None before it did."""
        return self._job.rates(self._job.names[self._number])

    def save(self, path: str | Path) -> None:
        """The job's last checkpoint, written as `Run.save` does. Raises LoadError where there is none yet."""
        self.run().save(path)

    def finish(self) -> SAE:
        """As `Run.finish`, of the last checkpoint."""
        return self.run().finish()

    def run(self) -> Run:
        """The run as the job's last checkpoint has it, in this process; `sae` gets its weights."""
        if self._own is None:
            self._own = Run(self.sae, [], self.config, resume=self._job.path / "checkpoints" / f"{self._number:03}")
        return self._own

    def update(self) -> None:
        """Give `sae` the weights of the last checkpoint; what it is where there is none."""
        self._own = None
        if any((self._job.path / "checkpoints" / f"{self._number:03}").iterdir()):
            self.run()


class _Away:
    """What one SAE and several have in common. Subclasses say what `next` gives."""

    def __init__(self, place: Place, job: JobFolder) -> None:
        self.job = job  # its folder, which any other process may attach to
        self._place = place
        self._group: Running | None = None
        self._progress: Progress = job.progress()
        self._done = False

    def start(self) -> None:
        """Begin the processes, if they are not there: `next` does so, too."""
        if self._group is None and not self._done:
            if self.job.orders().want != "run":
                self.job.ask("run")
            self._group = self._place.start(self.job)

    @property
    def running(self) -> bool:
        """Whether its processes are there."""
        return self._group is not None

    def poll(self) -> None:
        """Take what is new, and notice where the processes have ended. Raises RuntimeError where they failed."""
        if self._group is not None:
            self._look()

    def close(self) -> None:
        """Ask the processes to stop, wait for their checkpoint, and give the SAE its weights; `next` goes on from there."""
        if self._group is None:
            return
        self.job.ask("stop")
        if not self._group.wait(PATIENCE):
            self._group.kill()
        self._ended()

    def _ended(self) -> None:
        """After the processes have gone."""
        self._group = None
        for name, found in self._progress.more():
            self._take(name, found)
        for learner in self.learners.values():
            learner.update()

    @property
    def learners(self) -> Mapping[str, Learner]:
        """The SAEs by their runs' names."""
        raise NotImplementedError

    def _take(self, name: str, found: Any) -> None:
        raise NotImplementedError

    def _look(self) -> bool:
        """Take what is new; whether the job is over. Raises RuntimeError where it failed, with what it says."""
        assert self._group is not None
        running = self._group.running
        for name, found in self._progress.more():
            self._take(name, found)
        if running:
            return False
        status, why = self.job.status(), self._group.why
        self._ended()
        if status.status not in ("finished", "stopped"):
            status = replace(status, status="failed", error=_reason(status.error, why, self.job.path, status.saved))
            write_json(self.job.path / "status.json", asdict(status))
            raise RuntimeError(status.error)
        self._done = status.status == "finished"
        return True

    def _pull(self, ready: Any) -> Any:
        """What `ready` gives, as soon as it gives something; None at the end. An interrupt stops the processes."""
        try:
            while (found := ready()) is None:
                if self._done:
                    return None
                self.start()
                if self._look():
                    return ready()
                if (found := ready()) is not None:
                    return found
                time.sleep(LOOK)
            return found
        except KeyboardInterrupt:
            self.close()
            raise


class Away(_Away, Learner):
    """A training under way in other processes: `next(run)` gives its next `TrainStep`, and begins them if need be.

    They go on whether it is asked for or not. `sae` gets its weights when they end, or are stopped by `close` or an
    interrupted cell; `next` then goes on from the checkpoint that was kept. `sw.TrainingMonitor(run)` shows, pauses and
    stops them. Raises RuntimeError where they fail, with what they say; `sae` then has the weights of the last checkpoint.
    """

    def __init__(self, place: Place, job: JobFolder, sae: SAE, config: TrainConfig) -> None:
        Learner.__init__(self, job, 0, sae, config)
        _Away.__init__(self, place, job)
        self._new: deque[TrainStep] = deque()

    def __iter__(self) -> Away:
        return self

    def __next__(self) -> TrainStep:
        found: TrainStep | None = self._pull(lambda: self._new.popleft() if self._new else None)
        if found is None:
            raise StopIteration
        return found

    @property
    def learners(self) -> Mapping[str, Learner]:
        """This one."""
        return {RUN: self}

    def _take(self, name: str, found: Any) -> None:
        before = self.step
        take(self.history, found)
        if (
            isinstance(found, TrainStep) and found.step > before
        ):  # one that was given before a restart is not given twice
            self._new.append(found)


class SweepAway(_Away):
    """Several trainings in other processes, on one stream of batches: `next(sweep)` gives {name: TrainStep} of a step.

    As `Away`, and as `Sweep`: a run whose loss is not finite stops alone, and `failed` says why.
    """

    def __init__(self, place: Place, job: JobFolder, runs: Mapping[str, tuple[SAE, TrainConfig]]) -> None:
        super().__init__(place, job)
        self.runs = {name: Learner(job, i, sae, config) for i, (name, (sae, config)) in enumerate(runs.items())}
        self.failed: dict[str, str] = {}
        self._new: dict[str, deque[TrainStep]] = {name: deque() for name in self.runs}

    def __iter__(self) -> Iterator[dict[str, TrainStep]]:
        return self

    def __next__(self) -> dict[str, TrainStep]:
        found: dict[str, TrainStep] | None = self._pull(self._ready)
        if found is None:
            raise StopIteration
        return found

    def _ready(self) -> dict[str, TrainStep] | None:
        """The least step of which every run that is not done has said something."""
        heads = {name: new[0].step for name, new in self._new.items() if new}
        over = {name for name, run in self.runs.items() if run.step >= run.config.steps} | set(self.failed)
        if not heads or (self._group is not None and any(name not in heads and name not in over for name in self.runs)):
            return None
        step = min(heads.values())
        return {name: self._new[name].popleft() for name, own in heads.items() if own == step}

    @property
    def learners(self) -> Mapping[str, Learner]:
        """The runs."""
        return self.runs

    @property
    def saes(self) -> dict[str, SAE]:
        """The SAEs by the names of their runs, as of the last checkpoint once the processes have ended."""
        return {name: run.sae for name, run in self.runs.items()}

    @property
    def steps(self) -> int:
        """Steps of the longest run."""
        return max(run.config.steps for run in self.runs.values())

    def to_dataframe(self) -> pd.DataFrame:
        """One row a run and step."""
        return self.record().to_dataframe()

    def record(self) -> TrainingRecord:
        """What the runs have measured so far."""
        return TrainingRecord(
            {
                name: RunRecord(
                    tuple(run.history), self.job.rates(name), run.config.steps, self.failed.get(name, ""),
                    run.sae.config.facts, run.config.dead_window, run.sae.config.d_in, run.sae.config.d_sae,
                )
                for name, run in self.runs.items()
            }
        )  # fmt: skip

    def _take(self, name: str, found: Any) -> None:
        run = self.runs.get(name)
        if run is None:
            return
        if isinstance(found, str):
            self.failed[name] = found
            return
        before = run.step
        take(run.history, found)
        if isinstance(found, TrainStep) and found.step > before:
            self._new[name].append(found)


def _reason(said: str, why: str, folder: Path, saved: int) -> str:
    """Why a job failed, and what is left."""
    kept = f"the SAE has the weights of step {saved:,}, its last checkpoint" if saved else "there is no checkpoint yet"
    reason = "; ".join(part for part in (said, why) if part) or "it ended without a word"
    try:
        lines = (folder / "log" / "rank-0.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    last = f" (rank 0 last wrote: {lines[-1]:.200})" if lines and not said else ""
    return f"the training stopped: {reason}{last}; {kept}. Iterate it again to go on from there"
