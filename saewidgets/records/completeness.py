"""Which concepts of a family have a feature, against how frequent they are and how large the SAE is."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import pandas as pd

from saewidgets.files import unknown
from saewidgets.records.marks import Axes, NanOr
from saewidgets.records.saved import Saved
from saewidgets.records.shares import share
from saewidgets.records.tables import frame


@dataclass(frozen=True)
class Sigmoid:
    """P(a concept has a feature) = 1 / (1 + exp(-slope (x - middle))), x a log10."""

    slope: NanOr  # per decade
    middle: NanOr  # x at which it is one half; nan where all concepts have a feature, or none
    loss: NanOr  # mean of -log of what it gives each concept's answer, nats: 0.693 for a coin

    def at(self, x: np.ndarray) -> np.ndarray:
        """The probability at some x."""
        value: np.ndarray = 1 / (1 + np.exp(-self.slope * (np.asarray(x) - self.middle)))
        return value


def _no_steps() -> np.ndarray:
    return np.zeros(0, np.int64)


def _no_f1() -> np.ndarray:
    return np.zeros(0)


@dataclass(frozen=True, eq=False)
class Completeness(Saved):
    """Which concepts have a feature in SAEs of several sizes (Templeton et al. 2024, "Feature Completeness").

    One row per (SAE, concept): `has` it where the best feature's F1, on documents that did not choose it, is at least
    `bound`. `plain` is one sigmoid over log10 of the frequency for all SAEs together, `rescaled` one over log10 of
    frequency x live features: if the size of an SAE enters only through 1 / (live features), the second fits better.
    """

    KIND = "completeness"

    saes: Annotated[tuple[str, ...], Axes("sae")]
    alive: Annotated[np.ndarray, Axes("sae", dtype=np.int64)]  # live features of each
    curves: Annotated[tuple[Sigmoid, ...], Axes("sae")]  # over log10 of the frequency
    plain: Sigmoid
    rescaled: Sigmoid
    sae: Annotated[tuple[str, ...], Axes("row")]
    concept: Annotated[tuple[str, ...], Axes("row")]
    frequency: Annotated[np.ndarray, Axes("row", dtype=np.float64)]  # share of the counted tokens
    feature: Annotated[np.ndarray, Axes("row", dtype=np.int64)]  # the best, -1 for none
    f1: Annotated[np.ndarray, Axes("row", dtype=np.float64)]
    part_row: Annotated[np.ndarray, Axes("part", dtype=np.int64)]  # what fires on the concept of a row: see `parts`
    part_feature: Annotated[np.ndarray, Axes("part", dtype=np.int64)]
    part_recall: Annotated[np.ndarray, Axes("part", dtype=np.float64)]
    part_precision: Annotated[np.ndarray, Axes("part", dtype=np.float64)]
    part_mean: Annotated[np.ndarray, Axes("part", dtype=np.float64)]
    bound: float = 0.5
    n_tokens: int = 0
    corpus: str = ""
    # Of the features that fire on a concept, those that together tell it best, in the order taken: see `together`.
    step_row: Annotated[np.ndarray, Axes("step", dtype=np.int64)] = field(default_factory=_no_steps)
    step_feature: Annotated[np.ndarray, Axes("step", dtype=np.int64)] = field(default_factory=_no_steps)
    step_f1: Annotated[np.ndarray, Axes("step", dtype=np.float64)] = field(default_factory=_no_f1)
    model_name: str = ""
    weights: str = ""

    @property
    def has(self) -> np.ndarray:
        """bool [row]: whether the concept has a feature."""
        value: np.ndarray = self.f1 >= self.bound
        return value

    def to_dataframe(self) -> pd.DataFrame:
        """One row per (SAE, concept): sae, concept, frequency, feature, f1, has, per_feature (frequency x live
        features: 1 where an even share of the features would be spent on it).
        """
        alive = dict(zip(self.saes, self.alive.tolist(), strict=True))
        per = self.frequency * np.array([alive[s] for s in self.sae])
        names = ("sae", "concept", "frequency", "feature", "f1", "has")
        return frame({name: getattr(self, name) for name in names} | {"per_feature": per})

    def summary(self) -> pd.DataFrame:
        """One row per SAE: alive, n_concepts, share (of them that have a feature), half_at (the frequency at which half
        have one), threshold (1 / live features), slope (per decade), loss (of its curve, nats per concept).
        """
        whole = self.to_dataframe()
        rows = [
            {
                "sae": name,
                "alive": int(n),
                "n_concepts": int((whole["sae"] == name).sum()),
                "share": float(whole.loc[whole["sae"] == name, "has"].mean()),
                "half_at": 10**c.middle if math.isfinite(c.middle) else float("nan"),
                "threshold": 1 / n if n else float("nan"),
                "slope": c.slope,
                "loss": c.loss,
            }
            for name, n, c in zip(self.saes, self.alive, self.curves, strict=True)
        ]
        return frame(rows).set_index("sae")

    def parts(self, sae: str, concept: str) -> pd.DataFrame:
        """What makes a concept up in an SAE, most often active first: feature, recall (share of the concept's tokens at
        which it is active), precision (share of its active tokens that are the concept's), mean (activation there, SAE
        units). Raises ValueError, with the nearest names, on an unknown one.
        """
        own = self.part_row == self.row(sae, concept)
        columns = ("feature", "recall", "precision", "mean")
        return frame({name: getattr(self, f"part_{name}")[own] for name in columns})

    def together(self, sae: str, concept: str) -> pd.DataFrame:
        """The parts of a concept that together tell it best, the best first: feature, f1 (of "this or one before it is
        active" as a sign of the concept's tokens).

        Each is the one that raises F1 most; where none does, the list ends. They are chosen and measured on the same
        text, so the last figure flatters a little. Raises ValueError as `parts`.
        """
        own = self.step_row == self.row(sae, concept)
        return frame({"feature": self.step_feature[own], "f1": self.step_f1[own]})

    def row(self, sae: str, concept: str) -> int:
        """The row of a concept in an SAE. Raises ValueError, with the nearest names, on an unknown one."""
        if sae not in self.saes:
            raise ValueError(unknown("SAE", sae, self.saes))
        for i, key in enumerate(zip(self.sae, self.concept, strict=True)):
            if key == (sae, concept):
                return i
        raise ValueError(unknown("concept", concept, sorted(set(self.concept))))

    def groups(self, sae: str, n: int = 8) -> pd.DataFrame:
        """An SAE's concepts in n groups of like frequency, the rarest first: x (mean log10 of the frequency), n, share
        (of the group that has a feature) with low and high (Wilson's interval). Raises ValueError on an unknown SAE.
        """
        if sae not in self.saes:
            raise ValueError(unknown("SAE", sae, self.saes))
        own = np.flatnonzero(np.array([name == sae for name in self.sae], bool))
        x = np.log10(self.frequency[own])
        order = np.argsort(x, kind="stable")
        rows = []
        for group in np.array_split(order, max(1, min(n, len(own)))):
            if len(group):
                found = share(int(self.has[own[group]].sum()), len(group))
                rows.append((float(x[group].mean()), len(group), found.value, found.low, found.high))
        return frame(rows, columns=["x", "n", "share", "low", "high"])
