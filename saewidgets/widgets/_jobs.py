"""What a monitor follows that runs in other processes: a job's folder, looked into every moment."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from saewidgets.languages import said
from saewidgets.records.jobs import Found, JobFolder, JobStatus

LOOK = 0.25  # seconds between two looks
IDLE = 1.0  # the same, of a job that is over
# What a job says of itself -> what the monitor shows; "starting" counts as training.
SHOWN = {
    "waiting": "ready",
    "starting": "training",
    "training": "training",
    "paused": "paused",
    "finished": "finished",
    "stopped": "stopped",
    "failed": "error",
    "dead": "error",
}


class JobRuns:
    """The runs of a job that was attached to: for a monitor, what a sweep's are."""

    def __init__(self, path: str | Path) -> None:
        self.job = JobFolder(path)
        about = self.job.about
        self.runs = {str(run["name"]): _JobRun(self.job, run) for run in about["runs"]}

    def __iter__(self) -> JobRuns:
        return self

    def __next__(self) -> Any:
        raise StopIteration  # its steps come from the folder


class _JobRun:
    """One run of a job as its folder tells of it."""

    def __init__(self, job: JobFolder, about: dict[str, Any]) -> None:
        config = about["config"]
        self._job, self._name = job, str(about["name"])
        self.config = SimpleNamespace(steps=int(config["steps"]), dead_window=int(config["dead_window"]))
        self.facts, self.d_in, self.d_sae = str(about["facts"]), int(about["d_in"]), int(about["d_sae"])

    def firing_rates(self) -> Any:
        return self._job.rates(self._name)


class Follower:
    """Looks into a job's folder for one monitor; `away` is the training that this process began, if it did."""

    def __init__(self, run: Any) -> None:
        self.job: JobFolder = run.job
        self.away = None if isinstance(run, JobRuns) else run
        self._progress = self.job.progress()

    @property
    def attached(self) -> bool:
        """Whether somebody else began it."""
        return self.away is None

    def look(self) -> tuple[list[tuple[str, Found]], JobStatus, bool]:
        """What is new, what the job says of itself, and whether nothing more will come. Raises RuntimeError where it failed and this process began it."""
        if self.away is not None:
            self.away.poll()
        status = self.job.status()  # before the steps: what is over has written them all
        over = status.over and status.status != "dead"  # which may only be slow to say that it is not
        return self._progress.more(), status, over and (self.away is None or not self.away.running)

    def start(self) -> str:
        """Begin or go on; gives what hinders that, "" for nothing."""
        if self.away is not None:
            self.away.start()
            self.job.ask("run")
            return ""
        status = self.job.status()
        self.job.ask("run")
        if status.over:
            return said("This job does not run now. Start it where it ran: saewidgets train {path}", path=self.job.path)
        return ""
