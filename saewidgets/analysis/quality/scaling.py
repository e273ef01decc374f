"""How an SAE's loss falls with the compute spent on it: a power law, and at each budget the best number of features.

    loss(C) = a C^-b,    C = 12 d_in d_sae tokens

The count is of a dense SAE: two products of 2 d_in d_sae operations per token forward, twice as much backward. Kernels
that leave out inactive features do less, but no less in proportion. Templeton et al. (2024) sweep features and steps at
a fixed learning rate and find the loss a power law in compute, the best number of features growing somewhat faster than
that of steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from saewidgets.records.arguments import expect, kind_of
from saewidgets.records.tables import frame
from saewidgets.training.sweep import Sweep

COLUMNS = {"run", "d_in", "d_sae", "tokens"}


def training_compute(d_in: int, d_sae: int, tokens: float) -> float:
    """Floating-point operations of training a dense SAE on so many activation vectors: 12 d_in d_sae tokens.

    Example:
        >>> training_compute(160, 512, 1_000_000)
        983040000000.0
    """
    return 12.0 * d_in * d_sae * tokens


@dataclass(frozen=True)
class PowerLaw:
    """y = coefficient * x ** exponent, fitted by least squares in log y against log x."""

    coefficient: float
    exponent: float
    r_squared: float  # share of the variance of log y that the line explains; nan where y does not vary
    n: int  # points behind it

    def __call__(self, x: float) -> float:
        """The law's y at x."""
        return float(self.coefficient * x**self.exponent)


def power_law(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> PowerLaw:
    """The power law nearest to the points, each weighing the same on logarithmic axes.

    Raises ValueError for fewer than two different x, or for a value that is not positive and finite.

    Example:
        >>> law = power_law([1, 10, 100], [8, 4, 2])
        >>> round(law.coefficient, 6), round(law.exponent, 5)
        (8.0, -0.30103)
    """
    u, v = _numbers(x, "x"), _numbers(y, "y")
    if u.shape != v.shape or u.ndim != 1:
        raise ValueError(f"x and y must be two lists of one length, not {list(u.shape)} and {list(v.shape)}")
    if not (np.isfinite(u).all() and np.isfinite(v).all() and (u > 0).all() and (v > 0).all()):
        raise ValueError("a power law needs positive, finite values; leave the others out first")
    if len(np.unique(u)) < 2:
        raise ValueError(f"a power law needs two different x or more, not {len(np.unique(u))}")
    u, v = np.log(u), np.log(v)
    du, dv = u - u.mean(), v - v.mean()
    exponent = float((du * dv).sum() / (du**2).sum())
    rest, spread = float(((dv - exponent * du) ** 2).sum()), float((dv**2).sum())
    return PowerLaw(
        coefficient=float(np.exp(v.mean() - exponent * u.mean())),
        exponent=exponent,
        r_squared=1 - rest / spread if spread > 0 else float("nan"),
        n=len(u),
    )


def _numbers(values: Any, name: str) -> np.ndarray:
    """float64 of what a caller gave; TypeError on what is no list of numbers."""
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a list of numbers, such as [1, 10, 100], not {kind_of(values)}") from None


def iso_compute(
    sweep: Sweep | pd.DataFrame, budgets: Sequence[float] | None = None, *, measure: str = "fvu", smooth: int = 20
) -> pd.DataFrame:
    """What each run of a sweep had reached when it had spent a given compute.

    A run counts at a budget that lies between its first and its last step; between two steps the logarithm of the
    measure is linear in that of compute. Runs should keep one learning rate (`lr_decay=0`): a step in the middle of a
    schedule that decays later is worse than the end of a shorter run.

    Args:
        sweep: a `Sweep`, or its table, perhaps of some runs only: sizes are compared at one sparsity.
        budgets: of compute; None: eight, evenly spaced on a logarithmic axis, where two sizes or more can be compared.
        measure: a column, "fvu" or "loss".
        smooth: mean of so many steps before it is read off; a batch is noisy.

    Returns:
        One row a budget and run: compute, run, d_sae, tokens, the measure, and best, whether no other run is lower
            there.

    Raises ValueError if columns are missing, or where no budget lies within two runs.
    """
    expect(sweep, (Sweep, pd.DataFrame), "sweep", "iso_compute")
    table = sweep.to_dataframe() if isinstance(sweep, Sweep) else sweep
    missing = (COLUMNS | {measure}) - set(table.columns)
    if missing:
        raise ValueError(f"the table lacks {', '.join(sorted(missing))}")
    runs = []
    for name, own in table.groupby("run", sort=False):
        own = own.sort_values("tokens")
        value = own[measure].rolling(smooth, min_periods=1).mean()
        good = np.isfinite(value) & (value > 0)
        if good.sum() >= 2:
            spent = 12.0 * own["d_in"] * own["d_sae"] * own["tokens"]
            runs.append((str(name), int(own["d_sae"].iloc[0]), int(own["d_in"].iloc[0]), spent[good], value[good]))
    if budgets is None:
        first = sorted(spent.iloc[0] for *_, spent, _ in runs)
        last = sorted(spent.iloc[-1] for *_, spent, _ in runs)
        if len(runs) < 2 or first[1] >= last[-2]:
            raise ValueError("no compute is within reach of two runs: train the smaller ones for longer")
        budgets = np.geomspace(first[1], last[-2], 8).tolist()
    rows = []
    for budget in budgets:
        for name, d_sae, d_in, spent, value in runs:
            if spent.iloc[0] <= budget <= spent.iloc[-1]:
                reached = float(np.exp(np.interp(np.log(budget), np.log(spent), np.log(value))))
                rows.append((float(budget), name, d_sae, budget / (12.0 * d_in * d_sae), reached))
    found = frame(rows, columns=["compute", "run", "d_sae", "tokens", measure])
    found["best"] = found[measure] == found.groupby("compute")[measure].transform("min")
    return found


@dataclass(frozen=True)
class ScalingLaw:
    """What a sweep says about spending more."""

    table: pd.DataFrame  # of `iso_compute`
    loss: PowerLaw  # the best measure at each budget, against compute
    features: PowerLaw  # the number of features that reaches it, against compute
    tokens: PowerLaw  # the tokens that it then sees, against compute; the two exponents add up to 1


def scaling_law(
    sweep: Sweep | pd.DataFrame, budgets: Sequence[float] | None = None, *, measure: str = "fvu", smooth: int = 20
) -> ScalingLaw:
    """Three power laws in compute: of the best loss, of the number of features that has it, and of its tokens.

    Arguments and errors as of `iso_compute`; also ValueError where fewer than two budgets are left.

    Example:
        >>> law = scaling_law(sweep)  # doctest: +SKIP
        >>> law.loss(1e15)  # what 1e15 operations would reach  # doctest: +SKIP
    """
    table = iso_compute(sweep, budgets, measure=measure, smooth=smooth)
    best = table[table["best"]].drop_duplicates("compute")
    return ScalingLaw(
        table=table,
        loss=power_law(best["compute"], best[measure]),
        features=power_law(best["compute"], best["d_sae"]),
        tokens=power_law(best["compute"], best["tokens"]),
    )
