"""How well single features tell known concepts: exact AUROC, from the non-zero activations alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from saewidgets.bars import bar, muted
from saewidgets.files import unknown
from saewidgets.records import FeatureActivations
from saewidgets.records.arguments import expect, listed
from saewidgets.records.tables import frame

_BLOCK = 21  # 2^21 activations are treated at once


class Labeled(Protocol):
    """A corpus whose tokens carry known concepts: one entry of the three arrays a (token, concept) pair."""

    @property
    def concepts(self) -> tuple[str, ...]:
        """Names."""

    @property
    def label_doc(self) -> np.ndarray:
        """int32 [label], the row of each label's token."""

    @property
    def label_pos(self) -> np.ndarray:
        """int32 [label], the column of each label's token."""

    @property
    def label_concept(self) -> np.ndarray:
        """int32 [label], index into `concepts`."""


def concept_scores(acts: FeatureActivations, corpus: Labeled, *, progress: bool = True) -> pd.DataFrame:
    """For each concept, the feature that tells its tokens best from all others.

    AUROC is exact: the chance that a token of the concept has a larger activation than another token, ties (most tokens
    have 0) counted half. Precision, recall and F1 take the feature as saying yes wherever it is active.

    Returns:
        One row a concept, in the corpus's order: concept, feature (-1 if the concept has no counted token or all of
        them), auroc, precision, recall, f1, n_tokens (counted tokens of the concept). Of equal features the lowest is
        taken.

    `progress=False` draws no bar. Raises ValueError if `acts` is over another corpus.

    Example:
        >>> concept_scores(acts, corpus).set_index("concept").loc["golden gate bridge"]  # doctest: +SKIP
    """
    with muted(not progress):
        auroc, hits, n_active, n_tokens = _auroc(acts, corpus)
    rows = []
    for c, concept in enumerate(corpus.concepts):
        known = bool(np.isfinite(auroc[:, c]).any())
        best = int(np.argmax(auroc[:, c])) if known else -1
        hit = int(hits[best, c]) if known else 0
        precision = hit / n_active[best] if known and n_active[best] else float("nan")
        recall = hit / n_tokens[c] if known else float("nan")
        f1 = 2 * hit / (n_active[best] + n_tokens[c]) if known else float("nan")
        rows.append((concept, best, auroc[best, c] if known else float("nan"), precision, recall, f1, int(n_tokens[c])))
    return frame(rows, columns=["concept", "feature", "auroc", "precision", "recall", "f1", "n_tokens"])


def concept_auroc(acts: FeatureActivations, corpus: Labeled) -> np.ndarray:
    """float64 [d_sae, concepts]: the AUROC of every feature for every concept; nan where a concept has no counted token
    or has them all. See `concept_scores`."""
    return _auroc(acts, corpus)[0]


def check_labeled(corpus: Any, purpose: str) -> None:
    """Raise TypeError, with what to type, unless a corpus has labels."""
    labels = ("concepts", "label_doc", "label_pos", "label_concept")
    known = all(hasattr(corpus, name) for name in labels)
    expect(corpus, known, "corpus", purpose, "give one whose tokens are labeled, such as sw.load_corpus()")


def numbered(corpus: Labeled, concepts: Sequence[str] | None) -> tuple[list[str], np.ndarray]:
    """(names, int64: the number of each in the corpus) of some concepts, all for None. Raises ValueError on an unknown
    one, with the nearest names.
    """
    names = list(corpus.concepts) if concepts is None else listed(concepts, "concepts", "concept")
    for name in names:
        if name not in corpus.concepts:
            raise ValueError(unknown("concept", name, corpus.concepts))
    return names, np.array([corpus.concepts.index(name) for name in names], np.int64)


@dataclass(frozen=True, eq=False)
class LabelsByToken:
    """The concepts of every counted token, those of token t at `first[t]:first[t + 1]`; a token is context * width +
    pos.
    """

    token: np.ndarray  # int64 [label], sorted
    concept: np.ndarray  # int64 [label]
    first: np.ndarray  # int64 [cells + 1]
    n_tokens: np.ndarray  # int64 [concept], counted tokens of each

    @classmethod
    def of(cls, acts: FeatureActivations, corpus: Labeled) -> LabelsByToken:
        """Those of the tokens that `acts` counts. Raises ValueError if `acts` is over another corpus."""
        expect(acts, FeatureActivations, "acts", "concept_scores")
        check_labeled(corpus, "concept_scores")
        columns = (corpus.label_doc, corpus.label_pos, corpus.label_concept)
        doc, position, concept = (np.asarray(column, np.int64) for column in columns)
        width, n_concepts = acts.tokens.shape[1], len(corpus.concepts)
        own = getattr(corpus, "token_rows", None)
        if own is not None and not np.array_equal(own, acts.tokens):
            split = f": its long texts were split, so give corpus.split({width}) in both places" if acts.n_split else ""
            raise ValueError(f"the activations are over another corpus than the labels{split}")
        if len(doc) and (doc.max() >= len(acts.tokens) or position.max() >= width):
            raise ValueError("the labels reach beyond the corpus of the activations")
        label = np.unique((doc * width + position) * n_concepts + concept)  # once each, by token
        token, concept = np.divmod(label, n_concepts)
        kept = acts.counted.ravel()[token]
        token, concept = token[kept], concept[kept]
        first = np.searchsorted(token, np.arange(acts.tokens.size + 1))
        return cls(token, concept, first, np.bincount(concept, minlength=n_concepts))

    def pairs(self, acts: FeatureActivations, entries: slice | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(index of an activation, concept of its token), each such pair once, some activations at a time."""
        at = token_of(acts)
        chosen = np.arange(len(at))[entries or slice(None)]
        for part in np.array_split(chosen, max(1, len(chosen) >> _BLOCK)):  # bounds the memory of the pairs
            count = self.first[at[part] + 1] - self.first[at[part]]
            within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
            yield np.repeat(part, count), self.concept[within + np.repeat(self.first[at[part]], count)]


def token_of(acts: FeatureActivations, feature: int | None = None) -> np.ndarray:
    """int64 [nnz]: the token of each activation, context * width + pos; of one feature's alone, where it is given."""
    own = slice(None) if feature is None else slice(int(acts.start[feature]), int(acts.start[feature + 1]))
    value: np.ndarray = acts.context[own].astype(np.int64) * acts.tokens.shape[1] + acts.position[own]
    return value


def feature_of(acts: FeatureActivations) -> np.ndarray:
    """int64 [nnz]: the feature of each activation."""
    return np.repeat(np.arange(acts.d_sae), np.diff(acts.start))


def _auroc(acts: FeatureActivations, corpus: Labeled) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(AUROC [d_sae, concepts], active tokens of the concept [d_sae, concepts], active tokens [d_sae], tokens
    [concepts]).

    With N tokens, P of the concept, and n0 at which the feature is 0: the zeros share the middle rank (n0 + 1) / 2, an
    active token has rank n0 + its rank r among the active ones, and
        AUROC = (sum of the concept's ranks - P (P + 1) / 2) / (P (N - P)).
    Only active tokens of the concept need be visited, so the cost does not grow with d_sae x N.
    """
    check_labeled(corpus, "concept_scores")
    n_concepts = len(corpus.concepts)
    labels = LabelsByToken.of(acts, corpus)
    n_active = np.diff(acts.start)
    rank = _ranks(acts)
    feature = feature_of(acts)
    hits = np.zeros(acts.d_sae * n_concepts)
    rank_sum = np.zeros(acts.d_sae * n_concepts)
    with bar(max(1, len(acts.value) >> _BLOCK), "scoring concepts", "blocks") as advance:
        for pair, concept in labels.pairs(acts):
            cell = feature[pair] * n_concepts + concept
            hits += np.bincount(cell, minlength=len(hits))
            rank_sum += np.bincount(cell, rank[pair], minlength=len(hits))
            advance(1)
    on, ranked = hits.reshape(acts.d_sae, n_concepts), rank_sum.reshape(acts.d_sae, n_concepts)
    n_tokens = labels.n_tokens

    n = acts.n_tokens
    zeros = (n - n_active)[:, None]
    ranks = on * zeros + ranked + (n_tokens - on) * (zeros + 1) / 2
    with np.errstate(invalid="ignore"):
        auroc = (ranks - n_tokens * (n_tokens + 1) / 2) / (n_tokens * (n - n_tokens))
    return auroc, on, n_active, n_tokens


def _ranks(acts: FeatureActivations) -> np.ndarray:
    """float64 [nnz]: the rank of each activation among its feature's, 1 for the smallest; equal ones share the middle."""
    feature = np.repeat(np.arange(acts.d_sae, dtype=np.uint64), np.diff(acts.start))
    # The bits of a positive float32 sort as it does.
    key = feature << np.uint64(32) | np.ascontiguousarray(acts.value).view(np.uint32)
    order = np.argsort(key)
    key = key[order]
    starts = np.flatnonzero(np.append(True, key[1:] != key[:-1])) if len(key) else np.zeros(0, np.int64)
    ends = np.append(starts[1:], len(key))
    middle = (starts + ends + 1) / 2  # of the 1-based places of each run of equal values
    rank = np.empty(len(key))
    rank[order] = np.repeat(middle, ends - starts)
    value: np.ndarray = rank - acts.start[feature.astype(np.int64)]
    return value
