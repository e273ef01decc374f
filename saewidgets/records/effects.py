"""What pushes along features do to the probability of a text: which features raise it, by how much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import pandas as pd

from saewidgets.records import marks
from saewidgets.records.code import opening_of
from saewidgets.records.saved import Saved
from saewidgets.records.tables import frame

COMBINED = ("mean", "each")  # how several continuations make one score


@dataclass(frozen=True)
class FeatureEffect:
    """One feature that was pushed."""

    feature: int
    value: float  # activation of the feature, SAE units, whose decoder row is as long as the push
    linear: tuple[float, ...]  # what the gradient says that each target gains, nats
    logprobs: tuple[float, ...]  # log-probability of each target under the push, nats


@dataclass(frozen=True)
class EffectRanking(Saved):
    """Features by how much a push along each raises the log-probability of what follows a prompt, the best first.

    All pushes are of one length. A target is a continuation; with `words` there is one, that the next token is any of
    them. With `combine` "mean" a feature's score is its mean gain over the targets, with "each" its largest gain in
    any. Make it with `analysis.search.rank_by_effect`.

    Raises ValueError where a feature does not have one number per target.
    """

    KIND = "search by effect"

    prompt: str
    targets: tuple[str, ...]  # the continuations, or the words
    default: tuple[float, ...]  # log-probability of each target without a push, nats; one number for words
    effects: tuple[FeatureEffect, ...]  # the features that were pushed, best first
    length: float  # of every push, model units
    share: float  # the same as a share of the median length of the activations at the site
    d_sae: int  # features that the gradient was taken for
    words: bool = False
    combine: Annotated[str, marks.OneOf(COMBINED)] = "mean"
    scope: int | str = "all"  # the tokens that were pushed, as of a `Clamp`
    model_name: str = ""
    sae_name: str = ""
    hook_name: str = ""
    weights: str = ""
    corpus: str = ""  # whose live features were looked at; "" for all features
    labels: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wanted = 1 if self.words else len(self.targets)
        if not wanted or len(self.default) != wanted:
            raise ValueError(f"{len(self.default)} default log-probabilities for {wanted} targets")
        for one in self.effects:
            if not len(one.linear) == len(one.logprobs) == wanted:
                raise ValueError(f"feature {one.feature} must have {wanted} numbers, one per target")

    @property
    def features(self) -> tuple[int, ...]:
        """The features in order, the best first."""
        return tuple(one.feature for one in self.effects)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per feature, the best first: feature, label, effect (nats gained), linear (what the gradient said of
        it), default and pushed (log-probabilities without and with the push), value (see `FeatureEffect`), and
        continuation: with "each", the one that gains most; else "".

        Where `combine` is "mean" the four are means over the continuations.
        """
        rows = []
        default = np.array(self.default)
        for one in self.effects:
            linear, pushed = np.array(one.linear), np.array(one.logprobs)
            best = int(np.argmax(pushed - default))
            one_of_them = self.combine == "each" and not self.words
            at = slice(best, best + 1) if one_of_them else slice(None)
            rows.append(
                {
                    "feature": one.feature,
                    "label": self.labels.get(one.feature, ""),
                    "effect": float((pushed - default)[at].mean()),
                    "linear": float(linear[at].mean()),
                    "default": float(default[at].mean()),
                    "pushed": float(pushed[at].mean()),
                    "value": one.value,
                    "continuation": self.targets[best] if one_of_them else "",
                }
            )
        return frame(rows, columns=COLUMNS)

    def to_code(self) -> str:
        """Python that asks this again, to paste in a cell."""
        given = f"words={list(self.targets)!r}" if self.words else repr(list(self.targets))
        acts = "acts = sw.feature_activations(model, sae, corpus)\n" if self.corpus else ""
        options = "".join(
            f", {name}={value!r}"
            for name, value, usual in (("combine", self.combine, "mean"), ("scope", self.scope, "all"))
            if value != usual
        )
        return (
            f"{opening_of(self.model_name, self.weights, self.sae_name, corpus=self.corpus or None)}{acts}"
            f"sw.analysis.search.rank_by_effect(model, sae, {self.prompt!r}, {given}{', acts=acts' if acts else ''}"
            f"{options}, share={self.share:.6g}, n_pushed={max(len(self.effects), 1)})"
        )


COLUMNS = ["feature", "label", "effect", "linear", "default", "pushed", "value", "continuation"]
