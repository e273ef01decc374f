"""The non-zero feature activations over a corpus."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd

from saewidgets.files import LoadError, read_tensors, write_tensors
from saewidgets.records import marks, typed
from saewidgets.records.arguments import require_features
from saewidgets.records.marks import Axes
from saewidgets.records.tables import frame

_LATER = ("text", "n_cut")  # arrays of a file that is about texts longer than the context


@dataclass(frozen=True, eq=False)
class FeatureActivations:
    """Every (token, feature) pair with a non-zero activation, kept sparse and sorted by feature.

    Feature f owns the slice `start[f]:start[f + 1]` of `context`, `position` and `value`, sorted by (context,
    position). `tokens` holds the corpus itself, one context a row, padded with -1.
    """

    # int32, token ids, -1 where the row has ended.
    tokens: Annotated[np.ndarray, Axes("context", "pos", dtype=np.integer)]
    context: Annotated[np.ndarray, Axes("nnz", dtype=np.integer)]  # int32, row of `tokens`
    position: Annotated[np.ndarray, Axes("nnz", dtype=np.integer)]  # int32, column of `tokens`
    value: Annotated[np.ndarray, Axes("nnz", dtype=np.floating)]  # float32, activation in SAE units, > 0
    start: Annotated[np.ndarray, Axes("d_sae + 1", dtype=np.integer)]  # int64
    # Tokens that count (not padding, not special tokens).
    counted: Annotated[np.ndarray, Axes("context", "pos", dtype=np.bool_)]
    corpus: str = ""  # what the tokens are, e.g. "miniworld, 2000 documents, seed 1"
    text: Annotated[np.ndarray, Axes("context", dtype=np.integer)] | None = (
        None  # int32, number of the text that each context is of; None: each of its own
    )
    n_cut: int = 0  # texts whose end was left out

    @property
    def text_of_context(self) -> np.ndarray:
        """int [context]: the number of the text that each row of `tokens` is of; several rows share one where it was
        split.
        """
        return np.arange(len(self.tokens)) if self.text is None else self.text

    @property
    def n_split(self) -> int:
        """Number of texts that were longer than the model's context and stand in several rows of `tokens`."""
        return int((np.bincount(self.text_of_context) > 1).sum())

    @property
    def d_sae(self) -> int:
        """Number of features."""
        return len(self.start) - 1

    @property
    def n_tokens(self) -> int:
        """Number of counted tokens: the denominator of every density."""
        return int(self.counted.sum())

    @property
    def density(self) -> np.ndarray:
        """float64 [d_sae], share of counted tokens at which each feature is active."""
        return np.diff(self.start) / max(self.n_tokens, 1)

    @property
    def maximum(self) -> np.ndarray:
        """float32 [d_sae], largest activation of each feature over the corpus, 0 where it never fires."""
        out = np.zeros(self.d_sae, np.float32)
        alive = np.flatnonzero(np.diff(self.start))
        if len(alive):
            out[alive] = np.maximum.reduceat(self.value, self.start[alive])
        return out

    def of(self, feature: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(context, position, value) of one feature. Raises IndexError outside 0..d_sae-1."""
        (feature,) = require_features([feature], self.d_sae)
        own = slice(int(self.start[feature]), int(self.start[feature + 1]))
        return self.context[own], self.position[own], self.value[own]

    def dense(self, feature: int) -> np.ndarray:
        """float32 [context, pos], one feature's activation at every token."""
        out = np.zeros(self.tokens.shape, np.float32)
        context, position, value = self.of(feature)
        out[context, position] = value
        return out

    def to_dataframe(self, feature: int) -> pd.DataFrame:
        """One row a non-zero activation of `feature`: context, position, token id, value."""
        context, position, value = self.of(feature)
        return frame(
            {"context": context, "position": position, "token": self.tokens[context, position], "value": value}
        )

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, atomically."""
        long = self.n_split or self.n_cut
        write_tensors(
            path,
            {
                "tokens": self.tokens,
                "context": self.context,
                "position": self.position,
                "value": self.value,
                "start": self.start,
                "counted": self.counted,
                "corpus": np.frombuffer(self.corpus.encode(), np.uint8),
            }
            | ({"text": self.text, "n_cut": np.array([self.n_cut])} if self.text is not None and long else {}),
        )

    @classmethod
    def load(cls, path: str | Path) -> FeatureActivations:
        """Read what `save` wrote. Raises LoadError, and nothing else, on a file that does not hold it."""
        tensors = read_tensors(path)
        wanted = {*marks.dtypes(cls), "corpus"} - {*_LATER}
        if set(tensors) not in (wanted, wanted | {*_LATER}):
            raise LoadError(path, f"expected the arrays {sorted(wanted)}, found {sorted(tensors)}")
        corpus, n_cut = typed.text_of(tensors.pop("corpus")), tensors.pop("n_cut", np.zeros(1, np.int64))
        if n_cut.shape != (1,) or n_cut.dtype.kind not in "iu" or n_cut[0] < 0:
            raise LoadError(path, "n_cut is not a number of texts")
        with typed.refusing(path):
            acts = typed.record(cls, tensors, corpus=corpus, n_cut=int(n_cut[0]))
        n, text = len(acts.value), acts.text
        sound = (
            (text is None or bool((np.diff(text, prepend=0) >= 0).all() and (text < len(text)).all()))
            and len(acts.start) >= 1
            and acts.start[0] == 0
            and acts.start[-1] == n
            and bool((np.diff(acts.start) >= 0).all())
            and (n == 0 or (acts.context.min() >= 0 and acts.context.max() < acts.tokens.shape[0]))
            and (n == 0 or (acts.position.min() >= 0 and acts.position.max() < acts.tokens.shape[1]))
        )
        if not sound:
            raise LoadError(path, "the arrays do not fit one another")
        return acts
