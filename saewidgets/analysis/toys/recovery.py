"""Does an SAE find the directions that are known to be there?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

FOUND = 0.9  # cosine from which a learned direction counts as a true one


@dataclass(frozen=True, eq=False)
class Recovery:
    """True directions against learned ones. Signs count: a feature is a ray, and its opposite is another feature."""

    cosine: np.ndarray  # float64 [true, learned]
    match: (
        np.ndarray
    )  # int64 [true], the learned direction assigned to each, -1 for none: one to one, largest sum of cosines
    found: float = FOUND  # cosine that counts as found

    @property
    def best(self) -> np.ndarray:
        """float64 [true], the largest cosine of each true direction with any learned one."""
        value: np.ndarray = self.cosine.max(axis=1, initial=-1.0)
        return value

    @property
    def mean_max_cosine(self) -> float:
        """Mean over the true directions of `best`: 1 if each has been found."""
        return float(self.best.mean())

    @property
    def matched(self) -> np.ndarray:
        """float64 [true], cosine with the direction assigned one to one; nan where there were too few."""
        taken = np.maximum(self.match, 0)
        value = self.cosine[np.arange(len(self.match)), taken] if self.cosine.shape[1] else np.zeros(len(self.match))
        return np.where(self.match >= 0, value, np.nan)

    @property
    def missed(self) -> np.ndarray:
        """int64: true directions that no learned one comes near."""
        return np.flatnonzero(self.best < self.found)

    @property
    def split(self) -> np.ndarray:
        """int64: true directions that two learned ones or more come near."""
        return np.flatnonzero((self.cosine >= self.found).sum(1) > 1)

    @property
    def strange(self) -> np.ndarray:
        """int64: learned directions near no true one: mixtures, or features that nothing fires."""
        return np.flatnonzero((self.cosine < self.found).all(0))

    def to_dataframe(self) -> pd.DataFrame:
        """One row a true direction: feature, match, matched (cosine), best (cosine), copies (learned ones near it)."""
        return pd.DataFrame(
            {
                "feature": np.arange(len(self.match)),
                "match": self.match,
                "matched": self.matched,
                "best": self.best,
                "copies": (self.cosine >= self.found).sum(1),
            }
        )


def recovery(true: ArrayLike, learned: ArrayLike, *, alive: ArrayLike | None = None, found: float = FOUND) -> Recovery:
    """Compare true directions [true, d] with learned ones [learned, d] (an SAE's `decoder_directions`), of any length.

    Args:
        true: one row per feature, such as `run.weights[-1, instance].T`; leave out features of norm 0.
        learned: one row an SAE feature.
        alive: bool [learned]; the others (never active) keep their column, with cosine -1, and match nothing.
        found: the cosine from which a direction counts as found.

    Raises ValueError on other shapes, and on a true direction of length 0.

    Example:
        >>> result = recovery([[1.0, 0.0], [0.0, 1.0]], [[0.0, 2.0], [0.0, 3.0], [1.0, 1.0]])
        >>> result.missed.tolist(), result.split.tolist(), result.strange.tolist()
        ([0], [1], [2])
    """
    A, B = np.asarray(true, np.float64), np.asarray(learned, np.float64)
    if A.ndim != 2 or B.ndim != 2 or A.shape[1] != B.shape[1]:
        raise ValueError(f"expected [true, d] and [learned, d], not {list(A.shape)} and {list(B.shape)}")
    length, other = np.linalg.norm(A, axis=1), np.linalg.norm(B, axis=1)
    if (length == 0).any():
        raise ValueError(
            f"true direction {int(np.argmin(length))} has length 0: leave out what the model does not represent"
        )
    cosine = (A / length[:, None]) @ (B / np.where(other == 0, 1, other)[:, None]).T
    usable = other > 0
    if alive is not None:
        usable &= np.asarray(alive, bool)
    cosine[:, ~usable] = -1.0
    columns = np.flatnonzero(usable)
    match = np.full(len(A), -1, np.int64)
    rows, picked = assign(cosine[:, columns])
    match[rows] = columns[picked]
    return Recovery(cosine, match, found)


def assign(score: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """(rows, columns) [min(n, m)]: the one-to-one pairing of score [n, m] with the largest sum (Hungarian method).

    Shortest augmenting paths with potentials, O(k^2 l) for k the smaller side.

    Example:
        >>> rows, columns = assign([[3.0, 2.9], [2.9, 0.0]])
        >>> columns.tolist()  # taking 3.0 would leave 0.0
        [1, 0]
    """
    score = np.asarray(score, np.float64)
    n, m = score.shape
    if n > m:
        columns, rows = assign(score.T)
        order = np.argsort(rows)
        return rows[order], columns[order]
    cost = -score
    u, v = np.zeros(n), np.zeros(m)  # potentials: cost - u - v >= 0, and = 0 on the pairing
    owner = np.full(m, -1)  # row of each column
    for new in range(n):
        row, last = new, -1
        reach = np.full(m, np.inf)  # cheapest way to a column from the new row
        came = np.full(m, -1)
        done = np.zeros(m, bool)
        paid = 0.0
        while True:
            step = paid + cost[row] - u[row] - v
            better = ~done & (step < reach)
            reach[better], came[better] = step[better], last
            last = int(np.argmin(np.where(done, np.inf, reach)))
            paid = reach[last]
            done[last] = True
            if owner[last] < 0:
                break
            row = owner[last]
        seen = done & (owner >= 0)
        u[owner[seen]] += paid - reach[seen]
        u[new] += paid
        v[done] -= paid - reach[done]
        while last >= 0:
            before = came[last]
            owner[last] = owner[before] if before >= 0 else new
            last = before
    rows = np.arange(n)
    columns = np.empty(n, np.int64)
    columns[owner[owner >= 0]] = np.flatnonzero(owner >= 0)
    return rows, columns
