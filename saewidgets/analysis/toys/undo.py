"""Superposition undone: an SAE trained on the hidden layer of a toy model, whose true directions are known."""

from __future__ import annotations

from collections.abc import Iterable
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


@dataclass(frozen=True, eq=False)
class Undone:
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


def undo(
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
) -> Undone:
    """Train an SAE with `d_sae` features on the hidden activations of one toy model, and compare directions.

    Args:
        run: trained toy models; `instance` None takes the one with the lowest loss.
        d_sae: features of the SAE. As many as the toy represents are enough; with fewer, directions are mixed; with
            more, a ReLU SAE splits them.
        architecture: "relu", whose sparsity is `l1_coefficient` (in units of h, which is not rescaled), or "topk" with
            k.
        steps: of `sw.train`, with `batch_size` and `lr`.
        n: hidden activations to draw batches from.
        seed: of the activations, the batches and the SAE's start.
        found: the cosine from which a direction counts as found.

    Raises ValueError if the model represents no feature, and whatever `SAEConfig`, `TrainConfig` and `train` raise.

    Example:
        >>> run = sw.train_toy(sw.toy.experiment("M12")).run()  # doctest: +SKIP
        >>> undo(run, 4).recovery.mean_max_cosine  # doctest: +SKIP
    """
    seed = seed_of(seed)
    acts = activations(run, instance, n, seed=seed)
    directions = acts.directions.numpy()
    features = np.flatnonzero(np.linalg.norm(directions, axis=1) > REPRESENTED)
    if not len(features):
        raise ValueError("the toy model represents no feature: train it longer, or with rarer features")
    h = acts.hidden
    sae = SAE(SAEConfig(h.shape[1], d_sae, architecture, k=k, l1_coefficient=l1_coefficient, seed=seed))
    for _ in train(sae, acts.batches(batch_size, steps, seed), TrainConfig(steps=steps, lr=lr)):
        pass
    with torch.no_grad():
        x = h[:MEASURED]
        a = sae.encode(x)
        mean = x.mean(0)
        error, variance = (float(apart.square().sum()) for apart in (sae.decode(a) - x, x - mean))
        left = unexplained(error, variance, len(x) * float(mean.square().sum()))
        on = a > 0
    alive = (on.float().mean(0) >= ALIVE).numpy()
    compared = recovery(directions[features], sae.decoder_directions.numpy(), alive=alive, found=found)
    return Undone(compared, features, sae, alive, float(on.sum(1).float().mean()), left)


def undo_table(run: ToyRun, sizes: Iterable[int], **settings: Any) -> pd.DataFrame:
    """`undo` for several sizes: d_sae, mean_max_cosine, missed, split, mixtures, alive, l0, fvu; one row per size."""
    rows = []
    for d_sae in sizes:
        one = undo(run, d_sae, **settings)
        r = one.recovery
        counts = (len(r.missed), len(r.split), len(one.mixtures), int(one.alive.sum()))
        rows.append((d_sae, r.mean_max_cosine, *counts, one.l0, one.fvu))
    return frame(rows, columns=["d_sae", "mean_max_cosine", "missed", "split", "mixtures", "alive", "l0", "fvu"])
