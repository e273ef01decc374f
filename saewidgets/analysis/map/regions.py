"""Parts of a map, named by the words that set their features apart."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from saewidgets.records.map import FeatureMapData, MapRegion

MOST = 96  # parts that a map is cut into
FEATURES = 30  # in a part, about
LEAST = 3  # features that share a word before it names their part
SURE = 3.3  # least surprise of a word, about standard errors
ROUNDS = 30  # of k-means, at most


def regions(data: FeatureMapData, *, seed: int = 0) -> tuple[MapRegion, ...]:
    """The parts of a map that have a name, the best named first.

    Points that lie together are one part (k-means of their places, about 30 points each). A word is a promoted token, a
    piece of a label, or the concept of a point; each point has it once. Pieces of words do not count: special tokens,
    tokens of fewer than three letters, and, where tokens mark the beginning of a word by a space, those that have none.
    A part is named by the one or two words that it has most surprisingly often (see `surprise`). A word names the one
    part where its surprise is largest, if that is 3.3 or more and three points or more have it there. A name stands in
    the middle of the points that have its words. It says what is frequent there, not what every feature there means.

    Args:
        data: a map; places, tokens, labels and concepts of it are used.
        seed: of the first middles.

    Example:
        >>> data = sw.FeatureMapData.load("map.json")  # doctest: +SKIP
        >>> [region.name for region in regions(data)[:3]]  # doctest: +SKIP
    """
    written = [_pieces(data, i) for i in range(len(data))]
    words = [{piece.casefold() for piece in own} for own in written]
    shown = _spelling(written)
    part = cluster(np.stack([data.x, data.y], 1).astype(np.float64), -(-len(data) // FEATURES), seed)
    everywhere = Counter(word for own in words for word in own)
    best: dict[str, tuple[float, int]] = {}  # word -> (surprise, part) where it is largest
    for k in range(part.max(initial=-1) + 1):
        own = np.flatnonzero(part == k).tolist()
        for word, y in Counter(word for i in own for word in words[i]).items():
            g = surprise(y, len(own), everywhere[word], len(words)) if y >= LEAST else 0.0
            if g >= SURE and g > best.get(word, (0.0, -1))[0]:
                best[word] = (g, k)
    found = []
    for k in sorted({k for _, k in best.values()}):
        ranked = sorted((word for word, (_, own) in best.items() if own == k), key=lambda word: (-best[word][0], word))
        named = ranked[:2] if len(ranked) > 1 and best[ranked[1]][0] >= 0.6 * best[ranked[0]][0] else ranked[:1]
        own = [i for i in np.flatnonzero(part == k).tolist() if any(word in words[i] for word in named)]
        name = ", ".join(shown[word] for word in named)
        middle = (float(np.median(data.x[own])), float(np.median(data.y[own])))
        found.append((-best[named[0]][0], name, MapRegion(name, *middle, n=len(own))))
    return tuple(region for _, _, region in sorted(found, key=lambda one: one[:2]))


def surprise(y: int, n: int, y_all: int, n_all: int) -> float:
    """How surprising it is that `y` of the `n` points of a part have a word that `y_all` of all `n_all` points have.

    The signed root of the log-likelihood ratio of Dunning 1993 (Accurate Methods for the Statistics of Surprise and
    Coincidence) over the table of points with and without the word, in the part and in the rest of the map,

        G = sqrt(2 sum_cells O ln(O / E)),  E = row * column / n_all,

    about a standard normal where the word is spread evenly; negative where the part has it more rarely than the rest.

    Example:
        >>> round(surprise(5, 30, 10, 1000), 2), surprise(3, 30, 100, 1000)
        (4.72, 0.0)
    """
    table = np.array([[y, n - y], [y_all - y, n_all - n - (y_all - y)]], np.float64)
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / n_all
    some = table > 0
    g = 2 * float((table[some] * np.log(table[some] / expected[some])).sum())
    return math.copysign(math.sqrt(max(0.0, g)), y - float(expected[0, 0]))


def cluster(places: np.ndarray, k: int, seed: int = 0) -> np.ndarray:
    """int64 [n]: the part of each place [n, 2], by k-means from `k` of them (MOST at most) that lie far from one
    another.
    """
    n, k = len(places), min(k, MOST, len(places))
    if k <= 1:
        return np.zeros(n, np.int64)
    dice = np.random.default_rng(seed)
    middles = places[[int(dice.integers(n))]]
    nearest = np.square(places - middles[0]).sum(1)
    while len(middles) < k and nearest.max() > 0:  # k-means++: far places are the likelier
        middles = np.concatenate([middles, places[[dice.choice(n, p=nearest / nearest.sum())]]])
        nearest = np.minimum(nearest, np.square(places - middles[-1]).sum(1))
    part = np.zeros(n, np.int64)
    for _ in range(ROUNDS):
        apart = np.stack([np.square(places - middle).sum(1) for middle in middles])
        before, part = part, apart.argmin(0)
        if np.array_equal(before, part):
            break
        count = np.bincount(part, minlength=len(middles))
        sums = np.stack([np.bincount(part, weights=column, minlength=len(middles)) for column in places.T], 1)
        middles = np.where(count[:, None] > 0, sums / np.maximum(count, 1)[:, None], middles)
    return part


def _pieces(data: FeatureMapData, i: int) -> list[str]:
    """The words of a point as they are written."""
    concept = [data.concepts[data.concept[i]].replace("_", " ")] if data.concept[i] >= 0 else []
    spaced = any(token.startswith(" ") for token in data.tokens[i])
    tokens = [token for token in data.tokens[i] if token.startswith(" ") or not spaced]
    pieces = [piece.strip() for piece in (*tokens, *data.labels[i].split(","), *concept)]
    return [piece for piece in pieces if _is_word(piece)]


def _is_word(piece: str) -> bool:
    """Three letters or digits and no mark of a special token; of scripts in which one character is a word, one."""
    return (
        0 < len(piece) <= 40
        and not piece.startswith("<")
        and (sum(map(str.isalnum, piece)) >= 3 or piece[0] >= "\u2e80")
    )


def _spelling(written: list[list[str]]) -> dict[str, str]:
    """Each word in its commonest spelling, the first in the alphabet of several."""
    seen: dict[str, Counter[str]] = {}
    for own in written:
        for piece in own:
            seen.setdefault(piece.casefold(), Counter())[piece] += 1
    return {word: min(spellings, key=lambda s: (-spellings[s], s)) for word, spellings in seen.items()}
