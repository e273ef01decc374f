"""Two kinds of solution for five features in two dimensions, followed while one feature's density changes (M10).

Equal features form a pentagon. Where one of them is much rarer than the others, two antipodal pairs of the other four
are cheaper, and the rare one is left out (Elhage et al. 2022). Both kinds stay solutions on either side of the point
where their losses cross; which of the two is the better one changes there.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike

from saewidgets.analysis.toys.geometry import POLYTOPES, REPRESENTED, norms

FACTORS = tuple(np.geomspace(0.1, 2.5, 21).round(4).tolist())
POINTS = 256  # of x, for each set of two or more active features
_STEP = np.array([np.sqrt(prime) % 1 for prime in (2, 3, 5, 7, 11)])  # of the points; in no ratio to one another


@dataclass(frozen=True, eq=False)
class PerturbedFamilies:
    """The loss of a pentagon and of two antipodal pairs, by the density of one of five features."""

    density: float  # P(x_i != 0) of features 1 to 4
    factors: np.ndarray  # float64 [factor], ascending: feature 0 has density `factor * density`
    pentagon: np.ndarray  # float64 [factor], the lowest loss; NaN where no minimum represents all five features
    digons: np.ndarray  # float64 [factor], the lowest loss of two antipodal pairs without feature 0
    pentagon_weights: np.ndarray  # float64 [factor, 2, 5], W of those models; NaN where there is none
    digons_weights: np.ndarray  # float64 [factor, 2, 5]

    @property
    def crossing(self) -> float:
        """The factor below which two antipodal pairs are cheaper, NaN if the curves do not cross: 0.4 is 2.5 times
        rarer than the others. Between two factors the difference of the losses is taken as straight in log factor.
        """
        gap = self.digons - self.pentagon  # below 0: two pairs are cheaper
        for i in range(len(gap) - 1):
            if gap[i] < 0 <= gap[i + 1]:
                low, high = np.log(self.factors[i : i + 2])
                return float(np.exp(low + (high - low) * gap[i] / (gap[i] - gap[i + 1])))
        return float("nan")


def perturbed_families(density: float = 0.05, factors: ArrayLike = FACTORS) -> PerturbedFamilies:
    """Follow both kinds of solution of h = W x, x' = ReLU(W^T h + b) while feature 0 changes its density.

    Five features of importance 1 in two dimensions; features 1 to 4 are on with probability `density`, feature 0 with
    `factor * density`. The loss is summed over all 32 sets of active features, each with its chance. Starting at equal
    densities from the regular pentagon, W and b descend to the next minimum at each factor in turn, from where they
    were at the factor before; so the pentagon may deform. The antipodal pairs do the same with W_0 = 0.

    Args:
        density: above 0, at most 1.
        factors: above 0, so that no density exceeds 1; about 0.1 s each.

    Raises ValueError for a density or a factor that cannot be.

    Example:
        >>> families = perturbed_families(0.1, [0.2, 0.3, 0.4, 0.5, 1.0])
        >>> bool(0.35 < families.crossing < 0.5)  # 2 to 3 times rarer
        True
    """
    if not 0 < density <= 1:
        raise ValueError(f"density must be above 0 and at most 1, not {density}")
    given = np.unique(np.asarray(factors, np.float64).ravel())
    if not len(given) or not (np.isfinite(given).all() and given[0] > 0 and given[-1] * density <= 1):
        raise ValueError(
            f"factors must be above 0 and at most 1 / density = {1 / density:g}, one at least, not {given.tolist()}"
        )
    starts = {"pentagon": POLYTOPES["pentagon"].points, "digons": np.zeros((2, 5))}
    starts["digons"][:, 1:] = POLYTOPES["square"].points
    found = {name: _followed(start, density, given) for name, start in starts.items()}
    return PerturbedFamilies(
        float(density),
        given,
        found["pentagon"][0],
        found["digons"][0],
        found["pentagon"][1],
        found["digons"][1],
    )


def _followed(start: np.ndarray, density: float, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(loss [factor], W [factor, 2, 5]) of one family, from equal densities down and from there up; NaN where it
    ends.
    """
    losses, weights = np.full(len(factors), np.nan), np.full((len(factors), 2, 5), np.nan)
    there = norms(start) > REPRESENTED
    equal = torch.tensor(np.vstack([start, np.zeros(5)]))  # W over b
    _descend(equal, np.full(5, density), there)
    below = np.flatnonzero(factors < 1)[::-1]
    for way in (below, np.flatnonzero(factors >= 1)):
        parts = equal.clone()
        for i in way:
            p = np.full(5, density)
            p[0] *= factors[i]
            loss = _descend(parts, p, there)
            if ((norms(parts[:2].numpy()) > REPRESENTED) != there).any():
                break
            losses[i], weights[i] = loss, parts[:2].numpy()
    return losses, weights


def _descend(parts: torch.Tensor, p: np.ndarray, there: np.ndarray) -> float:
    """Move W and b, float64 [3, 5], to the next minimum, in place.

    Features that are not `there` keep W_i = 0, and b_i = p_i / 2, their mean and so the best constant. (Left to the
    descent, a bias below 0 would stay there: behind the ReLU nothing moves it.)
    """
    x, chance = (torch.tensor(part) for part in _inputs(p))
    moving = torch.tensor(np.broadcast_to(there, (3, 5)).astype(np.float64))
    still = torch.tensor(np.vstack([np.zeros((2, 5)), np.where(there, 0, p / 2)]))
    free = parts.clone().requires_grad_(True)
    descent = torch.optim.LBFGS([free], max_iter=300, tolerance_change=1e-12, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        now = free * moving + still
        W, b = now[:2], now[2]
        return chance @ (x - torch.relu(x @ W.T @ W + b)).square().sum(1)

    def closure() -> float:
        descent.zero_grad()
        value = loss() / p.mean()  # near 1, whatever the density: the descent stops at an absolute change
        value.backward()
        return float(value.detach())

    descent.step(closure)
    with torch.no_grad():
        parts.copy_(free * moving + still)
        return float(loss())


def _inputs(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(x [input, n], chance [input]): inputs that stand for all of them, evenly laid over each set of active features.

    One active feature gets `POINTS` midpoints; more get the fractional parts of i * step, which fill a cube more
    evenly than chance.
    """
    n = len(p)
    i = np.arange(POINTS)[:, None] + 0.5
    rows, chances = [np.zeros((1, n))], [np.prod(1 - p, keepdims=True)]
    for k in range(1, n + 1):
        cube = i / POINTS if k == 1 else (i * _STEP[:k] + 0.5) % 1
        for on in itertools.combinations(range(n), k):
            x = np.zeros((POINTS, n))
            x[:, on] = cube
            rows.append(x)
            chance = np.prod(np.where(np.isin(np.arange(n), on), p, 1 - p))
            chances.append(np.full(POINTS, chance / POINTS))
    return np.concatenate(rows), np.concatenate(chances)
