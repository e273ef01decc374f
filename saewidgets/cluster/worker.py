"""What every process of a job does: make its part of it from the folder, train, and hear what is asked.

All processes train one SAE together, each on its share of every batch; of a sweep each trains SAEs of its own, on
batches that all read together. Rank 0 writes what is common.
"""

from __future__ import annotations

import itertools
import os
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from saewidgets.cluster.desk import Desk, Progress, end_with_parent, log
from saewidgets.cluster.spec import Job, batches_of, fresh, read_job
from saewidgets.files import LoadError
from saewidgets.ranks import ALONE, Ranks
from saewidgets.records.jobs import write_rates
from saewidgets.training.run import Run, is_out_of_memory

MEET = "SAEWIDGETS_MEET"  # where the processes of `Processes` find each other, as torch's init_method
PARENT = "SAEWIDGETS_PARENT"  # the process that started this one and without which it ends
RATES_EVERY = 3.0  # seconds between two looks at how often features fire
REST = 0.1  # seconds that a paused job sleeps between two looks at what it is asked


def work(folder: str | Path) -> int:
    """Train a job's folder in this process, which is one of those that `RANK` and `WORLD_SIZE` speak of, or alone.

    Returns the exit status: 0 when the training is done or was asked to stop, 1 when it failed; the folder says why.
    Raises LoadError for what is no job.
    """
    path = Path(folder)
    job = read_job(path)
    watched = os.environ.get(PARENT)
    if watched is not None or "TORCHELASTIC_RUN_ID" in os.environ:
        end_with_parent(int(watched) if watched else os.getppid())
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    log(path, rank, f"rank {rank} of {size}, process {os.getpid()}")
    desk: Desk | None = None
    try:
        device = device_of(job.device)
        ranks = joined(rank, size, device, job.timeout)
        with Desk(path, ranks) as desk:
            try:
                ended = Part(path, job, device, ranks, desk).train()
                desk.say(ended)
            except BaseException as error:
                with suppress(OSError):  # a full disk is why, perhaps
                    desk.say("failed", error=said(error, ranks, job))
                raise
    except BaseException as error:
        log(path, rank, "".join(traceback.format_exception(error)))
        if not isinstance(error, Exception):
            raise
        if size > 1 and (watched is not None or "TORCHELASTIC_RUN_ID" in os.environ):
            os._exit(1)  # to leave in good order is to wait for processes that are gone
        return 1
    finally:
        if dist.is_initialized() and MEET in os.environ:
            with suppress(Exception):
                dist.destroy_process_group()
    log(path, rank, ended)
    return 0


def joined(rank: int, size: int, device: str, timeout: float) -> Ranks:
    """Find the other processes; none where there is one only."""
    if size == 1:
        return ALONE
    if not dist.is_initialized():  # Ray has done so already
        backend = "cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo"
        dist.init_process_group(
            backend, os.environ.get(MEET, "env://"), timeout=timedelta(seconds=timeout), rank=rank, world_size=size
        )
    return Ranks(rank, size)


def device_of(asked: str) -> str:
    """Where this process computes."""
    if asked == "cpu" or not torch.cuda.is_available():
        if asked == "cuda":
            raise ValueError("this job asks for a GPU, and torch finds none here; save it with device='cpu'")
        return "cpu"
    own = int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count()
    torch.cuda.set_device(own)
    return f"cuda:{own}"


def said(error: BaseException, ranks: Ranks, job: Job) -> str:
    """Why a job failed, for the person who looks at it."""
    text = f"{type(error).__name__}: {error}" if not isinstance(error, LoadError | ValueError) else str(error)
    if not ranks.alone and isinstance(error, RuntimeError) and not is_out_of_memory(error):
        if (
            not isinstance(error, dist.DistError | FloatingPointError)
            and "onnection" not in text
            and "imed out" not in text
        ):
            return text
        return (
            f"another of the {ranks.size} processes ended, or did not answer within {job.timeout:g} s: log/ says more "
            f"({text.splitlines()[0]:.200})"
        )
    return text


class Part:
    """One process's part of a job."""

    def __init__(self, folder: Path, job: Job, device: str, ranks: Ranks, desk: Desk) -> None:
        self._folder, self._job, self._ranks, self._desk = folder, job, ranks, desk
        batches = batches_of(folder, job, device, ranks)
        if not job.sweep:
            self._feed: Feed | None = None
            self.runs = {0: self._begun(0, fresh(folder, 0, device), batches, ranks)}
        else:
            self._feed = Feed(batches)
            own = range(len(job.runs))[ranks.rank :: ranks.size]
            self.runs = {i: self._begun(i, fresh(folder, i, device), self._feed, ALONE) for i in own}
        self._progress = {
            i: Progress(folder, job.runs[i].name, i if job.sweep else None, run.step)
            for i, run in self.runs.items()
            if job.sweep or ranks.first
        }
        self.failed: set[int] = set()
        self._saved = {i: run.step for i, run in self.runs.items()}
        self._rated = 0.0

    def _begun(self, i: int, sae: Any, batches: Any, ranks: Ranks) -> Run:
        """The run as its last checkpoint has it."""
        own = self._folder / "checkpoints" / f"{i:03}"
        resume: str | Path | None = own if any(own.iterdir()) else self._job.resume or None
        run = Run(sae, batches, self._job.runs[i].config, resume=resume if ranks.first else None, ranks=ranks)
        if not ranks.alone:  # they may see the folder later than rank 0, or only in part
            counts = torch.tensor([run.step, run.tokens, run.micro_batch or 0], dtype=torch.int64)
            ranks.same([counts, *run.tensors.values()])
            run.step, run.tokens = int(counts[0]), int(counts[1])
            run.micro_batch = int(counts[2]) or None
            run.set_adam_steps()
            if run.stream is not None:  # the others' stand where rank 0's does, as its checkpoint says
                place = [run.stream.state_dict(run.step) if ranks.first else None]
                dist.broadcast_object_list(place)
                assert place[0] is not None
                run.stream.load_state_dict(place[0])
        return run

    def train(self) -> str:
        """Until the last step, or until asked to stop: "finished" or "stopped"."""
        total = max(run.config.steps for run in self._job.runs)
        step = self._first_step()
        self._desk.say("training", step=step)
        paused = False
        while step < total:
            want, checkpoint = self._desk.hear()
            if checkpoint:
                self._save()
            if want == "stop":
                self._save()
                return "stopped"
            if (want == "pause") != paused:
                paused = not paused
                self._desk.say("paused" if paused else "training")
            if paused:
                time.sleep(REST)
                continue
            self._step(step)
            step += 1
            self._desk.note(step=step)
            if step % self._job.every == 0:
                self._save()
            self._look()
        self._save()
        return "finished"

    def _first_step(self) -> int:
        """The number of the batch with which all ranks go on: that of the run that is furthest behind."""
        steps = [run.step for run in self.runs.values()]
        own = torch.tensor(min(steps, default=max(run.config.steps for run in self._job.runs)))
        return int(self._ranks.least(own))

    def _step(self, number: int) -> None:
        """One step of each run that stands at batch `number`; all ranks take the batch, whether they need it or not."""
        if self._feed is not None:
            self._feed.take(number)
        for i, run in self.runs.items():
            if run.step != number or i in self.failed or run.step >= run.config.steps:
                continue
            try:
                found: Any = next(run)
            except (FloatingPointError, MemoryError, torch.OutOfMemoryError) as error:
                if self._feed is None:
                    raise
                found = str(error) or type(error).__name__  # the others go on
                self.failed.add(i)
            if i in self._progress:
                self._progress[i].append(found)

    def _save(self) -> None:
        """A checkpoint of each run that has moved, by the rank that writes it."""
        for i, run in self.runs.items():
            if i in self._progress and run.step > self._saved[i]:
                self._progress[i].sync()
                run.save(self._folder / "checkpoints" / f"{i:03}")
                self._saved[i] = run.step
        self._look(now=True)
        if self._saved:
            self._desk.say(self._desk.status.status, saved=max(self._saved.values()))

    def _look(self, *, now: bool = False) -> None:
        """Write how often features fire."""
        if not now and time.monotonic() - self._rated < RATES_EVERY:
            return
        self._rated = time.monotonic()
        for i, run in self.runs.items():
            if i in self._progress and run.step:
                write_rates(self._folder, i, run.firing_rates())


class Feed:
    """One stream for the runs of a rank: each batch is made once, by all ranks together."""

    def __init__(self, batches: Any) -> None:
        self._batches = batches
        self._iterator: Iterator[Any] | None = None
        self._held: tuple[int, Any] | None = None

    def take(self, number: int) -> Any:
        """Batch `number`, which comes after the one before. Raises ValueError where there is none."""
        if self._held is not None and self._held[0] == number:
            return self._held[1]
        if self._iterator is None or self._held is None or self._held[0] != number - 1:
            self._iterator = iter(self._batches.batches(start=number))
        batch = next(self._iterator, None)
        if batch is None:
            raise ValueError(f"the batches ran out after {number:,} steps")
        self._held = number, batch
        return batch

    def batches(self, start: int = 0) -> Iterator[Any]:
        """What a `Run` asks for."""
        return map(self.take, itertools.count(start))

    def __iter__(self) -> Iterator[Any]:
        return self.batches()
