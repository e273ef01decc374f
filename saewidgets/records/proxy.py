"""What a feature's activations are worth as a sign of something that can be computed without the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from saewidgets.records.tables import frame


@dataclass(frozen=True, eq=False)
class ConceptProxy:
    """A feature's activations against a score of each token: what `concept_proxy` measures (Bricken et al. 2023).

    The score is 0 or 1 where it says whether a token expresses something, else any number, such as a log-likelihood
    ratio. "Yes" is a score above 0.
    """

    feature: int
    name: str  # what the score tells, e.g. "golden_gate_bridge"
    edges: np.ndarray  # float64 [bin + 1], SAE units, from 0 to the feature's maximum
    n: np.ndarray  # int64 [bin], tokens whose activation lies there, zeros left out
    yes: np.ndarray  # int64 [bin], of those, the tokens with a score above 0
    mean: np.ndarray  # float64 [bin], mean score of those tokens, nan where there are none
    n_silent: int  # counted tokens at which the feature is off
    yes_silent: int  # of those, the ones with a score above 0
    pearson: float  # of activation and score over all counted tokens, nan where either never varies
    pearson_binary: float  # of "is active" and "score above 0", likewise

    @property
    def n_tokens(self) -> int:
        """Counted tokens, the denominator of both correlations."""
        return int(self.n.sum()) + self.n_silent

    @property
    def precision(self) -> float:
        """Share of the active tokens with a score above 0; nan where it is never active."""
        return float(self.yes.sum() / self.n.sum()) if self.n.any() else float("nan")

    @property
    def recall(self) -> float:
        """Share of the tokens with a score above 0 at which the feature is active; nan where there are none."""
        whole = int(self.yes.sum()) + self.yes_silent
        return float(self.yes.sum() / whole) if whole else float("nan")

    def to_dataframe(self) -> pd.DataFrame:
        """One row a bin: low, high, n, yes, mean."""
        return frame({"low": self.edges[:-1], "high": self.edges[1:], "n": self.n, "yes": self.yes, "mean": self.mean})
