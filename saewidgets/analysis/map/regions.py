"""Parts of a map, named by the words that set their features apart."""

from __future__ import annotations

from collections import Counter

import numpy as np

from saewidgets.records.map import FeatureMapData, MapRegion

MOST = 96  # parts that a map is cut into
FEATURES = 30  # in a part, about
LEAST = 3  # features that share a word before it names their part
SURE = 2.5  # standard errors that a word's log odds must lie above those of the rest of the map
PRIOR = 50.0  # words that the prior counts for
ROUNDS = 30  # of k-means, at most


def regions(data: FeatureMapData, *, seed: int = 0) -> tuple[MapRegion, ...]:
    """The parts of a map that have a name, the best named first.

    Points that lie together are one part (k-means of their places, about 30 points each). A word is a promoted token, a piece of a
    label, or the concept of a point; each point has it once. Pieces of words do not count: special tokens, tokens of fewer than three
    letters, and, where tokens mark the beginning of a word by a space, those that have none. A part is named by the one or two words that it has far oftener than
    the rest of the map: those with the largest z of the log odds ratio with an informative prior (Monroe, Colaresi & Quinn 2008),

        delta = log((y_i + a_w) / (n_i + A - y_i - a_w)) - log((y_j + a_w) / (n_j + A - y_j - a_w)),
        z = delta / sqrt(1 / (y_i + a_w) + 1 / (y_j + a_w)),

    with y_i the points of the part that have the word, n_i all words of the part, j the rest of the map, a_w the word's share of all
    words times A = 50. A word names the one part where its z is largest, if three points or more have it there and z is 2.5 or more.
    A name stands in the middle of the points that have its words. It says what is frequent there, not what every feature there means.

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
    total = sum(everywhere.values())
    best: dict[str, tuple[float, int]] = {}  # word -> (z, part) where its z is largest
    for k in range(part.max(initial=-1) + 1):
        here = Counter(word for i in np.flatnonzero(part == k).tolist() for word in words[i])
        n_here = sum(here.values())
        for word, y in here.items():
            z = log_odds_z(y, n_here, everywhere[word], total)
            if y >= LEAST and z >= SURE and z > best.get(word, (0.0, -1))[0]:
                best[word] = (z, k)
    found = []
    for k in sorted({k for _, k in best.values()}):
        ranked = sorted((word for word, (_, own) in best.items() if own == k), key=lambda word: (-best[word][0], word))
        named = ranked[:2] if len(ranked) > 1 and best[ranked[1]][0] >= 0.6 * best[ranked[0]][0] else ranked[:1]
        own = [i for i in np.flatnonzero(part == k).tolist() if any(word in words[i] for word in named)]
        name = ", ".join(shown[word] for word in named)
        middle = (float(np.median(data.x[own])), float(np.median(data.y[own])))
        found.append((-best[named[0]][0], name, MapRegion(name, *middle, n=len(own))))
    return tuple(region for _, _, region in sorted(found, key=lambda one: one[:2]))


def log_odds_z(y: int, n: int, y_all: int, n_all: int) -> float:
    """z of a word that stands `y` times among the `n` words of a part and `y_all` times among all `n_all`; see `regions`.

    Example:
        >>> round(log_odds_z(5, 50, 10, 1000), 2), round(log_odds_z(1, 100, 10, 1000), 2)
        (3.65, 0.0)
    """
    a = PRIOR * y_all / n_all
    y_rest, n_rest = y_all - y, n_all - n
    odds = np.log((y + a) / (n + PRIOR - y - a)) - np.log((y_rest + a) / (n_rest + PRIOR - y_rest - a))
    return float(odds / np.sqrt(1 / (y + a) + 1 / (y_rest + a)))


def cluster(places: np.ndarray, k: int, seed: int = 0) -> np.ndarray:
    """int64 [n]: the part of each place [n, 2], by k-means from `k` of them (MOST at most) that lie far from one another."""
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
