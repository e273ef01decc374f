"""For each concept the feature and threshold that tell it best, and how many features share it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from saewidgets.analysis.quality.concepts import (
    Labeled,
    LabelsByToken,
    check_labeled,
    concept_auroc,
    feature_of,
    token_of,
)
from saewidgets.bars import bar, muted
from saewidgets.records import ConceptDetectors, FeatureActivations
from saewidgets.records.arguments import expect, seed_of

SPLIT_GAIN = 0.03  # of F1, from which one more feature counts as sharing the concept (Chanin et al. 2024 use the same)
_CANDIDATES = 16  # features tried for a share in one concept
_CELLS = 1 << 22  # (feature, concept) cells, and pairs, treated at once


def concept_detectors(
    acts: FeatureActivations, corpus: Labeled, *, seed: int = 0, progress: bool = True
) -> ConceptDetectors:
    """For each concept, the feature with the best F1 at its best threshold.

    The documents are halved at random by `seed`. On one half every (feature, threshold) is tried for every concept,
    exactly: a feature says yes at activations of at least the threshold. The best is told on the other half, where it
    was not chosen.

    `splits` are the features that share a concept: the best one, then as long as the F1 of "any of them says yes" on
    the choosing half rises by more than 0.03, the feature that raises it most, from the 16 best ones, each at its own
    threshold.

    `progress=False` draws no bars. Raises ValueError if `acts` is over another corpus, or has fewer than two documents.

    Example:
        >>> concept_detectors(acts, corpus).to_dataframe().sort_values("f1").tail()
    """
    expect(acts, FeatureActivations, "acts", "concept_detectors")
    check_labeled(corpus, "concept_detectors")
    seed = seed_of(seed)
    choosing, telling = halves(acts, seed)
    with muted(not progress):
        return _detectors(choosing, telling, corpus)


def _detectors(choosing: FeatureActivations, telling: FeatureActivations, corpus: Labeled) -> ConceptDetectors:
    """The best of one half of the documents, told on the other."""
    f1, threshold = best_thresholds(choosing, corpus)
    auroc = concept_auroc(telling, corpus)
    labels, told = LabelsByToken.of(choosing, corpus), LabelsByToken.of(telling, corpus)
    rows: list[tuple[float, ...]] = []
    splits: list[tuple[int, ...]] = []
    with bar(len(corpus.concepts), "choosing detectors", "concepts") as advance:
        for c in range(len(corpus.concepts)):
            advance(1)
            if not f1[:, c].any():
                rows.append((-1, *[np.nan] * 6))
                splits.append(())
                continue
            best = int(np.argmax(f1[:, c]))
            at_least = float(threshold[best, c])
            said = _says(telling, best, at_least)
            truth = told.token[told.concept == c]
            hits = len(np.intersect1d(said, truth, assume_unique=True))
            precision = hits / len(said) if len(said) else np.nan
            recall, own = (hits / len(truth), 2 * hits / (len(said) + len(truth))) if len(truth) else (np.nan, np.nan)
            rows.append((best, at_least, precision, recall, own, auroc[best, c], f1[best, c]))
            splits.append(_splits(choosing, labels.token[labels.concept == c], f1[:, c], threshold[:, c]))
    columns = np.array(rows, np.float64).reshape(-1, 7).T
    return ConceptDetectors(
        concepts=tuple(corpus.concepts),
        feature=columns[0].astype(np.int64),
        threshold=columns[1],
        precision=columns[2],
        recall=columns[3],
        f1=columns[4],
        auroc=columns[5],
        chosen_f1=columns[6],
        n_tokens=told.n_tokens,
        splits=tuple(splits),
    )


def halves(acts: FeatureActivations, seed: int) -> tuple[FeatureActivations, FeatureActivations]:
    """The activations over each half of the documents, drawn by `seed`. Raises ValueError for fewer than two."""
    text = acts.text_of_context  # all pieces of a long text go to one half
    documents = np.unique(text[acts.counted.any(1)])
    if len(documents) < 2:
        raise ValueError("one document cannot be halved: give activations over two or more")
    drawn = np.random.default_rng(seed).permutation(documents)[: len(documents) // 2]
    first = np.isin(text, drawn)
    return over(acts, first), over(acts, ~first)


def over(acts: FeatureActivations, documents: np.ndarray) -> FeatureActivations:
    """The activations in some documents, bool [context]; in the others nothing counts."""
    kept = documents[acts.context]
    start = np.append(0, np.cumsum(kept))[acts.start]
    return replace(
        acts,
        context=acts.context[kept],
        position=acts.position[kept],
        value=acts.value[kept],
        start=start,
        counted=acts.counted & documents[:, None],
    )


def best_thresholds(acts: FeatureActivations, corpus: Labeled) -> tuple[np.ndarray, np.ndarray]:
    """(best F1, its threshold), each float64 [d_sae, concepts]; 0 and inf where the feature never fires on the concept.

    With P tokens of the concept, F1 at threshold t = 2 #(concept, a >= t) / (#(a >= t) + P). Between two activations on
    the concept a lower t only adds false ones, so activations on the concept are all that need be tried. Of equal F1
    the higher threshold is taken.
    """
    labels, n_concepts = LabelsByToken.of(acts, corpus), len(corpus.concepts)
    best = np.zeros((acts.d_sae, n_concepts))
    at = np.full((acts.d_sae, n_concepts), np.inf)
    feature, above = feature_of(acts), _rank_from_top(acts)
    first = 0
    with bar(acts.d_sae, "trying thresholds", "features") as advance:
        while first < acts.d_sae:  # as many features as fit, at least one: their pairs are sorted together
            room = np.searchsorted(acts.start, acts.start[first] + _CELLS // 4, side="right") - 1
            last = int(min(max(room, first + 1), first + max(1, _CELLS // n_concepts)))
            found = list(labels.pairs(acts, slice(int(acts.start[first]), int(acts.start[last]))))
            pair, concept = (np.concatenate(column) for column in zip(*found, strict=True))
            advance(last - first)
            first = last
            if not len(pair):
                continue
            cell, value = feature[pair] * n_concepts + concept, acts.value[pair]
            order = np.lexsort((-value, cell))
            pair, cell, value, concept = pair[order], cell[order], value[order], concept[order]
            begin = np.flatnonzero(np.append(True, cell[1:] != cell[:-1]))
            hits = np.arange(1, len(cell) + 1) - np.repeat(begin, np.diff(np.append(begin, len(cell))))
            # Of equal activations the last counts all their hits, so its F1 is the true one and the larger.
            f1 = 2 * hits / (above[pair] + labels.n_tokens[concept])
            order = np.lexsort((value, f1, cell))
            end = order[np.append(np.flatnonzero(np.diff(cell[order])), len(cell) - 1)]
            best.ravel()[cell[end]], at.ravel()[cell[end]] = f1[end], value[end]
    return best, at


def _rank_from_top(acts: FeatureActivations) -> np.ndarray:
    """int64 [nnz]: how many of its feature's activations are at least as large as each."""
    feature = feature_of(acts)
    order = np.lexsort((-acts.value, feature))
    f, v = feature[order], acts.value[order]
    last = np.flatnonzero(np.append((f[1:] != f[:-1]) | (v[1:] != v[:-1]), True)) if len(f) else np.zeros(0, np.int64)
    rank = np.empty(len(f), np.int64)
    rank[order] = np.repeat(last + 1, np.diff(np.append(-1, last))) - acts.start[f]
    return rank


def _says(acts: FeatureActivations, feature: int, threshold: float) -> np.ndarray:
    """int64, sorted: the tokens at which a feature is active at least that much."""
    own = slice(int(acts.start[feature]), int(acts.start[feature + 1]))
    return token_of(acts, feature)[acts.value[own] >= threshold]


def _splits(acts: FeatureActivations, truth: np.ndarray, f1: np.ndarray, threshold: np.ndarray) -> tuple[int, ...]:
    width = acts.tokens.size
    is_true = np.zeros(width, bool)
    is_true[truth] = True
    candidates = [int(f) for f in np.argsort(-f1, kind="stable")[:_CANDIDATES] if f1[f] > 0]
    said = {f: _says(acts, f, threshold[f]) for f in candidates}
    chosen = [candidates.pop(0)]
    union = np.zeros(width, bool)
    union[said[chosen[0]]] = True
    score = f1[chosen[0]]
    hits, yes = int((union & is_true).sum()), int(union.sum())
    while candidates:
        trials = []
        for f in candidates:
            fresh = said[f][~union[said[f]]]
            more = int(is_true[fresh].sum())
            trials.append((2 * (hits + more) / (yes + len(fresh) + len(truth)), -f))
        value, key = max(trials)
        if value <= score + SPLIT_GAIN:
            break
        f = -key
        fresh = said[f][~union[said[f]]]
        hits, yes, score = hits + int(is_true[fresh].sum()), yes + len(fresh), value
        union[fresh] = True
        chosen.append(f)
        candidates.remove(f)
    return tuple(chosen)
