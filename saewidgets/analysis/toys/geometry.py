"""How features share a hidden space: norms, interference, dimensionality, and a rotation in which pictures do not jump.

Everything here takes W [..., n_hidden, n_features], column i the direction of feature i, as in h = W x and x' = act(W^T
h + b) (Elhage et al. 2022, *Toy Models of Superposition*, https://transformer-circuits.pub/2022/toy_model). Leading
axes (snapshots, instances) are kept. Only numpy is needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from saewidgets.records import ToyRun
from saewidgets.records.toy import the_best

REPRESENTED = 0.5  # a feature with a smaller norm counts as left out
EDGE = 0.2  # two unit features with a smaller |W_i . W_j| count as orthogonal
TINY = 1e-12  # below it a norm is 0 for all purposes here

SHARE = 0.1  # of a dimension: a feature of a polytope has that of the regular one, give or take this
ANGLE = 0.2  # cosine: and so with each pair of its features
KINDS = ("single", "digon", "triangle", "tetrahedron", "pentagon", "square antiprism", "4-simplex", "5-simplex")
OTHER = "other"


def gram(W: ArrayLike) -> np.ndarray:
    """W^T W, [..., n_features, n_features]: entry (i, j) is what a unit of feature j adds to the read-out of feature i.

    Example:
        >>> gram([[1.0, -1.0]]).tolist()
        [[1.0, -1.0], [-1.0, 1.0]]
    """
    W = _matrix(W)
    value: np.ndarray = np.swapaxes(W, -1, -2) @ W
    return value


def norms(W: ArrayLike) -> np.ndarray:
    """|W_i|, [..., n_features]: near 1 for a feature that is represented, near 0 for one that is left out."""
    value: np.ndarray = np.linalg.norm(_matrix(W), axis=-2)
    return value


def superposition(W: ArrayLike) -> np.ndarray:
    """sum over j != i of (W_i / |W_i| . W_j)^2, [..., n_features]: how far others stand in feature i's direction.

    0 for a direction of its own, 1 or more where another whole feature could be in its place. 0 where |W_i| is 0.

    Example:
        >>> superposition([[1.0, -1.0, 0.0], [0.0, 0.0, 1.0]]).tolist()
        [1.0, 1.0, 0.0]
    """
    squared, own = _shared(W)
    return np.where(own > TINY, (squared - own**2) / np.maximum(own, TINY), 0.0)


def feature_dimensionality(W: ArrayLike) -> np.ndarray:
    """D_i = |W_i|^2 / sum_j (W_i / |W_i| . W_j)^2, [..., n_features]: the share of a dimension that feature i has.

    The sum is over every j, i itself included. 1 for a dimension of its own, 1/2 in an antipodal pair, 0 where |W_i| is
    0. Features of equal norm that together fill r dimensions evenly (k of them) have r / k each.

    Example:
        >>> feature_dimensionality([[1.0, -1.0]]).tolist()
        [0.5, 0.5]
    """
    squared, own = _shared(W)
    return np.where(own > TINY, own**2 / np.maximum(squared, TINY**2), 0.0)


def dimensions_per_feature(W: ArrayLike) -> np.ndarray:
    """D* = n_hidden / |W|_F^2, [...]: hidden dimensions for each represented feature; inf where W is 0.

    |W|_F^2 counts features, as each represented one has a norm near 1.
    """
    W = _matrix(W)
    with np.errstate(divide="ignore"):
        value: np.ndarray = W.shape[-2] / np.square(W).sum((-1, -2))
        return value


def _shared(W: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """(sum_j (W_i . W_j)^2, |W_i|^2), both [..., n_features]."""
    G = gram(W)
    return np.square(G).sum(-1), np.diagonal(G, axis1=-2, axis2=-1).copy()


def align(W: ArrayLike, reference: ArrayLike) -> np.ndarray:
    """Each W [..., n_hidden, n_features] rotated or reflected to lie as close to `reference` as it can (Procrustes).

    With R orthogonal, |R W - reference|_F is smallest for R = U V^T, where U S V^T = reference W^T. W^T W does not
    change. Raises ValueError if the two have other sizes.

    Example:
        >>> align([[0.0, -1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]).round(6).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    W, reference = _matrix(W), _matrix(reference)
    if W.shape[-2:] != reference.shape[-2:]:
        raise ValueError(
            f"W is {list(W.shape[-2:])}, the reference {list(reference.shape[-2:])}: align needs equal sizes"
        )
    U, _, Vt = np.linalg.svd(reference @ np.swapaxes(W, -1, -2))
    value: np.ndarray = (U @ Vt) @ W
    return value


def canonical(W: ArrayLike) -> np.ndarray:
    """Each W [..., n_hidden, n_features] turned to stand as its own features say, so that two runs can be compared.

    The first feature that is represented lies on the first axis (positive), the next one that is independent of it in
    the first two axes (second coordinate positive), and so on: W = Q R of its represented columns, signs chosen. Two W
    with the same W^T W come out the same, unless a norm is within rounding of `REPRESENTED`.
    """
    W = _matrix(W)
    value: np.ndarray = canonical_turn(W) @ W
    return value


def canonical_turn(W: ArrayLike) -> np.ndarray:
    """The orthogonal R [..., n_hidden, n_hidden] that turns each W [..., n_hidden, n_features] into `canonical(W)`,
    which is R W.

    A decoder D of its own turns with it: D R^T reads R W as D reads W.

    Example:
        >>> canonical_turn([[0.0, -1.0], [1.0, 0.0]]).tolist()
        [[0.0, 1.0], [-1.0, 0.0]]
    """
    W = _matrix(W)
    m = W.shape[-2]
    flat = W.reshape(-1, *W.shape[-2:])
    return np.stack([_frame(one).T for one in flat] or [np.eye(m)])[: len(flat)].reshape(*W.shape[:-2], m, m)


def canonical_run(weights: ArrayLike) -> np.ndarray:
    """A run [snapshot, instance, n_hidden, n_features], each instance turned once, by the frame of its last snapshot.

    Turning every snapshot by its own frame would hide that a model turns while it learns; this keeps its path whole,
    and the ends of the instances comparable.
    """
    weights = _matrix(weights)
    if weights.ndim != 4:
        raise ValueError(f"a run is [snapshot, instance, n_hidden, n_features], not {list(weights.shape)}")
    return np.asarray(canonical_turn(weights[-1]) @ weights)


def turned_by(run: ToyRun, Q: np.ndarray) -> ToyRun:
    """The run with each model turned as a whole by an orthogonal Q [instance, n_hidden, n_hidden]: outputs and losses
    stay as they were where the hidden layer is linear.
    """
    decoder = None if run.decoder is None else (run.decoder @ Q.swapaxes(1, 2)).astype(np.float32)
    return replace(run, weights=(Q @ run.weights).astype(np.float32), decoder=decoder)


def _frame(W: np.ndarray) -> np.ndarray:
    """Orthogonal [n_hidden, n_hidden] whose columns are the axes that `canonical` speaks of."""
    order = [*np.flatnonzero(norms(W) > REPRESENTED), *np.flatnonzero(norms(W) <= REPRESENTED)]
    axes: list[np.ndarray] = []
    for column in [*(W[:, i] for i in order), *np.eye(len(W))]:
        if len(axes) == len(W):
            break
        rest = column - sum((axis * (axis @ column) for axis in axes), np.zeros(len(W)))
        if np.linalg.norm(rest) > 1e-3:
            axes.append(rest / np.linalg.norm(rest))
    return np.stack(axes, axis=1)


@dataclass(frozen=True, eq=False)
class FeatureGraph:
    """Which represented features of one model touch: feature = node, edge = an angle that is not a right one."""

    edges: np.ndarray  # int64 [edge, 2], i < j
    # float64 [edge], |W_i . W_j| of W as it is, not of unit vectors: what one unit of either adds to the other's read-out
    weight: np.ndarray
    cosine: np.ndarray  # float64 [edge], of the angle between W_i and W_j: both normalized
    part: np.ndarray  # int64 [n_features], number of the connected part, -1 for a feature that is left out
    rank: np.ndarray  # int64 [part], dimensions that the part's features fill
    kinds: tuple[str, ...]  # of each part, one of `KINDS`, or "other"
    dimensionality: np.ndarray  # float64 [n_features], D_i in the whole model

    @property
    def n_parts(self) -> int:
        """Number of connected parts."""
        return len(self.rank)

    def features_of(self, part: int) -> np.ndarray:
        """int64 [k]: the features of one connected part, ascending."""
        return np.flatnonzero(self.part == part)

    def shapes(self) -> tuple[str, ...]:
        """One name per part: its kind, or "7 in 3" for seven features that fill three dimensions in another way."""
        sizes = np.bincount(self.part[self.part >= 0], minlength=self.n_parts)
        return tuple(
            f"{k} in {r}" if kind == OTHER else kind for kind, k, r in zip(self.kinds, sizes, self.rank, strict=True)
        )


def feature_graph(
    W: ArrayLike | ToyRun,
    instance: int | None = None,
    *,
    snapshot: int = -1,
    threshold: float = EDGE,
    represented: float = REPRESENTED,
) -> FeatureGraph:
    """The graph of features of one model: parts that do not touch share no dimension.

    Two represented features touch where |cos(W_i, W_j)| is above `threshold`. The weight of their edge is |W_i . W_j|,
    of the directions as long as they are.

    A part's rank is the number of eigenvalues of its Gram matrix above a tenth of the largest. Its kind is that of the
    polytope with as many points in as many dimensions, if each of its features has the polytope's share of a dimension,
    D_i, within `SHARE`, and the cosines of its pairs, sorted, are the polytope's within `ANGLE`; else "other". So two
    features side by side are no digon, nor four at the corners of a square a tetrahedron.

    Args:
        W: [n_hidden, n_features]; or a run.
        instance: of a run, which model; None: the best, where all have one setting.
        snapshot: of a run.
        threshold: |cosine| up to which two directions count as orthogonal.
        represented: norm up to which a feature counts as left out.

    Raises ValueError for a W of more axes than two, and for a run of several settings without an instance.

    Example:
        >>> graph = feature_graph([[1.0, -1.0, 0.0], [0.0, 0.0, 2.0]])
        >>> graph.kinds, graph.edges.tolist(), graph.weight.tolist()
        (('digon', 'single'), [[0, 1]], [1.0])
    """
    W = _model(W, instance, snapshot)
    dot, D, lengths = gram(W), feature_dimensionality(W), norms(W)
    there = lengths > represented
    unit = W / np.maximum(lengths, TINY)
    cosines = gram(unit)
    touch = (np.abs(cosines) > threshold) & there[:, None] & there[None, :]
    edges = np.argwhere(np.triu(touch, 1))
    part = np.where(there, np.arange(len(dot)), -1)
    for i, j in edges:  # each edge gives both ends the lower number
        part[part == max(part[i], part[j])] = min(part[i], part[j])
    names, numbered = np.unique(part[there], return_inverse=True)
    part[there] = numbered
    ranks, kinds = [], []
    for k in range(len(names)):
        own = np.flatnonzero(part == k)
        eigenvalues = np.linalg.eigvalsh(dot[np.ix_(own, own)])
        ranks.append(int((eigenvalues > 0.1 * eigenvalues[-1]).sum()))
        kinds.append(_kind(cosines[np.ix_(own, own)], ranks[-1], D[own]))
    i, j = edges.T
    return FeatureGraph(edges, np.abs(dot[i, j]), cosines[i, j], part, np.array(ranks, np.int64), tuple(kinds), D)


def _model(W: ArrayLike | ToyRun, instance: int | None, snapshot: int) -> np.ndarray:
    """One model's W [n_hidden, n_features]."""
    if isinstance(W, ToyRun):
        one = _matrix(W.weights[snapshot, the_best(W) if instance is None else instance])
    else:
        one = _matrix(W)
    if one.ndim != 2:
        raise ValueError(f"the graph is of one model, W [n_hidden, n_features], not {list(one.shape)}")
    return one


def _kind(cosines: np.ndarray, rank: int, D: np.ndarray) -> str:
    """What a connected part is, from the cosines of its features [k, k], the dimensions they fill, and their shares."""
    pairs = np.sort(cosines[np.triu_indices(len(cosines), 1)])
    for name in KINDS:
        points = _REGULAR[name].points
        if points.shape != (rank, len(cosines)):
            continue
        expected = np.sort(gram(points)[np.triu_indices(len(cosines), 1)])
        if np.abs(D - rank / len(D)).max() <= SHARE and np.abs(pairs - expected).max(initial=0.0) <= ANGLE:
            return name
    return OTHER


@dataclass(frozen=True, eq=False)
class Polytope:
    """Unit points that a model settles its features on, and each one's share of a dimension."""

    name: str
    points: np.ndarray  # float64 [n_hidden, n_points], unit columns, so it can stand for W

    @property
    def dimensionality(self) -> np.ndarray:
        """float64 [n_points], D_i of each point."""
        return feature_dimensionality(self.points)


def _polytopes() -> dict[str, Polytope]:
    circle = {n: 2 * np.pi * np.arange(n) / n for n in (3, 4, 5)}
    low, high = (
        math.sqrt(1 / 3),
        math.sqrt(2 / 3),
    )  # the antiprism's height that makes it a tight frame: sum v v^T = 8/3 I
    turned = circle[4] + np.pi / 4
    plain = {
        "single": np.ones((1, 1)),
        "digon": np.array([[1.0, -1.0]]),
        "triangle": np.stack([np.cos(circle[3]), np.sin(circle[3])]),
        "pentagon": np.stack([np.cos(circle[5]), np.sin(circle[5])]),
        "tetrahedron": np.array([[1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]) / math.sqrt(3),
        "square antiprism": np.stack(
            [
                high * np.cos(np.append(circle[4], turned)),
                high * np.sin(np.append(circle[4], turned)),
                np.repeat([low, -low], 4),
            ]
        ),
    }
    found = {name: Polytope(name, points) for name, points in plain.items()}
    for name, parts in {
        "square": ("digon", "digon"),
        "octahedron": ("digon", "digon", "digon"),
        "triangular bipyramid": ("triangle", "digon"),
        "pentagonal bipyramid": ("pentagon", "digon"),
    }.items():
        found[name] = tegum(*(found[part] for part in parts), name=name)
    return found


def tegum(*parts: Polytope, name: str = "") -> Polytope:
    """The tegum product: each part's points in dimensions of their own, so that parts do not interfere.

    D_i of every point is what it was, and the dimensions add up.

    Example:
        >>> tegum(POLYTOPES["triangle"], POLYTOPES["digon"]).dimensionality.round(3).tolist()
        [0.667, 0.667, 0.667, 0.5, 0.5]
    """
    rows = sum(len(part.points) for part in parts)
    columns = sum(part.points.shape[1] for part in parts)
    points = np.zeros((rows, columns))
    row = column = 0
    for part in parts:
        m, n = part.points.shape
        points[row : row + m, column : column + n] = part.points
        row, column = row + m, column + n
    return Polytope(name or " + ".join(part.name for part in parts), points)


def simplex(n: int) -> Polytope:
    """n points in n - 1 dimensions, all equally far from one another; D_i = (n - 1) / n.

    It is `orthogonal_to((1, ..., 1))`, with columns made unit. Raises ValueError for n < 2.
    """
    if n < 2:
        raise ValueError(f"a simplex has two points or more, not {n}")
    W = orthogonal_to(np.ones(n))
    return Polytope(f"{n - 1}-simplex", W / norms(W))


def orthogonal_to(vectors: ArrayLike) -> np.ndarray:
    """W [n - k, n] with orthonormal rows that span everything orthogonal to k vectors [k, n] (or one, [n]).

    W^T W = I - (projection on the vectors): a polytope of n points and a low-rank matrix are two views of one thing.
    Rows are fixed up to rotation; they are chosen the same way each time.
    Raises ValueError if the vectors are dependent or leave nothing.

    Example:
        >>> W = orthogonal_to([1.0, 1.0, 1.0])
        >>> (W.T @ W).round(4)[0].tolist()
        [0.6667, -0.3333, -0.3333]
    """
    V = np.atleast_2d(np.asarray(vectors, np.float64))
    k, n = V.shape
    if k >= n or np.linalg.matrix_rank(V) < k:
        raise ValueError(f"{k} vectors in {n} dimensions leave no such matrix: give fewer, independent ones")
    _, _, Vt = np.linalg.svd(V)
    return canonical(Vt[k:])


def null_space(W: ArrayLike, *, tolerance: float = 1e-6) -> np.ndarray:
    """Orthonormal rows [k, n_features] that W sends to 0: the inverse view of `orthogonal_to`."""
    W = _matrix(W)
    _, s, Vt = np.linalg.svd(W)
    return Vt[int((s > tolerance * s.max(initial=0.0)).sum()) :]


def _matrix(W: ArrayLike) -> np.ndarray:
    W = np.asarray(W, np.float64)
    if W.ndim < 2:
        raise ValueError(f"W is [..., n_hidden, n_features], not {list(W.shape)}")
    return W


POLYTOPES: dict[str, Polytope] = _polytopes()
_REGULAR = {**POLYTOPES, "4-simplex": simplex(5), "5-simplex": simplex(6)}
