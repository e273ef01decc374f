"""A training somewhere else as a folder: what it has done, whether it lives, and what it is asked to do.

    job.json         what is trained (`saewidgets.cluster` writes and reads it)
    progress.jsonl   one line per step, appended, by rank 0 (of a sweep progress-000.jsonl, ..., one per run)
    status.json      rank 0's heartbeat
    control.json     what a person asks for
    rates/, checkpoints/, log/

Whoever sees the folder can look on and say pause, go on, checkpoint and stop: neither torch nor a connection is needed.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from saewidgets.files import LoadError, parse_json, read_json, read_tensors, unknown, write_json, write_tensors
from saewidgets.records import typed
from saewidgets.records.training import TrainStep

FORMAT = 1
WANTS = ("run", "pause", "stop")
BEAT = 2.0  # seconds between two heartbeats
DEAD_AFTER = 20.0  # seconds without one after which a job counts as dead
RUN = "run"  # the name of the run of a job that trains a single SAE
_NUMBERS = tuple(field.name for field in fields(TrainStep) if field.name != "parts")
_WHOLE = ("step", "tokens")
_PROGRESS = re.compile(r"progress(?:-\d+)?\.jsonl")
Found = TrainStep | int | str  # of a line of progress
_PIECE = 1 << 24  # bytes of progress read in one go


@dataclass(frozen=True)
class Orders:
    """What a job is asked to do: "run", "pause" or "stop", and how many checkpoints were asked for so far."""

    want: str = "run"
    checkpoints: int = 0


@dataclass(frozen=True)
class JobStatus:
    """What a job says of itself. status: "waiting" (not begun), "starting", "training", "paused", "finished", "stopped",
    "failed", or "dead", where it should beat and does not.
    """

    status: str = "waiting"
    step: int = 0
    error: str = ""
    saved: int = 0  # step of the last checkpoint
    ranks: int = 0
    beat: float = 0.0  # seconds since 1970, by the clock of the machine that wrote it
    start: int = 0  # how often the job was started
    pid: int = 0

    @property
    def over(self) -> bool:
        """Whether nothing more will come, unless it is started again."""
        return self.status in ("finished", "stopped", "failed", "dead")


class JobFolder:
    """A job's folder, to look into and to ask.

    Raises LoadError if `path` holds no job.

    Example:
        >>> job = JobFolder("runs/l12")  # doctest: +SKIP
        >>> job.ask("pause")  # doctest: +SKIP
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not (self.path / "job.json").is_file():
            raise LoadError(path, "there is no job in this folder: sw.save_job(folder, sae, store, config) makes one")
        self._seen: tuple[float, float] | None = None  # the last heartbeat, and when it was first seen by our clock

    @property
    def about(self) -> dict[str, Any]:
        """`job.json`."""
        return read_json(self.path / "job.json", max_bytes=1 << 26)

    # -- asking ------------------------------------------------------------------------------------------------------

    def orders(self) -> Orders:
        """What the job is asked for now; to run, where the file says nothing that can be read."""
        try:
            data = read_json(self.path / "control.json")
        except LoadError:
            return Orders()
        want, n = data.get("want"), data.get("checkpoints")
        return Orders(want if isinstance(want, str) and want in WANTS else "run", n if type(n) is int and n >= 0 else 0)

    def ask(self, want: str) -> None:
        """Ask it to "run", "pause" or "stop"; it does so after its present step. Stopping keeps a checkpoint."""
        if want not in WANTS:
            raise ValueError(unknown("order", want, WANTS))
        self._ask(want, self.orders().checkpoints)

    def ask_checkpoint(self) -> None:
        """Ask for a checkpoint after the present step."""
        orders = self.orders()
        self._ask(orders.want, orders.checkpoints + 1)

    def _ask(self, want: str, checkpoints: int) -> None:
        write_json(self.path / "control.json", {"want": want, "checkpoints": checkpoints})

    # -- looking -----------------------------------------------------------------------------------------------------

    def status(self) -> JobStatus:
        """What it says of itself; "dead" where it has not said so for `DEAD_AFTER` seconds and should have."""
        try:
            said = typed.record(JobStatus, read_json(self.path / "status.json"))
        except (LoadError, ValueError):
            return JobStatus()
        if said.over:
            return said
        now = time.monotonic()
        if self._seen is None:
            # Two machines' clocks may differ; what is old at first sight is dead until it moves.
            self._seen = (said.beat, now if time.time() - said.beat < DEAD_AFTER else now - DEAD_AFTER)
        elif self._seen[0] != said.beat:
            self._seen = (said.beat, now)
        if now - self._seen[1] < DEAD_AFTER:
            return said
        kept = f" Its last checkpoint is of step {said.saved:,}." if said.saved else " It left no checkpoint."
        ended = f"The job gave no sign of life for {max(DEAD_AFTER, time.time() - said.beat):,.0f} s.{kept}"
        return JobStatus("dead", said.step, ended, said.saved, said.ranks, said.beat, said.start, said.pid)

    def rates(self, name: str) -> np.ndarray | None:
        """How often each feature of a run fired when it last said so, float64 [d_sae]; None before."""
        try:
            return read_tensors(self.path / "rates" / f"{self.names.index(name):03}.safetensors")["rates"]
        except (LoadError, KeyError):
            return None

    @cached_property
    def names(self) -> list[str]:
        """The runs, in their order."""
        return [str(run["name"]) for run in self.about["runs"]]

    def progress(self) -> Progress:
        """Its steps, from the first one on."""
        return Progress(self.path)


class Progress:
    """The steps of a job as they come: `more()` gives what was written since it was last asked, each step once.

    A last line that is not whole yet is left for the next time, and one that a killed process left torn is passed over.
    Where a job was started again from a checkpoint, `more` says so, and gives the steps after it anew.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._at: dict[str, int] = {}  # file -> bytes read
        self.torn = 0  # lines that were passed over

    def more(self) -> list[tuple[str, Found]]:
        """(run, step); or (run, n) where the run went back to step n, so that later steps do not count; or (run, why it
        failed).
        """
        found: list[tuple[str, Found]] = []
        try:
            files = sorted(file.name for file in self._folder.iterdir() if _PROGRESS.fullmatch(file.name))
        except OSError:
            return found
        for name in files:
            found += self._of(name)
        return found

    def _of(self, name: str) -> Iterable[tuple[str, Found]]:
        try:
            with open(self._folder / name, "rb") as file:
                file.seek(self._at.get(name, 0))
                raw = file.read(_PIECE)
        except OSError:
            return []
        whole, end, _ = raw.rpartition(b"\n")
        self._at[name] = self._at.get(name, 0) + len(whole) + len(end)
        found = []
        for line in whole.split(b"\n") if end else ():
            entry = _entry(line)
            if entry is not None:
                found.append(entry)
            elif line:
                self.torn += 1
        return found


def steps_of(folder: str | Path) -> dict[str, list[TrainStep]]:
    """Every step of a job by its run, each once, in order.

    Example:
        >>> steps_of("runs/l12")["run"][-1].fvu  # doctest: +SKIP
        0.21
    """
    found: dict[str, list[TrainStep]] = {}
    progress = Progress(folder)
    while new := progress.more():
        for name, step in new:
            take(found.setdefault(name, []), step)
    return found


def take(steps: list[TrainStep], found: Found) -> None:
    """Append what `Progress.more` gave of a run, or go back."""
    if isinstance(found, str):
        return
    back = found if isinstance(found, int) else found.step - 1
    while steps and steps[-1].step > back:
        steps.pop()
    if not isinstance(found, int):
        steps.append(found)


def line_of(run: str, step: Found) -> bytes:
    """A step as a line of progress; or that a run goes on from a step, or why it failed.

    Example:
        >>> line_of("run", 500)
        b'{"run":"run","from":500}\\n'
    """
    data: dict[str, Any] = {"run": run}
    if isinstance(step, int):
        data["from"] = step
    elif isinstance(step, str):
        data["failed"] = step
    else:
        data |= {name: _sayable(getattr(step, name)) for name in _NUMBERS}
        data["parts"] = {name: _sayable(value) for name, value in step.parts.items()}
    return json.dumps(data, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def write_rates(folder: Path, number: int, rates: np.ndarray) -> None:
    """Say how often the features of run `number` fire."""
    (folder / "rates").mkdir(exist_ok=True)
    write_tensors(folder / "rates" / f"{number:03}.safetensors", {"rates": rates})


def _sayable(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _entry(line: bytes) -> tuple[str, Found] | None:
    """What a line says; None if it is not one."""
    try:
        data = parse_json("progress.jsonl", line)
        if "from" in data:
            return str(data["run"]), int(data["from"])
        if "failed" in data:
            return str(data["run"]), str(data["failed"])
        parts = data["parts"]
        if not isinstance(parts, Mapping):
            return None
        numbers = {name: int(data[name]) if name in _WHOLE else _number(data[name]) for name in _NUMBERS}
        return str(data["run"]), TrainStep(**numbers, parts={str(k): _number(v) for k, v in parts.items()})  # type: ignore[arg-type]
    except (LoadError, KeyError, TypeError, ValueError):
        return None


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
