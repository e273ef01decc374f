"""What a dose of a feature does to the text, with its controls: measured texts, intervals, the usable window."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Annotated

import numpy as np
import pandas as pd

from saewidgets.files import unknown
from saewidgets.records import marks
from saewidgets.records.dialogues import Dialogue
from saewidgets.records.saved import Saved
from saewidgets.records.shares import share
from saewidgets.records.steering import TEMPERATURE
from saewidgets.records.tables import frame

BOUNDS = {"concept_rate": 0.8, "repeats": 2.0, "perplexity_ratio": 2.0}  # at least, at most, at most
RESAMPLES = 1000  # of the bootstrap


@dataclass(frozen=True)
class DoseText:
    """One text of a sweep, and what was measured on it."""

    kind: str  # what was done: "none", "clamp", "add", "mean_difference", "random_feature", "noise" or "prompt"
    multiple: float  # strength, in multiples of the feature's maximum; 0 for "none" and "prompt"
    seed: int
    text: str  # the answer, up to the next turn of a dialogue
    concept: bool | None  # whether it expresses the concept; None where no concept was asked for
    # exp(mean nats per token) under the model with nothing done to it; inf for an empty text.
    perplexity: Annotated[float, marks.Null(math.inf)]
    kl: marks.NanOr  # mean over its tokens of KL(steered || unsteered), nats
    repeats: int  # how often the most frequent three words in a row stand in it
    distinct_1: float  # distinct words over words, 0 for an empty text
    distinct_2: float  # distinct pairs of words in a row over such pairs, 0 below two words
    n_tokens: int  # tokens that were written
    stopped: str = ""  # why it broke off: logits that are not finite; "" otherwise

    def __post_init__(self) -> None:
        if self.perplexity <= 0:
            raise ValueError(f"perplexity must be above 0, not {self.perplexity}")


@dataclass(frozen=True)
class DoseResponseData(Saved):
    """A sweep of one feature's strength, beside what it is compared with (idea 4), ready to draw with no model at hand.

    The usable window is where the concept is common and the text stays fluent: `bounds` give the least share of texts
    with the concept, the most often that three words in a row may stand in any one text, and the largest perplexity as
    a multiple of `own_perplexity`. Make it with `dose_response`.
    """

    KIND = "dose-response"
    MAX_BYTES = 256 << 20

    prompt: str | Dialogue  # what was continued
    feature: int
    maximum: float  # of the feature over the corpus, SAE units: multiple 1
    texts: tuple[DoseText, ...]
    concept: str = ""  # what was looked for in the texts, "" for nothing
    corpus: str = ""  # where the maximum comes from
    perplexity_prompt: str | Dialogue = ""  # the prompt after which perplexity was read
    own_perplexity: marks.NanOr = math.nan  # of the model's own texts after that prompt: the denominator of every ratio
    steering_prompt: str | Dialogue = ""  # what kind "prompt" continued instead of `prompt`
    temperature: float = TEMPERATURE
    n_tokens: int = 60  # at most so many tokens a text
    scope: str | int = "all"
    model_name: str = ""
    sae_name: str = ""
    hook_name: str = ""
    weights: str = ""  # number format of the model's weights, as in a `Passport`
    label: str = ""  # of the feature
    bounds: Mapping[str, float] = field(default_factory=lambda: dict(BOUNDS))

    def __post_init__(self) -> None:
        if self.own_perplexity <= 0:
            raise ValueError(f"own_perplexity must be above 0, not {self.own_perplexity}")
        for name in self.bounds:
            if name not in BOUNDS:
                raise ValueError(unknown("bound", name, BOUNDS))
        object.__setattr__(self, "bounds", {**BOUNDS, **self.bounds})

    @property
    def kinds(self) -> tuple[str, ...]:
        """What was done to the model, in the order of the sweep."""
        return tuple(dict.fromkeys(t.kind for t in self.texts))

    def multiples(self, kind: str = "clamp") -> list[float]:
        """The strengths of one kind, sorted. Raises ValueError, with the kinds there are, on another one."""
        if kind not in self.kinds:
            raise ValueError(unknown("kind", kind, self.kinds))
        return sorted({t.multiple for t in self.texts if t.kind == kind})

    def at(self, kind: str, multiple: float) -> tuple[DoseText, ...]:
        """The texts of one point of the sweep, in the order of their seeds: the nearest multiple that was measured."""
        nearest = min(self.multiples(kind), key=lambda m: (abs(m - multiple), m))
        return tuple(t for t in self.texts if t.kind == kind and t.multiple == nearest)

    @property
    def window(self) -> tuple[float, float] | None:
        """The usable window of the clamp: its lowest and highest multiple, or None where there is none."""
        return self.window_of("clamp") if "clamp" in self.kinds else None

    def window_of(self, kind: str, **bounds: float) -> tuple[float, float] | None:
        """The longest run of neighboring multiples that all pass; of two as long, the one where the concept is
        commoner.

        `bounds` overrides `concept_rate`, `repeats` or `perplexity_ratio`. Raises ValueError on an unknown kind or
        bound.
        """
        self.multiples(kind)
        table = self.summary(**bounds)
        own = table[table["kind"] == kind].sort_values("multiple")
        runs = [
            list(run)
            for passes, run in groupby(
                own[["multiple", "passes", "concept_rate"]].itertuples(index=False), lambda r: bool(r.passes)
            )
            if passes
        ]
        if not runs:
            return None
        best = max(runs, key=lambda run: (len(run), sum(r.concept_rate for r in run) / len(run)))
        return float(best[0].multiple), float(best[-1].multiple)

    def summary(self, **bounds: float) -> pd.DataFrame:
        """One row a kind and multiple, in the order of the sweep: means over seeds with 95 % intervals.

        Columns: kind, multiple, n (texts); concept_rate with Wilson's interval; perplexity (exp of the mean nats per
        token, texts weighing alike), perplexity_ratio (to `own_perplexity`), kl, distinct_1 and distinct_2 with
        bootstrap intervals over texts (1,000 resamples, always the same ones); repeats (of the worst text); stopped
        (texts that broke off, since the logits were not finite); passes (all three bounds hold, and no text broke off).
        Each interval is `name`_low and `name`_high. Without a concept the rate is nan and nothing passes.
        """
        limits = DoseResponseData(self.prompt, self.feature, self.maximum, (), bounds={**self.bounds, **bounds}).bounds
        rows = []
        for (kind, multiple), group in self.to_dataframe().groupby(["kind", "multiple"], sort=False):
            rate, low, high = wilson(group["concept"])
            row = {"kind": kind, "multiple": float(multiple), "n": len(group)}
            row |= {"concept_rate": rate, "concept_rate_low": low, "concept_rate_high": high}
            nats = np.log(group["perplexity"].to_numpy(float))
            for name, figures, back in (
                ("perplexity", nats, math.exp),
                ("perplexity_ratio", nats, lambda m: math.exp(m) / self.own_perplexity),
                ("kl", group["kl"].to_numpy(float), float),
                ("distinct_1", group["distinct_1"].to_numpy(float), float),
                ("distinct_2", group["distinct_2"].to_numpy(float), float),
            ):
                mean, low, high = bootstrap(figures, back)
                row |= {name: mean, f"{name}_low": low, f"{name}_high": high}
            row["repeats"] = int(group["repeats"].max())
            row["stopped"] = int((group["stopped"] != "").sum())
            row["passes"] = bool(
                rate >= limits["concept_rate"]
                and row["repeats"] <= limits["repeats"]
                and row["perplexity_ratio"] <= limits["perplexity_ratio"]
                and not row["stopped"]
            )
            rows.append(row)
        return frame(rows, columns=SUMMARY)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per text: the fields of `DoseText`."""
        return frame([asdict(t) for t in self.texts], columns=list(DoseText.__dataclass_fields__))


_INTERVALS = ("concept_rate", "perplexity", "perplexity_ratio", "kl", "distinct_1", "distinct_2")
SUMMARY = [
    "kind",
    "multiple",
    "n",
    *(f"{n}{end}" for n in _INTERVALS for end in ("", "_low", "_high")),
    "repeats",
    "stopped",
    "passes",
]


def wilson(hits: pd.Series) -> tuple[float, float, float]:
    """(share of True, low, high) with Wilson's 95 % interval (1927); nan where any is None.

    See `shares.share`.

    Example:
        >>> [round(x, 3) for x in wilson(pd.Series([True] * 8 + [False] * 2))]
        [0.8, 0.49, 0.943]
    """
    if hits.isna().any() or not len(hits):
        return math.nan, math.nan, math.nan
    found = share(int(hits.astype(bool).sum()), len(hits))
    return found.value, found.low, found.high


def bootstrap(figures: np.ndarray, back: Callable[[float], float] = float) -> tuple[float, float, float]:
    """(mean, low, high): the 2.5 and 97.5 percentiles of the mean of 1,000 resamples, drawn the same way each time.

    `back` turns a mean into the figure to tell, such as exp for a mean of logarithms.
    """
    draws = np.random.default_rng(0).integers(len(figures), size=(RESAMPLES, len(figures)))
    means = np.sort(figures[draws].mean(1))
    return back(float(figures.mean())), back(float(means[24])), back(float(means[975]))
