"""TrainingMonitor: watch a training run, pause it, resume it, stop it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Any

import pandas as pd
import traitlets

from saewidgets.frontend import css, esm, payload
from saewidgets.records import TrainStep
from saewidgets.widgets._base import Instrument
from saewidgets.widgets._live import Live, Ticket

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

INTERVAL = 0.1  # seconds between two updates of the curves


class TrainingMonitor(Instrument):
    """Start, pause, resume and stop a run, with live curves of loss, unexplained variance, L0 and dead features.

    The run is an iterator and nothing more: the monitor pulls the next step in a worker, so the kernel stays free, and to
    pause is not to pull. What has been measured is in `steps` and `to_dataframe()` at any time.

    Args:
        run: an iterator of TrainStep, e.g. `train(sae, store, config)`; or recorded steps.
        total: how many steps there will be, for the progress bar; read off the run where it says so.

    Example:
        >>> monitor = TrainingMonitor(train(sae, store, TrainConfig(steps=500)))  # doctest: +SKIP
        >>> monitor.start(); monitor.wait(); monitor.to_dataframe().tail()  # doctest: +SKIP
    """

    _esm = esm("training")
    _css = css()
    _instrument = "training"
    _carried = ("status", "total", "_points")

    status = traitlets.Enum(("ready", "training", "paused", "finished", "stopped", "error"), "ready").tag(sync=True)
    total = traitlets.Int(0, help="Steps that the run will take; 0 where that is not known.").tag(sync=True)
    _live: Live
    _points: traitlets.List[Any] = traitlets.List().tag(sync=True)

    def __init__(self, run: Iterable[TrainStep], *, total: int | None = None) -> None:
        self.run = run
        self.steps: list[TrainStep] = []  # every step so far
        self._iterator: Iterator[TrainStep] = iter(run)
        self._sent = 0.0
        self._live = Live(self)
        super().__init__(total=_length(run) if total is None else total)

    def start(self) -> None:
        """Begin, or go on after a pause; returns at once."""
        if self.status in ("ready", "paused"):
            self.error = ""
            self.status = "training"
            self._live.submit(TrainingMonitor._step)

    def pause(self) -> None:
        """Take no further step; `start` goes on from here."""
        if self.status == "training":
            self._live.stop()
            self.status = "paused"

    def stop(self) -> None:
        """End the run for good, so that it can free what it holds. The SAE keeps what it has learned."""
        if self.status in ("ready", "training", "paused"):
            self._live.stop()
            self.status = "stopped"
            self._live.submit(TrainingMonitor._end)

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the run ends or pauses; False where `timeout` seconds did not suffice. Raises what went wrong."""
        finished = self._live.wait(timeout)
        self.check()
        return finished

    def to_dataframe(self) -> pd.DataFrame:
        """One row a step: step, tokens, loss, fvu, l0, dead, lr."""
        return pd.DataFrame(list(self.steps), columns=list(TrainStep.__dataclass_fields__))

    @property
    def figure(self) -> Figure:
        """The four curves as a plain Plotly figure."""
        from saewidgets.views import training_curves

        return training_curves(self.steps)

    def _step(self, ticket: Ticket) -> float | None:
        """Pull one step; show the curves if the last update is long enough ago."""
        step = next(self._iterator, None)
        if step is not None:
            self.steps.append(step)
        if step is None or time.monotonic() - self._sent >= INTERVAL:
            self._publish()
            ticket.shown = True
        if step is not None:
            return 0.0
        with self._guard:
            if not ticket.cancelled:
                self.status = "finished"
        return None

    def _end(self, ticket: Ticket) -> None:
        """Close the run, after the step that was under way."""
        close = getattr(self._iterator, "close", None)
        if close is not None:
            close()

    def _dropped(self, ticket: Ticket) -> None:
        self._publish()

    def _failed(self, error: BaseException) -> None:
        with self._guard:
            if self._live.busy:
                self.status = "error"
            super()._failed(error)
        self._publish()

    def _publish(self) -> None:
        with self._guard:
            self._sent = time.monotonic()
            self._points = payload.curve(self.steps)

    def _message(self, kind: str) -> None:
        actions = {"start": self.start, "pause": self.pause, "stop": self.stop}
        if kind not in actions:
            raise ValueError(f"a message of an unknown kind: {kind!r:.80}")
        actions[kind]()

    def _summary(self) -> dict[str, Any]:
        return {"status": self.status, "steps": len(self.steps)}

    def _fallback(self) -> str:
        last = self.steps[-1:]
        return pd.DataFrame(last, columns=list(TrainStep.__dataclass_fields__)).to_html(index=False)


def _length(run: Iterable[TrainStep]) -> int:
    """How many steps a run will take, 0 where it does not say."""
    if isinstance(run, Sized):
        return len(run)
    steps = getattr(getattr(run, "config", None), "steps", 0)
    return steps if isinstance(steps, int) else 0
