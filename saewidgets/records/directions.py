"""Directions between words: questions of the form "a is to b as c is to d", vectors, and what was measured on them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
import pandas as pd

from saewidgets.files import unknown
from saewidgets.records import marks
from saewidgets.records.marks import Axes, NanOr
from saewidgets.records.saved import Saved
from saewidgets.records.tables import frame

EMBEDDING = "hook_embed"  # the space of the embedding's rows
OWN_QUESTIONS = "saewidgets analogies"  # name of the package's own set


@dataclass(frozen=True)
class Analogy:
    """One question: a is to b as c is to d, such as (man, king, woman, queen)."""

    section: str  # the relation that it tests
    a: str
    b: str
    c: str
    d: str

    @property
    def words(self) -> tuple[str, str, str, str]:
        """The four words in order."""
        return (self.a, self.b, self.c, self.d)


@dataclass(frozen=True)
class AnalogySet:
    """Questions under the name of their set. Make one with `analysis.directions.read_analogies`."""

    name: str
    questions: tuple[Analogy, ...]

    def __len__(self) -> int:
        return len(self.questions)

    @property
    def sections(self) -> tuple[str, ...]:
        """The relations, each once, in the order of the questions."""
        return tuple(dict.fromkeys(q.section for q in self.questions))

    @property
    def words(self) -> tuple[str, ...]:
        """All words, each once, in the order in which they come."""
        return tuple(dict.fromkeys(word for q in self.questions for word in q.words))

    def section(self, name: str) -> AnalogySet:
        """The questions of one relation. Raises KeyError with the nearest names."""
        if name not in self.sections:
            raise KeyError(unknown("section", name, self.sections))
        return AnalogySet(self.name, tuple(q for q in self.questions if q.section == name))

    def pairs(self, section: str) -> tuple[tuple[str, str], ...]:
        """The pairs of words that a relation is tested on, each once."""
        own = self.section(section).questions
        return tuple(dict.fromkeys(pair for q in own for pair in ((q.a, q.b), (q.c, q.d))))


@dataclass(frozen=True, eq=False)
class WordVectors:
    """One vector per word, of the words that are one token each. Make it with `analysis.directions.word_vectors`."""

    words: Annotated[tuple[str, ...], Axes("word")]
    vectors: Annotated[np.ndarray, Axes("word", "d", dtype=np.floating)]  # float32
    space: str  # the hook point that they were read at
    skipped: tuple[str, ...] = ()  # words that were asked for and are not one token
    template: str = "{}"  # the text that a word was read in
    model_name: str = ""

    def __post_init__(self) -> None:
        marks.fit(self)

    @cached_property
    def index(self) -> dict[str, int]:
        """{word: its row}."""
        return {word: row for row, word in enumerate(self.words)}


@dataclass(frozen=True)
class AnsweredAnalogy:
    """One question with what the vectors answer."""

    a: str
    b: str
    c: str
    d: str
    answer: str  # the nearest word to b - a + c, the three left out
    kept: str  # the nearest of all words
    neighbor: str  # the nearest word to c, the three left out: no offset at all
    rank: int  # of d among all words but the three, 0 for the answer


@dataclass(frozen=True)
class PlacedPair:
    """A pair of words of a relation, and where the picture shows them."""

    a: str
    b: str
    at: tuple[float, float]  # of a, on the two principal axes
    to: tuple[float, float]  # of b


@dataclass(frozen=True)
class FeatureShare:
    """What one feature has of an offset."""

    feature: int
    share: float  # of the offset's squared length; those of all features and `error` add up to 1
    before: float  # mean activation at the first words, SAE units
    after: float  # at the second ones
    label: str = ""


@dataclass(frozen=True)
class WordRelation:
    """What was measured of one relation in one space."""

    name: str
    n: int  # questions that were answered
    skipped: int  # questions with a word that is not one token
    correct: int  # by the offset, the three words left out
    kept: int  # by the offset, with all words as candidates
    neighbor: int  # by the nearest neighbor of c, the three words left out
    chance: NanOr  # share of correct answers that a guess among the answers would have
    parallel: NanOr  # mean cosine between the offsets of two pairs, -1 to 1
    null: NanOr  # the same with the second words shuffled among the pairs, mean
    null_high: NanOr  # 97.5 % of shufflings lie below
    p: NanOr  # share of shufflings with a mean cosine as high
    length: NanOr  # mean length of the offsets, in mean lengths of a word's vector
    explained: NanOr  # share of the words' variance that the picture shows
    pairs: tuple[PlacedPair, ...] = ()
    answers: tuple[AnsweredAnalogy, ...] = ()  # some of the questions
    features: tuple[FeatureShare, ...] = ()  # what the mean offset is made of, the largest first
    error: NanOr = math.nan  # share of the offset that the SAE does not reconstruct

    @property
    def accuracy(self) -> float:
        """correct / n, nan for none."""
        return self.correct / self.n if self.n else math.nan


@dataclass(frozen=True)
class WordSpace:
    """The relations in the vectors of one hook point."""

    name: str
    n_words: int  # candidates for an answer
    relations: tuple[WordRelation, ...]
    sae_name: str = ""  # whose features an offset is made of; "" where it was not taken apart

    def __getitem__(self, relation: str) -> WordRelation:
        for one in self.relations:
            if one.name == relation:
                return one
        raise KeyError(unknown("relation", relation, [one.name for one in self.relations]))


@dataclass(frozen=True)
class DirectionsData(Saved):
    """Whether relations between words are directions, in one space or several.

    y = x_b - x_a + x_c with every x of length 1; the answer is the word with the largest cos(x_w, y) (Mikolov, Yih,
    Zweig 2013). Make it with `analysis.directions.directions`.

    Raises ValueError without a space or a relation.
    """

    KIND = "directions"
    MAX_BYTES = 256 << 20

    questions: str  # name of the set
    n_questions: int
    spaces: tuple[WordSpace, ...]
    skipped_words: tuple[str, ...] = ()  # that are not one token
    template: str = "{}"  # the text that words were read in, where the space is not the embedding
    model_name: str = ""
    weights: str = ""

    def __post_init__(self) -> None:
        if not self.spaces or not all(space.relations for space in self.spaces):
            raise ValueError("directions need a space with a relation: none was measured")
        names = [space.name for space in self.spaces]
        if len(set(names)) < len(names):
            raise ValueError(f"two spaces have one name among {names}")

    def __getitem__(self, space: str) -> WordSpace:
        for one in self.spaces:
            if one.name == space:
                return one
        raise KeyError(unknown("space", space, [one.name for one in self.spaces]))

    def to_dataframe(self) -> pd.DataFrame:
        """One row per space and relation: space, relation, n, skipped, accuracy, of_all (skipped questions counted as
        wrong), inputs_kept, neighbor, chance (shares 0 to 1), parallel, null, p, length, error.
        """
        rows = []
        for space in self.spaces:
            for r in space.relations:
                n, every = r.n or math.nan, (r.n + r.skipped) or math.nan
                rows.append(
                    {
                        "space": space.name,
                        "relation": r.name,
                        "n": r.n,
                        "skipped": r.skipped,
                        "accuracy": r.correct / n,
                        "of_all": r.correct / every,
                        "inputs_kept": r.kept / n,
                        "neighbor": r.neighbor / n,
                        **{name: getattr(r, name) for name in ("chance", "parallel", "null", "p", "length", "error")},
                    }
                )
        return frame(rows)
