"""Composition and superposition: how many items n neurons can stand for, and what can then be read or generalized.

*Distributed Representations: Composition & Superposition* (Olah 2023,
https://transformer-circuits.pub/2023/superposition-composition) takes items that are combinations, such as a color and a
shape. A local code has a neuron per item; a compositional code has one per color and one per shape, and knows an item it
never saw; a dense code, superposition at its most, numbers the items in binary. What a code saves in neurons it pays for in
functions that are linear in it. Only numpy is needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from saewidgets.records import ToyRun
from saewidgets.records.arguments import expect, whole
from saewidgets.toy import training_inputs

EXACT = 1e-9  # a linear fit with a smaller error is exact


@dataclass(frozen=True, eq=False)
class Code:
    """Binary neurons that stand for items, each item a combination of one value per attribute."""

    name: str  # "local" | "compositional" | "dense"
    values: tuple[int, ...]  # of each attribute: (6, 6) for six colors and six shapes
    patterns: np.ndarray  # float64 [item, neuron], 0 or 1
    attributes: np.ndarray  # int64 [item, attribute], which value each item has

    @property
    def n_items(self) -> int:
        """Items told apart."""
        return len(self.patterns)

    @property
    def n_neurons(self) -> int:
        """Neurons used."""
        return int(self.patterns.shape[1])

    @property
    def linear_functions(self) -> int:
        """Independent functions of the items that are linear in the neurons, a constant included: at most `n_items`."""
        return int(np.linalg.matrix_rank(_affine(self.patterns)))

    def reads(self, attribute: int) -> bool:
        """Whether "the item has this value" is linear in the neurons, exactly, for each value of an attribute."""
        return _is_linear(self.patterns, np.eye(self.values[attribute])[self.attributes[:, attribute]])

    @property
    def reads_items(self) -> bool:
        """Whether "it is this item" is linear in the neurons, exactly, for each item."""
        return _is_linear(self.patterns, np.eye(self.n_items))


def codes(*values: int) -> tuple[Code, Code, Code]:
    """The local, the compositional and the dense code for combinations of attributes with so many values each.

    With two attributes of a and b values they take a b, a + b and ceil(log2(a b)) neurons.

    Example:
        >>> [(code.name, code.n_neurons, code.linear_functions) for code in codes(6, 6)]
        [('local', 36, 36), ('compositional', 12, 11), ('dense', 6, 7)]
    """
    if not values:
        raise ValueError("codes takes the number of values of each attribute, e.g. codes(6, 6)")
    counts = tuple(whole(value, "values", minimum=2) for value in values)
    attributes = np.array(list(product(*map(range, counts))), np.int64)
    n = len(attributes)
    composed = np.concatenate([np.eye(k)[attributes[:, a]] for a, k in enumerate(counts)], axis=1)
    bits = max(1, math.ceil(math.log2(n)))
    dense = (np.arange(n)[:, None] >> np.arange(bits)[::-1] & 1).astype(np.float64)
    return (
        Code("local", counts, np.eye(n), attributes),
        Code("compositional", counts, composed, attributes),
        Code("dense", counts, dense, attributes),
    )


def capacity(n_neurons: int, n_attributes: int = 2) -> dict[str, int]:
    """Items that n binary neurons can stand for, by code: n, the product of n shared out to the attributes, and 2^n.

    Example:
        >>> capacity(12)
        {'local': 12, 'compositional': 36, 'dense': 4096}
    """
    n, k = whole(n_neurons, "n_neurons", minimum=1), whole(n_attributes, "n_attributes", minimum=1)
    shares = [n // k + (a < n % k) for a in range(k)]
    return {"local": n, "compositional": math.prod(shares), "dense": 2**n}


def probe_accuracy(h: ArrayLike, labels: ArrayLike, fitted: ArrayLike) -> tuple[float, float]:
    """Share of right answers of a linear probe (on the items it was fitted to, on the others); nan without others.

    An affine least-squares fit to one-hot labels, the largest output wins; of several fits as good, the one with the
    smallest weights.

    Args:
        h: [item, neuron].
        labels: int [item], 0 or more.
        fitted: bool [item].

    Example:
        >>> probe_accuracy([[1.0], [0.9], [-1.0], [-0.8]], [0, 0, 1, 1], [True, False, True, False])
        (1.0, 1.0)
    """
    A, labels, fitted = _affine(np.asarray(h, np.float64)), np.asarray(labels, np.int64), np.asarray(fitted, bool)
    weights = np.linalg.lstsq(A[fitted], np.eye(labels.max() + 1)[labels[fitted]], rcond=None)[0]
    right = (A @ weights).argmax(1) == labels
    return float(right[fitted].mean()), float(right[~fitted].mean()) if (~fitted).any() else math.nan


@dataclass(frozen=True, eq=False)
class Generalization:
    """What models give back of combinations that their data set had, and of those that it had not."""

    combinations: np.ndarray  # float32 [combination, n_features], every input that can be
    seen: np.ndarray  # bool [instance, combination], whether the data set had it
    losses: np.ndarray  # float64 [instance, combination], sum_i importance_i (x_i - x'_i)^2
    hidden: np.ndarray  # float64 [instance, combination, n_hidden], h
    best: int  # the instance with the lowest training loss

    @property
    def seen_loss(self) -> np.ndarray:
        """float64 [instance]: mean loss of the combinations that the data set had."""
        return _mean(self.losses, self.seen)

    @property
    def unseen_loss(self) -> np.ndarray:
        """float64 [instance]: mean loss of those that it had not; nan where it had all."""
        return _mean(self.losses, ~self.seen)


def generalization(run: ToyRun) -> Generalization:
    """What each model gives back of every combination of one feature of each set, seen or not.

    The run's inputs are combinations where `inputs` is "binary", the relation "anticorrelated", every feature is in a
    set and one of each set is always on: colors and shapes, or, with one set, items.

    Raises ValueError for a run of other inputs, of inputs that were always fresh, or that does not say what it trained on.
    """
    expect(run, ToyRun, "run", "generalization")
    data = training_inputs(run)
    assert run.train_losses is not None and run.recipe is not None
    covered = sorted(i for members in run.sets for i in members) == list(range(run.n_features))
    p = run.feature_probability
    always = all(np.allclose(p[:, list(members)].sum(1), 1, atol=1e-5) for members in run.sets)
    plain = run.task == "reconstruct" and run.recipe.inputs == "binary" and run.relation == "anticorrelated"
    if not (plain and covered and always):
        raise ValueError(
            'generalization is for inputs that combine one feature of each set: inputs="binary", '
            'relation="anticorrelated", sets that hold every feature and whose probabilities sum to 1; '
            'see sw.toy.experiment("M24-distributed")'
        )
    x = np.zeros((math.prod(map(len, run.sets)), run.n_features), np.float32)
    for row, members in zip(x, product(*run.sets), strict=True):
        row[list(members)] = 1
    seen = np.stack([(x[:, None] == np.unique(own, axis=0)[None]).all(-1).any(1) for own in data])
    W, D, b = run.final.astype(np.float64), run.decoders[-1].astype(np.float64), run.biases[-1].astype(np.float64)
    h = x @ W.swapaxes(1, 2)  # [instance, combination, n_hidden]
    if run.hidden == "relu":
        h = np.maximum(h, 0)
    y = h @ D.swapaxes(1, 2) + b[:, None]
    if run.activation == "relu":
        y = np.maximum(y, 0)
    losses = (np.square(y - x) * run.importance[:, None]).sum(-1)
    return Generalization(x, seen, losses, h, int(np.argmin(run.train_losses[-1])))


def _affine(patterns: np.ndarray) -> np.ndarray:
    return np.concatenate([patterns, np.ones((len(patterns), 1))], axis=1)


def _is_linear(patterns: np.ndarray, wanted: np.ndarray) -> bool:
    A = _affine(patterns)
    return bool(np.abs(A @ np.linalg.lstsq(A, wanted, rcond=None)[0] - wanted).max() < EXACT)


def _mean(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    counts = where.sum(1)
    return np.where(counts > 0, np.where(where, values, 0).sum(1) / np.maximum(counts, 1), np.nan)
