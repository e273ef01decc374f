"""Features recovered from superposition: an SAE trained on the hidden layer of a toy model, whose true directions are
known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from saewidgets.analysis.toys.geometry import REPRESENTED
from saewidgets.analysis.toys.recovery import FOUND, Recovery, recovery
from saewidgets.records import ToyRun
from saewidgets.records.arguments import seed_of
from saewidgets.records.tables import frame
from saewidgets.sae import SAE, SAEConfig, unexplained
from saewidgets.toy import activations
from saewidgets.training import TrainConfig, train

ALIVE = 1e-4  # an SAE feature that fires less often counts as dead
MEASURED = 20_000  # inputs behind l0, fvu and the dead
TURN = 0.05  # seconds of work between two looks at the world


@dataclass(frozen=True, eq=False)
class RecoveredFeatures:
    """An SAE and how well its directions match those of the toy model."""

    recovery: Recovery  # one row for each of `features`
    features: np.ndarray  # int64, the toy's features that are represented at all (norm above 1/2)
    sae: SAE
    alive: np.ndarray  # bool [d_sae], fires at one input in 10,000 at least
    l0: float  # mean number of active SAE features an input
    fvu: float  # share of the variance of h that the SAE leaves unexplained

    @property
    def mixtures(self) -> np.ndarray:
        """int64: SAE features that fire, and lie near no true direction."""
        strange = self.recovery.strange
        value: np.ndarray = strange[self.alive[strange]]
        return value

    @property
    def learned(self) -> np.ndarray:
        """float32 [d_sae, n_hidden], the SAE's decoder directions, each of length 1 (or 0, where there is none)."""
        directions = self.sae.decoder_directions.detach().cpu().numpy()
        value: np.ndarray = directions / np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-12)
        return value


class RecoveryTraining:
    """An SAE on the hidden layer of a toy model, under way: `next(training)` works for about 50 ms and gives the share
    done, 0 to 1. Not to call `next` is to pause, or to stop.

    `record` compares the directions as they are, at any time; that changes nothing in the result. The arguments, and
    what is raised, are those of `recover_features`.

    Example:
        >>> training = RecoveryTraining(sw.train_toy(sw.toy.experiment("M12")).run(), 4)  # doctest: +SKIP
        >>> for share in training: print(f"{share:.0%}", training.record().recovery.mean_max_cosine)  # doctest: +SKIP
    """

    def __init__(
        self,
        run: ToyRun,
        d_sae: int,
        *,
        instance: int | None = None,
        architecture: str = "relu",
        l1_coefficient: float = 0.3,
        k: int = 1,
        steps: int = 1500,
        batch_size: int = 1024,
        lr: float = 3e-3,
        n: int = 100_000,
        seed: int = 0,
        found: float = FOUND,
    ) -> None:
        seed = seed_of(seed)
        acts = activations(run, instance, n, seed=seed)
        directions = acts.directions.numpy()
        self.features = np.flatnonzero(np.linalg.norm(directions, axis=1) > REPRESENTED)
        if not len(self.features):
            raise ValueError("the toy model represents no feature: train it longer, or with rarer features")
        self.true = directions[self.features]
        self.found = found
        self.steps, self.steps_done = steps, 0
        self._x = acts.hidden[:MEASURED]
        config = SAEConfig(acts.hidden.shape[1], d_sae, architecture, k=k, l1_coefficient=l1_coefficient, seed=seed)
        self.sae = SAE(config)
        self._run = train(self.sae, acts.batches(batch_size, steps, seed), TrainConfig(steps=steps, lr=lr))

    def __iter__(self) -> RecoveryTraining:
        return self

    def __next__(self) -> float:
        began = time.perf_counter()
        if next(self._run, None) is None:
            raise StopIteration
        self.steps_done += 1
        while time.perf_counter() - began < TURN and next(self._run, None) is not None:
            self.steps_done += 1
        return self.steps_done / self.steps

    def run(self, progress: Callable[[float], object] | None = None) -> RecoveredFeatures:
        """Finish the training; `progress` is called with the share done after each turn."""
        for share in self:
            if progress is not None:
                progress(share)
        return self.record()

    def record(self) -> RecoveredFeatures:
        """The SAE as it is now, compared with the true directions."""
        x = self._x
        with torch.no_grad():
            a = self.sae.encode(x)
            mean = x.mean(0)
            error, variance = (float(apart.square().sum()) for apart in (self.sae.decode(a) - x, x - mean))
            left = unexplained(error, variance, len(x) * float(mean.square().sum()))
            on = a > 0
            learned = self.sae.decoder_directions.numpy()
        alive = (on.float().mean(0) >= ALIVE).numpy()
        compared = recovery(self.true, learned, alive=alive, found=self.found)
        return RecoveredFeatures(compared, self.features, self.sae, alive, float(on.sum(1).float().mean()), left)


def recover_features(
    run: ToyRun, d_sae: int, *, progress: Callable[[float], object] | None = None, **settings: Any
) -> RecoveredFeatures:
    """Train an SAE with `d_sae` features on the hidden activations of one toy model, and compare directions.

    Args:
        run: trained toy models.
        d_sae: features of the SAE. As many as the toy represents are enough; with fewer, directions are mixed; with
            more, a ReLU SAE splits them.
        progress: called with the share done, 0 to 1, about every 50 ms.
        settings: of `RecoveryTraining`: instance (None takes the model with the lowest loss, where all have one setting); architecture, "relu",
            whose sparsity is l1_coefficient (in units of h, which is not rescaled; 0.3), or "topk" with k (1); steps of
            `sw.train` (1500), with batch_size (1024) and lr (3e-3); n, hidden activations to draw batches from
            (100,000); seed of the activations, the batches and the SAE's start; found, the cosine from which a
            direction counts as found (0.9).

    Raises ValueError if the model represents no feature, TypeError for a setting that there is not, and whatever
    `SAEConfig`, `TrainConfig` and `train` raise.

    Example:
        >>> run = sw.train_toy(sw.toy.experiment("M12")).run()  # doctest: +SKIP
        >>> recover_features(run, 4).recovery.mean_max_cosine  # doctest: +SKIP
    """
    return RecoveryTraining(run, d_sae, **settings).run(progress)


def recovery_table(run: ToyRun, sizes: Iterable[int], **settings: Any) -> pd.DataFrame:
    """`recover_features` for several sizes: d_sae, mean_max_cosine, missed, split, mixtures, alive, l0, fvu; one row per
    size.
    """
    rows = []
    for d_sae in sizes:
        one = recover_features(run, d_sae, **settings)
        r = one.recovery
        counts = (len(r.missed), len(r.split), len(one.mixtures), int(one.alive.sum()))
        rows.append((d_sae, r.mean_max_cosine, *counts, one.l0, one.fvu))
    return frame(rows, columns=["d_sae", "mean_max_cosine", "missed", "split", "mixtures", "alive", "l0", "fvu"])
