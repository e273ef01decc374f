"""Long work of the superposition lab besides training models side by side: a phase diagram, and an SAE on one model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
import traitlets

from saewidgets.analysis.toys import geometry
from saewidgets.analysis.toys import superposition_theory as theory
from saewidgets.frontend import payloads
from saewidgets.records import PhaseDiagram, ToyRun
from saewidgets.widgets._live import Live, Ticket
from saewidgets.widgets._traits import Whole

if TYPE_CHECKING:
    from saewidgets.analysis.toys.sae_recovery import RecoveredFeatures

T = TypeVar("T")
INTERVAL = 0.08  # seconds between two updates of the pictures
SAE_STEPS = 1000
SAE_INPUTS = 50_000

PhaseTrainer = Callable[[Mapping[str, Any]], Iterator[tuple[float, PhaseDiagram]]]
Recoverer = Callable[[ToyRun, int, Mapping[str, Any]], "Iterator[tuple[float, RecoveredFeatures]]"]


def looking(shares: Iterable[float], record: Callable[[], T], *, wait: float = 0.0) -> Iterator[tuple[float, T]]:
    """(share done, record) of a training several times a second, those of the finished one last.

    Args:
        shares: the training, a turn at a time: the share done after it.
        record: the record of the training as it is.
        wait: seconds before the first look.
    """
    due = time.monotonic() + wait
    for share in shares:
        if time.monotonic() >= due and share < 1:
            began = time.monotonic()
            yield share, record()
            # Looking takes a quarter of the time at most.
            due = time.monotonic() + max(INTERVAL, 3 * (time.monotonic() - began))
    yield 1.0, record()


def train_phases(config: Mapping[str, Any]) -> Iterator[tuple[float, PhaseDiagram]]:
    """Train a phase diagram and give it as far as it is, several times a second.

    Args:
        config: arguments of `PhaseTraining`.
    """
    from saewidgets.toy import PhaseTraining

    training = PhaseTraining(**config)
    return looking(training, training.record)


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

    training = RecoveryTraining(run, instance=instance, **settings)
    return looking(training, training.record)


class ToyJobs(traitlets.HasTraits):
    """Phase diagrams, and SAEs on the models that are shown. Both run in the lab's worker."""

    sae_features = Whole(0, min=0, max=1000, help="Features of the SAE; 0 is twice as many as the toy has.")
    sae_features.tag(sync=True)
    sae_architecture = traitlets.Enum(("relu", "topk"), "relu", help="Of the SAE.").tag(sync=True)
    _diagram = traitlets.Dict().tag(sync=True)  # all that is drawn of a phase diagram, in one message an update
    _recovered = traitlets.Dict().tag(sync=True)  # all that is drawn of what an SAE recovered
    _phases: PhaseDiagram | None = None
    _features: RecoveredFeatures | None = None
    _train_phases: PhaseTrainer
    _recoverer: Recoverer
    _live: Live
    _guard: Any
    status: Any
    seed: Any
    n_features: Any
    n_hidden: Any
    run: Any
    selected: Any
    error: Any

    @property
    def diagram(self) -> PhaseDiagram:
        """The phase diagram that is shown, as far as it is trained. ValueError before there is one."""
        if self._phases is None:
            raise ValueError("no phase diagram is trained yet; choose one, lab.preset = 'M4', then start() and wait()")
        return self._phases

    @property
    def recovered(self) -> RecoveredFeatures:
        """What the SAE has recovered from the model that it was trained on. ValueError before there is one."""
        if self._features is None:
            raise ValueError("no SAE is trained yet; call recover() and wait(), or press the button")
        return self._features

    def recover(self) -> None:
        """Train an SAE on the hidden layer of the model that is chosen, at its end; returns at once.

        Raises ValueError before there are models, and while they train.
        """
        if self.status == "training":
            raise ValueError("the models are still training; call wait() first")
        run = self.run
        model = min(self.selected, run.n_instances - 1)
        active = float(run.feature_probability[model].sum())
        settings = {
            "d_sae": self.sae_features or min(2 * run.n_features, 1000),
            "architecture": self.sae_architecture,
            "k": max(1, round(active)),  # as many as are on together
            "steps": SAE_STEPS,
            "n": SAE_INPUTS,
            "seed": self.seed,
        }
        self.error = ""
        self._live.submit(ToyJobs._recover_step, RecoveryJob(run, model, settings))

    @property
    def _phase_config(self) -> dict[str, Any]:
        """The arguments of `PhaseTraining` that the settings give."""
        return {"n_features": self.n_features, "n_hidden": self.n_hidden, "seed": self.seed}

    # -- these run in the worker -------------------------------------------------------------------------------------

    def _start_phases(self) -> None:
        self._live.submit(ToyJobs._phase_step, PhaseJob(self._phase_config))

    def _phase_step(self, ticket: Ticket) -> float | None:
        """The next look at the phase diagram under way, drawn."""
        job: PhaseJob = ticket.request
        if job.steps is None:
            job.steps = iter(self._train_phases(job.config))
        step = next(job.steps, None)
        with self._guard:
            if ticket.cancelled:
                return 0.0  # stopped meanwhile: the worker will notice
            if step is None:
                if not ticket.replaced:
                    self.status = "finished"
                return None
            share, self._phases = step
            self._diagram = diagram_picture(self._phases, share) | {"code": phase_code(job.config)}
            ticket.shown = True
        return 0.0

    def _recover_step(self, ticket: Ticket) -> float | None:
        """The next look at the SAE under way, drawn."""
        job: RecoveryJob = ticket.request
        if job.steps is None:
            job.steps = iter(self._recoverer(job.run, job.model, job.settings))
        step = next(job.steps, None)
        with self._guard:
            if ticket.cancelled:
                return 0.0
            if step is None:
                return None
            share, self._features = step
            self._recovered = recovered_picture(self._features, job, share)
            ticket.shown = True
        return 0.0

    def _rest(self) -> None:
        """No SAE is being trained any more."""
        if self._recovered.get("busy"):
            self._recovered = self._recovered | {"busy": False}

    def _forget(self) -> None:
        """The models on which an SAE was trained are gone."""
        self._features = None
        self._recovered = {}


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


def phase_code(config: Mapping[str, Any]) -> str:
    """Python that trains this diagram again and draws it."""
    n, m, seed = config["n_features"], config["n_hidden"], config["seed"]
    return (
        "import saewidgets as sw\n\n"
        f"diagram = sw.toy.phase_diagram({n}, {m}, seed={seed})\n"
        "sw.views.phase_diagram(diagram, best=True)"
    )


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
            "norm": geometry.norms(best)[..., -1].ravel(),
            "superposition": geometry.superposition(best)[..., -1].ravel(),
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


def curves_of(run: ToyRun, *, followed: bool) -> dict[str, Any] | None:
    """The payload of the loss curves of the models that are shown, see `loss_curves`."""
    from saewidgets.analysis.toys.loss_curves import loss_curves

    curves = loss_curves(run, followed=followed)
    if curves is None:
        return None
    return payloads.curves_picture(
        curves.name,
        curves.features.tolist(),
        curves.settings.tolist(),
        curves.found.tolist(),
        curves.x.tolist(),
        curves.losses,
        [(c.x, c.loss, c.below, c.above) for c in curves.crossings],
        every=len(curves.features) in (0, run.n_features),
    )


def coordinates_of(run: ToyRun) -> list[tuple[float, list[float]]]:
    """(kurtosis, shares of |h|^2) of each model, see `bases.basis_alignment`; none where coordinates may not be turned,
    are too few to speak of outliers, or nobody recorded what the models trained on.
    """
    from saewidgets.analysis.toys.bases import basis_alignment

    if run.hidden != "linear" or run.n_hidden < 4 or run.recipe is None:
        return []
    found = basis_alignment(run, 512)
    return list(zip(found.kurtosis.tolist(), found.shares.round(4).tolist(), strict=True))
