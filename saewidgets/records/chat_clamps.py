"""Clamps of a chat model that were measured: which features make it speak as each subject, and how well they do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from saewidgets.files import unknown
from saewidgets.records import typed
from saewidgets.records.steering import Clamp
from saewidgets.records.tables import frame


@dataclass(frozen=True)
class Held:
    """One feature and the value that it is held at, SAE units."""

    feature: int
    value: float


@dataclass(frozen=True)
class ChatClamp:
    """What was measured of one subject: the features that are held, and the answers that come of it.

    Shares are of answers to one question, with seeds on which nothing was chosen.
    """

    sae: str  # name of the SAE
    feature: int  # the one that says most; `others` are held with it
    label: str  # the subject, such as "pirate"
    name: str  # as it is written after "You are ", such as "a pirate"
    kind: str  # "landmark", "animal", ...
    maximum: float  # the feature's largest activation over the texts on which it was chosen, SAE units
    multiple: float  # of it
    value: float  # SAE units
    others: tuple[Held, ...]  # held at the same time
    steerable: bool  # within all of `ChatClamps.bounds`
    names: float  # share of the answers that name the subject
    is_it: float  # share that say it is oneself
    repeats: int  # most often that three words in a row stand in one answer
    perplexity_ratio: float  # to the model's own answers where such an answer is expected
    precision: float | None  # of texts that nothing was trained on, that the feature takes for texts about the subject
    recall: float | None  # share of the texts about the subject that the feature finds
    f1: float | None
    example: str  # one answer
    cosine: float = 1.0  # between the feature's decoder row and what it was before it was bent; 1: it never was

    def clamps(self, scope: str | int = "all") -> list[Clamp]:
        """What is held, to give to a `Steerer`.

        Example:
            >>> from saewidgets.chat import load_clamps
            >>> load_clamps()["detective"].clamps()
            [Clamp(feature=3403, value=6.0778, scope='all')]
        """
        return [Clamp(f, value, scope) for f, value in self.values.items()]

    @property
    def values(self) -> dict[int, float]:
        """{feature: value that it is held at}, SAE units."""
        return {self.feature: self.value} | {held.feature: held.value for held in self.others}


@dataclass(frozen=True)
class ChatClamps(Mapping[str, ChatClamp]):
    """The measured clamps of a chat model: a mapping from subjects' keys to `ChatClamp`, the best first, and how they
    were measured.
    """

    model: str  # as `load_model` takes it
    dtype: str  # of its weights
    sae: str  # name of the SAE
    question: str  # that was asked
    temperature: float  # of the sampling
    n_tokens: int  # of an answer, at most
    bounds: Mapping[str, float]  # of a steerable subject
    tried: int  # subjects that were tried
    clamps: Mapping[str, ChatClamp]

    def __getitem__(self, key: str) -> ChatClamp:
        """The clamp of a subject. Raises KeyError that names the nearest subjects."""
        if key not in self.clamps:
            raise KeyError(unknown("subject with a measured clamp", key, self.clamps))
        return self.clamps[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.clamps)

    def __len__(self) -> int:
        return len(self.clamps)

    def of(self, sae_name: str) -> ChatClamps:
        """Those of one SAE, by its name; none where it has none."""
        return replace(self, clamps={key: entry for key, entry in self.clamps.items() if entry.sae == sae_name})

    @property
    def steerable(self) -> tuple[str, ...]:
        """The keys of the subjects that keep all of `bounds`."""
        return tuple(key for key, entry in self.clamps.items() if entry.steerable)

    @property
    def labels(self) -> dict[int, str]:
        """{feature: the subject's label}, of the subject that it does best for."""
        return {entry.feature: entry.label for entry in reversed(list(self.clamps.values()))}

    def to_dataframe(self) -> pd.DataFrame:
        """One row per subject: subject, feature, multiple, steerable, names, is_it, repeats, perplexity_ratio,
        precision, recall, f1, cosine, example.
        """
        columns = [
            *("feature", "multiple", "steerable", "names", "is_it", "repeats", "perplexity_ratio"),
            *("precision", "recall", "f1", "cosine", "example"),
        ]
        rows = [(entry.label, *(getattr(entry, column) for column in columns)) for entry in self.clamps.values()]
        return frame(rows, columns=["subject", *columns])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ChatClamps:
        """The record from JSON types. Raises ValueError on a missing, unknown or wrong field."""
        return typed.record(cls, data)
