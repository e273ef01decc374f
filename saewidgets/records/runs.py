"""Finished and half-finished trainings, to look at without the machine that made them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from saewidgets.files import LoadError, parse_json, read_tensors, write_tensors
from saewidgets.records import typed
from saewidgets.records.features import Histogram
from saewidgets.records.tables import frame, sayable
from saewidgets.records.training import TrainStep

# The numbers of a step that a file keeps, in its order.
NUMBERS = tuple(name for name in TrainStep.__dataclass_fields__ if name != "parts")
_NEEDED = tuple(name for name in NUMBERS if TrainStep.__dataclass_fields__[name].default is MISSING)
LOWEST_RATE, BINS_A_DECADE = -6, 4  # of a density histogram: from one token in a million


@dataclass(frozen=True, eq=False)
class RunRecord:
    """One training: its steps, and how often each feature fired at the end of them."""

    steps: tuple[TrainStep, ...]
    # float64 [d_sae], share of recent tokens at which each feature fired; None: not known.
    rates: np.ndarray | None = None
    total: int = 0  # steps that it was to take; 0: not known
    failed: str = ""  # why it stopped before its end
    facts: str = ""  # what was trained, in a few words: "topk, 512 features, k = 12"
    dead_window: int = 0  # tokens without firing after which a feature counts as dead in `TrainStep.dead`; 0: not known
    d_in: int = 0  # width of what it reads; 0: not known
    d_sae: int = 0  # its features; 0: not known


@dataclass(frozen=True, eq=False)
class TrainingRecord:
    """Trainings by name, in one safetensors file.

    Example:
        >>> record = TrainingRecord({"small": RunRecord((TrainStep(1, 10, 2.0, 0.5, 3.0, 0.0, 1e-3),))})
        >>> record.frontier()[["run", "l0", "fvu", "on_front"]].values.tolist()
        [['small', 3.0, 0.5, True]]
    """

    runs: Mapping[str, RunRecord] = field(default_factory=dict)

    def to_dataframe(self) -> pd.DataFrame:
        """One row a run and step: run, and the numbers of a TrainStep."""
        frames = [steps_frame(run.steps).assign(run=sayable(name)) for name, run in self.runs.items()]
        table = pd.concat(frames, ignore_index=True) if frames else steps_frame(()).assign(run=None)
        return table[["run", *(column for column in table.columns if column != "run")]]

    def frontier(self) -> pd.DataFrame:
        """One row a run: run, l0 and fvu (`settled`), step, failed, and on_front: whether no other run is at least as
        good in both and better in one. A run that failed is on no front.
        """
        rows = []
        for name, run in self.runs.items():
            l0, fvu = settled(run.steps)
            rows.append((name, l0, fvu, run.steps[-1].step if run.steps else 0, run.failed))
        table = frame(rows, columns=["run", "l0", "fvu", "step", "failed"])
        table["on_front"] = pareto(table["l0"].where(table["failed"] == "").tolist(), table["fvu"].tolist())
        return table

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, atomically."""
        tensors: dict[str, np.ndarray] = {}
        described = []
        for i, (name, run) in enumerate(self.runs.items()):
            parts = list(dict.fromkeys(name for step in run.steps for name in step.parts))
            rows = [_row(step, parts) for step in run.steps]
            tensors[f"steps.{i}"] = _bits(rows, len(NUMBERS) + len(parts))
            if run.rates is not None:
                tensors[f"rates.{i}"] = _bits(np.asarray(run.rates, np.float64)[:, None], 1)
            own = {"name": name, "total": run.total, "failed": run.failed, "facts": run.facts, "parts": parts}
            described.append(own | {"dead_window": run.dead_window, "d_in": run.d_in, "d_sae": run.d_sae})
        text = json.dumps({"format": 1, "columns": NUMBERS, "runs": described})
        write_tensors(path, tensors | {"about": np.frombuffer(text.encode(), np.uint8)})

    @classmethod
    def load(cls, path: str | Path) -> TrainingRecord:
        """Read what `save` wrote. Raises LoadError, and nothing else, on a file that does not hold it."""
        tensors = read_tensors(path, max_tensors=4096)
        try:
            text = tensors["about"].tobytes()
        except KeyError:
            raise LoadError(path, "not a record of trainings: it has no array 'about'") from None
        return typed.opened(path, parse_json(path, text), "record", (1,), lambda about: cls._from(about, tensors))

    @classmethod
    def _from(cls, data: dict[str, Any], tensors: Mapping[str, np.ndarray]) -> TrainingRecord:
        about = typed.record(_About, data)
        lacking = [name for name in _NEEDED if name not in about.columns]
        if lacking:
            raise ValueError(f"columns lacks {lacking[0]!r}")
        runs: dict[str, RunRecord] = {}
        for i, own in enumerate(about.runs):
            if own.name in runs:
                raise ValueError(f"two of the runs are called {own.name!r:.60}")
            values = _numbers(f"steps.{i}", tensors, len(about.columns) + len(own.parts))
            steps = tuple(_step(row, about.columns, own.parts) for row in values.tolist())
            rates = _numbers(f"rates.{i}", tensors, 1)[:, 0] if f"rates.{i}" in tensors else None
            if rates is not None and not ((rates >= 0) & (rates <= 1)).all():
                raise ValueError(f"rates.{i} holds a share that is not between 0 and 1")
            if min(own.d_in, own.d_sae) < 0:
                raise ValueError(f"the run {own.name!r:.60} has {min(own.d_in, own.d_sae)} features or inputs")
            runs[own.name] = RunRecord(
                steps, rates, own.total, own.failed, own.facts, own.dead_window, own.d_in, own.d_sae
            )
        return cls(runs)


@dataclass(frozen=True)
class _AboutRun:
    """What a file says of a run in words."""

    name: str
    total: int
    failed: str
    facts: str
    parts: tuple[str, ...]
    dead_window: int = 0  # files of earlier versions do not say it, nor the next two
    d_in: int = 0
    d_sae: int = 0


@dataclass(frozen=True)
class _About:
    """What a file says of its arrays."""

    format: int
    columns: tuple[str, ...]
    runs: tuple[_AboutRun, ...]


def settled(steps: Sequence[TrainStep]) -> tuple[float, float]:
    """(L0, FVU), each the mean of the last tenth of the steps, at most 100 of them: one batch is noisy. nan without
    steps.

    Example:
        >>> settled([TrainStep(i, i, 1.0, fvu, 8.0, 0.0, 0.1) for i, fvu in enumerate([0.9, 0.5], 1)])
        (8.0, 0.5)
    """
    last = steps[-max(1, min(100, len(steps) // 10)) :]
    if not last:
        return float("nan"), float("nan")
    return float(np.mean([s.l0 for s in last])), float(np.mean([s.fvu for s in last]))


def pareto(first: Sequence[float], second: Sequence[float]) -> list[bool]:
    """Which points no other beats, small being good in both. Of equal points all are kept; a nan is beaten.

    Example:
        >>> pareto([1, 2, 3], [5, 6, 4])
        [True, False, True]
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    known = np.isfinite(a) & np.isfinite(b)
    beaten = [bool((known & (a <= x) & (b <= y) & ((a < x) | (b < y))).any()) for x, y in zip(a, b, strict=True)]
    return [bool(k) and not lost for k, lost in zip(known, beaten, strict=True)]


def firing_histogram(rates: np.ndarray) -> tuple[Histogram, int]:
    """How many features fire how often: a histogram of log10 of their rates, and the number that did not fire at all.

    Four bins a decade from 1e-6 to 1; rarer ones are in the first bin.

    Example:
        >>> histogram, silent = firing_histogram(np.array([0.0, 0.5, 0.02, 0.02]))
        >>> silent, sum(histogram.counts), histogram.edges[-2:]
        (1, 3, (-0.25, 0.0))
    """
    rates = np.asarray(rates, np.float64)
    edges = np.linspace(LOWEST_RATE, 0, -LOWEST_RATE * BINS_A_DECADE + 1)
    alive = np.log10(rates[rates > 0])
    counts, _ = np.histogram(np.clip(alive, LOWEST_RATE, 0), edges)
    return Histogram(tuple(edges.tolist()), tuple(counts.tolist())), int((rates == 0).sum())


def steps_frame(steps: Sequence[TrainStep]) -> pd.DataFrame:
    """One row per step: the numbers of a TrainStep, then one column per named part of the loss ("loss: ...")."""
    table = frame([[getattr(s, n) for n in NUMBERS] for s in steps], columns=list(NUMBERS))
    parts = [step.parts for step in steps]
    for name in dict.fromkeys(name for part in parts for name in part):
        table[sayable(f"loss: {name}")] = [part.get(name, float("nan")) for part in parts]
    return table


def _bits(rows: Sequence[Sequence[float]] | np.ndarray, width: int) -> np.ndarray:
    """int64, the bits of float64: a nan, as of a batch without variance, must survive."""
    return np.array(rows, np.float64).reshape(-1, width).view(np.int64)


def _numbers(name: str, tensors: Mapping[str, np.ndarray], width: int) -> np.ndarray:
    bits = tensors.get(name)
    if bits is None or bits.dtype != np.int64 or bits.ndim != 2 or bits.shape[1] != width:
        found = "missing" if bits is None else f"{bits.dtype} {list(bits.shape)}"
        raise ValueError(f"{name} is {found}, not int64 [step, {width}]")
    return bits.view(np.float64)


def _row(step: TrainStep, parts: Sequence[str]) -> list[float]:
    return [*(getattr(step, name) for name in NUMBERS), *(step.parts.get(part, float("nan")) for part in parts)]


def _step(row: Sequence[float], columns: Sequence[str], parts: Sequence[str]) -> TrainStep:
    known: dict[str, Any] = {name: value for name, value in zip(columns, row, strict=False) if name in NUMBERS}
    named = {part: value for part, value in zip(parts, row[len(columns) :], strict=True) if not math.isnan(value)}
    for name in ("step", "tokens"):
        if not (known[name].is_integer() and 0 <= known[name] < 2**53):
            raise ValueError(f"a {name} is {known[name]:g}, not a whole number")
        known[name] = int(known[name])
    return TrainStep(**known, parts=named)
