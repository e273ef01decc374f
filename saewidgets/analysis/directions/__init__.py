"""Directions between words: analogies, how parallel their offsets are, and what features an offset is made of."""

from saewidgets.analysis.directions.analogies import answers, score_analogies
from saewidgets.analysis.directions.lab import directions
from saewidgets.analysis.directions.offsets import decompose, parallelism
from saewidgets.analysis.directions.questions import load_analogies, read_analogies
from saewidgets.analysis.directions.semeval import (
    gold_ratings,
    maxdiff_score,
    read_semeval,
    relation_ratings,
    semeval_scores,
)
from saewidgets.analysis.directions.words import vocabulary_words, word_vectors

__all__ = [
    "answers",
    "decompose",
    "directions",
    "gold_ratings",
    "load_analogies",
    "maxdiff_score",
    "parallelism",
    "read_analogies",
    "read_semeval",
    "relation_ratings",
    "score_analogies",
    "semeval_scores",
    "vocabulary_words",
    "word_vectors",
]
