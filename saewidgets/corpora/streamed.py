"""The texts of a corpus in one global order, from any place in it on, for any number of ranks."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from saewidgets.corpora.bad import BadText, Tally
from saewidgets.corpora.given import Indexed, Stream
from saewidgets.corpora.order import Permutation
from saewidgets.corpora.shards import Shards
from saewidgets.files import short
from saewidgets.records.arguments import whole

BLOCK_BYTES = 32 << 20  # of texts that are held to be shuffled
_AT_ONCE = 1024  # numbers whose place is computed together
HELP = "mend it, or leave such texts out and have them counted: open_corpus(..., skip_bad=True)"


class Position(NamedTuple):
    """A place in a corpus, from which it goes on: everything before it was given.

    Example:
        >>> Position(epoch=0, sequence=31) < Position(epoch=1, sequence=0)
        True
    """

    epoch: int = 0
    sequence: int = 0  # number of the next text in the epoch's order
    piece: int = 0  # of that text, where it stands in several rows


BEGIN = Position()


@dataclass(frozen=True, eq=False)
class Text:
    """One text, or one row of token ids, and its number in the order of its epoch."""

    epoch: int
    number: int
    value: Any  # a str; or token ids
    shard: int
    item: int  # number of the line or row in its shard, from 0


class StreamedCorpus:
    """A corpus that is never in memory as a whole; made by `open_corpus`.

    `texts(start)` goes through it from any position on. It can be gone through by several at once, but for one over an
    iterator.
    """

    def __init__(
        self,
        source: Shards | Indexed | Stream,
        *,
        shuffle: int,
        seed: int,
        skip_bad: bool,
        spec: Mapping[str, Any] | None,
    ) -> None:
        self.shuffle, self.seed, self.skip_bad = shuffle, seed, skip_bad
        self._source = source
        self._spec = spec
        self._bad = Tally()
        self._warned = 0  # bad texts that were told
        self._lengths: dict[int, int] = {}  # of the shards whose end was seen, in items

    def __repr__(self) -> str:
        if isinstance(self._source, Indexed):
            held = f"{len(self._source):,} texts"
        elif isinstance(self._source, Stream):
            held = "a stream"
        else:
            held = f"{len(self.shards):,} shards"
        return f"StreamedCorpus({held}, seed={self.seed}{f', bad: {self.n_bad:,}' if self.n_bad else ''})"

    @property
    def shards(self) -> tuple[str, ...]:
        """The shards' names, in the order in which they were given."""
        return self._source.names

    @property
    def reusable(self) -> bool:
        """Whether there is a second epoch: not of an iterator."""
        return self._source.reusable

    @property
    def n_bad(self) -> int:
        """Number of texts that were left out so far because they are none, each counted once."""
        return self._bad.n

    @property
    def spec(self) -> dict[str, Any]:
        """What `open_corpus(**spec)` opens again in another process: JSON, and nothing else.

        Raises ValueError for a corpus that is an object of this process.
        """
        if self._spec is None:
            raise ValueError(
                "this corpus is an object of this process, and another one cannot open it: write it to shards, such as .jsonl, "
                "and give their paths to open_corpus"
            )
        return {**self._spec, "shuffle": self.shuffle, "seed": self.seed, "skip_bad": self.skip_bad}

    # -- the order ---------------------------------------------------------------------------------------------------

    def texts(
        self,
        start: Position = BEGIN,
        *,
        rank: int = 0,
        ranks: int = 1,
        epochs: int | None = None,
        look: bool = False,
    ) -> Iterator[Text]:
        """The texts of one rank from a position on: in each epoch those of the numbers rank, rank + ranks, ...

        Every text comes once an epoch, at one rank. Bad ones keep their number.

        Args:
            start: the first text is the first of this rank's that is not before it.
            rank: from 0 to `ranks` - 1.
            ranks: how many share the corpus.
            epochs: the epoch that is not begun any more; None goes on for ever.
            look: of an iterator, which lasts for one epoch, keep what is read here: it will come again.

        Raises LoadError (of shards) or ValueError for a bad text, unless `skip_bad`; ValueError where an epoch holds no
        text for this rank, and where an iterator is asked for a second epoch.

        Example:
            >>> from saewidgets.corpora import open_corpus
            >>> [t.value for t in open_corpus(list("abc"), shuffle=0).texts(Position(0, 1), epochs=1)]
            ['b', 'c']
        """
        ranks = whole(ranks, "ranks", minimum=1)
        rank = whole(rank, "rank", minimum=0, maximum=ranks - 1)
        return self._texts(start, rank, ranks, epochs, look)

    def _texts(self, start: Position, rank: int, ranks: int, epochs: int | None, look: bool) -> Iterator[Text]:
        epoch, sequence = start.epoch, start.sequence
        while epochs is None or epoch < epochs:
            found = 0
            for number, shard, item, raw in self._numbered(epoch, sequence, rank, ranks, look):
                text = self._read(epoch, number, shard, item, raw)
                if text is not None:
                    found += 1
                    yield text
            if self.n_bad > self._warned:
                self._warned = self.n_bad
                warnings.warn(f"after epoch {epoch}: {self._bad}", stacklevel=2)
            if not found and not sequence:
                whose = f" for rank {rank} of {ranks}" if ranks > 1 else ""
                raise ValueError(f"the corpus has no text{whose}{f': {self._bad}' if self.n_bad else ''}")
            epoch, sequence = epoch + 1, 0

    def _numbered(
        self, epoch: int, first: int, rank: int, ranks: int, look: bool
    ) -> Iterator[tuple[int, int, int, Any]]:
        """(number, shard, item, what stands there) of a rank's texts of one epoch, from number `first` on."""
        if isinstance(self._source, Indexed):
            yield from self._by_index(self._source, epoch, first + (rank - first) % ranks, ranks)
            return
        n = 0  # number of a shard's or block's first text
        for shard in self._shard_order(epoch):
            length = self._length(shard)
            if length is not None and n + length <= first:
                n += length
                continue
            items, block = 0, 0
            for raws in self._blocks(self._source, shard, look):
                if n + len(raws) > first:
                    order = self._order_of(len(raws), epoch, shard, block)
                    begin = max(n, first)
                    for number in range(begin + (rank - begin) % ranks, n + len(raws), ranks):
                        at = order[number - n]
                        yield number, shard, items + at, raws[at]
                n, items, block = n + len(raws), items + len(raws), block + 1
            self._lengths[shard] = items

    def _by_index(self, source: Indexed, epoch: int, first: int, ranks: int) -> Iterator[tuple[int, int, int, Any]]:
        n = len(source)
        order = Permutation(n, self.seed, epoch) if self.shuffle > 1 else None
        for begin in range(first, n, _AT_ONCE * ranks):
            numbers = np.arange(begin, min(n, begin + _AT_ONCE * ranks), ranks)
            for number, at in zip(
                numbers.tolist(), (numbers if order is None else order(numbers)).tolist(), strict=True
            ):
                yield number, 0, at, source[at]

    def _shard_order(self, epoch: int) -> list[int]:
        n = len(self._source.names)
        if self.shuffle < 2:
            return list(range(n))
        return np.random.default_rng([self.seed, epoch]).permutation(n).tolist()  # type: ignore[no-any-return]

    def _order_of(self, n: int, epoch: int, shard: int, block: int) -> list[int] | range:
        if n < 2:
            return range(n)
        return np.random.default_rng([self.seed, epoch, shard, block]).permutation(n).tolist()  # type: ignore[no-any-return]

    def _blocks(self, source: Shards | Stream, shard: int, look: bool) -> Iterator[list[Any]]:
        """A shard's items in blocks that are shuffled: each as many as `shuffle`, or as fit in `BLOCK_BYTES`."""
        most = max(1, self.shuffle)
        block: list[Any] = []
        held = 0
        for item in source.items(shard, look=look) if isinstance(source, Stream) else source.items(shard):
            block.append(item)
            held += source.size(item)
            if len(block) >= most or held >= BLOCK_BYTES:
                yield block
                block, held = [], 0
        if block:
            yield block

    def _length(self, shard: int) -> int | None:
        if shard not in self._lengths:
            assert not isinstance(self._source, Indexed)
            found = self._source.length(shard)
            if found is None:
                return None
            self._lengths[shard] = found
        return self._lengths[shard]

    # -- texts that are none -----------------------------------------------------------------------------------------

    def _read(self, epoch: int, number: int, shard: int, item: int, raw: Any) -> Text | None:
        try:
            value = self._source.value(shard, raw, item)
        except BadText as error:
            self.refuse(shard, item, str(error))
            return None
        return None if value is None else Text(epoch, number, value, shard, item)

    def refuse(self, shard: int, item: int, said: str) -> None:
        """What is done with a bad text: it is counted, or what is wrong with it is raised, with the place."""
        if not self.skip_bad:
            raise self._source.error(shard, item, f"{said}; {HELP}")
        where = f"{self.shards[shard]} " if isinstance(self._source, Shards) else ""
        self._bad.add(shard, item, f"{where}{self._source.place(shard, item)} {said}")

    # -- where one stands --------------------------------------------------------------------------------------------

    def state(self, position: Position) -> dict[str, Any]:
        """A position as JSON, with what is needed to find it quickly and to know another corpus from this one.

        It takes some bytes a shard, however many texts there are.
        """
        lengths = [self._lengths.get(shard, -1) for shard in range(len(self.shards))]
        return {"position": list(position), "order": self.fingerprint, "lengths": lengths}

    def position(self, state: Mapping[str, Any]) -> Position:
        """The position of a state that `state` made. Raises ValueError where it is one of another order."""
        try:
            position, order, lengths = state["position"], state["order"], state["lengths"]
            found = Position(*(whole(v, "position", minimum=0) for v in position))
            known = {n: whole(v, "lengths", minimum=0) for n, v in enumerate(lengths) if v != -1}
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not the state of a corpus: {type(error).__name__}: {short(str(error))}") from error
        if order != self.fingerprint:
            raise ValueError(
                "the state is one of another corpus, or of another order of it: open the same shards, in the same order, with the "
                "same field, shuffle and seed"
            )
        self._lengths |= known
        return found

    @property
    def fingerprint(self) -> str:
        """What the order depends on, in 16 hexadecimal digits: the shards' names, but not their folders, which other machines
        may have elsewhere; the number of items, where there is an index; field, shuffle and seed.
        """
        size = len(self._source) if isinstance(self._source, Indexed) else 0
        text = repr(
            (tuple(os.path.basename(name) for name in self.shards), self._source._field, size, self.shuffle, self.seed)
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]
