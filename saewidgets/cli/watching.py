"""A job that runs somewhere else, in a terminal."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from saewidgets.records import TrainStep
from saewidgets.records.jobs import JobFolder

LOOK = 0.3  # seconds between two looks


def watch(folder: Path) -> int:
    """Show the job in `folder` until it ends: a line that changes in a terminal, a line for each look elsewhere.

    Returns 0 where it is finished or stopped, 1 where it failed or is dead. Ctrl+C ends the looking, not the job.
    """
    job = JobFolder(folder)
    total = max(int(run["config"]["steps"]) for run in job.about["runs"])
    progress = job.progress()
    last: dict[str, TrainStep] = {}
    shown = ""
    try:
        while True:
            status = job.status()
            for name, found in progress.more():
                if isinstance(found, TrainStep):
                    last[name] = found
            said = line(status.status, last, total)
            if said != shown:
                print(
                    f"\r{said:<{len(shown)}}" if sys.stdout.isatty() else said,
                    end="" if sys.stdout.isatty() else "\n",
                    flush=True,
                )
                shown = said
            if status.over:
                print(f"\n{status.error}" if status.error else "", flush=True)
                return 0 if status.status in ("finished", "stopped") else 1
            time.sleep(LOOK)
    except KeyboardInterrupt:
        print("\nThe job goes on; only the looking has ended.")
        return 0


def line(status: str, last: dict[str, TrainStep], total: int) -> str:
    """What is to be seen of a job in one line.

    Example:
        >>> line("training", {"run": TrainStep(5, 320, 2.0, 0.25, 8.0, 0.0, 1e-3)}, 10)
        'training  step 5 of 10  320 tokens  FVU 0.25  L0 8'
    """
    if not last:
        return f"{status}  step 0 of {total:,}"
    step = max(last.values(), key=lambda found: found.step)
    runs = f"{len(last)} runs, best " if len(last) > 1 else ""
    fvu = min(found.fvu for found in last.values())
    l0 = f"  L0 {step.l0:.3g}" if len(last) == 1 else ""
    return f"{status}  step {step.step:,} of {total:,}  {step.tokens:,} tokens  {runs}FVU {fvu:.3g}{l0}"
