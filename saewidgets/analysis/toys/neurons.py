"""Neurons that serve one feature or several: toy models whose hidden layer has a ReLU, h = ReLU(W x), x' = ReLU(D h +
b).

There the axes of the hidden space mean something (a privileged basis), and W can be read neuron by neuron. D = W^T
unless given. Only numpy is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

LINK = 0.5  # a neuron serves a feature from this share of the feature's largest link
SERVED = 0.1  # a feature whose largest link is weaker is left out


def links(W: ArrayLike, D: ArrayLike | None = None) -> np.ndarray:
    """float64 [n_hidden, n_features]: what neuron k passes on of feature i, max(W_ki, 0) D_ik or, if D is given, |W_ki|
    D_ik.

    With D given, x may be negative (the task "absolute"), so that a negative weight opens the ReLU just as well.
    Links that lower the feature's own output are 0.
    """
    W = np.asarray(W, np.float64)
    if W.ndim != 2:
        raise ValueError(f"the neurons are of one model, W [n_hidden, n_features], not {list(W.shape)}")
    passed = np.square(np.maximum(W, 0)) if D is None else np.abs(W) * np.asarray(D, np.float64).T
    value: np.ndarray = np.maximum(passed, 0)
    return value


def selectivity(W: ArrayLike, D: ArrayLike | None = None) -> np.ndarray:
    """float64 [n_hidden], 0 to 1: the share of a neuron's links that its strongest feature has. 1: monosemantic; 0:
    dead.

    Example:
        >>> selectivity([[1.0, 0.0], [1.0, 1.0]]).tolist()
        [1.0, 0.5]
    """
    passed = links(W, D)
    total = passed.sum(1)
    return np.where(total > 1e-9, passed.max(1) / np.maximum(total, 1e-9), 0.0)


def neuron_groups(W: ArrayLike, D: ArrayLike | None = None) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
    """(features, neurons) of each group that shares no neuron with another: the fewest neurons first, then by feature.

    A neuron serves a feature if its link is at least half of the feature's largest one.

    Example:
        >>> neuron_groups([[1.0, 0.0, 0.0, 0.0], [0.0, 0.8, 0.8, -0.8], [0.0, 0.8, -0.8, 0.8]])
        (((0,), (0,)), ((1, 2, 3), (1, 2)))
    """
    passed = links(W, D)
    strongest = passed.max(0)
    serves = (passed >= LINK * strongest) & (strongest >= SERVED)
    group = np.arange(len(serves))  # of each neuron
    for feature in np.flatnonzero(serves.any(0)):
        joined = group[serves[:, feature]]
        group[np.isin(group, joined)] = joined.min()
    found = []
    for number in np.unique(group):
        neurons = np.flatnonzero(group == number)
        features = np.flatnonzero(serves[neurons].any(0))
        if len(features):
            found.append((tuple(features.tolist()), tuple(neurons.tolist())))
    return tuple(sorted(found, key=lambda pair: (len(pair[1]), pair[0])))


def group_sizes(W: ArrayLike, D: ArrayLike | None = None) -> tuple[tuple[int, int], ...]:
    """(number of features, number of neurons) of each group of `neuron_groups`, e.g. ((1, 1), (3, 2)): "three in two"."""
    return tuple((len(features), len(neurons)) for features, neurons in neuron_groups(W, D))


def served_pairs(W: ArrayLike) -> tuple[tuple[int, ...], ...]:
    """The neurons of each represented feature, by feature: all pairs, and all different, in the sparsest models of the
    paper.
    """
    passed = links(W)
    strongest = passed.max(0)
    return tuple(
        tuple(np.flatnonzero(p >= LINK * s).tolist()) for p, s in zip(passed.T, strongest, strict=True) if s >= SERVED
    )


@dataclass(frozen=True)
class Motif:
    """One neuron shared unequally by two features (M22)."""

    neuron: int
    strong: int  # feature with the large weight in and the small weight out
    weak: int  # feature with the small weight in and the large weight out
    ratio_in: float  # |W| of the strong one over that of the weak one
    ratio_out: float  # D of the weak one over that of the strong one
    inhibition: (
        float  # sum over the neurons that the strong feature opens of W D to the weak feature, this one's left out
    )


def asymmetric_motifs(W: ArrayLike, D: ArrayLike, *, ratio: float = 2.0) -> tuple[Motif, ...]:
    """Neurons that carry one feature with large weight in and small out, and another the other way round, clearest
    first.

    The strong feature then adds much to the weak one's output, unless others take it away: with negative `inhibition`
    they do, and a ReLU hides what is taken away too much. W [n_hidden, n_features], D [n_features, n_hidden], for the
    task "absolute", where only the half of a feature that opens the neuron (x > 0 or x < 0) counts.

    Example:
        >>> W = [[2.0, -0.5], [1.0, 0.0]]
        >>> D = [[0.5, 0.0], [2.0, -4.0]]
        >>> (motif,) = asymmetric_motifs(W, D)
        >>> motif.strong, motif.weak, motif.ratio_in, motif.ratio_out, motif.inhibition
        (0, 1, 4.0, 4.0, -4.0)
    """
    W, D = np.asarray(W, np.float64), np.asarray(D, np.float64)
    passed = links(W, D)
    strongest = passed.max(0)
    serves = (passed >= LINK * strongest) & (strongest >= SERVED)
    found = []
    for k in range(len(W)):
        for strong in np.flatnonzero(serves[k]):
            for weak in np.flatnonzero(serves[k]):
                ratio_in = abs(W[k, strong]) / abs(W[k, weak])
                ratio_out = D[weak, k] / D[strong, k]
                if strong != weak and min(ratio_in, ratio_out) >= ratio:
                    opened = np.maximum(np.sign(W[k, strong]) * W[:, strong], 0)
                    opened[k] = 0
                    found.append(
                        Motif(k, int(strong), int(weak), float(ratio_in), float(ratio_out), float(opened @ D[weak]))
                    )
    return tuple(sorted(found, key=lambda m: -min(m.ratio_in, m.ratio_out)))
