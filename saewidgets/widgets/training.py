"""TrainingMonitor: watch a training run or several, pause, resume, stop and keep what was learned."""

from __future__ import annotations

import errno
import math
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import traitlets

from saewidgets.frontend import css, esm, payloads
from saewidgets.frontend.payloads import settable
from saewidgets.languages import retold, said
from saewidgets.records import TrainingRecord, TrainStep, steps_frame
from saewidgets.records.arguments import expect
from saewidgets.records.jobs import JobFolder, take
from saewidgets.records.states import TrainingState
from saewidgets.widgets import _cells
from saewidgets.widgets._base import Instrument
from saewidgets.widgets._jobs import IDLE, LOOK, SHOWN, Follower, JobRuns
from saewidgets.widgets._live import Live, Ticket
from saewidgets.widgets._tracks import Given, code_of, is_over, tracks_of, trains
from saewidgets.widgets._traits import Whole

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

INTERVAL = 0.1  # seconds between two updates of one run's curves; more where there are many runs
RATES_INTERVAL = 0.5  # seconds between two looks at how often each feature fires
SPEED_WINDOW = 64  # steps over which the speed is measured
PATIENCE = 2.0  # seconds that an interrupted cell waits for the step under way
POINTS = 400  # of a curve; shared by the runs


class TrainingMonitor(Instrument):
    """Start, pause, resume and stop a training, with live curves; several runs, or a sweep, side by side.

    Shown are loss, unexplained variance, L0, dead features, learning rate, the sparsity coefficient, how often the
    features fire, tokens a second and the time left; of several runs also the frontier of unexplained variance against
    L0 as it forms, and of several sizes unexplained variance against compute with its power law, and by learning rate.

    A run is an iterator and nothing more: the monitor pulls the next step in a worker, so the kernel stays free, and to
    pause is not to pull. `stop` keeps the SAE as it is after the last whole step; it can be used at once. An error is
    shown in the instrument and raised by `wait` and `check`; where a run can go on, as after a full disk, `start` goes
    on.

    A run in other processes, `train(..., on=sw.Processes(8))`, is shown, paused and stopped in the same way, and so is one
    that somebody began elsewhere: `TrainingMonitor.attach(folder)`.

    Args:
        run: `train(...)`, `train_sweep(...)`, any iterator of TrainStep; recorded steps; a TrainingRecord; or a mapping
            of names to runs and recorded steps, to compare them.
        total: how many steps there will be, for the progress bar; read off the run where it says so.
        checkpoint: a file (of a sweep: a folder) that `run.save` writes to, every `every` steps, and when the run ends
            or is stopped; a folder that is there keeps the last two of a run. If the disk refuses, the banner says so,
            the old checkpoint stands, and the training goes on.
        every: steps between two checkpoints.

    Example:
        >>> monitor = TrainingMonitor(train(sae, store, TrainConfig(steps=500)))  # doctest: +SKIP
        >>> monitor.start(); monitor.wait(); monitor.to_dataframe().tail()  # doctest: +SKIP
    """

    _esm = esm("training")
    _css = css("training")
    _instrument = "training"
    _states = TrainingState
    _carried = ("status", "total", "selected", "_runs", "_speed")

    status = traitlets.Enum(("ready", "training", "paused", "finished", "stopped", "error"), "ready").tag(sync=True)
    total = Whole(0, help="Steps that the run will take; 0 where that is not known.").tag(sync=True)
    selected = traitlets.Unicode("", help="Name of the run in front; the others are drawn faint.").tag(sync=True)
    _live: Live
    _runs: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _speed: traitlets.List[Any] = traitlets.List().tag(sync=True)  # [tokens a second, seconds left or None]
    _again = traitlets.Bool(False).tag(sync=True)  # after an error: whether the run can go on

    def __init__(
        self,
        run: Given,
        *,
        total: int | None = None,
        checkpoint: str | Path | None = None,
        every: int = 500,
    ) -> None:
        if every < 1:
            raise ValueError(f"every must be 1 step or more, not {every}")
        expect(
            run,
            trains(run),
            "run",
            "TrainingMonitor",
            "give a run, sw.TrainingMonitor(sw.train(sae, store, sw.TrainConfig(steps=1000))), its steps, or a TrainingRecord",
        )
        self.run = run
        self._tracks, self._source = tracks_of(run)
        if checkpoint is not None and not callable(getattr(run, "save", None)):
            raise ValueError(f"a checkpoint needs a run that can save itself; {type(run).__name__} cannot")
        self._checkpoint, self._every = checkpoint, every
        self._pulls = max(len(track.steps) for track in self._tracks.values()) if self._source is not None else 0
        self._saved_at = self._pulls  # when a checkpoint was last tried
        self._kept_at = 0  # when one was last written
        self._sent = self._looked = 0.0
        self._times: deque[tuple[float, int, int]] = deque(maxlen=SPEED_WINDOW)  # (when, pulls, tokens)
        self._live = Live(self)
        self._job = Follower(run) if isinstance(getattr(run, "job", None), JobFolder) else None
        recorded = self._source is None
        if total is None:
            total = max(track.total for track in self._tracks.values())
        super().__init__(total=total, status="finished" if recorded else "ready", selected=next(iter(self._tracks)))
        self._publish(final=True)
        # With the first step one sees how often features fire: the charts are all there from then on.
        self._looked = 0.0
        if self._job is not None and self._job.attached:
            self._look_on(None)  # what is there already is to be seen at once
            self._live.submit(TrainingMonitor._look_on)

    @classmethod
    def attach(cls, folder: str | Path) -> TrainingMonitor:
        """Show a job that `sw.save_job` wrote, wherever it runs, from any process that sees its folder; while it runs, before
        or after.

        Start, pause and stop are what the job is asked for, and `checkpoint()` has it save one. Every step is shown once, also
        those before. Where the job gives no sign of life, it says so.

        Raises LoadError if there is no job in the folder.

        Example:
            >>> sw.TrainingMonitor.attach("runs/l12")  # doctest: +SKIP
        """
        return cls(JobRuns(folder))

    # -- what it has measured ----------------------------------------------------------------------------------------

    @property
    def steps(self) -> list[TrainStep]:
        """Every step so far of the selected run."""
        return self._tracks[self.selected].steps

    @property
    def names(self) -> tuple[str, ...]:
        """The runs."""
        return tuple(self._tracks)

    def record(self) -> TrainingRecord:
        """Everything measured so far, to save; a monitor opens it again without the run, the model and torch."""
        return TrainingRecord({name: track.record() for name, track in self._tracks.items()})

    @property
    def data(self) -> TrainingRecord:
        """Everything measured so far, `record()`."""
        return self.record()

    def to_dataframe(self) -> pd.DataFrame:
        """One row per step: the numbers of a TrainStep, and the parts of the loss; of several runs, the run's name
        first.
        """
        if len(self._tracks) == 1:
            return steps_frame(self.steps)
        return self.record().to_dataframe()

    def to_code(self) -> str:
        """Python that trains such runs again under a monitor, to paste in a cell; of recorded ones, that opens their
        record.

        The corpus and weights that a run began with are not known here: on the bundled model its corpus stands for the
        first.
        """
        if self._job is not None and self._job.attached:
            return f"import saewidgets as sw\nsw.TrainingMonitor.attach({str(self._job.job.path)!r})"
        return code_of(self._tracks)

    @property
    def figure(self) -> Figure:
        """The four main curves as a plain Plotly figure."""
        from saewidgets.views import training_curves

        return training_curves({name: track.steps for name, track in self._tracks.items()})

    @property
    def frontier(self) -> Figure:
        """Unexplained variance against L0, one point a run, as a plain Plotly figure."""
        from saewidgets.views import sweep_frontier

        return sweep_frontier(self.record())

    # -- what a person does ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin, or go on after a pause or an error that the run survived; returns at once."""
        if self._job is not None:
            self._times.clear()
            self.error = self._job.start()
            if not self._job.attached:
                self.status = "training"
                self._live.submit(TrainingMonitor._look_on)
            return
        if self._source is not None and (
            self.status in ("ready", "paused") or (self.status == "error" and self._again)
        ):
            self.error = ""
            self._again = False
            self._times.clear()
            self.status = "training"
            self._live.submit(TrainingMonitor._step)

    def pause(self) -> None:
        """Take no further step; `start` goes on from here."""
        if self._job is not None:
            if self.status == "training":
                self._job.job.ask("pause")
        elif self.status == "training":
            self._live.stop()
            self.status = "paused"

    def stop(self) -> None:
        """End the run for good and keep what it has learned: the SAE stays as it is, and can be used at once."""
        if self._job is not None:
            if not self._job.job.status().over:
                self._job.job.ask("stop")
        elif self.status in ("ready", "training", "paused") or (self.status == "error" and self._again):
            self._live.stop()
            self._again = False
            self.status = "stopped"
            self._live.submit(TrainingMonitor._end)

    def checkpoint(self) -> None:
        """Have a checkpoint written now: of a job after its present step, else to the monitor's `checkpoint`.

        Raises ValueError where there is nowhere to write it.
        """
        if self._job is not None:
            self._job.job.ask_checkpoint()
        elif self._checkpoint is None:
            raise ValueError("there is nowhere to write it: give TrainingMonitor(run, checkpoint='run.safetensors')")
        else:
            self._saved_at = self._pulls - self._every  # due with the next step
            if self.status != "training":
                self._save()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the run ends or pauses; False where `timeout` seconds did not suffice. Raises what went wrong.

        An interrupted cell pauses the run: the step under way is finished first, and `start` goes on from there. A job that
        was attached to goes on; only the waiting ends.
        """
        try:
            finished = self._live.wait(timeout) if self._job is None else self._wait_for_job(timeout)
        except KeyboardInterrupt as stop:
            if self._job is not None and self._job.attached:
                raise
            self.pause()
            self._live.wait(PATIENCE)
            if self.status == "paused":
                self._tell(stop)
            raise
        self.check()
        return finished

    def _tell(self, stop: KeyboardInterrupt) -> None:
        """Have an interrupted cell say where the run paused, in one line. It stays an interrupt: cells after it must
        not run.
        """
        done = max(track.step for track in self._tracks.values())
        where = f"step {done:,} of {self.total:,}" if self.total else f"step {done:,}"
        cell = _cells.now()
        made_here = cell is not None and cell[0] == self._made_in  # to run that again would begin anew
        on = "Press Start" if made_here else "Run the cell again"
        line = f"Paused at {where}. {on} to go on."
        stop.args = (line,)
        stop._render_traceback_ = lambda: [line]  # type: ignore[attr-defined]  # what IPython shows in place of a traceback

    # -- in the worker -----------------------------------------------------------------------------------------------

    def _step(self, ticket: Ticket) -> float | None:
        """Pull one step; show the curves if the last update is long enough ago."""
        assert self._source is not None
        found = next(self._source, None)
        if found is not None:
            self._take(found)
        if found is None or time.monotonic() - self._sent >= INTERVAL * max(1.0, len(self._tracks) / 3):
            self._publish(final=found is None)
            ticket.shown = True
        if found is not None:
            if self._checkpoint is not None and self._pulls - self._saved_at >= self._every:
                self._save()
            return 0.0
        self._save()
        with self._guard:
            if not ticket.cancelled:
                self.status = "finished"
        return None

    def _look_on(self, ticket: Ticket | None) -> float | None:
        """Look what a job in other processes has done since."""
        assert self._job is not None
        found, said, over = self._job.look()
        for name, step in found:
            track = self._tracks[payloads.sendable(name)]
            if isinstance(step, str):
                track.failed = step
            else:
                take(track.steps, step)
        steps = max((track.steps for track in self._tracks.values()), key=len)
        moved = len(steps) > self._pulls
        self._pulls = len(steps)
        if moved:
            self._times.append((time.monotonic(), self._pulls, steps[-1].tokens))
        status = SHOWN[said.status]
        if found or (over and status != self.status):
            self._publish(final=over)
        with self._guard:
            if not over and not self._job.attached and ticket is not None and status != "paused":
                status = "training"  # its processes are being started, or have not given the SAE its weights yet
            if said.error and said.error != self.error:
                self.error, self._exception = said.error, RuntimeError(said.error)
            elif self.error and status in ("training", "paused"):
                self.error = ""
            if self.status != status:
                self.status = status
        if not over:
            return LOOK
        return IDLE if self._job.attached else None  # somebody may start it again

    def _wait_for_job(self, timeout: float | None) -> bool:
        """Until a job ends or pauses, and what it did before is taken."""
        until = math.inf if timeout is None else time.monotonic() + timeout
        while self._live.busy and self.status not in ("paused", "finished", "stopped", "error"):
            if time.monotonic() > until:
                return False
            time.sleep(LOOK / 5)
        return True

    def _take(self, found: TrainStep | Mapping[str, TrainStep]) -> None:
        """Note one step of each run that made one."""
        steps = found if isinstance(found, Mapping) else {"run": found}
        for name, step in steps.items():
            self._tracks[payloads.sendable(str(name))].steps.append(step)
        self._pulls += 1
        tokens = max(step.tokens for step in steps.values()) if steps else 0
        self._times.append((time.monotonic(), self._pulls, tokens))

    def _end(self, ticket: Ticket) -> None:
        """Close the run, after the step that was under way."""
        close = getattr(self._source, "close", None)
        if close is not None:
            close()
        self._save()
        self._publish(final=True)

    def _save(self) -> None:
        """A checkpoint. A disk that refuses must not end a training."""
        if self._checkpoint is None or self._pulls == self._saved_at:
            return
        try:
            self.run.save(self._checkpoint)
            self._kept_at = self._pulls
        except OSError as error:
            words = said("the disk is full") if error.errno == errno.ENOSPC else (error.strerror or str(error))
            stands = said("There is none yet")
            if self._kept_at:
                stands = said("That of step {step:,} stands", step=self._kept_at)
            with self._guard:
                self.error = said(
                    "No checkpoint at step {step:,}: {words}. {stands}; the training itself goes on in memory. "
                    "Free some space: the next try is {every:,} steps on.",
                    step=self._pulls,
                    words=words,
                    stands=stands,
                    every=self._every,
                )
        self._saved_at = self._pulls

    def _dropped(self, ticket: Ticket) -> None:
        self._publish(final=True)

    def _failed(self, error: BaseException) -> None:
        with self._guard:
            if self._live.busy:
                self._again = not is_over(self._source)
                self.status = "error"
            super()._failed(error)
            advice = _advice(error)
            if advice:
                kept = said(" The SAE keeps the weights of step {step:,}.", step=self._pulls) if self._pulls else ""
                self.error = f"{advice}{kept}"
        self._publish(final=True)

    def _publish(self, *, final: bool = False) -> None:
        """Send what there is to see; `final`: nothing may come after it for a while."""
        now = time.monotonic()
        if final or now - self._looked >= RATES_INTERVAL:
            self._look()
        table = self.record().frontier()
        most = max(60, POINTS // len(self._tracks))
        runs = []
        for (name, track), row in zip(self._tracks.items(), table.to_dict("records"), strict=True):
            runs.append(
                {
                    "name": name,
                    "facts": retold(track.facts),
                    "failed": retold(track.failed),
                    "total": track.total,
                    "dead_window": track.dead_window,
                    "d_in": track.d_in,
                    "d_sae": track.d_sae,
                    "points": payloads.curve(track.steps, most),
                    "l0": payloads.number(row["l0"]),
                    "fvu": payloads.number(row["fvu"]),
                    "front": bool(row["on_front"]),
                    "density": payloads.density(track.rates),
                }
            )
        with self._guard, self.hold_sync():
            self._sent = now
            self._runs = runs
            self._speed = self._measured_speed()

    def _look(self) -> None:
        """How often each feature fires, and which runs of a sweep have failed."""
        self._looked = time.monotonic()
        failed = getattr(self.run, "failed", {})
        for track in self._tracks.values():
            rates = getattr(track.run, "firing_rates", None)
            if callable(rates) and track.steps:
                track.rates = rates()
            track.failed = failed.get(track.name, track.failed)
            doubt = getattr(track.run, "doubt", "")
            if isinstance(doubt, str) and doubt and not self.error:
                self.error = doubt

    def _measured_speed(self) -> list[float | int | None]:
        """[tokens a second, seconds left], over the last steps."""
        if len(self._times) < 2:
            return []
        (first, pulls, tokens), (last, now_pulls, now_tokens) = self._times[0], self._times[-1]
        if last <= first:
            return []
        a_second = (now_pulls - pulls) / (last - first)
        done = max(track.step for track in self._tracks.values())
        left = (self.total - done) / a_second if self.total and a_second else math.nan
        return [payloads.number((now_tokens - tokens) / (last - first)), payloads.number(max(0.0, left))]

    # -- messages ----------------------------------------------------------------------------------------------------

    @traitlets.validate("selected")
    def _known(self, proposal: Any) -> str:
        if proposal["value"] not in self._tracks:
            raise traitlets.TraitError(
                f"there is no run {proposal['value']!r:.80}; there are {', '.join(self._tracks)}"
            )
        return str(proposal["value"])

    def _message(self, kind: str) -> None:
        actions = {"start": self.start, "pause": self.pause, "stop": self.stop}
        if kind not in actions:
            raise ValueError(f"a message of an unknown kind: {kind!r:.80}")
        actions[kind]()

    def _links(self) -> dict[str, settable.Allowed]:
        return {"selected": settable.one_of(self._tracks)}

    def _summary(self) -> dict[str, Any]:
        several = {"runs": len(self._tracks)} if len(self._tracks) > 1 else {}
        return {"status": self.status, "steps": max(len(t.steps) for t in self._tracks.values()), **several}

    def _fallback(self) -> str:
        rows = []
        for name, track in self._tracks.items():
            last = steps_frame(track.steps[-1:])
            rows.append(last.assign(run=name) if len(self._tracks) > 1 else last)
        value: str = pd.concat(rows).to_html(index=False)
        return value


def _advice(error: BaseException) -> str:
    """What to do, for the errors that have an answer; "" for the rest, whose own words are shown."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        first = str(error).strip().split("\n")[0].rstrip(".") or said("no more memory")
        return said(
            "Out of memory: {first:.160}. Make the store's batch_size smaller (the sizes of the SAE and of Adam's moments stay), "
            "or train fewer features; then go on from a checkpoint, or press the button to try again.",
            first=first,
        )
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return said("The disk is full. Free some space, then press the button: the run goes on where it stood.")
    return ""
