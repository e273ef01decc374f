"""The offsets of a relation: how parallel they are, what a plane shows of them, and what features they are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from saewidgets.activations import check_pair
from saewidgets.analysis.directions.analogies import unit
from saewidgets.analysis.directions.words import word_vectors
from saewidgets.models import Model
from saewidgets.records import FeatureShare, WordVectors
from saewidgets.records.arguments import expect, listed, seed_of, whole
from saewidgets.sae import SAE

N_SHUFFLES = 1000
N_PARTS = 12  # features of an offset that are listed
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Parallelism:
    """How alike the offsets of some pairs point, and how alike those of shuffled pairs do."""

    n: int  # pairs with vectors
    mean: float  # cosine between the offsets of two pairs, over all twos of pairs; nan for fewer than two
    null: float  # the same, mean over shufflings of the second words
    null_high: float  # 97.5 % of the shufflings lie below
    p: float  # share of shufflings that are as high, one added above and below
    length: float  # mean length of an offset, in mean lengths of a word's vector


def parallelism(vectors: WordVectors, pairs: Pairs, *, n_shuffles: int = N_SHUFFLES, seed: int = 0) -> Parallelism:
    """The mean cosine between the offsets x_b - x_a of two pairs, every x of length 1, against a null.

    The null shuffles the second words among the pairs: its offsets still go from the one kind of word to the other, so
    what is above it is that each word has its own partner.

    Args:
        vectors: of the words.
        pairs: (a, b); one without a vector is left out.
        n_shuffles, seed: of the null.

    Example:
        >>> parallelism(vectors, load_analogies().pairs("gender"))  # doctest: +SKIP
    """
    n_shuffles, rng = whole(n_shuffles, "n_shuffles", minimum=1), np.random.default_rng(seed_of(seed))
    first, second = both(vectors, pairs)
    n = len(first)
    if n < 2:
        return Parallelism(n, *[math.nan] * 5)
    a, b = unit(first).astype(np.float64), unit(second).astype(np.float64)
    mean = _mean_cosine(b - a)
    shuffled = np.array([_mean_cosine(b[rng.permutation(n)] - a) for _ in range(n_shuffles)])
    length = float(np.linalg.norm(second - first, axis=1).mean() / np.linalg.norm([*first, *second], axis=1).mean())
    p = (1 + int((shuffled >= mean - 1e-12).sum())) / (n_shuffles + 1)
    return Parallelism(n, mean, float(shuffled.mean()), float(np.quantile(shuffled, 0.975)), p, length)


def _mean_cosine(offsets: np.ndarray) -> float:
    """Over all twos of rows: |sum of unit rows|^2 counts each two twice, and each row with itself once."""
    n = len(offsets)
    lengths = np.linalg.norm(offsets, axis=1, keepdims=True)
    total = (offsets / np.where(lengths > 0, lengths, 1)).sum(0)
    return float((total @ total - (lengths > 0).sum()) / (n * (n - 1)))


def plane(vectors: WordVectors, pairs: Pairs) -> tuple[list[tuple[tuple[float, float], tuple[float, float]]], float]:
    """Where the words of each pair lie on the two principal axes of all of them, every x of length 1, and the share of
    their variance that the two axes hold. The first axis is turned so that offsets point to the right on average.
    """
    first, second = both(vectors, pairs)
    if len(first) < 2:
        return [((0.0, 0.0), (0.0, 0.0)) for _ in first], math.nan
    words = np.stack([unit(first), unit(second)], 1).astype(np.float64)  # [pair, 2, d]
    centered = words - words.mean((0, 1))
    _, sizes, axes = np.linalg.svd(centered.reshape(-1, words.shape[2]), full_matrices=False)
    at = centered @ axes[:2].T  # [pair, 2, 2]
    sign = np.where((at[:, 1] - at[:, 0]).mean(0) < 0, -1.0, 1.0)
    at = at * sign
    share = float((sizes[:2] ** 2).sum() / max((sizes**2).sum(), np.finfo(float).tiny))
    places = [((float(p[0, 0]), float(p[0, 1])), (float(p[1, 0]), float(p[1, 1]))) for p in at]
    return places, share


def known_pairs(vectors: WordVectors, pairs: Pairs) -> list[tuple[str, str]]:
    """The pairs both of whose words have vectors, in order."""
    expect(vectors, WordVectors, "vectors", "offsets", "give word_vectors(model, words)")
    index = vectors.index
    return [(a, b) for a, b in checked(pairs) if a in index and b in index]


def checked(pairs: Pairs) -> list[tuple[str, str]]:
    """The pairs. Raises TypeError, with what to give, on anything that is no pair of words."""
    given = [
        tuple(pair) if isinstance(pair, (tuple, list)) else pair for pair in listed(pairs, "pairs", "('man', 'king')")
    ]
    for pair in given:
        if not (isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(word, str) for word in pair)):
            raise TypeError(f"pairs must hold two words each, such as ('man', 'king'), not {pair!r:.60}")
    return given


def both(vectors: WordVectors, pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """float32 [pair, d] each: the vectors of the first and of the second words; a pair without them is left out."""
    index, own = vectors.index, known_pairs(vectors, pairs)
    at = np.array([[index[a], index[b]] for a, b in own], np.int64).reshape(-1, 2)
    return vectors.vectors[at[:, 0]], vectors.vectors[at[:, 1]]


def decompose(
    model: Model | nn.Module,
    sae: SAE,
    pairs: Pairs,
    *,
    template: str = "{}",
    n: int = N_PARTS,
    labels: Mapping[int, str] | None = None,
) -> tuple[tuple[FeatureShare, ...], float]:
    """What features the mean offset of some pairs is made of, at the SAE's site: the largest shares, and that of the
    error.

    With x = sum_f a_f(x) d_f + b + e(x), the mean offset o = mean(x_b - x_a) is exactly

        o = sum_f (mean a_f(x_b) - mean a_f(x_a)) d_f + mean(e(x_b) - e(x_a))

    and the share of each term is its product with o over |o|^2: they add up to 1, and one may be below 0. king - man is
    `decompose(model, sae, [("man", "king")])`.

    Args:
        pairs: (a, b); one with a word of several tokens is left out.
        template: see `word_vectors`.
        n: features that are returned, those with the largest share in size.
        labels: what features stand for.

    Returns:
        (features, share of the error).

    Raises ValueError if model and SAE do not belong together, or no pair has vectors.

    Example:
        >>> features, error = decompose(model, sae, [("man", "king")])  # doctest: +SKIP
    """
    model, site = check_pair(model, sae, "a decomposition", reconstructs=True)
    n = whole(n, "n", minimum=1)
    vectors = word_vectors(model, [word for pair in checked(pairs) for word in pair], site.hook_name, template=template)
    return shares(sae, vectors, pairs, n=n, labels=labels)


@torch.no_grad()
def shares(
    sae: SAE, vectors: WordVectors, pairs: Pairs, *, n: int = N_PARTS, labels: Mapping[int, str] | None = None
) -> tuple[tuple[FeatureShare, ...], float]:
    """The same of vectors that were read at the SAE's site already."""
    first, second = both(vectors, pairs)
    if not len(first):
        raise ValueError("no pair is left: give pairs of words that are one token each")
    device = sae.W_enc.device
    x = torch.from_numpy(np.stack([first, second])).to(device)  # [2, pair, d_in]
    a = sae.encode(x).float()
    # Under an input normalization a unit of activation is as long as the token's own spread says.
    weight = (a * sae.spread(x)).mean(1)  # [2, d_sae]
    offset = (x[1] - x[0]).mean(0).double()
    along = sae.decoder_directions.double() @ offset / (offset @ offset)
    share = (weight[1] - weight[0]).double() * along
    order = share.abs().argsort(descending=True)[:n].tolist()
    before, after = a[0].mean(0), a[1].mean(0)
    known = labels or {}
    own = tuple(
        FeatureShare(f, float(share[f]), float(before[f]), float(after[f]), known.get(f, ""))
        for f in order
        if float(share[f]) != 0
    )
    return own, float(1 - share.sum())
