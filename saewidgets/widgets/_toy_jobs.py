"""Long work of the superposition lab besides training models side by side: a phase diagram, and an SAE on one model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from saewidgets.analysis.toys import superposition_theory as theory
from saewidgets.frontend import payloads
from saewidgets.records import PhaseDiagram, ToyRun

if TYPE_CHECKING:
    from saewidgets.analysis.toys.sae_recovery import RecoveredFeatures

INTERVAL = 0.08  # seconds between two updates of the pictures
SAE_STEPS = 1000
SAE_INPUTS = 50_000

PhaseTrainer = Callable[[Mapping[str, Any]], Iterator[tuple[float, PhaseDiagram]]]
Recoverer = Callable[[ToyRun, int, Mapping[str, Any]], "Iterator[tuple[float, RecoveredFeatures]]"]


def looking(training: Any) -> Iterator[tuple[float, Any]]:
    """(share done, record) of a training several times a second, those of the finished one last."""
    due, share = time.monotonic(), 0.0
    for share in training:
        if time.monotonic() >= due and share < 1:
            began = time.monotonic()
            yield share, training.record()
            # Looking takes a quarter of the time at most.
            due = time.monotonic() + max(INTERVAL, 3 * (time.monotonic() - began))
    yield 1.0, training.record()


def train_phases(config: Mapping[str, Any]) -> Iterator[tuple[float, PhaseDiagram]]:
    """Train a phase diagram and give it as far as it is, several times a second.

    Args:
        config: arguments of `PhaseTraining`.
    """
    from saewidgets.toy import PhaseTraining

    return looking(PhaseTraining(**config))


def recover(run: ToyRun, instance: int, settings: Mapping[str, Any]) -> Iterator[tuple[float, RecoveredFeatures]]:
    """Train an SAE on the hidden layer of one model and give what it has recovered so far, several times a second.

    Args:
        run: toy models.
        instance: the one to take.
        settings: arguments of `RecoveryTraining`, d_sae among them.

    Raises:
        ImportError: torch is not installed.
        ValueError: the model represents no feature.
    """
    from saewidgets.analysis.toys.sae_recovery import RecoveryTraining

    return looking(RecoveryTraining(run, instance=instance, **settings))


@dataclass
class PhaseJob:
    """A phase diagram, being trained."""

    config: dict[str, Any]
    steps: Iterator[tuple[float, PhaseDiagram]] | None = None


@dataclass
class RecoveryJob:
    """An SAE on one model of a picture, being trained."""

    run: ToyRun
    model: int
    settings: dict[str, Any]
    steps: Iterator[tuple[float, RecoveredFeatures]] | None = None


def diagram_picture(diagram: PhaseDiagram, share: float) -> dict[str, Any]:
    """The payload of a phase diagram, with its theory where that covers the case."""
    known = None
    size = (int(diagram.features.max()), diagram.n_hidden)
    if size in theory.KNOWN and (diagram.x_name, diagram.y_name) == ("density", "importance"):
        ranges = [_beyond(diagram.x, most=1.0), _beyond(diagram.y)]
        known = payloads.PhaseTheory(
            theory.theory_phases(*size, diagram.x, diagram.y),
            theory.phase_borders(*size, *ranges),
            theory.candidate_losses(*size, diagram.x, diagram.y),
        )
    return payloads.phases_picture(diagram, theory.empirical_phases(diagram.weights), share, known)


def _beyond(values: np.ndarray, most: float = np.inf) -> tuple[float, float]:
    """The ends of an axis whose cells have their middles at these values."""
    low, high = values[0], values[-1]
    half = (high / low) ** (0.5 / max(1, len(values) - 1))
    return float(low / half), float(min(high * half, most))


def diagram_frame(diagram: PhaseDiagram) -> pd.DataFrame:
    """One row per cell: density, importance, phase (of the model with the lowest loss), same (models of the cell in it),
    models, norm, superposition, loss (of that model).
    """
    phases = theory.empirical_phases(diagram.weights)  # [y, x, model]
    best = diagram.weights[:, :, 0]
    return pd.DataFrame(
        {
            "density": diagram.density.ravel(),
            "importance": diagram.importance.ravel(),
            "phase": [theory.PHASES[k] for k in phases[:, :, 0].ravel()],
            "same": (phases == phases[:, :, :1]).sum(-1).ravel(),
            "models": diagram.n_models,
            "norm": theory.norms(best)[..., -1].ravel(),
            "superposition": theory.superposition(best)[..., -1].ravel(),
            "loss": diagram.losses[:, :, 0].ravel(),
        }
    )


def recovered_picture(result: RecoveredFeatures, job: RecoveryJob, share: float) -> dict[str, Any]:
    """The payload of what an SAE has recovered."""
    compared = result.recovery
    return payloads.recovery_picture(
        model=job.model,
        busy=share < 1,
        share=share,
        found=compared.found,
        features=result.features,
        cosine=compared.cosine,
        match=compared.match,
        learned=result.learned,
        alive=result.alive,
        l0=result.l0,
        fvu=result.fvu,
    )


def curves_of(run: ToyRun) -> dict[str, Any] | None:
    """The payload of the loss curves of the models that are shown; None where they differ in no one number."""
    from saewidgets.analysis.toys.loss_curves import loss_curves

    curves = loss_curves(run)
    if curves is None:
        return None
    return payloads.curves_picture(
        curves.name,
        curves.features.tolist(),
        curves.settings.tolist(),
        curves.x.tolist(),
        curves.losses,
        [(c.x, c.loss, c.below, c.above) for c in curves.crossings],
        every=len(curves.features) == run.n_features,
    )
