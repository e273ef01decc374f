"""A stream of activation batches over a corpus that does not fit in memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from saewidgets.activations.groups import NONE, Group, group_activations, groups
from saewidgets.activations.measured import with_outliers
from saewidgets.activations.store import ActivationStore
from saewidgets.corpora import Position, StreamedCorpus
from saewidgets.files import short
from saewidgets.models import Long, Model
from saewidgets.models.streams import RowStream
from saewidgets.models.threads import check_threads
from saewidgets.records import ActivationSite
from saewidgets.records.arguments import whole
from saewidgets.sae import above


class Mark(NamedTuple):
    """Where a buffer begins: how many rows of activations came before it, and its first text."""

    row: int
    position: Position


class StreamedStore(ActivationStore, of=StreamedCorpus):
    """`ActivationStore` over what `sw.open_corpus` gives: memory holds one buffer, however large the corpus is.

    The texts come in the corpus's order. Rows of them are read until their tokens fill the buffer, or the epoch ends, and
    the activations of the buffer are permuted by `seed`: every counted token comes once an epoch. Texts are read and made
    tokens in a thread of their own while the model works. `batches(start)` gives what it would have been; where it begins
    in the corpus is known for batches that were given before, or from a state, and otherwise found by going through
    the corpus from its beginning.

    Of several ranks each reads texts of its own, fills a buffer of its own, and gives batch_size / ranks rows. What a
    batch holds therefore depends on the number of ranks; scale and bound do not.

    Example:
        >>> corpus = sw.open_corpus("data/*.jsonl.zst", seed=0)  # doctest: +SKIP
        >>> store = sw.ActivationStore(model, sw.site(model, "blocks.2.hook_resid_post"), corpus)  # doctest: +SKIP
    """

    def __init__(
        self,
        model: Model | nn.Module,
        site: ActivationSite,
        texts: Any,
        *,
        batch_size: int = 4096,
        seed: int = 0,
        buffer_tokens: int = 1 << 18,
        epochs: int | None = None,
        include_special: bool = False,
        normalize: bool = True,
        device: str | torch.device | None = None,
        long: Long = "split",
        outliers: str | float = "leave out",
        pack: bool = False,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self._given_site = with_outliers(site, outliers)
        self._seeks_bound = outliers == "leave out" and site.max_norm is None
        self._normalize = normalize
        self.model = Model.wrap(model)
        self._sizes(batch_size, seed, buffer_tokens, epochs)
        self._share(rank, ranks)
        self.device = torch.device(self.model.device if device is None else device)
        self.corpus: StreamedCorpus = texts
        self._stream = RowStream(self.model, texts, long=long, pack=pack, rank=self.rank, ranks=self.ranks)
        self._first = RowStream(self.model, texts, long=long, pack=pack)  # of all ranks together, to measure on
        self._include_special = include_special
        check_threads()
        self._marks = [Mark(0, Position())]  # of the buffers whose beginning is known, ascending
        self._next = 0  # number of the batch that the last iterator gives next
        self._looked_to, self._left_out = 0, 0

    @property
    def n_tokens(self) -> NoReturn:  # type: ignore[override]
        """Not known before the corpus was gone through: raises ValueError."""
        raise ValueError("how many tokens a streamed corpus has is not known before all of it was read")

    @property
    def left_out(self) -> int:
        """Tokens of outlying norm that were not given, of all that were read so far."""
        return self._left_out

    n_split = property(lambda self: self._stream.n_split, doc="Texts that stand in several rows, so far.")
    n_cut = property(lambda self: self._stream.n_cut, doc="Texts whose end was left out, so far.")
    n_packed = property(lambda self: self._stream.n_packed, doc="Texts that share a row, so far.")

    def __repr__(self) -> str:
        share = f", rank {self.rank} of {self.ranks}" if self.ranks > 1 else ""
        out = f", tokens left out: {self.left_out:,}" if self.left_out else ""
        return f"StreamedStore({self.corpus} at {self._given_site.hook_name}{share}{out})"

    def cache(self, path: str | Path, **options: Any) -> NoReturn:
        """Not of a streamed corpus: raises TypeError, with what writes one to disk."""
        raise TypeError(
            f"a streamed corpus is written by sw.harvest(model, site, corpus, {str(path)!r}), which can go on"
        )

    # -- the stream --------------------------------------------------------------------------------------------------

    def batches(self, start: int = 0) -> Iterator[Tensor]:
        """Batches [batch_size / ranks, d_in] from number `start` on."""
        return self._from(whole(start, "start", minimum=0))

    def _from(self, start: int) -> Iterator[Tensor]:
        if not self.corpus.reusable:
            _ = self.site  # an iterator's beginning can be looked at before it is gone through, not after
        bound, size = self._bound, self.batch_size // self.ranks
        mark = self._mark_before(start * size)
        row, skip, self._next = mark.row, start * size - mark.row, start
        parts: list[Tensor] = []
        missing, last = size, mark.position.epoch  # the last epoch that gave a row
        with closing(self._stream.rows(mark.position, epochs=self.epochs)) as rows:
            for group in groups(rows, self.buffer_tokens, self._include_special):
                self._note(row, group.at)
                if bound is None and skip >= group.n:
                    row, skip, last = row + group.n, skip - group.n, group.at.epoch
                    continue
                buffer, order = self._filled(group, row)
                row += len(order)
                if len(order):
                    last = group.at.epoch
                elif group.at.epoch > last + 1:
                    raise ValueError(f"every token's activation is longer than {bound:g}: none is left")
                while skip < len(order):
                    take = order[skip : skip + missing]
                    parts.append(buffer[take.to(self.device)])
                    skip, missing = skip + len(take), missing - len(take)
                    if not missing:
                        self._next += 1
                        yield parts[0] if len(parts) == 1 else torch.cat(parts)
                        parts, missing = [], size
                skip -= len(order)
                del buffer  # before the next one is made
        if parts:
            self._next += 1
            yield torch.cat(parts)
        elif row == 0:
            raise ValueError(NONE)

    def _filled(self, group: Group, row: int) -> tuple[Tensor, Tensor]:
        """(activations [n, d_in] of a group, the rows of them that count in the order in which they come)."""
        assert self.model is not None
        buffer = group_activations(self.model, self._given_site, group, self.device, self._readers)
        order = torch.from_numpy(np.random.default_rng([self.seed, *group.at]).permutation(group.n))
        if self._bound is None:
            return buffer, order
        kept = ~above(buffer, self._bound).cpu()
        order = order[kept[order]]
        if row >= self._looked_to:  # read for the first time
            self._looked_to = row + len(order)
            self._left_out += group.n - len(order)
        return buffer, order

    def _sample(self, n_tokens: int) -> Iterator[Tensor]:
        """Activations of the first `n_tokens` tokens of the first epoch, of whichever rank, none left out."""
        assert self.model is not None
        seen = 0
        with closing(self._first.rows(epochs=1, look=True)) as rows:
            for group in groups(rows, min(n_tokens, self.buffer_tokens), self._include_special):
                found = group_activations(self.model, self._given_site, group, self.device, self._readers)
                found = found[: n_tokens - seen]
                seen += len(found)
                yield found
                if seen >= n_tokens:
                    break
        if not seen:
            raise ValueError(NONE)

    # -- where one stands --------------------------------------------------------------------------------------------

    def _note(self, row: int, position: Position) -> None:
        at = bisect_right(self._marks, row, key=lambda mark: mark.row)
        if self._marks[at - 1].row != row:
            self._marks.insert(at, Mark(row, position))

    def _mark_before(self, row: int) -> Mark:
        at = bisect_right(self._marks, row, key=lambda mark: mark.row)
        if not at:
            raise ValueError(
                f"this store goes on from batch {self._marks[0].row // (self.batch_size // self.ranks):,}, as the state that it was "
                "given says; make a new one to begin before that"
            )
        return self._marks[at - 1]

    def state_dict(self, batch: int | None = None) -> dict[str, Any]:
        """Where the stream stands, as JSON: some hundred bytes and a number for each shard.

        Args:
            batch: the number of the next batch; None: of the one that the last iterator gives next.

        Example:
            >>> store.load_state_dict(state)  # doctest: +SKIP
            >>> batches = store.batches(state["batch"])  # doctest: +SKIP
        """
        batch = self._next if batch is None else whole(batch, "batch", minimum=0)
        mark = self._mark_before(batch * (self.batch_size // self.ranks))
        return {
            "batch": batch,
            "row": mark.row,
            "corpus": self.corpus.state(mark.position),
            "site": self.site.to_dict(),
            **self._settings,
        }

    @property
    def spec(self) -> dict[str, Any]:
        """What another process makes the same store of, beside model, site and sizes: the corpus, and how it is read. JSON.

        Raises ValueError, with what to type, for a corpus that no other process can open, and for one rank's part.
        """
        if self.ranks > 1:
            raise ValueError(f"this store is rank {self.rank}'s part of {self.ranks}; give one without rank and ranks")
        names = ("include_special", "long", "pack")
        return {"corpus": self.corpus.spec, **{name: self._settings[name] for name in names}}

    @property
    def _settings(self) -> dict[str, Any]:
        names = ("batch_size", "seed", "buffer_tokens", "rank", "ranks")
        return {name: getattr(self, name) for name in names} | {
            "include_special": self._include_special,
            "long": self._stream.long,
            "pack": self._stream.between is not None,
        }

    def load_state_dict(self, state: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
        """Be where a store stood when `state_dict` was asked; `batches(state["batch"])` goes on from there.

        Args:
            state: this rank's; then all batches are those that would have come. Or a list of all ranks' states, which any
                other number of ranks may take: they go on where the furthest behind of them began its buffer, so no
                text is left out, and what others gave after that, at most their buffers, comes again.

        Raises ValueError for a state of another corpus, order or site, or of another rank.
        """
        states = [state] if isinstance(state, Mapping) else list(state)
        try:
            own = [one for one in states if (one["rank"], one["ranks"]) == (self.rank, self.ranks)]
            if len(states) == 1 and not own:
                raise ValueError(
                    f"it is that of rank {states[0]['rank']} of {states[0]['ranks']}, and this is {self.rank} of {self.ranks}: "
                    "give the states of all of them, in a list"
                )
            positions = [self.corpus.position(one["corpus"]) for one in states]
            site = ActivationSite.from_dict(states[0]["site"])
            self._check_state(states, site)
            size = self.batch_size // self.ranks
            if own:
                mark = Mark(whole(own[0]["row"], "row", minimum=0), positions[states.index(own[0])])
                self._note(*mark)
            else:
                batch = max(whole(one["batch"], "batch", minimum=0) for one in states)
                self._marks = [Mark(batch * size, min(positions)._replace(piece=0))]
            self._next = whole((own or states)[0]["batch"], "batch", minimum=0)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not the state of a store: {type(error).__name__}: {short(str(error))}") from error
        self.__dict__["site"], self.__dict__["_bound"] = site, site.max_norm

    def _check_state(self, states: Sequence[Mapping[str, Any]], site: ActivationSite) -> None:
        given = self._given_site
        if (site.hook_name, site.model_name, site.d_in) != (given.hook_name, given.model_name, given.d_in):
            raise ValueError(
                f"the state is of {site.model_name} at {site.hook_name}, not of {given.model_name} at {given.hook_name}"
            )
        if len(states) > 1 and sorted(one["rank"] for one in states) != list(range(states[0]["ranks"])):
            raise ValueError(f"{len(states)} states were given, not one of each of {states[0]['ranks']} ranks")
        for name, value in self._settings.items():
            if name not in ("rank", "ranks") and any(one[name] != value for one in states):
                raise ValueError(f"the state is one of {name} = {states[0][name]}, and this store has {value}")
