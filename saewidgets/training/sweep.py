"""Several SAEs on one stream of activations: each batch is made once, and all of them learn from it."""

from __future__ import annotations

import itertools
import re
import secrets
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from saewidgets.files import STRAY_AFTER, LoadError, read_json, sha256, short, sweep, write_json
from saewidgets.records import ActivationSite, RunRecord, TrainingRecord, TrainStep, steps_frame
from saewidgets.records.arguments import expect, listed, real, seed_of, whole
from saewidgets.records.tables import sayable
from saewidgets.sae import SAE, SAEConfig
from saewidgets.training.config import TrainConfig
from saewidgets.training.run import Batch, Place, Run, check_batches, place

FORMAT = 1
_NAME = re.compile(r"(?:run-\d{3,}|history)-(?P<mark>[0-9a-f]{8})\.safetensors")  # the mark is of one save


class Sweep:
    """Several trainings that go step by step together: `next(sweep)` gives {name: TrainStep} of the runs that are not
    done.

    A run whose loss is not finite, or which no longer fits in memory, stops alone, with the weights of its last whole
    step; `failed` says why, and the others go on. Whatever interrupts a step, the next one brings the runs together
    again.
    """

    def __init__(
        self,
        runs: Mapping[str, tuple[SAE, TrainConfig]],
        batches: Iterable[Batch],
        *,
        resume: str | Path | None = None,
    ) -> None:
        fits = isinstance(runs, Mapping) and all(isinstance(own, tuple) and len(own) == 2 for own in runs.values())
        expect(runs, fits, "runs", "a sweep", "give {name: (sae, config)}, such as sw.training.sweep_grid makes")
        check_batches(batches)
        if not runs:
            raise ValueError("a sweep needs at least one run: {name: (sae, config)}")
        saes = [sae for sae, _ in runs.values()]
        if len({id(sae) for sae in saes}) < len(saes):
            raise ValueError("two runs train the same SAE object; make one for each")
        self.step = 0  # batches that every living run has learned from
        self.failed: dict[str, str] = {}  # name -> why it stopped before its end
        self._batches = batches
        self._iterator: Iterator[Batch] | None = None
        self._held: tuple[int, Batch] | None = None  # the batch under way, and its number
        self._upcoming = -1  # number of the batch that `_iterator` gives next; -1: not known
        self._done: dict[str, TrainStep] = {}  # of the step under way
        manifest = None if resume is None else _read_manifest(Path(resume), tuple(runs))
        self.runs: dict[str, Run] = {}
        for name, (sae, config) in runs.items():
            checkpoint = None if manifest is None else manifest["files"][name]
            self.runs[name] = Run(sae, _Feed(self), config, resume=checkpoint)
        if manifest is not None:
            self.step, self.failed = manifest["step"], manifest["failed"]
            self._check_steps(Path(resume))  # type: ignore[arg-type]
            for name, history in manifest["histories"].items():
                self.runs[name].history[:] = history

    def _check_steps(self, folder: Path) -> None:
        """LoadError if the manifest's step cannot be that of its runs."""
        for name, run in self.runs.items():
            # An interrupt may have come after this run's step and before another's.
            least, most = (min(n, run.config.steps) for n in (self.step, self.step + 1))
            if not (run.step <= most if name in self.failed else least <= run.step <= most):
                raise LoadError(
                    folder / "sweep.json", f"step {short(self.step)}, but the run {short(name)} is at {run.step:,}"
                )

    def __iter__(self) -> Sweep:
        return self

    def __next__(self) -> dict[str, TrainStep]:
        """One step of every run that is neither done nor failed, all on the same batch.

        Raises FloatingPointError once no run is left because all have failed, ValueError if the batches run out.
        """
        alive = [name for name, run in self.runs.items() if name not in self.failed and run.step < run.config.steps]
        ahead = [name for name in self._done if name not in self.failed]
        if not alive and not ahead:
            if len(self.failed) == len(self.runs):
                raise FloatingPointError(f"every run of the sweep has stopped: {next(iter(self.failed.values()))}")
            raise StopIteration
        for name in alive:
            run = self.runs[name]
            if run.step > self.step:  # an interrupt came after this run's step and before another's
                continue
            try:
                self._done[name] = next(run)
            except (FloatingPointError, MemoryError, torch.OutOfMemoryError) as error:
                self.failed[name] = str(error) or type(error).__name__
                warnings.warn(f"run {name!r} stopped, the others go on: {self.failed[name]}", stacklevel=2)
        self.step += 1
        steps, self._done = self._done, {}
        if not steps:
            return next(self)
        return steps

    @property
    def saes(self) -> dict[str, SAE]:
        """The SAEs by the names of their runs, as they are now."""
        return {name: run.sae for name, run in self.runs.items()}

    @property
    def steps(self) -> int:
        """Steps of the longest run."""
        return max(run.config.steps for run in self.runs.values())

    def to_dataframe(self) -> pd.DataFrame:
        """One row a run and step: run, d_in, d_sae, k (nan where L0 is free), and the numbers of a TrainStep."""
        frames = []
        for name, run in self.runs.items():
            own = run.sae.config
            k = float(own.k) if own.fixes_k else float("nan")
            frames.append(steps_frame(run.history).assign(run=sayable(name), d_in=own.d_in, d_sae=own.d_sae, k=k))
        table = pd.concat(frames, ignore_index=True)
        first = ["run", "d_in", "d_sae", "k"]
        return table[[*first, *(column for column in table.columns if column not in first)]]

    def record(self) -> TrainingRecord:
        """What the runs have measured so far, to save, to show without a kernel, or to compare with another sweep."""
        return TrainingRecord(
            {
                name: RunRecord(
                    tuple(run.history),
                    run.firing_rates() if run.step else None,
                    run.config.steps,
                    self.failed.get(name, ""),
                    run.sae.config.facts,
                    run.config.dead_window,
                    run.sae.config.d_in,
                    run.sae.config.d_sae,
                )
                for name, run in self.runs.items()
            }
        )

    # -- one batch for all -------------------------------------------------------------------------------------------

    def _batch(self, number: int) -> Batch:
        """Batch `number`: the one at hand, or the next one of the stream."""
        if self._held is not None and self._held[0] == number:
            return self._held[1]
        # An iterator that was interrupted is begun anew, unless it is all there is.
        if self._iterator is None or (self._upcoming != number and not isinstance(self._batches, Iterator)):
            jump = getattr(self._batches, "batches", None)
            self._iterator = iter(jump(start=number)) if jump else itertools.islice(self._batches, number, None)
        self._upcoming = -1  # an interrupt inside the stream ends its iterator
        batch: Batch | None = next(self._iterator, None)
        if batch is None:
            raise ValueError(f"the batches ran out after {number:,} of {self.steps:,} steps")
        self._held = (number, batch)
        self._upcoming = number + 1
        return batch

    # -- on disk -----------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the whole sweep to the folder `path`: a checkpoint of each run, their histories, and a manifest, last.

        The manifest is replaced atomically and names files of its own, so after a crash or on a full disk the sweep
        that was saved before still stands, whole. `train_sweep(runs, batches, resume=path)` goes on bit for bit. Of two
        processes that save into one folder, the last one's sweep stands. Only files of the sweep that was replaced are
        removed, and those that a save left unfinished ten minutes ago or more.

        Raises OSError if the disk refuses, ValueError if a weight is not finite.
        """
        if self._done:
            raise ValueError("a step was interrupted halfway through the sweep; take one more step, then save")
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        replaced = _named(folder)
        mark = secrets.token_hex(4)
        made: list[Path] = []
        entries = []
        try:
            for i, (name, run) in enumerate(self.runs.items()):
                file = folder / f"run-{i:03}-{mark}.safetensors"
                made.append(file)
                run.save(file)
                entries.append(
                    {"name": name, "file": file.name, "sha256": sha256(file), "failed": self.failed.get(name)}
                )
            file = folder / f"history-{mark}.safetensors"
            made.append(file)
            self.record().save(file)
            history = {"file": file.name, "sha256": sha256(file)}
            write_json(
                folder / "sweep.json",
                {"format": FORMAT, "step": self.step, "history": history, "runs": entries},
                indent=1,
            )
        except BaseException:
            manifest = folder / "sweep.json"
            written = manifest.exists() and mark in manifest.read_text(encoding="utf-8")
            if (
                not written
            ):  # an interrupt may also come after the last write: then the new sweep is the one that stands
                for file in made:
                    file.unlink(missing_ok=True)
            raise
        for name in replaced:
            (folder / name).unlink(missing_ok=True)
        _sweep_unfinished(folder)


class _Feed:
    """What a run of a sweep takes for its batches."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep

    @property
    def source(self) -> Any:
        """Where the batches come from."""
        return self._sweep._batches

    def __iter__(self) -> Iterator[Batch]:
        return self.batches()

    def batches(self, start: int = 0) -> Iterator[Batch]:
        return map(self._sweep._batch, itertools.count(start))  # not a generator: an exception would end it


def train_sweep(
    runs: Mapping[str, tuple[SAE, TrainConfig]],
    batches: Iterable[Batch],
    *,
    resume: str | Path | None = None,
    on: Place | None = None,
) -> Sweep:
    """Train several SAEs, in place, on one stream of batches, as `train` takes them, each made once.

    Nothing runs until the result is iterated. A run of a sweep is, bit for bit, the run that it would be alone.

    Args:
        runs: {name: (sae, config)}; `sweep_grid` makes one over sizes and sparsities. Runs may differ in length.
        batches: as for `train`.
        resume: a folder that `Sweep.save` wrote for the same names and configurations; LoadError if it is not one.
        on: other processes, such as `sw.Processes(8)`, which share the runs out; each batch is read by all together.

    Example:
        >>> from saewidgets.sae import SAEConfig
        >>> runs = {f"k = {k}": (SAE(SAEConfig(4, 16, architecture="topk", k=k)), TrainConfig(steps=3)) for k in (1, 2)}
        >>> sweep = train_sweep(runs, [torch.randn(32, 4) for _ in range(3)])
        >>> [step["k = 2"].l0 for step in sweep]
        [2.0, 2.0, 2.0]
    """
    if on is not None:
        trained: Sweep = place(on).train_sweep(runs, batches, resume=resume)
        return trained
    return Sweep(runs, batches, resume=resume)


def sweep_grid(
    site: ActivationSite | int,
    sizes: Sequence[int],
    sparsities: Sequence[float],
    config: TrainConfig,
    *,
    rates: Sequence[float] = (),
    architecture: str = "topk",
    seed: int = 0,
) -> dict[str, tuple[SAE, TrainConfig]]:
    """SAEs of every size with every sparsity, at every learning rate where several are given, for `train_sweep`.

    Args:
        site: where they read, e.g. `store.site`; or a width d_in for bare vectors.
        sizes: numbers of features.
        sparsities: k for "topk" and "batchtopk", the coefficient of the sparsity loss for the others.
        config: of every run; a Matryoshka's last prefix is set to each size, and larger prefixes are left out.
        rates: learning rates, in the place of that of `config`.
        seed: of the initial weights.

    Example:
        >>> list(sweep_grid(4, (8,), (1,), TrainConfig(steps=1), rates=(1e-3, 4e-3)))
        ['topk 8, k = 1, lr = 0.001', 'topk 8, k = 1, lr = 0.004']
        >>> list(sweep_grid(4, (8, 16), (1, 2), TrainConfig(steps=1)))
        ['topk 8, k = 1', 'topk 8, k = 2', 'topk 16, k = 1', 'topk 16, k = 2']
    """
    fits = isinstance(site, ActivationSite | int)
    expect(
        site, fits, "site", "sweep_grid", "give a site, such as sw.site(model, 'blocks.2.hook_resid_post'), or a width"
    )
    sizes, sparsities = listed(sizes, "sizes", "1024"), listed(sparsities, "sparsities", "32")
    sizes = [whole(size, "each of sizes", minimum=1) for size in sizes]
    seed = seed_of(seed)
    d_in = site if isinstance(site, int) else site.d_in
    where = None if isinstance(site, int) else site
    expect(config, TrainConfig, "config", "sweep_grid")
    by_k = architecture in ("topk", "batchtopk")
    sparsities = [
        whole(s, "each of sparsities", minimum=1) if by_k else real(s, "each of sparsities") for s in sparsities
    ]
    chosen = [real(rate, "each of rates") for rate in listed(rates, "rates", "0.001")]
    configs = [(f", lr = {rate:g}", replace(config, lr=rate)) for rate in chosen] or [("", config)]
    runs = {}
    for size, sparsity, (at, config) in itertools.product(sizes, sparsities, configs):
        own: dict[str, Any] = {"k" if by_k else "l1_coefficient": sparsity}
        sae = SAE(SAEConfig(d_in, size, architecture=architecture, site=where, seed=seed, **own))
        prefixes = (*(p for p in config.prefixes if p < size), size) if config.prefixes else ()
        name = f"{architecture} {size:,}, {'k' if by_k else 'λ'} = {sparsity:g}{at}"
        runs[name] = (sae, replace(config, prefixes=prefixes))
    return runs


def _named(folder: Path) -> set[str]:
    """The files that the folder's manifest names, of those that a sweep may call its own; none where there is no
    manifest.
    """
    try:
        data = read_json(folder / "sweep.json")
        names = {entry["file"] for entry in [*data["runs"], data["history"]]}
        return {name for name in names if _NAME.fullmatch(name)}
    except (LoadError, KeyError, TypeError):
        return set()


def _sweep_unfinished(folder: Path) -> None:
    """Remove what saves left that never came to their manifest, once nothing was written there for `STRAY_AFTER`
    seconds.
    """
    sweep(folder, _NAME.pattern)
    named, saves = _named(folder), dict[str, list[Path]]()
    for file in folder.iterdir():
        if (found := _NAME.fullmatch(file.name)) and file.name not in named:
            saves.setdefault(found["mark"], []).append(file)
    for files in saves.values():
        with suppress(FileNotFoundError):  # another process swept them first
            if time.time() - max(file.stat().st_mtime for file in files) > STRAY_AFTER:
                for file in files:
                    file.unlink()


def _read_manifest(folder: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """What `Sweep.save` wrote, checked; LoadError on anything else."""
    path = folder / "sweep.json"
    for _ in range(3):
        data = read_json(path)
        try:
            return _checked_manifest(folder, data, names)
        except LoadError:
            if read_json(path) == data:  # otherwise another process has just saved, and removed what this one named
                raise
    return _checked_manifest(folder, read_json(path), names)


def _checked_manifest(folder: Path, data: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    path = folder / "sweep.json"
    try:
        if data["format"] != FORMAT:
            raise LoadError(path, f"sweep format {short(data['format'])}; this version reads {FORMAT}")
        saved = tuple(str(entry["name"]) for entry in data["runs"])
        if saved != names:
            raise LoadError(path, f"it holds the runs {', '.join(saved)}; asked for were {', '.join(names)}")
        if type(data["step"]) is not int or data["step"] < 0:
            raise LoadError(path, f"step must be a whole number of 0 or more, not {short(data['step'])}")
        files = {entry["name"]: _checked(folder, entry) for entry in data["runs"]}
        record = TrainingRecord.load(_checked(folder, data["history"]))
        return {
            "step": data["step"],
            "failed": {entry["name"]: str(entry["failed"]) for entry in data["runs"] if entry["failed"] is not None},
            "files": files,
            "histories": {name: record.runs[name].steps for name in names},
        }
    except (KeyError, TypeError, ValueError, OSError, OverflowError) as error:
        raise LoadError(path, f"not a saved sweep: {type(error).__name__}: {error}") from error


def _checked(folder: Path, entry: Mapping[str, Any]) -> Path:
    name: str = entry["file"]
    if Path(name).name != name:
        raise LoadError(folder, f"the manifest names the file {name!r:.60}, which is not one of its folder")
    if not (folder / name).is_file():
        raise LoadError(folder / name, "this file of the sweep is missing")
    if sha256(folder / name) != entry["sha256"]:
        raise LoadError(folder / name, "its bytes are not those that were saved (SHA-256)")
    return folder / name
