"""Trains the presets of the paper's experiments for the row tests: fewer steps, several instances of each cell, the best kept."""

from __future__ import annotations

import numpy as np

from saewidgets.records import ToyRun
from saewidgets.toy import experiment, train_toy

FAST = {"steps": 2000, "batch_size": 512, "snapshots": 2}


def trained(name: str, k: int = 1, **changes) -> ToyRun:
    """The run of a preset, each of its instances k times from different starts: cell c has instances c k to c k + k - 1."""
    return train_toy(experiment(name, starts=k, **{**FAST, **changes})).run()


def ranked(run: ToyRun, k: int) -> np.ndarray:
    """int64 [cell, k]: the instances of each cell, lowest final loss first."""
    order = np.argsort(run.losses[-1].reshape(-1, k), axis=1)
    return order + k * np.arange(len(order))[:, None]


def column(*values: float) -> list[list[float]]:
    """One value an instance, as ToyConfig takes it."""
    return [[value] for value in values]


def cosines(W: np.ndarray) -> np.ndarray:
    """float64 [n_features, n_features] between the directions of one model."""
    unit = W / np.maximum(np.linalg.norm(W, axis=0), 1e-9)
    return unit.T @ unit
