"""Loss against a setting: what closed forms and known families of solutions cost where the trained models stand."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cache

import numpy as np

from saewidgets.analysis.toys import gallery
from saewidgets.analysis.toys import superposition_theory as theory
from saewidgets.records import ToyRun

POINTS = 49  # of each curve
FOLLOWED = 15  # of a family, each from the one before
RATIO = 1.15  # how far a curve goes beyond the settings that were trained


@dataclass(frozen=True)
class Crossing:
    """Where two curves have one loss."""

    x: float  # the setting
    loss: float
    below: str  # the cheaper one at lower settings
    above: str  # the cheaper one at higher settings


@dataclass(frozen=True, eq=False)
class LossCurves:
    """Losses of known solutions over the one setting in which the models of a run differ."""

    name: str  # "density" | "importance" | "inputs", how many of them the model trained on
    features: np.ndarray  # int64, the features whose value varies; the others have one value in all models
    settings: np.ndarray  # float64 [instance], the value of each model
    found: np.ndarray  # float64 [instance], the final loss of each model
    x: np.ndarray  # float64 [point], ascending
    losses: dict[str, np.ndarray]  # solution -> float64 [point], NaN where it is none
    crossings: tuple[Crossing, ...]  # from the left to the right


def loss_curves(run: ToyRun, *, followed: bool = True) -> LossCurves | None:
    """Loss against the one number in which the models of a run differ; None where they differ in none, or in several.

    Closed forms (see `superposition_theory.solution_losses`) where they hold: independent features, the task
    "reconstruct", a linear hidden layer, no penalty. A linear read-out has the first of them only. Where five equal
    features have two dimensions and the density of one varies, the two families of `families.perturbed_families`
    instead, each followed from setting to setting: a pentagon, which deforms, and two antipodal pairs. That takes
    about a second, and torch: without it, or with `followed` False, the closed forms stand there.

    Where models differ in the number of inputs that they trained on, over and over, the one line is their loss on these.

    The losses found are summed over the sets of active features where that can be done (`superposition_theory.
    expected_loss`, `sparse_terms`) and `followed` is True, else those of the run, which are estimates from a sample.

    Example:
        >>> W, p = np.zeros((1, 2, 1, 2), np.float32), np.float32([[0.1, 0.1], [0.9, 0.9]])
        >>> run = ToyRun(W, W[:, :, 0], np.array([0]), np.ones((1, 2), np.float32), p, np.ones((2, 2), np.float32))
        >>> [(round(c.x, 2), c.below, c.above) for c in loss_curves(run).crossings]
        [(0.57, 'two per dimension', 'one per dimension')]
    """
    varied = _varied(run)
    if varied is None:
        return None
    name, features, settings = varied
    if name == "inputs":
        return _by_inputs(run, settings)
    low, high = settings.min() / RATIO, settings.max() * RATIO
    x = np.geomspace(low, min(high, 1.0) if name == "density" else high, POINTS)
    p, weight = (
        np.repeat(part[:1].astype(np.float64), POINTS, axis=0) for part in (run.feature_probability, run.importance)
    )
    (p if name == "density" else weight)[:, features] = x[:, None]
    closed = _closed_forms(run, p, weight)
    if followed and closed and _is_perturbed(run, name, features):
        with contextlib.suppress(ImportError):  # a recorded run opens without torch
            other = float(np.median(run.feature_probability))  # four of five have it
            x, closed = _families(other, float(x[0]), float(x[-1]))
    return LossCurves(name, features, settings, _found(run, exact=followed), x, closed, crossings(x, closed))


def crossings(x: np.ndarray, losses: dict[str, np.ndarray]) -> tuple[Crossing, ...]:
    """Where two of the curves cross and no third is lower there; straight in log x between two points."""
    found = []
    names = list(losses)
    for k, one in enumerate(names):
        for other in names[k + 1 :]:
            gap = losses[one] - losses[other]
            for i in np.flatnonzero(gap[:-1] * gap[1:] < 0):
                t = gap[i] / (gap[i] - gap[i + 1])
                at = float(np.exp(np.log(x[i]) + t * (np.log(x[i + 1]) - np.log(x[i]))))
                loss = float(losses[one][i] + t * (losses[one][i + 1] - losses[one][i]))
                between = [float(np.interp(np.log(at), np.log(x), losses[name])) for name in names]
                if loss <= np.nanmin(between) * (1 + 1e-6):
                    below, above = (one, other) if gap[i] < 0 else (other, one)
                    found.append(Crossing(at, loss, below, above))
    return tuple(sorted(found, key=lambda crossing: crossing.x))


def _varied(run: ToyRun) -> tuple[str, np.ndarray, np.ndarray] | None:
    """(name, features, settings [instance]) of the one number in which models differ."""
    differing = []
    for name, values in (("density", run.feature_probability), ("importance", run.importance)):
        features = np.flatnonzero((values != values[:1]).any(0))
        if len(features):
            differing.append((name, features, values[:, features].astype(np.float64)))
    if (run.data_sizes != run.data_sizes[0]).any():
        differing.append(("inputs", np.zeros(0, np.int64), run.data_sizes[:, None].astype(np.float64)))
    if len(differing) != 1:
        return None
    name, features, values = differing[0]
    if (values != values[:, :1]).any() or values.min() <= 0:
        return None
    return name, features, values[:, 0]


def _by_inputs(run: ToyRun, settings: np.ndarray) -> LossCurves:
    """Loss on fresh inputs, found, and on those that each model trained on, as a line."""
    x, first = np.unique(settings, return_index=True)
    lines = {} if run.train_losses is None else {"on its own inputs": run.train_losses[-1, first].astype(np.float64)}
    return LossCurves("inputs", np.zeros(0, np.int64), settings, run.losses[-1].astype(np.float64), x, lines, ())


def _found(run: ToyRun, *, exact: bool) -> np.ndarray:
    """float64 [instance]: final losses, with as little noise as can be."""
    losses: np.ndarray = run.losses[-1].astype(np.float64)
    if not exact or not gallery.plain(run) or run.activation != "relu":
        return losses
    p, weight = run.feature_probability, run.importance
    for i in range(run.n_instances):
        model = run.final[i], run.biases[-1, i]
        if run.n_features <= theory.SUBSETS:
            losses[i] = theory.expected_loss(*model, p[i], weight[i])
        elif run.n_features <= gallery.ITEMIZED and (p[i] == p[i, 0]).all():
            losses[i] = theory.sparse_terms(*model, float(p[i, 0]), weight[i], n_samples=1024).contributions.sum()
    return losses


def _closed_forms(run: ToyRun, p: np.ndarray, weight: np.ndarray) -> dict[str, np.ndarray]:
    """Solution -> loss [point] for densities and importances [point, n]; none where no closed form holds."""
    recipe = run.recipe
    if not gallery.plain(run) or (recipe is not None and (recipe.l1 or recipe.adversarial)):
        return {}
    table = theory.solution_losses(run.n_hidden, p, weight)
    if run.activation == "linear":
        return {"one per dimension": table["one per dimension"]}
    both = table.pop("best of both")
    if (both < np.minimum(*table.values()) * (1 - 1e-3)).any():
        table["best of both"] = both
    return table


def _is_perturbed(run: ToyRun, name: str, features: np.ndarray) -> bool:
    """Whether it is the experiment of `families`: five equal features in two dimensions, the density of one varies."""
    if (run.n_features, run.n_hidden, run.activation, name) != (5, 2, "relu", "density") or len(features) != 1:
        return False
    others = np.delete(run.feature_probability, features[0], axis=1)
    return bool((others == others[0, 0]).all() and (run.importance == 1).all())


@cache
def _families(other: float, low: float, high: float) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(densities of the one, family -> loss [point]), where the four others have the density `other`."""
    from saewidgets.analysis.toys.families import perturbed_families  # needs torch

    found = perturbed_families(other, np.geomspace(low, high, FOLLOWED) / other)
    return found.factors * other, {"pentagon": found.pentagon, "digons": found.digons}
