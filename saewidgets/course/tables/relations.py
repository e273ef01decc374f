"""Exercises of 07_directions.ipynb."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from saewidgets.analysis import directions
from saewidgets.analysis.directions.words import vocabulary_words
from saewidgets.course import answers, setting
from saewidgets.course.exercise import Exercise, Said, Wrong, right
from saewidgets.files import nearest
from saewidgets.records import WordVectors
from saewidgets.records.directions import Analogy

SAE = "miniworld-512"
OFFSET = ("France", "Paris")
NEAR = 0.01


def cosine(answer: Any) -> Said:
    """The cosine of king − man and queen − woman in the embedding."""
    found = answers.number(answer)
    man, king, woman, queen = (_of(word) for word in ("man", "king", "woman", "queen"))
    expected = _cosine(king - man, queen - woman)
    if abs(found - expected) <= NEAR:
        return right("Yes, {cosine:.2f}: alike, and far from parallel.", cosine=expected)
    if abs(found + expected) <= NEAR:
        raise Wrong("The sign: one of your two offsets goes the other way.")
    if abs(found - _cosine(king, queen)) <= NEAR:
        raise Wrong("{found:.2f} is the cosine of the words king and queen. Take the offsets.", found=found)
    if abs(found - _cosine(king - queen, man - woman)) <= NEAR:
        raise Wrong("That is king − queen and man − woman, the other two sides of the figure.")
    if abs(found - float((king - man) @ (queen - woman))) <= NEAR:
        raise Wrong("That is the dot product. For the cosine divide by both lengths.")
    if not -1 <= found <= 1:
        raise Wrong("A cosine is between −1 and 1: not {found:g}. Divide by both lengths.", found=found)
    raise Wrong("Not {found:g}: words.word_vectors(model, [...]).vectors has the four vectors.", found=found)


def offset_did_it(answer: Any) -> Said:
    """An analogy that the offset answers, and the nearest neighbor does not."""
    given = answers.texts(answer, 4)
    vectors = _vectors()
    for word in given:
        if word not in vectors.index:
            near = ", ".join(nearest(word, vectors.index))
            raise Wrong("{word!r} is not one token of this model; nearest: {near}.", word=word, near=near)
    if len(set(given)) < 4:
        raise Wrong("It takes four different words: a is to b as c is to d.")
    (told,) = directions.answers(vectors, [Analogy("own", *given)])
    said = {"a": told.a, "b": told.b, "c": told.c, "d": told.d, "answer": told.answer}
    if told.answer != told.d:
        raise Wrong("{a} : {b} = {c} : … gives {answer!r}, not {d!r}.", **said)
    if told.neighbor == told.d:
        raise Wrong("{d!r} is the nearest neighbor of {c!r} anyway: the offset did nothing.", **said)
    return right(
        "Yes: the offset leads from {c!r} to {d!r}, whose nearest neighbor would have been {near!r}.",
        near=told.neighbor,
        **said,
    )


def largest_share(answer: Any) -> Said:
    """The feature with the largest share of the offset from France to Paris."""
    sae = setting.sae(SAE)
    found = answers.feature(answer, sae.config.d_sae)
    parts, _ = directions.decompose(setting.model(), sae, [OFFSET], n=sae.config.d_sae)
    place = next((i for i, part in enumerate(parts, 1) if part.feature == found), None)
    if place is None:
        raise Wrong("Feature {f} is off at both words, so it has no share.", f=found)
    part = parts[place - 1]
    said = {"f": found, "share": part.share, "before": part.before, "after": part.after, "place": place}
    if place == 1:
        return right("Yes: {share:.0%}. It is at {before:.1f} on France and at {after:.1f} on Paris.", **said)
    if part.share < 0:
        raise Wrong("Feature {f} works against the offset: its share is {share:.1%}.", **said)
    raise Wrong("Feature {f} has {share:.1%} of it, number {place}.", **said)


def _cosine(x: np.ndarray, y: np.ndarray) -> float:
    return float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))


def _of(word: str) -> np.ndarray:
    vectors = _vectors()
    found: np.ndarray = vectors.vectors[vectors.index[word]]
    return found


@lru_cache(maxsize=1)
def _vectors() -> WordVectors:
    """The embedding of every word that is one token."""
    model = setting.model()
    own = vocabulary_words(model, directions.load_analogies().words)
    return directions.word_vectors(model, own, progress=False)


EXERCISES = (
    Exercise(
        "07.1",
        "What is the cosine of *king − man* and *queen − woman* in the embedding?",
        (
            '`words.word_vectors(model, ["man", "king", "woman", "queen"]).vectors` has one row per word.',
            "Subtract, multiply, sum, and divide by both lengths.",
        ),
        "0.44. The two are alike, but a parallelogram would have 1. That `king - man + woman` finds *queen* needs less: only "
        "that no other word is nearer.",
        cosine,
    ),
    Exercise(
        "07.2",
        "Find an analogy `[a, b, c, d]` that the offset answers in the embedding, though the nearest neighbor of c is "
        "*not* d.",
        (
            "Section 1 says of which relation this is common: there the column *neighbor* is low and *accuracy* is not.",
            "Countries and their capitals: *China* is to *Beijing* as another country is to ...",
        ),
        '`["China", "Beijing", "Egypt", "Cairo"]`: nearest to *Egypt* is another country. Only in such questions '
        "has the offset done something.",
        offset_did_it,
    ),
    Exercise(
        "07.3",
        "Which feature of `miniworld-512` has the largest share of *Paris − France* at the SAE's site?",
        (
            "Section 3 did it for *king − man*.",
            '`words.decompose(model, sae, [("France", "Paris")])` returns the features, the largest share first, and the '
            "share of the error.",
        ),
        '`words.decompose(model, sae, [("France", "Paris")])[0][0].feature`. It is on at *France* and off at *Paris*: an '
        "offset consists of what goes as much as of what comes.",
        largest_share,
    ),
)
