"""What the toy models should do, worked out on paper: losses in closed form, phases, and the price of an attack.

The features are x_i = 0 with probability 1 - p, otherwise uniform on [0, 1], independent; the loss is
L = E sum_i I_i (x_i - x'_i)^2 (Elhage et al. 2022). Every formula is derived here and checked by sampling in the tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import ArrayLike

from saewidgets.analysis.toys.geometry import gram, norms, superposition
from saewidgets.languages import to_say
from saewidgets.records.arguments import seed_of

NOT_LEARNED, SUPERPOSITION, DEDICATED = 0, 1, 2
PHASES = (
    to_say("not learned"),
    to_say("in superposition"),
    to_say("a dimension of its own"),
)  # of the extra feature, by the numbers above

SUBSETS = 10  # features up to which all sets of them are summed over
KNOWN = ((2, 1), (3, 2))  # (n_features, n_hidden) for which candidates are known
_PHASE_OF = {  # of the extra feature, in each of `candidate_losses`
    "ignore the extra one": NOT_LEARNED,
    "ignore the other": DEDICATED,
    "extra one in a pair": SUPERPOSITION,
    "the others in a pair": DEDICATED,
}


def ignored_loss(p: ArrayLike) -> np.ndarray:
    """What a feature costs that is left out, the bias at its mean p / 2: its variance, p / 3 - p^2 / 4."""
    p = np.asarray(p, np.float64)
    return p / 3 - p**2 / 4


def antipodal_loss(p: ArrayLike, q: ArrayLike | None = None) -> np.ndarray:
    """What each feature of an antipodal pair costs (W_j = -W_i, |W_i| = 1, bias 0): p q / 6.

    Alone, a feature comes back exactly, and the ReLU keeps the other at 0. With both on, the smaller is lost and the
    larger is short by it, so both err by min(x_i, x_j), and E min^2 = 1/6 for two uniform numbers. q: the partner's
    density.
    """
    p = np.asarray(p, np.float64)
    value: np.ndarray = p * (p if q is None else np.asarray(q, np.float64)) / 6
    return value


def candidate_losses(
    n_features: int, n_hidden: int, densities: ArrayLike, importances: ArrayLike
) -> dict[str, np.ndarray]:
    """The losses [importance, density] of the solutions that compete, by name.

    All features have importance 1, but for the last ("the extra one") with importance I; one feature more than
    dimensions. `(2, 1)`: W = [1, 0], [0, 1] or [1, -1]. `(3, 2)`: W orthogonal to (0, 0, 1), (1, 0, 0), (0, 1, 1) or
    (1, 1, 0), unit columns.

    Raises ValueError for other sizes, where no such table is known.

    Example:
        >>> {name: round(float(loss[0, 0]), 4) for name, loss in candidate_losses(2, 1, [0.4], [1.0]).items()}
        {'ignore the extra one': 0.0933, 'ignore the other': 0.0933, 'extra one in a pair': 0.0533}
    """
    p = np.atleast_1d(np.asarray(densities, np.float64))[None, :]
    extra = np.atleast_1d(np.asarray(importances, np.float64))[:, None]
    one = np.ones_like(extra)  # [importance, 1], as in the rows and columns of a PhaseDiagram
    table = {
        "ignore the extra one": extra * ignored_loss(p),
        "ignore the other": one * ignored_loss(p),
        "extra one in a pair": (1 + extra) * antipodal_loss(p),
    }
    if (n_features, n_hidden) not in KNOWN:
        raise ValueError(f"theory covers 2 features in 1 dimension and 3 in 2, not {n_features} in {n_hidden}")
    if n_features == 3:
        table["the others in a pair"] = 2 * one * antipodal_loss(p)
    return table


def theory_phases(n_features: int, n_hidden: int, densities: ArrayLike, importances: ArrayLike) -> np.ndarray:
    """int64 [importance, density]: the phase of the extra feature in the cheapest candidate (index into `PHASES`)."""
    table = candidate_losses(n_features, n_hidden, densities, importances)
    value: np.ndarray = np.array([_PHASE_OF[name] for name in table])[np.argmin(np.stack(list(table.values())), axis=0)]
    return value


def empirical_phases(W: ArrayLike, *, feature: int = -1) -> np.ndarray:
    """int64 [...]: the phase of one feature (the last, unless said) of trained W [..., n_hidden, n_features].

    Not learned below norm 1/2; of the rest, in superposition where others' share of its direction is 1/2 or more.
    """
    W = np.asarray(W, np.float64)
    learned = norms(W)[..., feature] > 0.5
    shared = superposition(W)[..., feature] > 0.5
    return np.where(learned, np.where(shared, SUPERPOSITION, DEDICATED), NOT_LEARNED)


def pair_boundary(importance: ArrayLike) -> np.ndarray:
    """The density below which two features in one dimension pair up: min(2 I / (1 + 2.5 I), 2 / (2.5 + I)).

    From (1 + I) p^2 / 6 < min(I, 1) (p / 3 - p^2 / 4). Example:

        >>> round(float(pair_boundary(1.0)), 3)
        0.571
    """
    extra = np.asarray(importance, np.float64)
    return np.minimum(2 * extra / (1 + 2.5 * extra), 2 / (2.5 + extra))


def phase_borders(
    n_features: int,
    n_hidden: int,
    densities: tuple[float, float],
    importances: tuple[float, float],
    *,
    points: int = 97,
) -> np.ndarray:
    """The borders between the phases of `theory_phases`, as short straight pieces: float64 [piece, end, 2], each end a
    (density, importance).

    Found where the losses of two phases cross on a grid of `points` by `points` over the two ranges, both logarithmic,
    straight between neighbors. Example: at importance 1, superposition ends at a density of 4 / 7.

        >>> ends = phase_borders(2, 1, (0.1, 1.0), (0.1, 10.0)).reshape(-1, 2)
        >>> round(float(ends[np.abs(ends[:, 1] - 1) < 1e-9].min(0)[0]), 2)
        0.57
    """
    x, y = np.log10(np.geomspace(*densities, points)), np.log10(np.geomspace(*importances, points))
    table = candidate_losses(n_features, n_hidden, 10**x, 10**y)
    shape = (points, points)
    best = {phase: np.full(shape, np.inf) for phase in (NOT_LEARNED, SUPERPOSITION, DEDICATED)}
    for name, loss in table.items():
        best[_PHASE_OF[name]] = np.minimum(best[_PHASE_OF[name]], loss)
    apart = np.minimum(best[NOT_LEARNED], best[DEDICATED])
    shared = _level_lines(best[SUPERPOSITION] - apart)
    other = _level_lines(best[NOT_LEARNED] - best[DEDICATED])
    middle = np.rint(other.mean(1)).astype(int)  # [piece, (column, row)]
    other = other[best[SUPERPOSITION][middle[:, 1], middle[:, 0]] > apart[middle[:, 1], middle[:, 0]]]
    ends = np.concatenate([shared, other])
    step = np.array([x[1] - x[0], y[1] - y[0]])
    value: np.ndarray = 10 ** (np.array([x[0], y[0]]) + ends * step)
    return value


def _level_lines(z: np.ndarray) -> np.ndarray:
    """Where z [row, column] is 0, as pieces float64 [piece, end, (column, row)]: one for each square of the grid that is
    crossed (marching squares).
    """
    pieces = []
    above = z > 0
    mixed = (
        (above[:-1, :-1] != above[1:, 1:]) | (above[:-1, 1:] != above[1:, :-1]) | (above[:-1, :-1] != above[1:, :-1])
    )
    for i, j in np.argwhere(mixed):
        corners = [(i, j), (i, j + 1), (i + 1, j + 1), (i + 1, j)]
        ends = []
        for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
            if above[a] != above[b]:
                t = z[a] / (z[a] - z[b])
                ends.append((a[1] + t * (b[1] - a[1]), a[0] + t * (b[0] - a[0])))
        pieces += [ends[k : k + 2] for k in range(0, len(ends), 2)]
    return np.array(pieces, np.float64).reshape(-1, 2, 2)


def solution_losses(n_hidden: int, densities: ArrayLike, importances: ArrayLike = 1.0) -> dict[str, np.ndarray]:
    """The losses [setting] of the solutions that a ReLU model of any size has, in closed form, by name.

    densities and importances are [setting, n_features] (or broadcast to it) of independent features. "one per
    dimension": the `n_hidden` features that would cost the most if ignored come back exactly, the others are ignored.
    "two per dimension": as many antipodal pairs as there are dimensions, of the features that would cost the most.
    "best of both": so many pairs that the sum is lowest, and the rest of the dimensions for one feature each. Each is
    the loss of a model that exists, so no best model is worse.

    Example:
        >>> {name: round(float(loss[0]), 4) for name, loss in solution_losses(1, [[0.4, 0.4]]).items()}
        {'one per dimension': 0.0933, 'two per dimension': 0.0533, 'best of both': 0.0533}
    """
    p, weight = np.broadcast_arrays(
        np.atleast_2d(np.asarray(densities, np.float64)), np.atleast_2d(np.asarray(importances, np.float64))
    )
    cost = weight * ignored_loss(p)  # [setting, n]
    order = np.argsort(-cost, axis=1, kind="stable")
    p, weight, cost = (np.take_along_axis(part, order, 1) for part in (p, weight, cost))
    n, own = p.shape[1], min(n_hidden, p.shape[1])
    losses = []
    for pairs in range(max(0, min(own, n - own)) + 1):
        first, last = own - pairs, own + pairs  # the pairs are of features first to last - 1
        i, j = np.arange(first, own), np.arange(last - 1, own - 1, -1)  # the dearest with the cheapest
        both = (weight[:, i] + weight[:, j]) * antipodal_loss(p[:, i], p[:, j])
        losses.append(both.sum(1) + cost[:, last:].sum(1))
    return {"one per dimension": losses[0], "two per dimension": losses[-1], "best of both": np.min(losses, axis=0)}


@dataclass(frozen=True)
class LinearTerms:
    """The loss of the linear model, up to the factor Var x_i: what features gain by being represented, and what they
    cost.
    """

    feature_benefit: np.ndarray  # float64 [n_features], I_i (1 - |W_i|^2)^2: 0 when a feature is wholly represented
    interference: np.ndarray  # float64 [n_features], I_i sum over j != i of (W_i . W_j)^2

    @property
    def total(self) -> float:
        """sum_i I_i [ (1 - |W_i|^2)^2 + sum_{j != i} (W_i . W_j)^2 ]."""
        return float(self.feature_benefit.sum() + self.interference.sum())


def linear_terms(W: ArrayLike, importance: ArrayLike = 1.0) -> LinearTerms:
    """The two terms of the linear model x' = W^T W x + b at its best bias: E L = Var(x_i) * `total`, exactly.

    Example:
        >>> linear_terms([[1.0, 0.0]]).total  # the second feature is left out
        1.0
    """
    G = gram(W)
    own = np.diagonal(G)
    weight = np.broadcast_to(np.asarray(importance, np.float64), own.shape)
    return LinearTerms(weight * (1 - own) ** 2, weight * (np.square(G).sum(1) - own**2))


@dataclass(frozen=True)
class SparseTerms:
    """The loss of the ReLU model by the number of active features: L = sum_k p^k (1 - p)^(n - k) L_k."""

    p: float  # density of each feature
    terms: np.ndarray  # float64 [n_features + 1], L_k: the sum over all sets of k features of E[loss | those are on]
    benefit: np.ndarray  # float64 [n_features], of L_1: I_i E (x_i - x'_i)^2 with i alone on
    interference: np.ndarray  # float64 [n_features], of L_1: sum over j != i of I_j E x'_j^2 with i alone on

    @property
    def weights(self) -> np.ndarray:
        """float64 [n_features + 1], p^k (1 - p)^(n - k): the chance of one given set of k features."""
        n = len(self.terms) - 1
        k = np.arange(n + 1)
        return self.p**k * (1 - self.p) ** (n - k)

    @property
    def contributions(self) -> np.ndarray:
        """float64 [n_features + 1]: what inputs with k active features add to the loss. They sum to it."""
        value: np.ndarray = self.weights * self.terms
        return value


def sparse_terms(
    W: ArrayLike, b: ArrayLike, p: float, importance: ArrayLike = 1.0, *, n_samples: int = 4096, seed: int = 0
) -> SparseTerms:
    """L_0 and L_1 of one ReLU model in closed form, L_2 to L_n by sampling `n_samples` sets each.

    W [n_hidden, n_features], b [n_features]. With feature i alone on, and G = W^T W, output j is ReLU(G_ji x + b_j):
    each term of L_1 is the integral over x of a parabola on the stretch where the ReLU is open.

    Example:
        >>> terms = sparse_terms([[1.0, -1.0]], [0.0, 0.0], p=0.3)  # an antipodal pair errs only with both on
        >>> terms.terms[:2].tolist(), round(float(terms.contributions.sum()) / (2 * 0.3**2 / 6), 1)
        ([0.0, 0.0], 1.0)
    """
    seed = seed_of(seed)
    G = gram(W)  # [j, i]
    n = len(G)
    bias = np.broadcast_to(np.asarray(b, np.float64), n)
    weight = np.broadcast_to(np.asarray(importance, np.float64), n)
    one = weight[:, None] * squared_error(np.eye(n), G, bias[:, None])  # [j, i]: error of output j with i alone on
    terms = np.zeros(n + 1)
    terms[0] = weight @ np.square(np.maximum(bias, 0))
    terms[1] = one.sum()
    rng = np.random.default_rng(seed)
    for k in range(2, n + 1):
        x = rng.random((n_samples, n))
        rank = rng.random((n_samples, n)).argsort(1).argsort(1)
        x[rank >= k] = 0
        terms[k] = comb(n, k) * ((np.square(x - np.maximum(x @ G + bias, 0)) @ weight).mean())
    own = np.diagonal(one)
    return SparseTerms(float(p), terms, own.copy(), one.sum(0) - own)


def expected_loss(
    W: ArrayLike, b: ArrayLike, p: ArrayLike, importance: ArrayLike = 1.0, *, n_samples: int = 1024
) -> float:
    """The loss of one ReLU model of at most `SUBSETS` features, whose densities may differ: a sum over all sets of
    active features, each with its chance, of what `n_samples` inputs of that set cost, evenly spread. Far less
    noise than in a mean over inputs as they come, of which few have two features on.

    Raises ValueError for more features. Example: two that are left out, at density 1, cost 1 / 12 each.

        >>> round(expected_loss([[0.0, 0.0]], [0.5, 0.5], 1.0), 4)
        0.1667
    """
    G = gram(W)
    n = len(G)
    if n > SUBSETS:
        raise ValueError(f"expected_loss sums over all sets of at most {SUBSETS} features, not of {n}")
    chance = np.broadcast_to(np.asarray(p, np.float64), n)
    weight = np.broadcast_to(np.asarray(importance, np.float64), n)
    bias = np.broadcast_to(np.asarray(b, np.float64), n)
    ratio = 2.0
    for _ in range(40):  # the golden ratio of n dimensions: ratio^(n + 1) = ratio + 1
        ratio = (1 + ratio) ** (1 / (n + 1))
    uniform = (0.5 + np.arange(1, n_samples + 1)[:, None] * ratio ** -np.arange(1.0, n + 1)) % 1  # evenly over the cube
    on = (np.arange(1 << n)[:, None] >> np.arange(n)) & 1  # [set, feature]
    total = 0.0
    for members, likely in zip(on, np.where(on, chance, 1 - chance).prod(1), strict=True):
        if likely > 0:
            x = uniform * members
            total += likely * float((np.square(x - np.maximum(x @ G + bias, 0)) @ weight).mean())
    return float(total)


def squared_error(alpha: ArrayLike, beta: ArrayLike, b: ArrayLike) -> np.ndarray:
    """The integral over x in [0, 1] of (alpha x - ReLU(beta x + b))^2, exactly; arrays broadcast.

    Example:
        >>> float(squared_error(1.0, 0.0, 0.5).round(6))  # a feature left out, its bias at the mean: 1/12
        0.083333
    """
    alpha, beta, b = np.broadcast_arrays(*(np.asarray(v, np.float64) for v in (alpha, beta, b)))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # clipped to [0, 1] all the same
        zero = np.clip(np.where(beta == 0, 0.0, -b / beta), 0, 1)
    low = np.where(beta > 0, zero, 0.0)
    high = np.where(beta < 0, zero, np.where((beta == 0) & (b <= 0), 0.0, 1.0))

    def antiderivative(x: np.ndarray) -> np.ndarray:  # of (beta x + b)^2 - 2 alpha x (beta x + b)
        value: np.ndarray = (beta**2 - 2 * alpha * beta) * x**3 / 3 + (beta - alpha) * b * x**2 + b**2 * x
        return value

    value: np.ndarray = alpha**2 / 3 + antiderivative(high) - antiderivative(low)
    return value


def attack(
    W: ArrayLike, b: ArrayLike, x: ArrayLike, radius: float, importance: ArrayLike = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """(clean loss, loss under the worst of the analytic attacks), both [sample], for one ReLU model and x [sample, n].

    Output i moves fastest along row i of G = W^T W, by |G_i| a unit; the attacks tried are +- radius G_i / |G_i| for
    every i, a step of L2 length `radius` that the target does not follow. As |G_i|^2 = |W_i|^4 / D_i, what an attack
    can do grows with the features per dimension, 1 / D_i.

    Example:
        >>> clean, hit = attack([[1.0]], [0.0], [[0.5]], 0.1)
        >>> clean.tolist(), hit.round(6).tolist()
        ([0.0], [0.01])
    """
    G = gram(W)
    x = np.asarray(x, np.float64)
    weight = np.broadcast_to(np.asarray(importance, np.float64), len(G))
    bias = np.asarray(b, np.float64)
    pre = x @ G + bias
    clean = np.square(x - np.maximum(pre, 0)) @ weight
    worst = clean.copy()
    length = np.linalg.norm(G, axis=1)
    for i in np.flatnonzero(length > 1e-9):
        move = radius * (G[i] @ G) / length[i]  # of every output before its ReLU
        for sign in (1.0, -1.0):
            worst = np.maximum(worst, np.square(x - np.maximum(pre + sign * move, 0)) @ weight)
    return clean, worst


def vulnerability(
    W: ArrayLike,
    b: ArrayLike,
    p: ArrayLike,
    importance: ArrayLike = 1.0,
    *,
    share: float = 0.1,
    n_samples: int = 1000,
    seed: int = 0,
) -> float:
    """What the worst attack adds to the loss, for each squared unit of its length, mean over sampled inputs.

    The attack has `share` times the mean length of x, so p sets both. A model that gives every feature a dimension, and
    reads it exactly, has at most 1 (an error of the attack's own length); by how much others exceed it is their
    relative vulnerability.
    """
    seed = seed_of(seed)
    rng = np.random.default_rng(seed)
    n = np.asarray(W).shape[-1]
    x = rng.random((n_samples, n)) * (rng.random((n_samples, n)) < np.asarray(p))
    radius = share * float(np.linalg.norm(x, axis=1).mean())
    clean, worst = attack(W, b, x, radius, importance)
    return float((worst - clean).mean()) / radius**2
