"""Clamps that were measured: which multiple of a feature's maximum makes a model speak as a concept, and how well it
does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from saewidgets.files import unknown
from saewidgets.records import typed
from saewidgets.records.steering import Clamp


@dataclass(frozen=True)
class MeasuredClamp:
    """One feature whose clamp was measured, and what the answers under it were like.

    Example:
        >>> load_clamps()["golden_gate_bridge"].multiple
        1.35
    """

    sae: str  # name of the SAE
    feature: int
    label: str
    maximum: float  # largest activation over the corpus, SAE units
    multiple: float  # of the maximum: the best one
    window: tuple[float, float]  # lowest and highest multiple within all three bounds
    concept_rate: float  # share of the answers that mention the concept
    warmer_rate: float  # the same at temperature 0.8
    repeats: int  # most often that three words in a row stand in one answer
    perplexity_ratio: float  # to the model's own answer to `expected`
    expected: str  # a prompt after which such an answer is what the model writes by itself
    example: str  # one answer

    @property
    def value(self) -> float:
        """The value to clamp to, SAE units: `multiple` times `maximum`."""
        return self.multiple * self.maximum

    @property
    def values(self) -> dict[int, float]:
        """{feature: value that it is held at}, SAE units."""
        return {self.feature: self.value}

    def clamp(self, scope: str | int = "all") -> Clamp:
        """The clamp itself, at `multiple` of the maximum.

        Example:
            >>> entry = load_clamps()["golden_gate_bridge"]
            >>> steer.generate(load_clamps().prompt, [entry.clamp()]).text
        """
        return Clamp(self.feature, self.value, scope)


@dataclass(frozen=True)
class MeasuredClamps(Mapping[str, MeasuredClamp]):
    """The measured clamps of the bundled SAEs: a mapping from concepts to `MeasuredClamp`, and how they were measured.

    Example:
        >>> clamps = load_clamps()
        >>> clamps["golden_gate_bridge"].feature, clamps.prompt
        (96, 'Human: What is your physical form?\\nAssistant:')
        >>> clamps.of("miniworld-512").windows
    """

    prompt: str  # the question asked
    temperature: float  # of the sampling
    corpus: str  # that the maxima are of
    bounds: Mapping[str, float]  # of a usable window: least concept_rate, most repeats, most perplexity_ratio
    tried: int  # concepts that were tried
    clamps: Mapping[str, MeasuredClamp]

    def __getitem__(self, concept: str) -> MeasuredClamp:
        """The clamp of a concept. Raises KeyError that names the nearest concepts."""
        if concept not in self.clamps:
            hint = ""
            if concept == "clamps":  # the form that this record had before
                hint = "; the concepts are keys of this record itself: load_clamps()['golden_gate_bridge']"
            raise KeyError(unknown("concept with a measured clamp", concept, self.clamps) + hint)
        return self.clamps[concept]

    def __iter__(self) -> Iterator[str]:
        return iter(self.clamps)

    def __len__(self) -> int:
        return len(self.clamps)

    def of(self, sae_name: str) -> MeasuredClamps:
        """Those of one SAE, by its name; none where it has none."""
        return replace(self, clamps={concept: entry for concept, entry in self.clamps.items() if entry.sae == sae_name})

    @property
    def windows(self) -> dict[int, tuple[float, float]]:
        """{feature: (lowest, highest multiple)} as `ClampPanel` takes them. Of several SAEs' features take `of(name)`
        first.
        """
        return {entry.feature: entry.window for entry in self.clamps.values()}

    @property
    def labels(self) -> dict[int, str]:
        """{feature: label}. Of several SAEs' features take `of(name)` first."""
        return {entry.feature: entry.label for entry in self.clamps.values()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MeasuredClamps:
        """The record from JSON types. Raises ValueError on a missing, unknown or wrong field."""
        return typed.record(cls, data)
