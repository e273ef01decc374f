"""Thresholds and AUROC of scores that are not sparse: every token has one."""

from __future__ import annotations

import numpy as np

from saewidgets.bars import bar


def best_dense(
    x: np.ndarray, row: np.ndarray, concept: np.ndarray, n_concepts: int, what: str = ""
) -> tuple[np.ndarray, np.ndarray]:
    """(best F1, its threshold), each float64 [unit, concept], of scores x [unit, token]; 0 and inf for no token.

    `row` and `concept`, int [label], are the tokens of each concept. With P of them, F1 at threshold t is
    2 #(of the concept, x >= t) / (#(x >= t) + P), and scores on the concept are all that need be tried. Of equal F1 the
    higher threshold is taken. `what` names the bar; "" draws none.

    Example:
        >>> f1, t = best_dense(np.array([[3.0, 1.0, 2.0, 0.0]]), np.array([0, 1]), np.array([0, 0]), 1)
        >>> f1.tolist(), t.tolist()  # yes at 1 or more: 2 of 2 told, 1 false
        ([[0.8]], [[1.0]])
    """
    n_units, n = x.shape
    order = np.argsort(concept, kind="stable")
    row, concept = row[order], concept[order]
    present, begin, count = np.unique(concept, return_index=True, return_counts=True)
    best, at = np.zeros((n_units, n_concepts)), np.full((n_units, n_concepts), np.inf)
    if not len(row):
        return best, at
    group = np.repeat(np.arange(len(present)), count)
    hits = np.arange(1, len(row) + 1) - begin[group]
    labeled, token = np.unique(row, return_inverse=True)  # only their places among all scores are looked up
    at_least = np.empty(len(labeled), np.int64)
    with bar(n_units, what, "units", progress=bool(what)) as advance:
        for u, own in enumerate(x):
            ranked, score = np.sort(own), own[labeled]
            ascending = np.argsort(score)  # sorted needles are found several times as fast
            at_least[ascending] = n - np.searchsorted(ranked, score[ascending], "left")
            key = np.sort(group * (n + 1) + at_least[token])  # by concept, the highest score first
            said = key - group * (n + 1)
            # Of equal scores the last counts all their hits, so its F1 is the true one and the larger.
            f1 = 2 * hits / (said + count[group])
            best[u, present] = top = np.maximum.reduceat(f1, begin)
            # The first to reach the best has the highest threshold: the said-th largest score.
            reached = np.flatnonzero(f1 == top[group])
            first = reached[np.flatnonzero(np.diff(group[reached], prepend=-1))]
            at[u, present] = ranked[n - said[first]]
            advance(1)
    return best, at


def best_of(score: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """`best_dense` of one score and one concept, with tokens `truth`: (best F1, its threshold); nan for no token."""
    if not len(truth):
        return float("nan"), float("nan")
    f1, at = best_dense(score[None], truth, np.zeros(len(truth), np.int64), 1)
    return float(f1[0, 0]), float(at[0, 0])


def exact_auroc(score: np.ndarray, truth: np.ndarray) -> float:
    """The chance that a token of the concept has a larger score than another one, ties counted half; nan where there is
    no such pair. `truth` are the tokens of the concept.

    Example:
        >>> exact_auroc(np.array([3.0, 1.0, 1.0, 0.0]), np.array([0, 1]))
        0.875
    """
    p, n = len(truth), len(score) - len(truth)
    if not p or not n:
        return float("nan")
    ranked, own = np.sort(score), score[truth]
    below = (np.searchsorted(ranked, own, "left") + np.searchsorted(ranked, own, "right")) / 2
    return float((below.sum() - p * p / 2) / (p * n))


def resampled_f1(said: np.ndarray, true: np.ndarray, document: np.ndarray, draws: np.ndarray) -> tuple[float, float]:
    """(low, high): the 2.5 and 97.5 percentiles of F1 over documents drawn again.

    `said` and `true` are bool [token], `document` the number of each token's document, `draws` int [resample,
    document], how often each is drawn.
    """
    n = draws.shape[1]
    # of the draws' type: mixed ones would be multiplied as float64, the draws copied anew each time
    counts = np.stack(
        [np.bincount(document[own], minlength=n) for own in (said & true, said, true)], 1, dtype=draws.dtype
    )
    hits, yes, own = (draws @ counts).T
    with np.errstate(divide="ignore", invalid="ignore"):
        f1 = 2 * hits / (yes + own)
    f1 = f1[own > 0]
    if not len(f1):
        return float("nan"), float("nan")
    low, high = np.quantile(f1, (0.025, 0.975))
    return float(low), float(high)
