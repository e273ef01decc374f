"""Rows of token ids out of a corpus that does not fit in memory, made ahead of the model that reads them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from saewidgets.corpora import BEGIN, Position, StreamedCorpus, Text, ahead
from saewidgets.files import unknown
from saewidgets.models.corpora import Long, counted_tokens, ids_of, joined, pieces_of, separator
from saewidgets.models.model import Model
from saewidgets.records.arguments import whole

AHEAD = 1 << 17  # tokens that wait at most


@dataclass(frozen=True, eq=False)
class Row:
    """One row of token ids of a streamed corpus."""

    ids: np.ndarray  # int32 [pos], no longer than the context
    counted: np.ndarray  # bool [pos], as in `CorpusRows`
    at: Position  # of its first text, and the piece of it
    after: Position  # from which the same rank goes on


class RowStream:
    """The rows of one rank of a corpus, split or packed as `read_corpus` has them, from any position on.

    Args:
        model: makes tokens of texts.
        corpus: from `open_corpus`.
        long: as for `read_corpus`.
        pack: put successive texts of the rank together, as `packed` does; so the rows depend on the number of ranks. Texts
            of two epochs do not share a row.
        rank: from 0 on.
        ranks: how many share the corpus.
        until: the number of the first text that is not read, in every epoch; None: all are.
        begun: the first piece that is to be read of the text of a number, None for none: for what others read already.

    `n_split`, `n_cut` and `n_packed` count texts of what was made so far.

    Example:
        >>> stream = RowStream(load_model(), open_corpus(["The cat", "sat"], shuffle=0))
        >>> [row.at.sequence for row in stream.rows(epochs=1)]
        [0, 1]
    """

    def __init__(
        self,
        model: Model,
        corpus: StreamedCorpus,
        *,
        long: Long = "split",
        pack: bool = False,
        rank: int = 0,
        ranks: int = 1,
        until: int | None = None,
        begun: Callable[[int], int | None] | None = None,
    ) -> None:
        if long not in get_args(Long):
            raise ValueError(unknown("way with long texts", long, get_args(Long)))
        self.model, self.corpus, self.long = model, corpus, long
        self.ranks = whole(ranks, "ranks", minimum=1)
        self.rank = whole(rank, "rank", minimum=0, maximum=self.ranks - 1)
        self._until, self._begun = until, begun
        self.between = separator(model) if pack else None
        self.n_split = self.n_cut = self.n_packed = 0

    def rows(
        self, start: Position = BEGIN, *, epochs: int | None = None, look: bool = False
    ) -> Generator[Row, None, None]:
        """Rows from a position on, made in a thread of its own while the caller works: it is up to 131,072 tokens ahead.

        `start` is the `at` or the `after` of a row, or the beginning of a text. `epochs` is the one that is not begun, `look`
        as for `StreamedCorpus.texts`. To close what is returned ends the thread.
        Raises what `StreamedCorpus.texts` does, and the same way for a text that cannot be made tokens.
        """
        return ahead(lambda: self._rows(start, epochs, look), AHEAD, lambda row: len(row.ids))

    def _rows(self, start: Position, epochs: int | None, look: bool) -> Iterator[Row]:
        epoch = start.epoch
        while epochs is None or epoch < epochs:
            first = start if epoch == start.epoch else Position(epoch)
            found = self._pieces(first, look)
            if self.between is None:
                yield from (self._row([names], ids) for names, ids in found)
            else:
                for names, ids in joined(found, self.between, self.model.n_ctx):
                    self.n_packed += len(names) if len(names) > 1 else 0
                    yield self._row(names, ids)
            epoch += 1

    def _row(self, names: list[tuple[Position, Position]], ids: np.ndarray) -> Row:
        counted = counted_tokens(self.model, ids[None])[0]
        if self.between is not None:
            counted &= ids != self.between
        return Row(ids, counted, names[0][0], names[-1][1])

    def _pieces(self, start: Position, look: bool) -> Iterator[tuple[tuple[Position, Position], np.ndarray]]:
        """((its place, the place after it), ids) of each piece of one epoch."""
        until = start.epoch + 1
        for text in self.corpus.texts(start, rank=self.rank, ranks=self.ranks, epochs=until, look=look):
            if self._until is not None and text.number >= self._until:
                return
            first = start.piece if text.number == start.sequence else 0
            if self._begun is not None:
                begun = self._begun(text.number)
                if begun is None:
                    continue
                first = max(first, begun)
            made = self._made(text)
            for k in range(first, len(made)):
                last = k + 1 == len(made)
                after = (text.number + self.ranks, 0) if last else (text.number, k + 1)
                yield (Position(text.epoch, text.number, k), Position(text.epoch, *after)), made[k]

    def _made(self, text: Text) -> list[np.ndarray]:
        """The pieces of a text; none where it is no text and such are left out."""
        try:
            ids: Any = ids_of(self.model, text.value)
            if not (ids >= 0).any():
                raise ValueError("it has no tokens")
            made, cut = pieces_of(self.model, ids, self.long)
        except (ValueError, TypeError) as error:
            self.corpus.refuse(text.shard, text.item, f"cannot be read by the model: {error}")
            return []
        self.n_cut += cut
        self.n_split += len(made) > 1
        return made
