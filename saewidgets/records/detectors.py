"""Features as detectors of known concepts, beside what else one could read a concept from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd

from saewidgets.files import unknown
from saewidgets.records.marks import Axes
from saewidgets.records.saved import Saved
from saewidgets.records.shares import wilson_bounds
from saewidgets.records.tables import frame

_Floats = Annotated[np.ndarray, Axes("row", dtype=np.float64)]
_Counts = Annotated[np.ndarray, Axes("row", dtype=np.int64)]


@dataclass(frozen=True, eq=False)
class DetectorComparison(Saved):
    """How well each concept is told by an SAE's best feature and by other readings of the same tokens.

    One row per (concept, method). All that is chosen or fitted is so on one half of the documents; every figure but
    `chosen_f1` is of the other half. "Says yes" is a score of at least the threshold. See
    `saewidgets.analysis.quality.compare_detectors`.
    """

    KIND = "detector comparison"

    methods: tuple[str, ...]  # in the order of the comparison, e.g. ("feature", "neuron", "direction", "probe", "k=1")
    n_units: Annotated[tuple[int, ...], Axes("unit")]  # per method, what the best one was chosen from
    concept: Annotated[tuple[str, ...], Axes("row")]
    method: Annotated[tuple[str, ...], Axes("row")]
    unit: Annotated[tuple[str, ...], Axes("row")]  # what reads it, e.g. "31", "blocks.1 neuron 7"; "" for none
    threshold: _Floats  # in the units of the score: SAE units of a feature, log-odds of a probe
    chosen_f1: _Floats  # F1 on the choosing half: of a probe, on documents it was not fitted to
    hits: _Counts  # tokens of the concept at which it says yes
    said: _Counts  # tokens at which it says yes
    true: _Counts  # tokens of the concept
    auroc: _Floats  # of the score, whatever the threshold
    f1_low: _Floats  # 95 % interval of F1: percentiles over documents drawn again 1,000 times
    f1_high: _Floats
    n_tokens: int  # of the telling half
    n_choosing: int  # of the choosing half
    corpus: str = ""
    sae_name: str = ""
    model_name: str = ""

    def __post_init__(self) -> None:
        if len(self.methods) != len(self.n_units):
            raise ValueError(f"{len(self.n_units)} numbers of units for {len(self.methods)} methods")
        for name in set(self.method) - set(self.methods):
            raise ValueError(unknown("method", name, self.methods))

    @property
    def concepts(self) -> tuple[str, ...]:
        """The concepts, each once."""
        return tuple(dict.fromkeys(self.concept))

    @property
    def f1(self) -> np.ndarray:
        """float64 [row], 2 hits / (said + true); nan where the telling half has no token of the concept."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.true > 0, 2 * self.hits / (self.said + self.true), np.nan)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per (concept, method): concept, method, unit, threshold, precision, recall and f1, each with the
        bounds of its 95 % interval (Wilson's, as if tokens were drawn one by one; of F1 over documents), auroc,
        chosen_f1, n_tokens (of the concept), base_f1 (of saying yes everywhere).
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            precision, recall = self.hits / self.said, self.hits / self.true
        (p_low, p_high), (r_low, r_high) = wilson_bounds(self.hits, self.said), wilson_bounds(self.hits, self.true)
        return frame(
            {
                "concept": self.concept,
                "method": self.method,
                "unit": self.unit,
                "threshold": self.threshold,
                "precision": precision,
                "precision_low": p_low,
                "precision_high": p_high,
                "recall": recall,
                "recall_low": r_low,
                "recall_high": r_high,
                "f1": self.f1,
                "f1_low": self.f1_low,
                "f1_high": self.f1_high,
                "auroc": self.auroc,
                "chosen_f1": self.chosen_f1,
                "n_tokens": self.true,
                "base_f1": 2 * self.true / (self.n_tokens + self.true) if self.n_tokens else np.nan,
            }
        )

    def table(self, measure: str = "f1") -> pd.DataFrame:
        """One row per concept, one column per method: `measure` is a column of `to_dataframe`."""
        whole = self.to_dataframe()
        if measure not in whole.columns[3:]:
            raise ValueError(unknown("measure", measure, list(whole.columns[3:])))
        wide = whole.pivot(index="concept", columns="method", values=measure)
        return wide.loc[list(self.concepts), list(self.methods)]

    def summary(self) -> pd.DataFrame:
        """One row per method: n_units, n_concepts (with a known F1), the medians of f1, chosen_f1, precision, recall
        and auroc over those concepts, and won: the share of them at which the method's F1 is no lower than the SAE's
        feature's.
        """
        whole = self.to_dataframe()
        own = whole[whole["method"] == self.methods[0]].set_index("concept")["f1"]
        rows = []
        for name, n in zip(self.methods, self.n_units, strict=True):
            part = whole[(whole["method"] == name) & np.isfinite(whole["f1"])].set_index("concept")
            medians = {c: part[c].median() for c in ("f1", "chosen_f1", "precision", "recall", "auroc")}
            won = (part["f1"] >= own.reindex(part.index)).mean() if len(part) else float("nan")
            rows.append({"method": name, "n_units": n, "n_concepts": len(part)} | medians | {"won": won})
        return frame(rows).set_index("method")


@dataclass(frozen=True, eq=False)
class NeuronOverlap(Saved):
    """Whether a feature is but a neuron: of each live feature, the neuron whose activations correlate with it most.

    The neurons are those of every MLP up to the SAE's site. r is Pearson's over `n_tokens` counted tokens. Controls:
    neurons drawn at random, each with the most alike of the others, and the features with their tokens shuffled,
    which says what the best of so many neurons reaches by chance.
    """

    KIND = "neuron overlap"

    feature: Annotated[np.ndarray, Axes("feature", dtype=np.int64)]
    r: Annotated[np.ndarray, Axes("feature", dtype=np.float64)]  # of the largest |r|, with its sign
    layer: Annotated[np.ndarray, Axes("feature", dtype=np.int64)]  # of that neuron, -1 for none
    neuron: Annotated[np.ndarray, Axes("feature", dtype=np.int64)]
    control: Annotated[np.ndarray, Axes("control", dtype=np.float64)]  # r of each random neuron with its most alike
    shuffled: Annotated[np.ndarray, Axes("feature", dtype=np.float64)]  # r after shuffling
    layers: tuple[int, ...]  # whose neurons were looked at
    n_neurons: int
    n_tokens: int
    sae_name: str = ""

    def share_at_most(self, r: float = 0.3) -> float:
        """The share of features whose largest |r| with any neuron is at most `r`; nan for none.

        In Templeton et al. 2024 that was 82 % of a random sample of one million features, at 0.3.
        """
        known = np.abs(self.r[np.isfinite(self.r)])
        return float((known <= r).mean()) if len(known) else float("nan")

    def to_dataframe(self) -> pd.DataFrame:
        """One row per feature: feature, r, layer, neuron, shuffled."""
        names = ("feature", "r", "layer", "neuron", "shuffled")
        return frame({name: getattr(self, name) for name in names})


@dataclass(frozen=True, eq=False)
class AbsorptionRates(Saved):
    """Feature absorption per concept by SAEBench's definition. See `analysis.quality.saebench_absorption`."""

    KIND = "absorption rates"

    concept: Annotated[tuple[str, ...], Axes("concept")]
    main: Annotated[tuple[tuple[int, ...], ...], Axes("concept")]  # the features that stand for it
    probe_f1: Annotated[np.ndarray, Axes("concept", dtype=np.float64)]  # of the probe, on the telling half
    n_tokens: Annotated[np.ndarray, Axes("concept", dtype=np.int64)]  # the concept's, that the probe tells
    full: Annotated[np.ndarray, Axes("concept", dtype=np.int64)]  # of those, fully absorbed
    fraction: Annotated[np.ndarray, Axes("concept", dtype=np.float64)]  # mean absorbed fraction of those
    n_left_out: int  # concepts whose probe is too bad to say
    sae_name: str = ""

    @property
    def full_rate(self) -> float:
        """Mean over concepts of the share of tokens that are fully absorbed; nan for none."""
        known = self.n_tokens > 0
        return float((self.full[known] / self.n_tokens[known]).mean()) if known.any() else float("nan")

    @property
    def mean_fraction(self) -> float:
        """Mean over concepts of the absorbed fraction; nan for none."""
        known = np.isfinite(self.fraction)
        return float(self.fraction[known].mean()) if known.any() else float("nan")

    def to_dataframe(self) -> pd.DataFrame:
        """One row per concept: concept, main, probe_f1, n_tokens, full, full_rate, fraction."""
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = self.full / self.n_tokens
        return frame(
            {
                "concept": self.concept,
                "main": self.main,
                "probe_f1": self.probe_f1,
                "n_tokens": self.n_tokens,
                "full": self.full,
                "full_rate": rate,
                "fraction": self.fraction,
            }
        )
