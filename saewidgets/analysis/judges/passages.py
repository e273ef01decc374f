"""Passages for judges, cut from the corpus of a feature's activations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from saewidgets.models import Model
from saewidgets.records import FeatureActivations
from saewidgets.records.judging import Passage


class Passages:
    """Cuts passages from the rows of a corpus. A row's exact text is worked out once.

    The beginning-of-text token and padding are in no passage. Where the model has no tokenizer, "<id 7>" stands for a
    token.

    Args:
        model: for the texts of tokens.
        acts: whose corpus is cut.

    `first` and `stop`, int64 [context], are the columns between which the text of each row stands.
    """

    def __init__(self, model: Model, acts: FeatureActivations) -> None:
        self.model, self.acts = model, acts
        self.first = np.argmax(acts.counted, axis=1)
        self.stop = (acts.tokens >= 0).sum(1)
        self._texts: dict[int, list[str]] = {}

    def cut(self, context: int, marked: Iterable[int], first: int | None = None, stop: int | None = None) -> Passage:
        """The columns [first, stop) of one row, by default all of its text, with the columns `marked`."""
        begin, end = int(self.first[context]), int(self.stop[context])
        first = begin if first is None else max(first, begin)
        stop = end if stop is None else min(stop, end)
        texts = self._text(context)
        return Passage(
            tokens=tuple(texts[first - begin : stop - begin]),
            ids=tuple(self.acts.tokens[context, first:stop].tolist()),
            marked=tuple(column - first for column in marked),
            context=context,
            position=first,
        )

    def around(self, context: Sequence[int], position: Sequence[int], side: int | None = None) -> list[Passage]:
        """One passage per activation, its token marked; with `side` tokens on each side, or the whole row."""
        rows, columns = np.asarray(context).tolist(), np.asarray(position).tolist()
        if side is None:
            return [self.cut(c, (p,)) for c, p in zip(rows, columns, strict=True)]
        return [self.cut(c, (p,), p - side, p + side + 1) for c, p in zip(rows, columns, strict=True)]

    def _text(self, context: int) -> list[str]:
        found = self._texts.get(context)
        if found is None:
            ids = self.acts.tokens[context, self.first[context] : self.stop[context]]
            model = self.model
            found = model.token_text(ids) if model.has_tokenizer else model.display(ids)
            self._texts[context] = found
        return found
