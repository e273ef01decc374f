"""Ray as the place where a job's processes run: the same worker, inside a `TorchTrainer`."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from saewidgets.cluster.away import Away, SweepAway
from saewidgets.cluster.spec import DEVICES, EVERY, TIMEOUT, save_job
from saewidgets.files import unknown
from saewidgets.records.arguments import real, whole
from saewidgets.records.jobs import JobFolder
from saewidgets.sae import SAE
from saewidgets.training import TrainConfig


class Ray:
    """`num_workers` processes of a Ray cluster: `sw.train(sae, store, config, on=sw.Ray(80, folder="/shared/l12"))`.

    Needs the extra `ray`. Ray chooses the machines; all of them, and this one, must see `folder`, and the cache or the model
    that the store reads. Otherwise as `Processes`.

    Args:
        num_workers: how many.
        folder: of the job, on a disk that all machines share; it must not exist.
        device: "cpu", "cuda" or "auto", as for `save_job`; a GPU for each worker but for "cpu".
        every, timeout: as for `Processes`.

    Raises ImportError, with what to type, where Ray is not installed.

    Example:
        >>> run = sw.train(mine, store, config, on=sw.Ray(80, folder="/shared/l12"))  # doctest: +SKIP
    """

    def __init__(
        self,
        num_workers: int,
        *,
        folder: str | Path,
        device: str = "auto",
        every: int = EVERY,
        timeout: float = TIMEOUT,
    ) -> None:
        self.num_workers = whole(num_workers, "num_workers", minimum=1)
        if device not in DEVICES:
            raise ValueError(unknown("device", str(device), DEVICES))
        if find_spec("ray") is None:
            raise ImportError('Ray is not installed; type: pip install "saewidgets[ray]"')
        self.device, self.folder = device, Path(folder)
        self.every, self.timeout = whole(every, "every", minimum=1), real(timeout, "timeout", minimum=0.1)

    def __repr__(self) -> str:
        return f"Ray({self.num_workers}, device={self.device!r})"

    def train(self, sae: SAE, batches: Any, config: TrainConfig, *, resume: str | Path | None = None) -> Away:
        """See `sw.train`."""
        return Away(self, self._save(sae, batches, config, resume), sae, config)

    def train_sweep(
        self, runs: Mapping[str, tuple[SAE, TrainConfig]], batches: Any, *, resume: str | Path | None = None
    ) -> SweepAway:
        """See `sw.train_sweep`."""
        if resume is not None:
            raise ValueError("a sweep on Ray begins anew: leave resume out")
        return SweepAway(self, self._save(runs, batches, None, None), runs)

    def _save(self, sae: Any, batches: Any, config: TrainConfig | None, resume: str | Path | None) -> JobFolder:
        options: dict[str, Any] = {"every": self.every, "device": self.device, "timeout": self.timeout}
        return save_job(self.folder, sae, batches, config, resume=resume, **options)

    def start(self, job: JobFolder) -> Fitting:
        """Begin the job's workers."""
        return Fitting(job, self.num_workers, self.device)


class Fitting:
    """A `TorchTrainer` that fits, in a thread."""

    def __init__(self, job: JobFolder, n: int, device: str) -> None:
        self._job, self._why = job, ""
        self._thread = threading.Thread(target=self._fit, args=(n, device), name="saewidgets-ray", daemon=True)
        self._thread.start()

    def _fit(self, n: int, device: str) -> None:
        from ray.train import RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer

        try:
            TorchTrainer(
                _loop,
                train_loop_config={"folder": str(self._job.path.resolve())},
                scaling_config=ScalingConfig(num_workers=n, use_gpu=device != "cpu" and _gpus()),
                run_config=RunConfig(storage_path=str((self._job.path / "ray").resolve())),
                torch_config=TorchConfig(backend="gloo" if device == "cpu" or not _gpus() else "nccl"),
            ).fit()
        except Exception as error:
            self._why = f"{type(error).__name__}: {str(error).strip().splitlines()[-1]:.300}"

    @property
    def running(self) -> bool:
        """Whether the workers are there."""
        return self._thread.is_alive()

    @property
    def why(self) -> str:
        """What Ray said where it failed."""
        return "" if self.running else self._why

    def wait(self, timeout: float) -> bool:
        """Whether they end within so many seconds."""
        self._thread.join(timeout)
        return not self.running

    def kill(self) -> None:
        """Ray ends its workers with this process; until then they are asked to stop."""
        self._job.ask("stop")


def _loop(config: dict[str, Any]) -> None:
    """What each of Ray's workers does."""
    import os

    from ray import train

    from saewidgets.cluster.worker import work

    context = train.get_context()
    os.environ |= {
        "RANK": str(context.get_world_rank()),
        "WORLD_SIZE": str(context.get_world_size()),
        "LOCAL_RANK": str(context.get_local_rank()),
    }
    if work(config["folder"]):
        raise RuntimeError("the training failed: status.json and log/ in the job's folder say why")


def _gpus() -> bool:
    import torch

    return torch.cuda.is_available()
