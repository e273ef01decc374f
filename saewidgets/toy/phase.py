"""Phase diagrams: a grid of settings, several models in each cell, all of them trained at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from saewidgets.records import PhaseDiagram, ToyConfig
from saewidgets.records.arguments import seed_of
from saewidgets.toy.training import ToyStep, train_toy


def phase_diagram(
    n_features: int | Sequence[int] = 2,
    n_hidden: int = 1,
    densities: float | Sequence[float] = tuple(np.geomspace(1, 0.01, 10)[::-1]),
    importances: float | Sequence[float] = tuple(np.geomspace(0.1, 10, 10)),
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
    seed = seed_of(seed)
    given = {"density": densities, "importance": importances, "features": n_features}
    axes = [name for name, value in given.items() if not np.isscalar(value)]
    if len(axes) != 2:
        raise ValueError(
            f"exactly two of densities, importances and n_features must be sequences, not {len(axes)}: they are the axes"
        )
    if not 0 <= dropped < n_models:
        raise ValueError(f"dropped must be 0 to {n_models - 1}, fewer than n_models, not {dropped}")
    if np.min(n_features) < 2:
        raise ValueError(f"n_features must be 2 or more, not {np.min(n_features)}: with one there is nothing to share")
    x, y = (np.sort(np.asarray(given[name], np.float64).ravel()) for name in axes)
    grid = dict(zip(axes, np.meshgrid(x, y), strict=True))
    density, importance, features = (np.broadcast_to(grid.get(name, given[name]), (len(y), len(x))) for name in given)
    sizes = features.astype(np.int64)
    weights = np.zeros((*sizes.shape, n_models, n_hidden, sizes.max()), np.float32)
    losses = np.zeros((*sizes.shape, n_models), np.float32)
    finished, all_work = 0.0, float((sizes * n_models).sum())
    for n in np.unique(sizes):
        cells = np.nonzero(sizes == n)
        one = np.ones((len(cells[0]), n))
        one[:, -1] = importance[cells]
        config = ToyConfig(
            n_features=int(n),
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
        work = n * len(one) * n_models / all_work

        def tell(step: ToyStep, finished: float = finished, work: float = work) -> None:
            if progress is not None:
                progress(finished + work * step.steps_done / steps)

        run = train_toy(config).run(tell)
        finished += work
        loss = run.losses[-1].reshape(-1, n_models)
        order = np.argsort(loss, axis=1)
        losses[cells] = np.take_along_axis(loss, order, axis=1)
        W = run.final.reshape(-1, n_models, n_hidden, n)
        weights[cells[0], cells[1], :, :, :n] = np.take_along_axis(W, order[..., None, None], axis=1)
    return PhaseDiagram(
        x_name=axes[0],
        y_name=axes[1],
        x=x,
        y=y,
        weights=weights,
        losses=losses,
        density=density.astype(np.float64),
        importance=importance.astype(np.float64),
        features=sizes,
        dropped=dropped,
    )
