"""Work that goes on while the kernel stays free: one worker, the newest job wins, and nothing is kept alive by it.

A job is a function that does one small step, is called until it says that it is done, and may be dropped between two
steps. The worker holds its owner by a weak reference and only during a step, so an instrument that nobody holds any
more ends its own work. The thread starts with the first job and leaves when it has had nothing to do for a moment, and
when the interpreter ends, which waits for the step that runs.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

LINGER = 1.0  # seconds that an idle thread waits for the next job
PATIENCE = 10.0  # seconds that the end of the interpreter waits for the steps that run


class Owner(Protocol):
    """What a worker asks of the object that it works for."""

    def _failed(self, error: Exception) -> None: ...

    def _dropped(self, ticket: Ticket) -> None: ...


class Ticket:
    """One job's place in line."""

    def __init__(self, shared: _Shared, request: Any) -> None:
        self.request = request  # whatever the job needs; only its steps touch it
        self.shown = False  # the job sets it once the person has seen something of it
        self._stop = False
        self._shared = shared

    @property
    def replaced(self) -> bool:
        """A newer job is waiting."""
        return self._shared.pending is not None

    @property
    def cancelled(self) -> bool:
        """The job must end now. A newer job ends this one only after it has shown something: otherwise a person who
        drags a slider would see nothing until the slider rests.
        """
        return self._stop or (self.shown and self.replaced)


Step = Callable[[Any, Ticket], float | None]  # (owner, ticket) -> seconds to wait before the next step; None: done


@dataclass
class _Job:
    step: Step
    ticket: Ticket
    context: contextvars.Context  # of the event that asked: ipykernel routes messages of a thread by it


class _Shared:
    """What the thread and the `Live` share. The thread never holds the `Live`, or its owner, itself."""

    def __init__(self, owner: Owner) -> None:
        self.owner = weakref.ref(owner)
        self.wake = threading.Condition()
        self.pending: _Job | None = None
        self.current: Ticket | None = None
        self.running = False  # a thread or a task is there to take the next job
        self.closed = False


class Live:
    """A worker for one owner.

    Example:
        >>> live = Live(panel)  # doctest: +SKIP
        >>> live.submit(Panel._step, request)  # replaces the job that is running  # doctest: +SKIP
    """

    def __init__(self, owner: Owner) -> None:
        self._shared = _Shared(owner)
        weakref.finalize(self, _close, self._shared)

    def submit(self, step: Step, request: Any = None) -> None:
        """Run `step(owner, ticket)` again and again until it returns None. The job before it ends as soon as it may."""
        shared = self._shared
        with shared.wake:
            if shared.closed:
                return
            shared.pending = _Job(step, Ticket(shared, request), contextvars.copy_context())
            shared.wake.notify_all()
            if shared.running:
                return
            shared.running = True
        try:
            thread = threading.Thread(target=_work, args=(shared,), name="saewidgets-live", daemon=True)
            _THREADS[thread] = shared
            thread.start()
        except RuntimeError:  # no threads here (Pyodide): take turns with the event loop instead
            _TASKS.add(task := asyncio.ensure_future(_work_async(shared)))
            task.add_done_callback(_TASKS.discard)

    def stop(self) -> None:
        """End the running job after its present step, and forget the one that waits."""
        with self._shared.wake:
            self._shared.pending = None
            if self._shared.current is not None:
                self._shared.current._stop = True
            self._shared.wake.notify_all()

    def close(self) -> None:
        """Stop, and let the thread go."""
        _close(self._shared)

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits."""
        return self._shared.pending is not None or self._shared.current is not None

    def wait(self, timeout: float | None = None) -> bool:
        """Block until no job runs or waits; False where `timeout` seconds did not suffice."""
        with self._shared.wake:
            return self._shared.wake.wait_for(lambda: not self.busy, timeout)


_TASKS: set[asyncio.Future[None]] = set()  # an event loop holds its tasks only weakly
# Python holds those that run.
_THREADS: weakref.WeakKeyDictionary[threading.Thread, _Shared] = weakref.WeakKeyDictionary()


def _close(shared: _Shared) -> None:
    with shared.wake:
        shared.closed = True
        shared.pending = None
        if shared.current is not None:
            shared.current._stop = True
        shared.wake.notify_all()


@atexit.register
def _end() -> None:
    """Let every thread go while there is still an interpreter.

    Python ends a daemon thread where it next asks for the interpreter's lock. In the middle of a torch operation that
    unwinds C++ code which must not be unwound, and the process aborts.
    """
    running = list(_THREADS.items())
    for _, shared in running:
        _close(shared)
    until = time.monotonic() + PATIENCE
    for thread, _ in running:
        thread.join(max(0.0, until - time.monotonic()))


def _take(shared: _Shared, *, linger: float) -> _Job | None:
    """The next job, or None when the worker should leave."""
    with shared.wake:
        shared.wake.wait_for(lambda: shared.pending is not None or shared.closed, linger)
        job, shared.pending = shared.pending, None
        if job is None or shared.closed:
            shared.running = False
            return None
        shared.current = job.ticket
        return job


def _rest(shared: _Shared, ticket: Ticket, seconds: float) -> None:
    with shared.wake:
        shared.wake.wait_for(lambda: ticket.cancelled, seconds)


def _done(shared: _Shared) -> None:
    with shared.wake:
        shared.current = None
        shared.wake.notify_all()


def _one_step(shared: _Shared, job: _Job) -> float | None:
    """One step of a job; None when it is over, for whatever reason."""
    owner = shared.owner()
    if owner is None:
        return None
    try:
        if job.ticket.cancelled:
            owner._dropped(job.ticket)
            return None
        return job.step(owner, job.ticket)
    except Exception as error:
        owner._failed(error)
        return None


def _work(shared: _Shared) -> None:
    while (job := _take(shared, linger=LINGER)) is not None:
        while (pause := job.context.run(_one_step, shared, job)) is not None:
            if pause > 0:
                _rest(shared, job.ticket, pause)
        _done(shared)
        del job  # what it holds must not wait for the next one


async def _work_async(shared: _Shared) -> None:
    while (job := _take(shared, linger=0)) is not None:
        while (pause := job.context.run(_one_step, shared, job)) is not None:
            until = time.monotonic() + pause
            await asyncio.sleep(0)
            while time.monotonic() < until and not job.ticket.cancelled:
                await asyncio.sleep(0.01)
        _done(shared)
