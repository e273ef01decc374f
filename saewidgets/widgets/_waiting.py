"""What an instrument says and does while its source has to wait for somebody else's hooks on the model."""

from __future__ import annotations

import time
from typing import Any

import traitlets

from saewidgets.widgets._base import Instrument
from saewidgets.widgets._live import Ticket

LOOK = 0.25  # seconds that a step waits before it says so and makes room for a newer job
STUCK = 2.0  # seconds after which somebody who waits for the worker is told that the worker waits for him


class Waiting(Instrument):
    """An instrument with a worker whose source may have a method `waiting(seconds)`: why it must wait, or "" (see
    `Steerer`).
    """

    waiting = traitlets.Unicode().tag(sync=True)  # what the worker waits for, while it does
    source: Any

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the worker is done; False where `timeout` seconds did not suffice. Raises what went wrong, and
        RuntimeError where the worker itself waits for hooks that this very thread holds on the model.
        """
        assert self._live is not None
        end = None if timeout is None else time.monotonic() + timeout
        stuck = 0.0
        while not self._live.wait(LOOK if end is None else max(0.0, min(LOOK, end - time.monotonic()))):
            if end is not None and time.monotonic() >= end:
                self.check()
                return False
            stuck = stuck + LOOK if self.waiting and not self._why(0.0) else 0.0  # this thread has nothing to wait for
            if stuck >= STUCK:
                raise RuntimeError(
                    f"the {self._instrument} instrument cannot go on while this thread waits for it: {self.waiting}"
                )
        self.check()
        return True

    def _held_up(self, ticket: Ticket) -> bool:
        """Whether a step must be put off; says so."""
        why = self._why(LOOK)
        with self._guard:
            said = "" if ticket.cancelled else why
            if said != self.waiting:
                self.waiting = said
        return bool(why)

    def _why(self, seconds: float) -> str:
        ask = getattr(self.source, "waiting", None)
        return str(ask(seconds)) if callable(ask) else ""
