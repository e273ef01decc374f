"""Whether the coordinates of a linear hidden layer mean something: kurtosis, and what the optimizer has to do with it.

In h = W x, x' = act(W^T h + b) nothing but the optimizer knows the coordinates of h: with an orthogonal Q, Q W gives the
same outputs as W. A step of gradient descent turns with W (the gradient at Q W is Q times that at W), a step of Adam does
not, as it divides each coordinate by a size of its own. *Privileged Bases in the Transformer Residual Stream* (Elhage,
Lasenby, Olah 2023, https://transformer-circuits.pub/2023/privileged-basis) finds the activations of transformers aligned
with their coordinates, measures it by their kurtosis, and attributes it to Adam. Only numpy is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from saewidgets.analysis.toys.geometry import turned_by
from saewidgets.kernels import toy as kernel
from saewidgets.records import ToyRun
from saewidgets.records.arguments import expect, seed_of, whole
from saewidgets.toy.training import recipe_of, spec_of

BASES = 32  # random ones over which a mean is taken


def kurtosis(h: ArrayLike) -> np.ndarray:
    """mean_k (h_k - mean)^4 / (mean_k (h_k - mean)^2)^2 over the last axis, the coordinates, float64 [...].

    3 for many normal coordinates; `isotropic_kurtosis(m)`, a little less, for m of which no direction is special; more
    where a few coordinates are much larger than the others, 1 where all are equally far from the mean. nan where all
    coordinates are equal.

    Example:
        >>> kurtosis([[1.0, -1.0, 1.0, -1.0], [0.0, 0.0, 0.0, 1.0]]).round(3).tolist()
        [1.0, 2.333]
    """
    h = np.asarray(h, np.float64)
    centered = h - h.mean(-1, keepdims=True)
    second = np.square(centered).mean(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        value: np.ndarray = (centered**4).mean(-1) / np.square(second)
    return value


def isotropic_kurtosis(m: int) -> float:
    """3 (m - 1) / (m + 1): the expected `kurtosis` of m coordinates of a vector whose direction is uniformly random.

    Less the mean, its direction is uniform on the sphere of the m - 1 dimensions that are left; a coordinate's fourth
    moment there is 3 ((m - 1) / m)^2 / ((m - 1) (m + 1)), its second 1 / m.

    Example:
        >>> isotropic_kurtosis(16).__round__(3)
        2.647
    """
    m = whole(m, "m", minimum=2)
    return 3 * (m - 1) / (m + 1)


def in_random_basis(run: ToyRun, seed: int = 0) -> ToyRun:
    """The run with each model turned by a random orthogonal matrix: what training in a random basis would have given.

    To train U with h = Q^T U x and a fixed Q is to train the same function of U as of W, because Q leaves W^T W alone:
    so W = Q^T U is a trained W, turned. Outputs and losses stay as they were.

    Raises ValueError where the hidden layer has a ReLU, whose coordinates may not be turned.
    """
    _check_linear(run)
    m = run.n_hidden
    dice = np.random.default_rng(seed_of(seed))
    Q = np.stack([_rotation(dice, m) for _ in range(run.n_instances)])  # [instance, m, m]
    return turned_by(run, Q)


@dataclass(frozen=True, eq=False)
class BasisAlignment:
    """How far the hidden vectors of each model keep to their coordinates: means over inputs."""

    kurtosis: np.ndarray  # float64 [instance], of h over its coordinates
    turned: np.ndarray  # float64 [instance], the same in a random basis, the mean of several: near `isotropic`
    shares: np.ndarray  # float64 [instance, n_hidden], h_k^2 / |h|^2: each coordinate's share, which sum to 1
    isotropic: float  # `isotropic_kurtosis(m)`


def basis_alignment(run: ToyRun, n: int = 2048, *, snapshot: int = -1, seed: int = 0) -> BasisAlignment:
    """The kurtosis of h = W x over its coordinates, on n fresh inputs as the run saw them, and in random bases.

    Inputs in which no feature is on are left out. `seed` is that of the random bases.

    Raises ValueError for a hidden layer with a ReLU, and for a run that does not say what it trained on.

    Example:
        >>> from saewidgets.toy import ToyConfig, train_toy
        >>> run = train_toy(ToyConfig(8, 4, steps=2, snapshots=2)).run()
        >>> found = basis_alignment(run, n=100)
        >>> found.kurtosis.shape, found.isotropic
        ((1,), 1.8)
    """
    expect(run, ToyRun, "run", "basis_alignment")
    _check_linear(run)
    instances = slice(None) if run.instances is None else run.instances
    x = kernel.evaluation_inputs(spec_of(recipe_of(run)), whole(n, "n", minimum=1), instances)
    there = np.asarray(x.any(-1))
    dice = np.random.default_rng(seed_of(seed))
    Q = np.stack([_rotation(dice, run.n_hidden) for _ in range(BASES)])  # [basis, m, m]
    aligned, turned, shares = [], [], []
    for i, W in enumerate(run.weights[snapshot].astype(np.float64)):
        h = x[i][there[i]] @ W.T  # [input, m]
        aligned.append(np.nanmean(kurtosis(h)))
        turned.append(np.nanmean(kurtosis(h @ Q)))
        squared = np.square(h)
        shares.append((squared / np.maximum(squared.sum(1, keepdims=True), 1e-30)).mean(0))
    return BasisAlignment(np.array(aligned), np.array(turned), np.array(shares), isotropic_kurtosis(run.n_hidden))


def _rotation(dice: np.random.Generator, m: int) -> np.ndarray:
    """A random orthogonal matrix, float64 [m, m], each as likely as the other."""
    Q, R = np.linalg.qr(dice.standard_normal((m, m)))
    value: np.ndarray = Q * np.sign(np.diagonal(R))
    return value


def _check_linear(run: ToyRun) -> None:
    if run.hidden != "linear":
        raise ValueError(
            f"the hidden layer is {run.hidden!r}: its coordinates are neurons and may not be turned; this measure is for "
            'models with hidden="linear", see analysis.toys.neurons for the others'
        )
