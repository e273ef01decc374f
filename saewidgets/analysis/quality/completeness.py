"""Whether every concept of a family has a feature, against its frequency and the size of the SAE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from saewidgets.analysis.features.activations import feature_activations
from saewidgets.analysis.quality.concepts import Labeled, LabelsByToken, check_labeled, feature_of, numbered, token_of
from saewidgets.analysis.quality.detectors import concept_detectors
from saewidgets.analysis.quality.probes import fit_logistic
from saewidgets.bars import muted
from saewidgets.models import Model
from saewidgets.records import Completeness, FeatureActivations, Sigmoid
from saewidgets.records.arguments import expect, real, seed_of, whole
from saewidgets.sae import SAE

N_PARTS = 8  # features listed of each concept
_STRENGTH = 100.0  # C of the sigmoids: next to no penalty, but a slope that stays finite


def completeness(
    model: Model | nn.Module,
    saes: Mapping[str, SAE],
    corpus: Labeled,
    concepts: Sequence[str] | None = None,
    *,
    bound: float = 0.5,
    min_tokens: int = 10,
    acts: Mapping[str, FeatureActivations] | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Completeness:
    """The share of a family's concepts that have a feature, against how frequent they are, in SAEs of several sizes.

    Templeton et al. 2024 find it a sigmoid in the logarithm of the frequency, one half a little below 1 / (live
    features), and the curves of three sizes to be one once frequencies are divided by that.

    A concept has a feature where the best one's F1 is at least `bound`, at its best threshold, on the half of the
    documents that chose neither (`concept_detectors`).

    Args:
        saes: by name, at one site or several.
        concepts: the family; None: all concepts of the corpus. Those with fewer than `min_tokens` tokens in the telling
            half are left out.
        acts: `sw.feature_activations(model, sae, corpus)` of each, by the same names, where at hand.

    Raises ValueError on an unknown concept, or where no concept is left.

    Example:
        >>> found = completeness(model, {"small": small, "large": large}, sw.load_corpus())  # doctest: +SKIP
        >>> found.summary(), found.parts("small", "owl")  # doctest: +SKIP
    """
    check_labeled(corpus, "completeness")
    fits = isinstance(saes, Mapping) and bool(saes) and all(isinstance(s, SAE) for s in saes.values())
    expect(saes, fits, "saes", "completeness", 'give {"small": sae, "large": other}')
    _, wanted = numbered(corpus, concepts)
    bound, seed = real(bound, "bound", minimum=0, maximum=1), seed_of(seed)
    min_tokens = whole(min_tokens, "min_tokens", minimum=1)
    given = acts or {}
    rows: list[tuple[str, str, float, int, float]] = []
    parts: list[np.ndarray] = []
    steps: list[np.ndarray] = []
    alive, n_tokens, about = [], 0, ""
    with muted(not progress):
        for name, sae in saes.items():
            own = given[name] if name in given else feature_activations(model, sae, corpus)
            found, labels = concept_detectors(own, corpus, seed=seed), LabelsByToken.of(own, corpus)
            known = wanted[(found.n_tokens[wanted] >= min_tokens) & (labels.n_tokens[wanted] > found.n_tokens[wanted])]
            alive.append(int((np.diff(own.start) > 0).sum()))
            n_tokens, about = own.n_tokens, own.corpus
            parts.append(_parts(own, labels, known, len(rows)))
            steps.append(_together(own, labels, known, parts[-1], len(rows)))
            for c in known:
                f1 = 0.0 if np.isnan(found.f1[c]) else float(found.f1[c])
                rows.append((name, corpus.concepts[c], labels.n_tokens[c] / n_tokens, int(found.feature[c]), f1))
    if not rows:
        raise ValueError(f"no concept has {min_tokens} tokens in either half of the documents: give more text")
    sae_of, concept, *numbers = zip(*rows, strict=True)
    frequency, feature, told = (np.array(column) for column in numbers)
    has: np.ndarray = told >= bound
    log = np.log10(frequency.astype(np.float64))
    each = [np.array([s == name for s in sae_of]) for name in saes]
    per = log + np.log10(np.maximum(np.array(alive), 1))[np.array(each).argmax(0)]
    columns, taken = np.concatenate(parts), np.concatenate(steps)
    wrapped = None if model is None else Model.wrap(model)
    return Completeness(
        saes=tuple(saes),
        alive=np.array(alive, np.int64),
        curves=tuple(fit_sigmoid(log[own], has[own]) for own in each),
        plain=fit_sigmoid(log, has),
        rescaled=fit_sigmoid(per, has),
        sae=sae_of,
        concept=concept,
        frequency=frequency.astype(np.float64),
        feature=feature.astype(np.int64),
        f1=told.astype(np.float64),
        part_row=columns[:, 0].astype(np.int64),
        part_feature=columns[:, 1].astype(np.int64),
        part_recall=columns[:, 2],
        part_precision=columns[:, 3],
        part_mean=columns[:, 4],
        bound=bound,
        n_tokens=n_tokens,
        corpus=about,
        step_row=taken[:, 0].astype(np.int64),
        step_feature=taken[:, 1].astype(np.int64),
        step_f1=taken[:, 2],
        model_name="" if wrapped is None else wrapped.name,
        weights="" if wrapped is None else wrapped.weights,
    )


def fit_sigmoid(x: np.ndarray, has: np.ndarray) -> Sigmoid:
    """The sigmoid over x that makes the answers likeliest; flat, with no middle, where all of them are the same.

    Example:
        >>> curve = fit_sigmoid(np.array([-4.0, -3.0, -3.0, -2.0]), np.array([False, False, True, True]))
        >>> round(curve.middle, 2)
        -3.0
    """
    if not len(x) or has.all() or not has.any():
        return Sigmoid(0.0, float("nan"), 0.0 if len(x) else float("nan"))
    center, spread = float(x.mean()), float(x.std()) or 1.0
    scaled = torch.from_numpy((x - center) / spread).float()[:, None]
    w, b = (float(v) for v in fit_logistic(scaled, torch.from_numpy(has).float()[:, None], _STRENGTH))
    odds = w * scaled[:, 0].double().numpy() + b
    loss = float(np.mean(np.logaddexp(0, odds) - has * odds))
    return Sigmoid(w / spread, center - b / w * spread if w else float("nan"), loss)


def _parts(acts: FeatureActivations, labels: LabelsByToken, concepts: np.ndarray, first: int) -> np.ndarray:
    """float64 [part, 5]: row (from `first` on), feature, recall, precision, mean activation, of the features that fire
    on each concept most often.
    """
    slot = np.full(len(labels.n_tokens), -1)
    slot[concepts] = np.arange(len(concepts))
    feature, size = feature_of(acts), len(concepts) * acts.d_sae
    hits: np.ndarray = np.zeros(size)
    total: np.ndarray = np.zeros(size)
    for pair, concept in labels.pairs(acts):
        own = slot[concept] >= 0
        cell = slot[concept[own]] * acts.d_sae + feature[pair[own]]
        hits += np.bincount(cell, minlength=size)
        total += np.bincount(cell, acts.value[pair[own]], minlength=size)
    hits, total = hits.reshape(-1, acts.d_sae), total.reshape(-1, acts.d_sae)
    out = [np.zeros((0, 5))]
    n_active = np.diff(acts.start)
    for i, c in enumerate(concepts):
        best = np.argsort(-hits[i], kind="stable")[:N_PARTS]
        best = best[hits[i, best] > 0]
        here = hits[i, best]
        row = np.full(len(best), first + i)
        out.append(np.stack([row, best, here / labels.n_tokens[c], here / n_active[best], total[i, best] / here], 1))
    return np.concatenate(out)


def _together(
    acts: FeatureActivations, labels: LabelsByToken, concepts: np.ndarray, parts: np.ndarray, first: int
) -> np.ndarray:
    """float64 [step, 3]: row, feature, F1 of "any feature up to this one is active", of the `parts` that raise it, each
    the one that raises it most.
    """
    out = [np.zeros((0, 3))]
    for i, c in enumerate(concepts):
        meant: np.ndarray = np.zeros(acts.tokens.size, bool)
        meant[labels.token[labels.concept == c]] = True
        active = {int(f): token_of(acts, int(f)) for f in parts[parts[:, 0] == first + i, 1]}
        covered: np.ndarray = np.zeros(acts.tokens.size, bool)
        hits = size = 0
        best = 0.0
        while active:
            told = {}
            for feature, tokens in active.items():
                new = tokens[~covered[tokens]]
                told[feature] = 2 * (hits + int(meant[new].sum())) / (size + len(new) + int(labels.n_tokens[c]))
            feature = max(told, key=lambda f: told[f])
            if told[feature] <= best:
                break
            best = told[feature]
            covered[active.pop(feature)] = True
            hits, size = int((covered & meant).sum()), int(covered.sum())
            out.append(np.array([[first + i, feature, best]]))
    return np.concatenate(out)
