"""What a job's processes write to its folder, and how they hear what they are asked to do."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from saewidgets.files import write_json
from saewidgets.ranks import Ranks
from saewidgets.records import TrainStep
from saewidgets.records.jobs import BEAT, WANTS, JobFolder, JobStatus, line_of

LISTEN = 0.2  # seconds between two looks at what the job is asked to do
PARENT = 0.5  # seconds between two looks whether the process that started this one is there


class Progress:
    """The file to which one run's steps are appended, a line each, written before the next step begins."""

    def __init__(self, folder: Path, run: str, number: int | None, step: int) -> None:
        """number: of the run in a sweep; None: there is one. step: from which it goes on."""
        self._run = run
        name = "progress.jsonl" if number is None else f"progress-{number:03}.jsonl"
        self._file = open(folder / name, "a+b", buffering=0)  # noqa: SIM115  # held until the job ends
        size = self._file.seek(0, os.SEEK_END)
        if size:
            self._file.seek(size - 1)
            torn = self._file.read(1) != b"\n"  # the line on which a process was killed
            self._write((b"\n" if torn else b"") + line_of(run, step))

    def append(self, found: TrainStep | str) -> None:
        """One step; or why the run failed. Raises OSError if the disk refuses."""
        self._write(line_of(self._run, found))

    def sync(self) -> None:
        """Make durable what was written: no checkpoint may be ahead of it."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def _write(self, line: bytes) -> None:
        while line:  # the disk may take a part of it
            line = line[self._file.write(line) :]


class Desk:
    """Rank 0's: the heartbeat, and what is asked. The other ranks hear from it through `Ranks`.

    A signal to end (Ctrl-C, a scheduler's SIGTERM) counts as being asked to stop, which keeps a checkpoint.
    """

    def __init__(self, folder: Path, ranks: Ranks) -> None:
        self._folder, self._ranks = JobFolder(folder), ranks
        before = self._folder.status()
        self.status = JobStatus(
            "starting", before.step, "", before.saved, ranks.size, 0.0, before.start + 1, os.getpid()
        )
        self._signaled = False
        self._heard = -1.0
        self._want = 0
        orders = self._folder.orders()
        if ranks.first and before.status == "stopped" and orders.want == "stop":
            self._folder.ask("run")  # that was said to the start before this one
        self._checkpoints = orders.checkpoints
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._heart: threading.Thread | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Desk:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._on_signal)
        if self._ranks.first:
            self.say("starting")
            self._heart = threading.Thread(target=self._beat, name="saewidgets-heart", daemon=True)
            self._heart.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._ended.set()
        if self._heart is not None:
            self._heart.join()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, _: Any) -> None:
        if self._signaled:
            raise KeyboardInterrupt
        self._signaled = True

    def hear(self) -> tuple[str, bool]:
        """What all ranks are to do before their next step: (one of `WANTS`, whether to save a checkpoint)."""
        found = torch.zeros(2, dtype=torch.int64)
        if self._ranks.first:
            if time.monotonic() - self._heard >= LISTEN:
                orders = self._folder.orders()
                self._heard, self._want = time.monotonic(), WANTS.index(orders.want)
                found[1] = int(orders.checkpoints > self._checkpoints)
                self._checkpoints = orders.checkpoints
            found[0] = WANTS.index("stop") if self._signaled else self._want
        self._ranks.same([found])
        return WANTS[int(found[0])], bool(found[1])

    def say(self, status: str, **more: Any) -> None:
        """Write what the job does now; at rank 0 only."""
        if self._ranks.first:
            with self._lock:
                self.status = replace(self.status, status=status, beat=time.time(), **more)
                write_json(self._folder.path / "status.json", asdict(self.status))

    def note(self, **more: Any) -> None:
        """What the next heartbeat says."""
        with self._lock:
            self.status = replace(self.status, **more)

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            with suppress(OSError):  # what a full disk means, the training will say
                self.say(self.status.status)


def log(folder: Path, rank: int, text: str) -> None:
    """Append a line to the log of a rank."""
    with suppress(OSError), open(folder / "log" / f"rank-{rank}.txt", "a", encoding="utf-8") as file:
        file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text.rstrip()}\n")


def end_with_parent(parent: int) -> None:
    """End this process, at once, when the one that started it is gone: nobody would ever end it."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT)
        os._exit(3)

    threading.Thread(target=watch, name="saewidgets-parent", daemon=True).start()
