"""Labelled text: documents of the mini-world, and the concepts that each of their tokens expresses."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd

from saewidgets.files import unknown
from saewidgets.miniworld.grammar import Document
from saewidgets.miniworld.tokenizer import load_tokenizer
from saewidgets.miniworld.world import World, world
from saewidgets.records.arguments import seed_of, whole

BATCH = 4096  # documents handed to the tokenizer at once


@dataclass(frozen=True, eq=False)
class Corpus:
    """Documents, their tokens, and the concepts that each token expresses.

    A token expresses a concept when it shares a non-space character with text that the grammar marked with it; since
    the tokenizer never joins words, this is exact. Column 0 of `token_rows` is the separator, which expresses nothing.
    """

    name: str  # e.g. "miniworld, 2000 documents, seed 1"
    texts: tuple[str, ...]
    kinds: tuple[str, ...]  # kind of document, one per text
    subjects: tuple[str, ...]  # entity that the document is about, "" for none
    token_rows: np.ndarray  # int32 [doc, pos], padded with -1
    label_doc: np.ndarray  # int32 [label], row of `token_rows`
    label_pos: np.ndarray  # int32 [label], column of `token_rows`
    label_concept: np.ndarray  # int32 [label], index into `concepts`
    concepts: tuple[str, ...]
    nats: float  # mean -log probability of a document's choices: bounds the entropy of a document from above

    def __len__(self) -> int:
        return len(self.texts)

    def __repr__(self) -> str:
        return f"Corpus({self.name}: {self.n_tokens:,} tokens, {len(self.concepts)} concepts)"

    @property
    def n_tokens(self) -> int:
        """Number of tokens, separators not counted."""
        return int((self.token_rows >= 0).sum()) - len(self.texts)

    def split(self, n_ctx: int) -> Corpus:
        """The same documents and labels in rows of at most `n_ctx` tokens: for a model whose context is shorter than
        they are.

        A longer document stands in several rows, each of which begins with the separator and has a text, kind and
        subject of its own. `feature_activations` splits in the same way, but does not know the labels. Raises
        ValueError unless there is room for a token after the separator.

        Example:
            >>> load_corpus(100, seed=7).split(32).token_rows.shape[1]
            32
        """
        room = n_ctx - 1  # after the separator
        if room < 1:
            raise ValueError(f"rows of {n_ctx} tokens have no room after the separator")
        if self.token_rows.shape[1] <= n_ctx:
            return self
        length = (self.token_rows >= 0).sum(1) - 1  # [doc], separators aside
        n_pieces = np.maximum(1, -(-length // room))
        first = np.cumsum(n_pieces) - n_pieces  # [doc], the row of its first piece
        doc = np.repeat(np.arange(len(self.texts)), n_pieces)  # [row]
        rows = np.full((len(doc), n_ctx), -1, np.int32)
        rows[:, 0] = self.token_rows[doc, 0]
        source, position = np.nonzero(self.token_rows[:, 1:] >= 0)
        rows[first[source] + position // room, 1 + position % room] = self.token_rows[source, 1 + position]
        tokenizer, at = load_tokenizer(), self.label_pos - 1
        return replace(
            self,
            name=f"{self.name}, in rows of {n_ctx} tokens",
            texts=tuple(
                self.texts[d]
                if n_pieces[d] == 1
                else tokenizer.decode(row[row >= 0][1:].tolist(), skip_special_tokens=False)
                for d, row in zip(doc, rows, strict=True)
            ),
            kinds=tuple(self.kinds[d] for d in doc),
            subjects=tuple(self.subjects[d] for d in doc),
            token_rows=rows,
            label_doc=(first[self.label_doc] + at // room).astype(np.int32),
            label_pos=(1 + at % room).astype(np.int32),
        )

    def concept_mask(self, concept: str) -> np.ndarray:
        """bool [doc, pos], the tokens that express `concept`. Raises KeyError that names the nearest concepts."""
        if concept not in self.concepts:
            raise KeyError(unknown("concept", concept, self.concepts))
        mask = np.zeros(self.token_rows.shape, bool)
        own = self.label_concept == self.concepts.index(concept)
        mask[self.label_doc[own], self.label_pos[own]] = True
        return mask

    def frequencies(self) -> pd.Series:
        """Share of tokens that express each concept, most frequent first."""
        counts = np.bincount(self.label_concept, minlength=len(self.concepts)) / max(self.n_tokens, 1)
        return pd.Series(counts, index=self.concepts, name="frequency").sort_values(ascending=False)


def load_corpus(n: int = 2000, seed: int = 1) -> Corpus:
    """`n` documents of the mini-world with their labels; the same ones for the same `n` and `seed`.

    Raises ValueError unless n is at least 1.

    Example:
        >>> corpus = load_corpus(100, seed=7)
        >>> len(corpus.texts)
        100
    """
    n, seed = whole(n, "n, the number of documents,"), seed_of(seed)
    if n < 1:
        raise ValueError(f"a corpus needs at least one document, not {n}")
    return _corpus(n, seed)


@lru_cache(maxsize=4)
def _corpus(n: int, seed: int) -> Corpus:
    return label(write_documents(n, seed), name=f"miniworld, {n} documents, seed {seed}")


def write_documents(n: int, seed: int, source: World | None = None) -> list[Document]:
    """`n` documents, from a random generator of their own."""
    seed = seed_of(seed)
    source, rng = source or world(), random.Random(seed)
    return [source.write(rng) for _ in range(n)]


def label(documents: Sequence[Document], *, name: str) -> Corpus:
    """Tokenize documents and carry their marks over to the tokens."""
    tokenizer, source = load_tokenizer(), world()
    number = {concept: i for i, concept in enumerate(source.concepts)}
    implied = {marked: np.array([number[a] for a in source.implied[marked]], np.int32) for marked in source.implied}
    sets: dict[tuple[str, ...], np.ndarray] = {}
    rows: list[list[int]] = []
    labels: list[np.ndarray] = []  # each int32 [3, k]: doc, pos, concept

    for begin in range(0, len(documents), BATCH):
        batch = documents[begin : begin + BATCH]
        for i, (document, encoding) in enumerate(
            zip(batch, tokenizer.encode_batch([d.text for d in batch]), strict=True), begin
        ):
            rows.append(encoding.ids)
            if not document.spans:
                continue
            first, last = _solid(document.text, encoding.offsets)
            for start, end, marked in document.spans:
                # tokens with a non-space character in [start, end)
                a, b = np.searchsorted(last, start, "right"), np.searchsorted(first, end, "left")
                if marked not in sets:
                    sets[marked] = np.unique(np.concatenate([implied[m] for m in marked]))
                concepts = sets[marked]
                if b > a:
                    positions = np.arange(a + 1, b + 1, dtype=np.int32)  # +1: the separator comes first
                    labels.append(
                        np.stack(
                            [
                                np.full(len(positions) * len(concepts), i, np.int32),
                                np.repeat(positions, len(concepts)),
                                np.tile(concepts, len(positions)),
                            ]
                        )
                    )
    width = max(map(len, rows)) + 1
    token_rows = np.full((len(rows), width), -1, np.int32)
    token_rows[:, 0] = 0
    for i, ids in enumerate(rows):
        token_rows[i, 1 : len(ids) + 1] = ids
    found = np.unique(np.concatenate(labels, axis=1), axis=1) if labels else np.zeros((3, 0), np.int32)
    return Corpus(
        name=name,
        texts=tuple(d.text for d in documents),
        kinds=tuple(d.kind for d in documents),
        subjects=tuple(d.subject for d in documents),
        token_rows=token_rows,
        label_doc=found[0],
        label_pos=found[1],
        label_concept=found[2],
        concepts=source.concepts,
        nats=float(np.mean([d.nats for d in documents])),
    )


def _solid(text: str, offsets: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """First character and one past the last of each token, leading white space left out (a token may begin with it)."""
    first = [a + len(text[a:b]) - len(text[a:b].lstrip()) if text[a:b].strip() else a for a, b in offsets]
    return np.array(first), np.array([b for _, b in offsets])
