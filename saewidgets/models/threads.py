"""Whether torch's threads stand in each other's way, as they do where other processes want the same cores."""

from __future__ import annotations

import threading
import time
import warnings

import torch

ROWS, WIDTH = 64, 576  # of the product that is timed: 42 million operations, as of a small model's layer
QUICK = 3e-3  # seconds in which one thread does it on any machine of the last ten years
SLOWER = 10.0  # times, from which it is said

_clock = time.perf_counter
_lock = threading.Lock()
checked = False  # once a process


def check_threads() -> None:
    """Warn, once a process, if small products are far slower with the threads that torch has than with one.

    Threads of one product wait for each other at its end. Where a core is busy with something else, that takes a time
    slice of the system, many times the product itself. Measured, in a few milliseconds where all is well; where torch
    has one thread, there is nothing to measure.
    """
    global checked
    with _lock:
        if checked:
            return
        checked = True
    now = torch.get_num_threads()
    if now < 2:
        return
    together = _seconds()
    if together <= QUICK:
        return
    alone = _alone(now)
    if together > SLOWER * alone:
        warnings.warn(
            f"with torch's {now} threads small products take {together / alone:.0f} times as long as with one, since this machine "
            "is busy: torch.set_num_threads(1) at the top, or OMP_NUM_THREADS=1 in the environment, cures it",
            stacklevel=3,
        )


def _seconds() -> float:
    """The median time of one product of three, after a first one that does not count."""
    a, b = torch.ones(ROWS, WIDTH), torch.ones(WIDTH, WIDTH)
    times = []
    for _ in range(4):
        begun = _clock()
        a @ b
        times.append(_clock() - begun)
    return sorted(times[1:])[1]


def _alone(now: int) -> float:
    """The same with one thread: in a thread of its own, since the number is each thread's own and others must keep
    theirs.
    """
    found = []

    def measure() -> None:
        torch.set_num_threads(1)
        try:
            found.append(_seconds())
        finally:
            torch.set_num_threads(now)  # what threads that begin later take over

    thread = threading.Thread(target=measure)
    thread.start()
    thread.join()
    return found[0]
