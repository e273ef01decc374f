"""A judge that knows the truth: the labels of a corpus, planted by a grammar or made by people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from saewidgets.analysis.quality.concepts import Labeled, check_labeled
from saewidgets.files import unknown
from saewidgets.records.judging import NEAR, Passage, Verdict

_SAYS = {
    3: "inside a labeled span",
    2: f"a labeled span within {NEAR} tokens",
    1: "a labeled span elsewhere in the text",
    0: "no labeled span in the text",
}
VOCABULARY = 0.5  # of a token's occurrences that must be labeled, for the token alone to count as the concept's


class LabelJudge:
    """Scores by labels: 3 where the marked token lies in a span of the concept, 2 with a span within 5 tokens, 1 with
    one elsewhere in the same text, 0 with none. The claim is the name of the concept.

    Of several marked tokens, more than half must lie in spans for a 3; otherwise the nearest one counts. A passage
    without marks gets 3 where a span reaches into it, and else 0. A passage of no corpus (`context` -1) gets 3 where
    more than half of its marked tokens (all, where none is marked) are the concept's: at least half of their
    occurrences in the corpus are labeled.

    Args:
        corpus: with labels by token, such as `sw.load_corpus()` or `label_tokens(model, read_spans(path))`.
        name: of the judge.

    Raises:
        TypeError: a corpus without labels.
        ValueError: at a call: a claim that is no concept of the corpus, or passages of another corpus.
    """

    def __init__(self, corpus: Any, *, name: str = "planted labels", kind: str = "planted") -> None:
        check_labeled(corpus, "a judge by labels")
        self.corpus = corpus
        self.name, self.kind = name, kind
        rows: np.ndarray = np.asarray(self.corpus.token_rows)
        own = getattr(corpus, "text_of_row", None)
        self._text = np.arange(len(rows)) if own is None else np.asarray(own)  # [row]
        self._tokens = rows
        self._order = np.cumsum(rows >= 0).reshape(rows.shape) - 1  # [row, pos], running number of each token
        self._known: dict[str, ConceptLabels] = {}

    def __call__(self, claim: str, passages: Sequence[Passage]) -> list[Verdict]:
        labels = self.labels(claim)
        return [self._judged(labels, passage) for passage in passages]

    def check(self, claim: str) -> None:
        """Raise ValueError, with the nearest ones, unless the claim is a concept of the corpus."""
        if claim not in self.corpus.concepts:
            raise ValueError(unknown("concept", claim, self.corpus.concepts))

    def labels(self, claim: str) -> ConceptLabels:
        """Where the corpus expresses a concept. Raises ValueError as `check`."""
        if claim not in self._known:
            self.check(claim)
            corpus, mask = self.corpus, np.zeros(self._tokens.shape, bool)
            own = np.asarray(corpus.label_concept) == corpus.concepts.index(claim)
            mask[np.asarray(corpus.label_doc)[own], np.asarray(corpus.label_pos)[own]] = True
            row, _ = np.nonzero(mask)
            real = self._tokens >= 0
            every = np.bincount(self._tokens[real])
            labeled = np.bincount(self._tokens[mask], minlength=len(every))
            self._known[claim] = ConceptLabels(mask, self._order[mask], self._text[row], labeled / np.maximum(every, 1))
        return self._known[claim]

    def _judged(self, labels: ConceptLabels, passage: Passage) -> Verdict:
        if passage.context < 0:
            return self._alone(labels, passage)
        first, stop = passage.position, passage.position + len(passage.ids)
        row = passage.context
        same = row < len(self._tokens) and stop <= self._tokens.shape[1]
        if not same or tuple(self._tokens[row, first:stop].tolist()) != passage.ids:
            raise ValueError(
                f"the passage at row {row}, column {first} is of another corpus than the labels of {self.name!r}"
            )
        if not passage.marked:
            found = bool(labels.mask[row, first:stop].any())
            return (
                Verdict(3, "a labeled span in the passage") if found else Verdict(0, "no labeled span in the passage")
            )
        columns = first + np.array(passage.marked)
        inside = labels.mask[row, columns]
        if 2 * inside.sum() > len(inside):
            return Verdict(3, _SAYS[3])
        begin, end = np.searchsorted(labels.text, [self._text[row], self._text[row] + 1])
        own = labels.order[begin:end]  # the tokens of spans in this text
        if not len(own):
            return Verdict(0, _SAYS[0])
        away = np.abs(own[:, None] - self._order[row, columns][None]).min()
        score = 2 if away <= NEAR else 1
        return Verdict(score, _SAYS[score])

    def _alone(self, labels: ConceptLabels, passage: Passage) -> Verdict:
        asked = [passage.ids[i] for i in passage.marked] or list(passage.ids)
        own = sum(bool(labels.share[i] >= VOCABULARY) for i in asked if i < len(labels.share))
        return Verdict(3 if 2 * own > len(asked) else 0, "by how often the token is labeled in the corpus")


@dataclass(frozen=True, eq=False)
class ConceptLabels:
    """Where a corpus expresses one concept."""

    mask: np.ndarray  # bool [row, pos]
    order: np.ndarray  # int64 [label], ascending: running number of each labeled token
    text: np.ndarray  # int64 [label], ascending: the text that it is of
    share: np.ndarray  # float64 [token id], of its occurrences that are labeled

    @cached_property
    def runs(self) -> np.ndarray:
        """int64 [run, 3]: row, first column and one past the last of each unbroken run of labeled tokens."""
        padded = np.pad(self.mask, ((0, 0), (1, 1))).astype(np.int8)
        change = np.diff(padded, axis=1)
        row, first = np.nonzero(change == 1)
        _, stop = np.nonzero(change == -1)
        return np.stack([row, first, stop], axis=1)


def planted_judge(corpus: Labeled) -> LabelJudge:
    """The judge that knows what the grammar planted in a corpus of the mini-world.

    Example:
        >>> corpus = sw.load_corpus(100, seed=7)
        >>> planted_judge(corpus).name
        'planted labels'
    """
    return LabelJudge(corpus)
