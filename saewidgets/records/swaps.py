"""What follows and what stays when a part of an activation is swapped for another entity's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from saewidgets.records.saved import Saved
from saewidgets.records.shares import share
from saewidgets.records.tables import frame


@dataclass(frozen=True)
class SwapCount:
    """Of one method and one attribute whose features were swapped: how often one attribute came out as hoped."""

    method: str  # "features", "all features", "activation", "random" or "none"
    swapped: str  # the attribute whose features were swapped
    read: str  # the attribute that was asked for afterwards
    hits: int  # pairs whose answer is the source's, where both are the same; the base's, where they are not
    n: int  # pairs of entities


@dataclass(frozen=True)
class SwapScores(Saved):
    """Cause and isolation, as RAVEL has them (Huang et al. 2024, "RAVEL: Evaluating Interpretability Methods on
    Disentangling Language Model Representations").

        cause of A      of pairs (base, source), the share whose answer about A is the source's after a swap for A
        isolation of A  the share whose answers about other attributes stay the base's, the mean over these
        disentangle     (cause + isolation) / 2, the mean over attributes

    Make it with `analysis.quality.attribute_swaps`.
    """

    KIND: ClassVar[str] = "swap scores"

    attributes: tuple[str, ...]
    counts: tuple[SwapCount, ...]
    features: dict[str, tuple[int, ...]]  # per attribute, those that were swapped
    entities: tuple[str, ...]  # about which the model answers all attributes by itself
    left_out: tuple[str, ...] = ()  # the others
    model_name: str = ""
    sae_name: str = ""
    hook_name: str = ""
    at: str = ""  # the token that was swapped: "entity" or "end" of the prompt

    @property
    def methods(self) -> tuple[str, ...]:
        """In the order in which they were tried."""
        return tuple(dict.fromkeys(c.method for c in self.counts))

    def to_dataframe(self) -> pd.DataFrame:
        """One row per method and attribute: method, attribute, cause, cause_low, cause_high (Wilson, 95 %), isolation,
        disentangle, n (pairs).
        """
        rows = []
        for method in self.methods:
            for attribute in self.attributes:
                own = [c for c in self.counts if (c.method, c.swapped) == (method, attribute)]
                caused = next(c for c in own if c.read == attribute)
                cause = share(caused.hits, caused.n)
                stayed = [c.hits / c.n if c.n else np.nan for c in own if c.read != attribute]
                isolation = float(np.mean(stayed)) if stayed else np.nan
                both = (cause.value + isolation) / 2
                rows.append((method, attribute, cause.value, cause.low, cause.high, isolation, both, caused.n))
        columns = ["method", "attribute", "cause", "cause_low", "cause_high", "isolation", "disentangle", "n"]
        return frame(rows, columns=columns)

    def summary(self) -> pd.DataFrame:
        """One row per method, the means over attributes: cause, isolation, disentangle."""
        return self.to_dataframe().groupby("method", sort=False)[["cause", "isolation", "disentangle"]].mean()
