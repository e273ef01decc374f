"""Phase diagrams: a grid of settings, several models in each cell, all of them trained at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from saewidgets.records import PhaseDiagram, ToyConfig
from saewidgets.records.arguments import seed_of
from saewidgets.toy.training import ToyTraining, train_toy

DENSITIES = tuple(np.geomspace(1, 0.01, 10)[::-1])
IMPORTANCES = tuple(np.geomspace(0.1, 10, 10))


@dataclass(frozen=True)
class PhaseExperiment:
    """One phase diagram of the paper; `PhaseTraining(e.n_features, e.n_hidden)` trains it."""

    name: str  # e.g. "M4"
    title: str
    part: str  # of the paper, as that of an `Experiment`
    look_for: str  # one sentence: where in the picture the answer is seen
    question: str  # to think about before looking
    outcome: str  # what the paper reports
    n_features: int
    n_hidden: int


def phase_experiments() -> dict[str, PhaseExperiment]:
    """The phase diagrams of the paper, by short name.

    Example:
        >>> {name: (e.n_features, e.n_hidden) for name, e in phase_experiments().items()}
        {'M4': (2, 1), 'M5': (3, 2)}
    """
    return {one.name: one for one in _EXPERIMENTS}


_EXPERIMENTS = (
    PhaseExperiment(
        "M4",
        "Phase diagram: two features, one dimension",
        "Small models",
        "Where the color changes along the line of equal importance, and whether the borders of the theory lie there.",
        "One dimension, two features. When is the second left out, when does it get the dimension, when do both share?",
        "Rare: shared, whatever the importance. Dense: the more important of the two has the dimension. The borders are "
        "sharp.",
        2,
        1,
    ),
    PhaseExperiment(
        "M5",
        "Phase diagram: three features, two dimensions",
        "Small models",
        "The region in which the extra feature has a dimension of its own because the two others share one.",
        "Two features of importance 1 and an extra one: who shares, and with whom?",
        "Three phases again. Rare and important, the extra one has a dimension to itself while the others are a pair.",
        3,
        2,
    ),
)


class PhaseTraining:
    """A phase diagram under way: `next(training)` works for about 50 ms and gives the share done, 0 to 1. Not to call
    `next` is to pause, or to stop.

    `record` gives the diagram as far as it is, at any time. How the work is cut into turns, and whether somebody looks
    meanwhile, changes nothing in the result.

    The arguments, and what is raised, are those of `phase_diagram`.

    Example:
        >>> training = PhaseTraining(2, 1, [0.1, 1.0], [0.5, 1.0, 2.0], n_models=2, steps=5)
        >>> list(training)[-1], training.record().norms.shape
        (1.0, (3, 2))
    """

    def __init__(
        self,
        n_features: int | Sequence[int] = 2,
        n_hidden: int = 1,
        densities: float | Sequence[float] = DENSITIES,
        importances: float | Sequence[float] = IMPORTANCES,
        n_models: int = 10,
        *,
        dropped: int = 1,
        steps: int = 2000,
        lr: float = 1e-2,
        schedule: str = "cosine",
        seed: int = 0,
        device: str | None = None,
    ) -> None:
        seed = seed_of(seed)
        given = {"density": densities, "importance": importances, "features": n_features}
        axes = [name for name, value in given.items() if not np.isscalar(value)]
        if len(axes) != 2:
            raise ValueError(
                f"exactly two of densities, importances and n_features must be sequences, not {len(axes)}: "
                "they are the axes"
            )
        if not 0 <= dropped < n_models:
            raise ValueError(f"dropped must be 0 to {n_models - 1}, fewer than n_models, not {dropped}")
        if np.min(n_features) < 2:
            raise ValueError(
                f"n_features must be 2 or more, not {np.min(n_features)}: with one there is nothing to share"
            )
        x, y = (np.sort(np.asarray(given[name], np.float64).ravel()) for name in axes)
        grid = dict(zip(axes, np.meshgrid(x, y), strict=True))
        density, importance, features = (
            np.broadcast_to(grid.get(name, given[name]), (len(y), len(x))) for name in given
        )
        self.axes, self.x, self.y = axes, x, y
        self.density, self.importance = density.astype(np.float64), importance.astype(np.float64)
        self.sizes = features.astype(np.int64)
        self.n_hidden, self.n_models, self.dropped = n_hidden, n_models, dropped
        self.cells = [np.nonzero(self.sizes == n) for n in np.unique(self.sizes)]  # models of one size train together
        self.trainings: list[ToyTraining] = []
        for cells in self.cells:
            n = int(self.sizes[cells][0])
            one = np.ones((len(cells[0]), n))
            one[:, -1] = importance[cells]
            config = ToyConfig(
                n_features=n,
                n_hidden=n_hidden,
                n_instances=len(one) * n_models,
                feature_probability=np.repeat(density[cells], n_models)[:, None],
                importance=np.repeat(one, n_models, axis=0),
                steps=steps,
                lr=lr,
                schedule=schedule,
                snapshots=2,
                seed=seed,
                device=device,
            )
            self.trainings.append(train_toy(config))

    @property
    def done(self) -> bool:
        """Whether all steps are finished."""
        return all(training.done for training in self.trainings)

    @property
    def share(self) -> float:
        """The share of the work that is done, 0 to 1."""
        work = [training.config.n_features * training.config.n_instances for training in self.trainings]
        finished = sum(
            w * training.steps_done / training.config.steps for w, training in zip(work, self.trainings, strict=True)
        )
        return finished / sum(work)

    def __iter__(self) -> PhaseTraining:
        return self

    def __next__(self) -> float:
        """Raises FloatingPointError if a weight is no longer finite."""
        for training in self.trainings:
            if not training.done:
                next(training)
                return self.share
        raise StopIteration

    def run(self, progress: Callable[[float], object] | None = None) -> PhaseDiagram:
        """Finish the training; `progress` is called with the share done after each turn."""
        for share in self:
            if progress is not None:
                progress(share)
        return self.record()

    def record(self) -> PhaseDiagram:
        """The diagram of the models as they are now; the best of each cell stand first."""
        shape, n_models = self.sizes.shape, self.n_models
        weights = np.zeros((*shape, n_models, self.n_hidden, self.sizes.max()), np.float32)
        losses = np.zeros((*shape, n_models), np.float32)
        for cells, training in zip(self.cells, self.trainings, strict=True):
            n = training.config.n_features
            run = training.record()
            loss = run.losses[-1].reshape(-1, n_models)
            order = np.argsort(loss, axis=1)
            losses[cells] = np.take_along_axis(loss, order, axis=1)
            W = run.final.reshape(-1, n_models, self.n_hidden, n)
            weights[cells[0], cells[1], :, :, :n] = np.take_along_axis(W, order[..., None, None], axis=1)
        return PhaseDiagram(
            x_name=self.axes[0],
            y_name=self.axes[1],
            x=self.x,
            y=self.y,
            weights=weights,
            losses=losses,
            density=self.density,
            importance=self.importance,
            features=self.sizes,
            dropped=self.dropped,
        )


def phase_diagram(
    n_features: int | Sequence[int] = 2,
    n_hidden: int = 1,
    densities: float | Sequence[float] = DENSITIES,
    importances: float | Sequence[float] = IMPORTANCES,
    n_models: int = 10,
    *,
    dropped: int = 1,
    steps: int = 2000,
    lr: float = 1e-2,
    schedule: str = "cosine",
    seed: int = 0,
    device: str | None = None,
    progress: Callable[[float], object] | None = None,
) -> PhaseDiagram:
    """What becomes of the last feature, over two of: density, its relative importance, the number of features (M4, M5).

    Give a sequence for the two that vary and a number for the third. Density is P(x_i != 0) of every feature;
    importance is the last feature's, the others have 1. x is density where that varies, y is importance, or else the
    number of features.

    Args:
        n_features: n, at least 2.
        n_hidden: m.
        densities: above 0, at most 1.
        importances: 0 or more.
        n_models: trained in each cell, from different starts.
        dropped: the worst of them, which the averages leave out.
        steps: optimizer steps, with `lr` and `schedule` as in `ToyConfig`.
        seed: of the starts and inputs.
        device: as in `ToyConfig`.
        progress: called with the share done, 0 to 1, about every 50 ms.

    Raises ValueError unless exactly two of the three are sequences, or if one holds a value that cannot be.

    Example:
        >>> diagram = phase_diagram(2, 1, [0.1, 1.0], [0.5, 1.0, 2.0], n_models=2, steps=5)
        >>> diagram.norms.shape
        (3, 2)
    """
    training = PhaseTraining(
        n_features,
        n_hidden,
        densities,
        importances,
        n_models,
        dropped=dropped,
        steps=steps,
        lr=lr,
        schedule=schedule,
        seed=seed,
        device=device,
    )
    return training.run(progress)
