"""What a training monitor follows: runs, sweeps and recorded steps as curves with a name each, and where more steps
come from.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import fields
from typing import Any

from saewidgets.frontend import payloads
from saewidgets.records import RunRecord, TrainingRecord, TrainStep
from saewidgets.records.code import model_code, opening_of
from saewidgets.widgets._jobs import JobRuns

Given = Any  # a run, a sweep, recorded steps, a TrainingRecord, or a mapping of names to any of the first three


class Track:
    """One curve: a run's name, its steps so far, and where to ask for more."""

    def __init__(self, name: Any, run: Any) -> None:
        self.name = name  # as it was given; the keys of `_tracks` are what a browser can show of it
        self.run = run
        self.steps: list[TrainStep] = []
        self.rates: Any = None
        self.failed = ""
        self.total = _length(run)
        self.facts = ""
        self.dead_window = _dead_window(run)
        self.d_in = self.d_sae = 0

    @property
    def step(self) -> int:
        """Where the run is. Who holds it may take steps beside the monitor, which its curve does not have."""
        shown = self.steps[-1].step if self.steps else 0
        own = getattr(self.run, "step", 0)
        return max(shown, own) if isinstance(own, int) else shown

    def record(self) -> RunRecord:
        return RunRecord(
            tuple(self.steps), self.rates, self.total, self.failed, self.facts, self.dead_window, self.d_in, self.d_sae
        )


def trains(run: Any) -> bool:
    """Whether something is a run, a sweep, recorded steps, a record, or a mapping to any of these, as far as its kind
    says.
    """
    if isinstance(run, TrainingRecord):
        return True
    if isinstance(run, Mapping):
        return all(trains(own) for own in run.values())
    if isinstance(run, str | bytes) or hasattr(run, "to_csv") or not isinstance(run, Iterable) or isinstance(run, type):
        return False  # a data frame can be walked over, too
    return not isinstance(run, Sequence) or all(isinstance(step, TrainStep) for step in run)


def tracks_of(run: Given) -> tuple[dict[str, Track], Iterator[Any] | None]:
    """The curves of what was given, and the iterator that makes more; None where everything is there already."""
    if isinstance(run, TrainingRecord):
        run, records = {name: own.steps for name, own in run.runs.items()}, run.runs
    else:
        records = {}
    runs = getattr(run, "runs", None)
    if isinstance(runs, Mapping):  # a sweep
        tracks = {payloads.sendable(str(name)): Track(name, own) for name, own in runs.items()}
        source: Iterator[Any] | None = iter(run)
    elif isinstance(run, Mapping):
        if not run:
            raise ValueError("no run to show: give {name: run}")
        tracks = {payloads.sendable(str(name)): Track(name, own) for name, own in run.items()}
        live = {}
        for name, track in tracks.items():
            if isinstance(track.run, Sequence):
                track.steps = list(track.run)
            else:
                live[name] = iter(track.run)
        source = _Together(live, tracks) if live else None
    else:
        tracks = {"run": Track("run", run)}
        source = iter(run)
    for track in tracks.values():
        history = getattr(track.run, "history", None)
        if isinstance(history, list) and not track.steps:
            track.steps = list(history)  # what came before a resume, or before the monitor
        if track.name in records:
            own = records[track.name]
            track.rates, track.failed, track.total, track.facts = own.rates, own.failed, own.total, own.facts
            track.dead_window, track.d_in, track.d_sae = own.dead_window, own.d_in, own.d_sae
        elif hasattr(track.run, "sae"):
            config = track.run.sae.config
            track.facts, track.d_in, track.d_sae = config.facts, config.d_in, config.d_sae
        elif isinstance(run, JobRuns):
            track.facts, track.d_in, track.d_sae = track.run.facts, track.run.d_in, track.run.d_sae
    return tracks, source


class _Together:
    """Several runs, each with batches of its own, a step of each in turn. One whose loss is not finite stops alone."""

    def __init__(self, live: Mapping[str, Iterator[TrainStep]], tracks: Mapping[str, Track]) -> None:
        self._live = dict(live)
        self._tracks = tracks

    def __iter__(self) -> _Together:
        return self

    def __next__(self) -> dict[str, TrainStep]:
        steps: dict[str, TrainStep] = {}
        for name, run in list(self._live.items()):
            try:
                step = next(run, None)
            except FloatingPointError as error:
                self._tracks[name].failed = str(error)
                if len(self._live) == 1 and not steps:
                    raise
                step = None
            if step is None:
                del self._live[name]
            else:
                steps[name] = step
        if not steps:
            raise StopIteration
        return steps

    def close(self) -> None:
        for run in self._live.values():
            if callable(close := getattr(run, "close", None)):
                close()


def _length(run: Any) -> int:
    """How many steps a run will take, 0 where it does not say."""
    if isinstance(run, Sized):
        return len(run)
    steps = getattr(getattr(run, "config", None), "steps", 0)
    return steps if isinstance(steps, int) else 0


def _dead_window(run: Any) -> int:
    """After how many tokens without firing a run calls a feature dead, 0 where it does not say."""
    window = getattr(getattr(run, "config", None), "dead_window", 0)
    return window if isinstance(window, int) else 0


def is_over(source: Any) -> bool:
    """Whether an iterator can give nothing more: a generator that has raised is over, a Run is not."""
    return inspect.isgenerator(source) and source.gi_frame is None


def code_of(tracks: Mapping[str, Track]) -> str:
    """Python that trains such runs again under a monitor; of recorded ones, that opens their record."""
    runs = {t.name: t.run for t in tracks.values() if hasattr(t.run, "config") and hasattr(t.run, "sae")}
    if not runs:
        return (
            "import saewidgets as sw\n"
            '# written by monitor.record().save("training.safetensors")\n'
            'sw.TrainingMonitor(sw.TrainingRecord.load("training.safetensors"))'
        )
    site = next(iter(runs.values())).sae.config.site
    if site is None:
        begin = "import saewidgets as sw\nstore = ...  # your batches [batch, d_in]: these SAEs read bare vectors\n"
    else:
        own = model_code(site.model_name) == model_code()
        begin = (
            f"{opening_of(site.model_name, sae=None, corpus='' if own else f'what {site.model_name} reads')}"
            f"store = sw.ActivationStore(model, sw.site(model, {site.hook_name!r}), corpus)\n"
        )
    pairs = [(name, f"sw.SAE({_written(run.sae.config)})", _written(run.config)) for name, run in runs.items()]
    if len(pairs) == 1:
        (_, sae, config) = pairs[0]
        return f"{begin}sae = {sae}\nsw.TrainingMonitor(sw.train(sae, store, {config}))"
    inside = "".join(f"    {name!r}: ({sae}, {config}),\n" for name, sae, config in pairs)
    return f"{begin}runs = {{\n{inside}}}\nsw.TrainingMonitor(sw.train_sweep(runs, store))"


def _written(config: Any) -> str:
    """A configuration as Python: its class, and the fields that are not what they are by default. A site is the
    store's.
    """
    given = {f.name: getattr(config, f.name) for f in fields(config) if getattr(config, f.name) != f.default}
    said = [f"{name}={'store.site' if name == 'site' else repr(value)}" for name, value in given.items()]
    return f"sw.{type(config).__name__}({', '.join(said)})"
