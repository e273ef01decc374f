"""Toy models as the picture that the superposition lab draws: the models to show, how they stand, and their numbers as bytes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from saewidgets.analysis.toys import geometry
from saewidgets.analysis.toys import superposition_theory as theory
from saewidgets.frontend import payload
from saewidgets.records import ToyRun

__all__ = ["SHOWN", "best_of_each", "chosen", "labels", "picture", "shown"]

SHOWN = 8  # models side by side, at most
ITEMIZED = 30  # features up to which the loss is itemized: there is a sum for every number of active ones


def shown(run: ToyRun) -> ToyRun:
    """The models of a run that are drawn, at most `SHOWN`, turned to stand as `geometry.canonical` has them."""
    best = chosen(run, best_of_each(run))
    # with a ReLU on them the hidden dimensions are neurons, and may not be turned
    return turned(best) if run.hidden == "linear" else best


def picture(run: ToyRun, *, population: int, total: int, code: str, most: int, itemize: bool) -> dict[str, Any]:
    """What `frontend/superposition.js` draws of a run.

    `values` holds all weights, then all biases, then all decoders, as 16-bit integers, little-endian, in units of `scale`: whoever
    looks sees no difference, and a page that can be scrubbed stays small.

    Args:
        run: the models to draw, of `shown`.
        population: how many models were trained.
        total: steps that the training will have.
        code: Python that does the same.
        most: numbers to carry; snapshots are thinned to keep to it.
        itemize: say what the loss is made of, which takes a moment.
    """
    parts = [run.weights, run.biases, *([] if run.decoder is None else [run.decoder])]
    each = sum(part[0].size for part in parts)  # numbers in one snapshot
    kept = thinned(len(run.steps), max(2, most // each))
    scale = max(float(np.abs(part).max()) for part in parts) / 32767 or 1.0
    values = np.concatenate([np.rint(part[kept] / scale).ravel() for part in parts]).astype("<i2")
    names, kind = labels(run)
    return payload.wire(
        {
            "snapshots": len(kept),
            "instances": run.n_instances,
            "hidden": run.n_hidden,
            "features": run.n_features,
            "untied": run.decoder is not None,
            "privileged": run.hidden == "relu",
            "scale": scale,
            "steps": run.steps[kept].tolist(),
            "losses": [[payload.number(x) for x in row] for row in run.losses[kept].tolist()],
            "labels": names,
            "label_name": kind,
            "reach": payload.number(max(1.0, float(geometry.norms(run.final).max()))),
            "bias": payload.number(max(0.1, float(np.abs(run.biases).max()))),
            "sets": [list(members) for members in run.sets],
            "bills": bills(run) if itemize else [],
            "total": total,
            "told": told(run, population),
            "code": code,
        }
    ) | {"values": values.tobytes()}


def bills(run: ToyRun) -> list[list[list[float]]]:
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
        out.append([[payload.number(x) or 0.0 for x in row] for row in rows])
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


def thinned(count: int, most: int) -> np.ndarray:
    """Indices of at most `most` of `count` snapshots, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def labels(run: ToyRun) -> tuple[list[str], str]:
    """What to call each model: the density, or the importance, that tells them apart; else its number."""
    for words, values in (("density", run.feature_probability), ("importance", run.importance)):
        varies = np.flatnonzero((values != values[0]).any(0))  # features whose value differs between models
        if len(varies) == 0 or (values[:, varies] != values[:, varies[:1]]).any():
            continue
        told = [f"{x:.2g}" for x in values[:, varies[0]].tolist()]
        if len(set(told)) == run.n_instances:
            return told, words if len(varies) == run.n_features else f"{words} of {', '.join(map(str, varies))}:"
    return [str(i + 1) for i in range(run.n_instances)], "model"


def told(run: ToyRun, population: int) -> str:
    """What is shown, in a sentence."""
    n, m = run.n_features, run.n_hidden
    features = f"{n} feature{'s' * (n != 1)} in {m} dimension{'s' * (m != 1)}"
    decays = run.importance[0, 1:] / np.maximum(run.importance[0, :-1], 1e-12)
    geometric = (
        len(decays) > 0 and (run.importance == run.importance[0]).all() and np.allclose(decays, decays[0], rtol=1e-3)
    )
    importance = f"importance {float(decays[0]):.3g} to the power i" if geometric else "importance as recorded"
    if geometric and abs(float(decays[0]) - 1) < 1e-6:
        importance = "all equally important"
    kinds = {
        "independent": "",
        "correlated": ", on together in sets",
        "anticorrelated": ", never on together in their sets",
    }
    best = f"{population} models trained, the best of each {population // run.n_instances} shown"
    shown = best if population > run.n_instances else f"{run.n_instances} model{'s' * (run.n_instances != 1)}"
    p = run.feature_probability
    density = f"; each on in {100 * float(p[0, 0]):.3g} % of inputs" if (p == p[0, 0]).all() else ""
    return f"{features}{kinds[run.relation]}; {importance}{density}. {shown}."
