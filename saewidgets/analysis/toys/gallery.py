"""Which toy models of a run are worth a picture, how they stand in it, and what their losses are made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from saewidgets.analysis.toys import geometry
from saewidgets.analysis.toys import superposition_theory as theory
from saewidgets.records import ToyRun

__all__ = ["SHOWN", "best_of_each", "chosen", "loss_parts", "shown", "turned"]

SHOWN = 8  # models side by side, at most
ITEMIZED = 30  # features up to which the loss is itemized: there is a sum for every number of active ones


def shown(run: ToyRun) -> ToyRun:
    """The models of a run that are drawn, at most `SHOWN`, turned to stand as `geometry.canonical` has them."""
    best = chosen(run, best_of_each(run))
    # with a ReLU on them the hidden dimensions are neurons, and may not be turned
    return turned(best) if run.hidden == "linear" else best


def loss_parts(run: ToyRun) -> list[list[list[float]]]:
    """What each model's loss is made of, at the end: [not represented, interference] of inputs with 0, 1, 2, ... active features.

    L = sum_k p^k (1 - p)^(n - k) L_k (Elhage et al. 2022). For one active feature the two are told apart: its own error, and what it
    stirs up in others. Inputs with none or several count as interference. Empty where the formula does not hold.
    """
    p, importance = run.feature_probability, run.importance
    plain = run.relation == "independent" and run.decoder is None and (run.hidden, run.activation) == ("linear", "relu")
    if not plain or run.n_features > ITEMIZED or (p != p[:, :1]).any():
        return []
    out = []
    for i in range(run.n_instances):
        terms = theory.sparse_terms(run.final[i], run.biases[-1, i], float(p[i, 0]), importance[i], n_samples=1024)
        rows = [[0.0, float(value)] for value in terms.contributions]
        chance = float(terms.weights[1])
        rows[1] = [chance * float(terms.benefit.sum()), chance * float(terms.interference.sum())]
        out.append(rows)
    return out


def best_of_each(run: ToyRun) -> np.ndarray:
    """int64 [k], k <= 8: the instance with the lowest loss for each setting; all instances where there is one setting.

    Instances have one setting where feature probabilities and importances are equal. Settings keep their order.
    """
    settings = np.concatenate([run.feature_probability, run.importance], axis=1)
    _, first, group = np.unique(settings, axis=0, return_index=True, return_inverse=True)
    if len(first) == 1:
        return np.arange(min(run.n_instances, SHOWN))
    loss = run.losses[-1]
    best = [
        int(members[np.argmin(loss[members])]) for g in range(len(first)) if len(members := np.flatnonzero(group == g))
    ]
    return np.array([best[g] for g in np.argsort(first)][:SHOWN])


def chosen(run: ToyRun, instances: np.ndarray) -> ToyRun:
    """Some instances of a run, as a run."""
    return replace(
        run,
        weights=run.weights[:, instances],
        biases=run.biases[:, instances],
        losses=run.losses[:, instances],
        feature_probability=run.feature_probability[instances],
        importance=run.importance[instances],
        decoder=None if run.decoder is None else run.decoder[:, instances],
    )


def turned(run: ToyRun) -> ToyRun:
    """The run with each model turned as a whole, so that at its end it stands as `geometry.canonical` has it."""
    weights = run.weights
    # Procrustes: R = U V^T with U S V^T = reference W^T brings the end of the run to the reference
    U, _, Vt = np.linalg.svd(geometry.canonical(weights[-1]) @ np.swapaxes(weights[-1].astype(np.float64), -1, -2))
    R = (U @ Vt).astype(np.float32)  # [instance, m, m]
    decoder = None if run.decoder is None else run.decoder @ np.swapaxes(R, -1, -2)
    return replace(run, weights=R @ weights, decoder=decoder)
