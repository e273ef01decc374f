"""Features or training examples: what a toy model keeps in superposition when its data set is finite.

*Superposition, Memorization, and Double Descent* (Henighan et al. 2023,
https://transformer-circuits.pub/2023/toy-double-descent): with few inputs the hidden vectors of the inputs form regular
polygons, with many the features do, and in between neither, where the loss on fresh inputs is highest. Only numpy is
needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from saewidgets.analysis.toys import geometry
from saewidgets.records import ToyRun
from saewidgets.records.arguments import expect
from saewidgets.toy import training_inputs


def example_dimensionality(W: ArrayLike, x: ArrayLike) -> np.ndarray:
    """D_s = |h_s|^2 / sum_t (h_s / |h_s| . h_t)^2 for h = W x, float64 [input]: the share of a dimension of each input.

    It is `geometry.feature_dimensionality` with the hidden vectors of the inputs in the place of the features'
    directions (Henighan et al. 2023). T inputs that fill m dimensions evenly have m / T each.

    Args:
        W: [n_hidden, n_features].
        x: inputs [input, n_features].

    Example:
        >>> example_dimensionality([[1.0, 0.0]], [[1.0, 0.0], [-2.0, 5.0], [0.0, 3.0]]).round(2).tolist()
        [0.2, 0.8, 0.0]
    """
    W, x = np.asarray(W, np.float64), np.asarray(x, np.float64)
    return geometry.feature_dimensionality(W @ x.T)


@dataclass(frozen=True, eq=False)
class DataSetSize:
    """What became of the models that trained on T inputs, one or several starts."""

    size: int  # T
    n_hidden: int  # m
    instances: np.ndarray  # int64 [start], their numbers in the run, the lowest training loss first
    train_losses: np.ndarray  # float32 [start], on the T inputs, in that order
    test_losses: np.ndarray  # float32 [start], on fresh inputs
    features: np.ndarray  # float64 [n_features], D_i of each feature in the first of `instances`
    examples: np.ndarray  # float64 [T], D_s of each training input there


def double_descent(run: ToyRun) -> tuple[DataSetSize, ...]:
    """Losses and dimensionalities by the size of the data set, the smallest first.

    Of several models with one size the dimensionalities are those of the one with the lowest loss on its own data: what
    a person who has nothing but the data set would keep.

    Raises ValueError for a run whose inputs were always fresh, or that does not say what it trained on.

    Example:
        >>> from saewidgets.toy import ToyConfig, train_toy
        >>> config = ToyConfig(9, 2, n_instances=2, feature_probability=0.3, data_size=[40, 4], steps=5, snapshots=2)
        >>> [(row.size, row.examples.shape) for row in double_descent(train_toy(config).run())]
        [(4, (4,)), (40, (40,))]
    """
    expect(run, ToyRun, "run", "double_descent")
    inputs = training_inputs(run)
    assert run.train_losses is not None
    train, test = run.train_losses[-1], run.losses[-1]
    sizes = np.array([len(x) for x in inputs])
    rows = []
    for size in np.unique(sizes):
        members = np.flatnonzero(sizes == size)
        members = members[np.argsort(train[members], kind="stable")]
        W = run.final[members[0]]
        rows.append(
            DataSetSize(
                int(size),
                run.n_hidden,
                members,
                train[members],
                test[members],
                geometry.feature_dimensionality(W),
                example_dimensionality(W, inputs[members[0]]),
            )
        )
    return tuple(rows)
