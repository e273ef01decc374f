"""Toy models as the picture that the superposition lab draws: their numbers as bytes, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from saewidgets.frontend.payloads.numbers import number, sendable
from saewidgets.languages import said, to_say
from saewidgets.records import ToyRun

__all__ = ["toy_labels", "toy_picture"]


def toy_picture(
    run: ToyRun,
    *,
    instances: Sequence[int],
    trained: int,
    settings: int,
    total: int,
    code: str,
    most: int,
    loss_parts: Sequence[Sequence[Sequence[float]]] = (),
    curves: dict[str, Any] | None = None,
    vulnerability: Sequence[float] = (),
    examples: np.ndarray | None = None,
    coordinates: Sequence[tuple[float, Sequence[float]]] = (),
) -> dict[str, Any]:
    """What `instruments/superposition` draws of a run.

    `values` holds all weights, then all biases, then all decoders, as 16-bit integers, little-endian, in units of
    `scale`: whoever looks sees no difference, and a page that can be scrubbed stays small.

    Args:
        run: the models to draw, see `analysis.toys.gallery.shown`.
        instances: the number of each in the run that they were chosen from.
        trained: models of that run.
        settings: settings of that run.
        total: steps that the training will have.
        code: Python that does the same.
        most: numbers to carry; snapshots are thinned to keep to it.
        loss_parts: what the loss of each model is made of, see `analysis.toys.gallery.loss_parts`; empty where it is
            not shown.
        curves: loss against the setting, see `curves_picture`; None where models differ in no one number.
        vulnerability: of each model against that of one without superposition, see
            `analysis.toys.gallery.vulnerability`; empty where it is not shown.
        examples: training inputs [input, n_features], see `analysis.toys.gallery.examples`; None or empty where there
            are none to show.
        coordinates: of each model the kurtosis of h and its coordinates' shares of |h|^2, see
            `analysis.toys.bases.basis_alignment`; empty where they are not shown.
    """
    parts = [run.weights, run.biases, *([] if run.decoder is None else [run.decoder])]
    each = sum(part[0].size for part in parts)  # numbers in one snapshot
    kept = thinned(len(run.steps), max(2, most // each))
    scale = max(float(np.abs(part).max()) for part in parts) / 32767 or 1.0
    values = np.concatenate([np.rint(part[kept] / scale).ravel() for part in parts]).astype("<i2")
    names, kind = toy_labels(run, instances)
    value: dict[str, Any] = sendable(
        {
            "snapshots": len(kept),
            "instances": run.n_instances,
            "hidden": run.n_hidden,
            "features": run.n_features,
            "untied": run.decoder is not None,
            "privileged": run.hidden == "relu",
            "scale": scale,
            "steps": run.steps[kept].tolist(),
            "losses": [[number(x) for x in row] for row in run.losses[kept].tolist()],
            "labels": names,
            "label_name": kind,
            "reach": number(max(1.0, float(np.linalg.norm(run.final.astype(np.float64), axis=-2).max()))),
            "bias": number(max(0.1, float(np.abs(run.biases).max()))),
            "sets": [list(members) for members in run.sets],
            "loss_parts": [[[number(x) or 0.0 for x in row] for row in rows] for rows in loss_parts],
            "curves": curves,
            "density": rows_of(run.feature_probability),
            "importance": rows_of(run.importance),
            "attackable": run.decoder is None
            and (run.hidden, run.activation, run.task, run.inputs) == ("linear", "relu", "reconstruct", "uniform"),
            "vulnerability": [number(x) for x in vulnerability],
            "examples": [] if examples is None else [sparse(row) for row in examples],
            "sizes": run.data_sizes.tolist(),
            "coordinates": [
                {"kurtosis": number(kurtosis), "shares": [number(x) for x in shares]}
                for kurtosis, shares in coordinates
            ],
            "total": total,
            "about": said(
                "{described}. {counted}.", described=described(run), counted=counted(run.n_instances, trained, settings)
            ),
            "code": code,
        }
    ) | {"values": values.tobytes()}
    return value


def rows_of(values: np.ndarray) -> list[list[float]]:
    """[instance, feature] as one list for each instance, of a single number where all of its features have the same."""
    return [[round(float(x), 6) for x in (row[:1] if (row == row[0]).all() else row)] for row in values]


def sparse(row: np.ndarray) -> list[list[float]]:
    """[n_features] as [feature, value] of each that is not 0."""
    return [[int(i), round(float(row[i]), 4)] for i in np.flatnonzero(row)]


def thinned(count: int, most: int) -> np.ndarray:
    """Indices of at most `most` of `count` snapshots, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def toy_labels(run: ToyRun, instances: Sequence[int]) -> tuple[list[str], str]:
    """What to call each model: the density, or the importance, that tells them apart; else its number, one of
    `instances`.
    """
    for words, values in ((to_say("density"), run.feature_probability), (to_say("importance"), run.importance)):
        varies = np.flatnonzero((values != values[0]).any(0))  # features whose value differs between models
        if len(varies) == 0 or (values[:, varies] != values[:, varies[:1]]).any():
            continue
        texts = [f"{x:.2g}" for x in values[:, varies[0]].tolist()]
        if len(set(texts)) == run.n_instances:
            every, names = len(varies) == run.n_features, ", ".join(map(str, varies))
            return texts, said(words) if every else said("{what} of {features}:", what=said(words), features=names)
    if len(set(run.data_sizes.tolist())) == run.n_instances > 1:
        return [f"{size:,}" for size in run.data_sizes.tolist()], "T ="
    return [str(i) for i in instances], said("model")


def described(run: ToyRun) -> str:
    """What kind of models these are, in a sentence without its full stop."""
    n, m = run.n_features, run.n_hidden
    features = said("1 feature" if n == 1 else "{n} features", n=n)
    features = said("{features} in 1 dimension" if m == 1 else "{features} in {m} dimensions", features=features, m=m)
    decays = run.importance[0, 1:] / np.maximum(run.importance[0, :-1], 1e-12)
    geometric = (
        len(decays) > 0 and (run.importance == run.importance[0]).all() and np.allclose(decays, decays[0], rtol=1e-3)
    )
    importance = said("importance as recorded")
    if geometric:
        importance = said("importance {decay:.3g} to the power i", decay=float(decays[0]))
    if geometric and abs(float(decays[0]) - 1) < 1e-6:
        importance = said("all equally important")
    kinds = {
        "independent": "",
        "correlated": said(", on together in sets"),
        "anticorrelated": said(", never on together in their sets"),
    }
    p = run.feature_probability
    density = said("; each on in {share:.3g} % of inputs", share=100 * float(p[0, 0])) if (p == p[0, 0]).all() else ""
    sizes = sorted({*run.data_sizes.tolist()})
    several = f"{sizes[0]:,}" if sizes else "0"
    if len(sizes) > 1:
        several = said("{low:,} to {high:,}", low=sizes[0], high=sizes[-1])
    data = ""
    if sizes and sizes[-1]:
        data = said("; trained on the same T = {several} inputs again and again", several=several)
    kind = kinds[run.relation]
    return said(
        "{features}{kind}; {importance}{density}{data}",
        features=features,
        kind=kind,
        importance=importance,
        density=density,
        data=data,
    )


def counted(shown: int, trained: int, settings: int) -> str:
    """How many models were trained and which of them are shown, in a sentence without its full stop."""
    models = said("1 model" if trained == 1 else "{n:,} models", n=trained)
    if settings == 1:
        if trained == 1:
            return models
        if shown == 1:
            return said("{models} trained, the best shown", models=models)
        if shown == trained:
            return said("{models} of one setting, all shown, from the best to the worst", models=models)
        return said(
            "{models} of one setting, the best {shown} shown, from the best to the worst", models=models, shown=shown
        )
    if trained == settings:
        return models if shown == trained else said("{models}, {shown} of them shown", models=models, shown=shown)
    best = said("{models} trained, the best of each setting shown", models=models)
    if trained % settings == 0:
        best = said("{models} trained, the best of each {n} shown", models=models, n=trained // settings)
    if shown == settings:
        return best
    return said("{best}, for {shown} of {settings} settings", best=best, shown=shown, settings=settings)
