"""Which toy models of a run are worth a picture, how they stand in it, and what their losses are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from saewidgets.analysis.toys import geometry
from saewidgets.analysis.toys import superposition_theory as theory
from saewidgets.records import ToyRun
from saewidgets.toy import training_inputs

__all__ = [
    "EXAMPLES",
    "SHOWN",
    "Gallery",
    "chosen",
    "examples",
    "loss_parts",
    "plain",
    "shown",
    "spread",
    "turned",
    "vulnerability",
]

SHOWN = 16  # models side by side, at most
ATTACKED = 3e7  # outputs to compute for the attacks on one model, about: larger models are attacked at fewer inputs
EXAMPLES = 60  # training inputs drawn of one model
ITEMIZED = 30  # features up to which the loss is itemized: there is a sum for every number of active ones


@dataclass(frozen=True, eq=False)
class Gallery:
    """The models of a run that are drawn, and what they were chosen from."""

    run: ToyRun  # the models that are drawn, turned to stand as `geometry.canonical` has them
    instances: np.ndarray  # int64 [model], the number of each in the run that they were chosen from
    trained: int  # models of that run
    settings: int  # settings of that run, see `ToyRun.settings`


def shown(run: ToyRun, *, starts: bool = False) -> Gallery:
    """The best model of each setting, at most `SHOWN`, evenly spread over the settings where there are more.

    Args:
        run: the models to choose from.
        starts: where all of them share one setting, its other models as well, from the lowest loss to the highest.
    """
    settings = run.settings
    instances = settings[0][:SHOWN] if starts and len(settings) == 1 else spread(run.best, SHOWN)
    drawn = chosen(run, instances)
    if run.hidden == "linear":  # with a ReLU on them the hidden dimensions are neurons, and may not be turned
        drawn = turned(drawn)
    return Gallery(drawn, instances, run.n_instances, len(settings))


def loss_parts(run: ToyRun) -> list[list[list[float]]]:
    """What each model's loss is made of, at the end: [not represented, interference] of inputs with 0, 1, 2, ... active
    features.

    L = sum_k p^k (1 - p)^(n - k) L_k (Elhage et al. 2022). For one active feature the two are told apart: its own
    error, and what it stirs up in others. Inputs with none or several count as interference. Empty where the formula
    does not hold.
    """
    p, importance = run.feature_probability, run.importance
    if not plain(run) or run.activation != "relu" or run.n_features > ITEMIZED or (p != p[:, :1]).any():
        return []
    out = []
    for i in range(run.n_instances):
        terms = theory.sparse_terms(run.final[i], run.biases[-1, i], float(p[i, 0]), importance[i], n_samples=1024)
        rows = [[0.0, float(value)] for value in terms.contributions]
        chance = float(terms.weights[1])
        rows[1] = [chance * float(terms.benefit.sum()), chance * float(terms.interference.sum())]
        out.append(rows)
    return out


def vulnerability(run: ToyRun) -> list[float]:
    """How much more the worst attack adds to the loss of each model, at the end, than to that of a model without
    superposition: [instance], see `superposition_theory.vulnerability`.

    A model that gives every feature a dimension and reads it exactly has the largest importance, by which each is
    divided. Empty where the attacks have no closed form (another architecture, or features that are not independent).
    """
    attackable = plain(run) and run.decoder is None and run.activation == "relu"
    if not attackable or not run.feature_probability.any(1).all():
        return []
    samples = int(np.clip(ATTACKED / (2 * run.n_features**2), 20, 1000))
    settings = zip(run.final, run.biases[-1], run.feature_probability, run.importance, strict=True)
    return [
        theory.vulnerability(W, b, p, importance, n_samples=samples) / max(float(importance.max()), 1e-12)
        for W, b, p, importance in settings
    ]


def plain(run: ToyRun) -> bool:
    """Whether closed forms of the loss hold: independent features, uniform as drawn, which are to be given back by way
    of a linear hidden layer.
    """
    return run.inputs == "uniform" and (run.relation, run.task, run.hidden) == ("independent", "reconstruct", "linear")


def examples(run: ToyRun) -> np.ndarray:
    """float32 [input, n_features]: the first inputs, `EXAMPLES` at most, of the list that the data sets of a run begin.

    A model with T training inputs has the first T of them. Empty [0, n_features] where inputs were always fresh, or where
    models differ in what is on in them, so that each has a list of its own.
    """
    recipe = run.recipe
    if recipe is None or recipe.data_sizes is None or (run.feature_probability != run.feature_probability[:1]).any():
        return np.zeros((0, run.n_features), np.float32)
    first = replace(recipe, data_size=min(int(recipe.data_sizes.max()), EXAMPLES))
    return training_inputs(replace(run, recipe=first))[0]


def spread(values: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of the values, evenly spread, the first and the last among them."""
    value: np.ndarray = values[np.unique(np.linspace(0, len(values) - 1, min(len(values), most)).round().astype(int))]
    return value


def chosen(run: ToyRun, instances: np.ndarray) -> ToyRun:
    """Some instances of a run, as a run that says which they were."""
    of = np.arange(run.n_instances) if run.instances is None else run.instances
    return replace(
        run,
        weights=run.weights[:, instances],
        biases=run.biases[:, instances],
        losses=run.losses[:, instances],
        train_losses=None if run.train_losses is None else run.train_losses[:, instances],
        feature_probability=run.feature_probability[instances],
        importance=run.importance[instances],
        decoder=None if run.decoder is None else run.decoder[:, instances],
        instances=of[instances],
    )


def turned(run: ToyRun) -> ToyRun:
    """The run with each model turned as a whole, so that at its end it stands as `geometry.canonical` has it."""
    return geometry.turned_by(run, geometry.canonical_turn(run.final))
