"""SemEval-2012 task 2, degrees of relational similarity: its files, and its two scores exactly as published.

Jurgens, Mohammad, Turney, Holyoak 2012. People were shown four pairs of words at a time and said which is the best and
which the worst example of a relation; a system rates the pairs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from saewidgets.analysis.directions.analogies import unit
from saewidgets.analysis.directions.offsets import both, known_pairs
from saewidgets.analysis.directions.questions import read_lines
from saewidgets.analysis.ranks import spearman
from saewidgets.files import LoadError, unknown
from saewidgets.records import WordVectors, typed
from saewidgets.records.arguments import expect
from saewidgets.records.tables import frame

WordPair = tuple[str, str]
SPLITS = ("Testing", "Training")
_PAIR = re.compile(r"([^\s:,]+):\s*([^\s:,]+)")


@dataclass(frozen=True)
class MaxDiff:
    """One answer of one person: of four pairs, the least and the most illustrative."""

    pairs: tuple[WordPair, ...]
    least: WordPair | None  # None where the person chose none
    most: WordPair | None


@dataclass(frozen=True)
class SemEvalRelation:
    """One relation of the task."""

    code: str  # such as "10b"
    name: str
    paradigms: tuple[WordPair, ...]  # the examples that people were shown
    pairs: tuple[WordPair, ...]  # to be rated
    questions: tuple[tuple[WordPair, ...], ...]  # four pairs each
    answers: tuple[MaxDiff, ...]


def read_semeval(folder: str | Path, split: str = "Testing") -> tuple[SemEvalRelation, ...]:
    """The relations of a split of the published package, 69 for testing and 10 for training, in the order of its list.

    Args:
        folder: of the unpacked package, with subcategories-paradigms.txt in it.
        split: "Testing" or "Training".

    Raises LoadError, and nothing else, on a file that is missing or in another form; ValueError on another split.

    Example:
        >>> read_semeval("SemEval-2012-Complete-Data-Package")[0].name  # doctest: +SKIP
        'Functional'
    """
    if split not in SPLITS:
        raise ValueError(unknown("split", split, SPLITS))
    root = Path(expect(folder, (str, Path), "folder", "read_semeval", "give the folder of the unpacked package"))
    listed = root / "subcategories-paradigms.txt"
    out = []
    for line in read_lines(listed):
        parts = line.split(",", 4)
        if len(parts) < 5:
            continue
        code = parts[0].strip() + parts[1].strip()
        own = {
            name: root / split / name / f"{name}-{code}.txt"
            for name in ("Phase1Answers", "Phase2Questions", "Phase2Answers")
        }
        if not own["Phase1Answers"].exists():
            continue  # of the other split
        pairs = [pair for row in read_lines(own["Phase1Answers"]) for pair in _pairs(own["Phase1Answers"], row)]
        questions = [_pairs(own["Phase2Questions"], row) for row in read_lines(own["Phase2Questions"]) if row.strip()]
        given = [_answer(own["Phase2Answers"], row) for row in read_lines(own["Phase2Answers"]) if row.startswith('"')]
        paradigms = tuple((a, b) for a, b in _PAIR.findall(parts[4]))
        name = parts[3].strip()
        out.append(SemEvalRelation(code, name, paradigms, tuple(dict.fromkeys(pairs)), tuple(questions), tuple(given)))
    if not out:
        raise LoadError(listed, f"no relation in it has its files in {split}")
    return tuple(out)


def _pairs(path: Path, row: str) -> tuple[WordPair, ...]:
    """The pairs in quotes of a line."""
    found = []
    for quoted in re.findall(r'"([^"]*)"', row):
        first, colon, second = quoted.partition(":")
        with typed.refusing(path):
            if not colon:
                raise ValueError(f"{quoted!r:.60} is not a pair of words with a colon between")
        found.append((first.strip(), second.strip()))
    return tuple(found)


def _answer(path: Path, row: str) -> MaxDiff:
    columns = row.split("\t")
    with typed.refusing(path):
        if len(columns) < 6:
            raise ValueError(f"{row!r:.60} has {len(columns)} columns, not four pairs and two choices")
    four = _pairs(path, "\t".join(columns[:4]))
    least, most = (_pairs(path, column)[0] if column.strip('" ') else None for column in columns[4:6])
    return MaxDiff(four, least, most)


def gold_ratings(answers: Sequence[MaxDiff]) -> dict[WordPair, float]:
    """The rating of each pair by people, -100 to 100: the percentage of the answers that had it among their four pairs
    and chose it as the most illustrative, less the percentage that chose it as the least.

    Example:
        >>> four = (("tree", "oak"), ("oak", "tree"), ("car", "van"), ("dog", "pet"))
        >>> gold_ratings([MaxDiff(four, four[1], four[0]), MaxDiff(four, four[3], four[0])])[four[1]]
        -50.0
    """
    seen: dict[WordPair, list[int]] = {}
    for one in answers:
        for pair in one.pairs:
            own = seen.setdefault(pair, [0, 0])
            own[0] += 1
            own[1] += (pair == one.most) - (pair == one.least)
    return {pair: 100 * balance / n for pair, (n, balance) in seen.items()}


def relation_ratings(
    vectors: WordVectors, paradigms: Sequence[WordPair], pairs: Sequence[WordPair]
) -> dict[WordPair, float]:
    """How like the paradigms each pair is: the mean over paradigms (A, B) of cos(x_b - x_a, x_B - x_A), every x of
    length 1. Pairs and paradigms with a word that has no vector are left out.
    """
    expect(vectors, WordVectors, "vectors", "relation_ratings", "give word_vectors(model, words)")

    def offsets(of: Sequence[WordPair]) -> np.ndarray:
        a, b = (unit(words).astype(np.float64) for words in both(vectors, of))
        return unit(b - a)

    own, like = offsets(pairs), offsets(paradigms)
    if not len(like):
        return {}
    return dict(zip(known_pairs(vectors, pairs), (own @ like.T).mean(1).tolist(), strict=True))


def maxdiff_score(
    questions: Sequence[Sequence[WordPair]], answers: Sequence[MaxDiff], ratings: Mapping[WordPair, float]
) -> tuple[int, int, int]:
    """(least guessed right, most guessed right, number of questions): of four pairs the one with the lowest rating is
    guessed to be the least illustrative and the one with the highest the most; of equal ones the first. A guess is
    right where no pair of the four got more votes of people.
    """
    votes: dict[tuple[WordPair, ...], tuple[dict[WordPair, int], dict[WordPair, int]]] = {}
    for one in answers:
        least, most = votes.setdefault(one.pairs, ({}, {}))
        for cast, choice in ((least, one.least), (most, one.most)):
            if choice is not None:
                cast[choice] = cast.get(choice, 0) + 1
    right = [0, 0]
    n = 0
    for four in questions:
        if tuple(four) not in votes:
            continue  # nobody answered it
        n += 1
        guesses = (min(four, key=lambda p: ratings[p]), max(four, key=lambda p: ratings[p]))
        for i, (guess, cast) in enumerate(zip(guesses, votes[tuple(four)], strict=True)):
            right[i] += cast.get(guess, 0) == max(cast.values(), default=0)
    return right[0], right[1], n


def semeval_scores(vectors: WordVectors, relations: Sequence[SemEvalRelation]) -> pd.DataFrame:
    """The two scores of the task, one row per relation: code, name, pairs, rated (pairs with vectors), paradigms (those
    with vectors), spearman, spearman_rated, maxdiff (share of guesses that are right, least and most together).

    A pair that cannot be rated, since one of its words is not one token, has the mean rating of the others in spearman
    and maxdiff, which are over all pairs as published; spearman_rated is over the rated ones alone. A relation none of
    whose paradigms has vectors has all pairs at one rating: spearman is nan, and the guesses are the first pair's.

    Example:
        >>> semeval_scores(vectors, read_semeval(folder))[["spearman", "maxdiff"]].mean()  # doctest: +SKIP
    """
    rows = []
    for one in relations:
        gold = gold_ratings(one.answers)
        every = [pair for pair in one.pairs if pair in gold]
        told = relation_ratings(vectors, one.paradigms, every)
        middle = float(np.mean(list(told.values()))) if told else 0.0
        in_questions = {pair for four in one.questions for pair in four}
        ratings = {pair: told.get(pair, middle) for pair in {*every, *in_questions}}
        least, most, n = maxdiff_score(one.questions, one.answers, ratings)
        rated = [pair for pair in every if pair in told]
        rows.append(
            {
                "code": one.code,
                "name": one.name,
                "pairs": len(every),
                "rated": len(rated),
                "paradigms": len(set(known_pairs(vectors, one.paradigms))),
                "spearman": spearman([ratings[p] for p in every], [gold[p] for p in every]),
                "spearman_rated": spearman([told[p] for p in rated], [gold[p] for p in rated]),
                "maxdiff": (least + most) / (2 * n) if n else math.nan,
            }
        )
    return frame(rows)
