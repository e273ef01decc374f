"""A training as a folder: JSON, token rows and first weights, from which any process on any machine makes it again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from saewidgets.activations import ActivationStore
from saewidgets.activations.described import describe, described
from saewidgets.files import LoadError, new_folder, unknown, write_json
from saewidgets.models import Model, load_model
from saewidgets.ranks import Ranks
from saewidgets.records import typed
from saewidgets.records.arguments import expect, kind_of, real, whole
from saewidgets.records.jobs import FORMAT, RUN, JobFolder, Orders
from saewidgets.sae import SAE, check_sae
from saewidgets.training import Pairs, TrainConfig
from saewidgets.training.objectives import objective

EVERY = 500  # steps between two checkpoints
TIMEOUT = 1800.0  # seconds after which a process that does not answer is given up
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Job:
    """What `job.json` says."""

    format: int
    sweep: bool  # whether each rank trains SAEs of its own; else all train one together
    stores: tuple[str, ...]  # folders of the stores' descriptions; two for a transcoder
    runs: tuple[JobRun, ...]
    every: int  # steps between two checkpoints
    device: str
    timeout: float  # seconds
    resume: str = ""  # a checkpoint, or a folder of them, from which the first start goes on


@dataclass(frozen=True)
class JobRun:
    """One SAE of a job."""

    name: str
    facts: str
    d_in: int
    d_sae: int
    config: TrainConfig


def save_job(
    folder: str | Path,
    sae: SAE | Mapping[str, tuple[SAE, TrainConfig]],
    batches: Any,
    config: TrainConfig | None = None,
    *,
    resume: str | Path | None = None,
    every: int = EVERY,
    device: str = "auto",
    timeout: float = TIMEOUT,
) -> JobFolder:
    """Write a training to the new folder `folder`, to be started there, or on any machines that see it.

        saewidgets train FOLDER
        torchrun --nnodes 10 --nproc-per-node 8 -m saewidgets train FOLDER

    Nothing is trained yet, and nothing in the folder is a pickle. `sw.TrainingMonitor.attach(folder)` shows it. To start it
    again is to go on from its last checkpoint, on whatever number of processes.

    Args:
        folder: is made; it must not exist.
        sae: the SAE as it is now; or a sweep, {name: (sae, config)}, whose SAEs the processes share out.
        batches: an `ActivationStore` of a model that `load_model` loaded, or of a cache on disk; or `Pairs` of two.
        config: as for `train`; None for a sweep.
        resume: a checkpoint of the same settings, or a folder of them, to begin with.
        every: steps between two checkpoints; there is one at the end, too.
        device: "cpu", "cuda" (each process a GPU of its machine), or "auto" for the latter where there is one.
        timeout: seconds after which the processes give up one that does not answer.

    Raises FileExistsError if `folder` is there. TypeError or ValueError, with what to type, for a training that another
    process cannot make again, such as one on a list of tensors or on a model that was made in memory.

    Example:
        >>> job = sw.save_job("runs/l12", mine, store, sw.TrainConfig(steps=50_000))  # doctest: +SKIP
        >>> job.status().status  # doctest: +SKIP
        'waiting'
    """
    runs = runs_of(sae, config)
    for own, settings in runs.values():
        check_sae(own, "training")
        objective(own, settings)  # refuses what does not fit
    every, timeout = whole(every, "every", minimum=1), real(timeout, "timeout", minimum=0.1)
    if device not in DEVICES:
        raise ValueError(unknown("device", str(device), DEVICES))
    stores = stores_of(batches)
    if resume is not None and not os.path.exists(resume):
        raise LoadError(resume, "there is no checkpoint here")
    with new_folder(folder) as made:
        names = tuple(f"store-{i}" for i in range(len(stores)))
        for name, store in zip(names, stores, strict=True):
            describe(store, made / name)
        for i, (own, _) in enumerate(runs.values()):
            (made / "start").mkdir(exist_ok=True)
            own.save(made / "start" / f"{i:03}")
            (made / "checkpoints" / f"{i:03}").mkdir(parents=True)
        (made / "log").mkdir()
        about = [
            JobRun(name, own.config.facts, own.config.d_in, own.config.d_sae, settings)
            for name, (own, settings) in runs.items()
        ]
        job = Job(
            FORMAT, isinstance(sae, Mapping), names, tuple(about), every, device, timeout,
            "" if resume is None else os.path.abspath(resume),
        )  # fmt: skip
        write_json(made / "job.json", asdict(job), indent=1)
        write_json(made / "control.json", asdict(Orders()))
    return JobFolder(folder)


def runs_of(sae: Any, config: TrainConfig | None) -> dict[str, tuple[SAE, TrainConfig]]:
    """One SAE, or a sweep, as {name: (sae, config)}. Raises TypeError on anything else."""
    if not isinstance(sae, Mapping):
        expect(config, TrainConfig, "config", "training")
        assert config is not None
        return {RUN: (sae, config)}
    fits = bool(sae) and all(
        isinstance(name, str) and isinstance(own, tuple) and len(own) == 2 for name, own in sae.items()
    )
    expect(sae, fits, "runs", "a sweep", "give {name: (sae, config)}, such as sw.training.sweep_grid makes")
    for _, own in sae.values():
        expect(own, TrainConfig, "config", "training")
    return dict(sae)


def stores_of(batches: Any) -> list[ActivationStore]:
    """The stores behind what `train` takes. Raises TypeError, with what to type, where there are none."""
    found = [batches.x, batches.y] if isinstance(batches, Pairs) else [batches]
    if not all(isinstance(store, ActivationStore) for store in found):
        raise TypeError(
            f"another process cannot make {kind_of(batches)} again: give an ActivationStore, such as "
            "sw.ActivationStore(sw.load_model(), site, corpus), or one of a cache on disk, ActivationStore.from_disk('folder')"
        )
    return found


def read_job(folder: str | Path) -> Job:
    """What `save_job` wrote. Raises LoadError, and nothing else, on anything that is no job."""
    path = Path(folder)
    job = typed.opened(path / "job.json", JobFolder(path).about, "job", (FORMAT,), lambda data: typed.record(Job, data))
    if job.device not in DEVICES or not job.runs or len(job.stores) not in (1, 2) or job.every < 1:
        raise LoadError(path / "job.json", "it has no runs, or a device, stores or a number of steps that cannot be")
    return job


def batches_of(folder: Path, job: Job, device: str, ranks: Ranks) -> Iterable[Any]:
    """The job's batches, for one of the processes that read them together; the model is loaded once."""
    held: dict[str, Model] = {}

    def load(source: dict[str, Any]) -> Model:
        key = repr(sorted(source.items(), key=str))
        if key not in held:
            held[key] = load_model(**source, device=device)
        return held[key]

    stores = [described(folder / name, load, device=device, ranks=ranks) for name in job.stores]
    return stores[0] if len(stores) == 1 else Pairs(*stores)


def fresh(folder: Path, number: int, device: str) -> SAE:
    """The SAE of run `number` as the job was given it."""
    return SAE.load(folder / "start" / f"{number:03}").to(device)
