"""A seeded, shuffled stream of activation batches at one site of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from saewidgets.activations.cache import DTYPES, SHARD_BYTES, Cache, read_manifest
from saewidgets.activations.measured import Measured, with_outliers
from saewidgets.activations.rows import harvest, length_sorted
from saewidgets.activations.writing import as_tensor, write_store
from saewidgets.bars import bar, muted
from saewidgets.files import unknown
from saewidgets.models import Long, Model, read_corpus
from saewidgets.models.threads import check_threads
from saewidgets.ranks import ALONE, Ranks
from saewidgets.records import ActivationSite
from saewidgets.sae import above


class ActivationStore(Measured):
    """Batches of activations at one site, in model units, shuffled across documents.

    Each epoch permutes the documents, reads them a buffer at a time, and permutes the rows of each buffer: every
    counted token comes once an epoch. The order depends on `seed` alone, so `batches(start=n)` gives what the n-th
    batch and all later ones would have been. A corpus that fits in the buffer is run through the model once. The global
    random state is not touched.

    Args:
        model: a `Model`, or a TransformerLens model.
        site: from `sw.site(model, hook_name)`.
        texts: what `models.read_corpus` takes: texts, a `Corpus`, or rows of token ids; or, of any size, what
            `sw.open_corpus` gives: the store is then a `StreamedStore`, whose order is told there.
        batch_size: rows of one batch, of all ranks together.
        seed: of the order, 0 or more.
        buffer_tokens: activations held in memory; with d_in = 160, 2**18 of them take 168 MB.
        epochs: None goes on for ever; otherwise the last batch may be smaller.
        include_special: whether the beginning-of-text token counts too.
        normalize: measure the site's scale when it is first asked for, unless the given site has one already.
        device: where the batches are wanted; None: where the model is.
        long: what is done with a text longer than the model's context: "split" in rows, "cut", or "refuse".
            `n_split` and `n_cut` count them.
        outliers: "leave out" tokens whose activation is many times longer than the others', as attention sinks are (at
            SmolLM2's layer 12 the first word of a text has a norm of 25,000 where others have 140): those above
            `sae.norm_bound` of the first 65,536 tokens, or above the given site's own `max_norm`; "keep" them; or the
            largest norm that counts, in model units. `site.max_norm` says it, so that whatever reads with the SAE does
            the same, and `left_out` counts them.
        pack: put short texts together in rows of up to the model's context, a beginning-of-text token between them. A
            token then sees the texts before its own in the row; `n_packed` counts the texts that share one.
        rank, ranks: give rank `rank`'s part of each batch, of `ranks` that share it; together they are the batches of
            one. Each reads the whole corpus, where that is in memory, and only its own texts of a streamed one.

    Raises ValueError for an empty corpus or sizes that cannot be, TypeError for what is no corpus.

    Example:
        >>> store = ActivationStore(model, sw.site(model, "blocks.2.hook_resid_post"), texts)
        >>> next(iter(store)).shape
        torch.Size([4096, 160])
    """

    _OF: ClassVar[dict[type, type[ActivationStore]]] = {}  # class of a corpus -> the store that reads it
    _ON_DISK: ClassVar[dict[int, Callable[..., ActivationStore]]] = {}  # format of a manifest -> what opens its folder
    _readers: Ranks = ALONE  # the processes that fill the buffer together
    _cache: Cache | None = None  # what is read where there is no model

    def __init_subclass__(cls, *, of: type | None = None, manifest: int | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        if of is not None:
            ActivationStore._OF[of] = cls
        if manifest is not None:
            ActivationStore._ON_DISK[manifest] = cls

    def __new__(cls, *given: Any, **options: Any) -> ActivationStore:
        """The store that reads such a corpus."""
        texts = given[2] if len(given) > 2 else options.get("texts")
        return super().__new__(ActivationStore._OF.get(type(texts), cls) if cls is ActivationStore else cls)

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
        given = with_outliers(site, outliers)
        self.model: Model | None = Model.wrap(model)
        model = self.model
        found = read_corpus(model, texts, long, pack=pack)
        check_threads()
        rows = found.rows
        wanted = rows >= 0 if include_special else found.counted
        self._normalize = normalize
        self._begin(
            given, rows, wanted, batch_size, seed, buffer_tokens, epochs, model.device if device is None else device
        )
        self._share(rank, ranks)
        self.n_split, self.n_cut, self.n_packed = found.n_split, found.n_cut, found.n_packed
        self._seeks_bound = outliers == "leave out" and site.max_norm is None

    def _begin(
        self,
        site: ActivationSite,
        rows: np.ndarray,
        wanted: np.ndarray,
        batch_size: int,
        seed: int,
        buffer_tokens: int,
        epochs: int | None,
        device: str | torch.device,
    ) -> None:
        """What a store over a model and one over a file have in common."""
        self.n_split = self.n_cut = self.n_packed = 0  # of texts; a cache holds rows, and knows of none
        self._seeks_bound = False
        self._sizes(batch_size, seed, buffer_tokens, epochs)
        self._share(0, 1)
        self.device = torch.device(device)
        self._given_site = site
        self._rows, self._wanted = rows, wanted
        self._tokens_of = self._wanted.sum(1)  # [document]
        self.n_tokens = int(self._tokens_of.sum())  # rows of one epoch
        if not self.n_tokens:
            raise ValueError("the corpus has no tokens besides special ones")
        self._outlying = np.full(len(rows), -1)  # [document], tokens that are left out; -1: not read yet
        self._kept = torch.empty(0, dtype=torch.bool)  # of the buffer's rows, once its norms were looked at
        self._looked = False
        self._held: np.ndarray | None = None  # the documents whose rows are in the buffer
        self._buffer = torch.empty(0, dtype=torch.float32)

    @property
    def left_out(self) -> int:
        """Tokens of outlying norm that were not given: of what has been read so far, at most an epoch."""
        return int(self._outlying[self._outlying > 0].sum())

    def __repr__(self) -> str:
        said = (self.n_split, "texts split"), (self.n_cut, "texts cut"), (self.n_packed, "texts packed")
        long = "".join(f", {word}: {n:,}" for n, word in (*said, (self.left_out, "tokens left out")) if n)
        return f"ActivationStore({self.n_tokens:,} tokens in {len(self._rows):,} rows at {self._given_site.hook_name}{long})"

    # -- on disk -----------------------------------------------------------------------------------------------------

    @classmethod
    def from_disk(
        cls,
        path: str | Path,
        *,
        batch_size: int = 4096,
        seed: int = 0,
        buffer_tokens: int = 1 << 18,
        epochs: int | None = None,
        device: str | torch.device = "cpu",
        verify: bool = True,
        rank: int = 0,
        ranks: int = 1,
    ) -> ActivationStore:
        """The stream over activations that `cache` or `sw.harvest` wrote: no model is needed, and none is run.

        The order of a cache is that of a store over the model with the same sizes and seed, batch by batch; that of a
        harvest is told at `HarvestedStore`. Values of a float32
        cache are its values, too; those of float16 and bfloat16 are rounded to that type. `model` is None.

        Args:
            verify: hash every byte first (about a second a gigabyte); sizes are checked in any case.
            rank, ranks: as for `ActivationStore`.

        Raises LoadError for a folder that does not hold a whole cache.

        Example:
            >>> store = ActivationStore.from_disk("cache", batch_size=2048)  # doctest: +SKIP
        """
        kind, manifest = read_manifest(path)
        if kind in ActivationStore._ON_DISK:
            sizes = {"batch_size": batch_size, "seed": seed, "buffer_tokens": buffer_tokens, "epochs": epochs}
            shared = {"device": device, "verify": verify, "rank": rank, "ranks": ranks}
            return ActivationStore._ON_DISK[kind](Path(path), manifest, **sizes, **shared)
        store = cls.__new__(cls)
        cache = Cache(path, verify=verify)
        store.model, store._cache, store._normalize = None, cache, False
        store._begin(cache.site, cache.tokens, cache.wanted, batch_size, seed, buffer_tokens, epochs, device)
        store._outlying = (cache.wanted & ~cache.kept).sum(1)
        store._share(rank, ranks)
        return store

    def cache(
        self, path: str | Path, *, dtype: str = "float32", shard_bytes: int = SHARD_BYTES, progress: bool = True
    ) -> ActivationStore:
        """Write the activations of one epoch to the new folder `path`, and give a store that reads them from there.

        The folder appears whole or not at all. A corpus that fits in the buffer is run through the model once, here or
        before. The site is written with its scale, measured as `site` has it.

        Args:
            dtype: "float32", or "bfloat16" or "float16" at half the size.
            shard_bytes: about the size of one file.
            progress: show bars, where reading or writing takes more than half a second.

        Raises:
            FileExistsError: if `path` is there. OSError: if the disk is full. ValueError: for an activation that is not
                finite in `dtype`. Nothing is left behind.

        Example:
            >>> store = ActivationStore(model, site, texts).cache("cache", dtype="bfloat16")  # doctest: +SKIP
        """
        if dtype not in DTYPES:
            raise ValueError(unknown("dtype", dtype, DTYPES))
        if Path(path).exists():  # before hours of work
            raise FileExistsError(f"{path} is there already; choose another name, or remove it first")
        with muted(not progress):
            self._write(path, dtype, shard_bytes)
        return type(self).from_disk(
            path,
            batch_size=self.batch_size,
            seed=self.seed,
            buffer_tokens=self.buffer_tokens,
            epochs=self.epochs,
            device=self.device,
            verify=False,
            rank=self.rank,
            ranks=self.ranks,
        )

    def _write(self, path: str | Path, dtype: str, shard_bytes: int) -> None:
        """The folder that `cache` makes."""
        fits = self.n_tokens <= self.buffer_tokens
        if fits or (self._normalize and self._given_site.scale == 1.0):
            first = next(self._groups(0))  # all of them, or those that the scale is measured on
            with bar(int(self._tokens_of[first].sum()), "reading activations", "tokens") as advance:
                self._fill(first, advance)
        site = self.site  # measured before anything is written
        docs = np.flatnonzero(self._tokens_of)
        write_store(
            path,
            [self._fill(docs)] if fits else self._read(docs),
            order=np.concatenate(self._passes(docs)),  # as they are read
            rows=self._rows,
            wanted=self._wanted,
            site=site,
            dtype=dtype,
            shard_bytes=shard_bytes,
        )

    def _passes(self, docs: np.ndarray) -> list[np.ndarray]:
        """The documents of each forward pass of `harvest`, in its order."""
        return [docs[own] for own in length_sorted(self._rows[docs], np.any(self._wanted[docs], axis=1))]

    def _read(self, docs: np.ndarray) -> Iterator[Tensor]:
        """Activations of some documents, a forward pass at a time: from the model, or from disk in the same order."""
        if self._cache is None:
            assert self.model is not None
            found = harvest(self.model, self._given_site.hook_name, self._rows[docs], self._wanted[docs])
            yield from (acts for _, _, acts in found)
            return
        for own in self._passes(docs):
            rows = [self._cache.rows(int(self._cache.start[doc]), int(self._tokens_of[doc])) for doc in own]
            yield as_tensor(np.concatenate(rows), self._cache.dtype)

    def _read_together(self, docs: np.ndarray) -> Iterator[Tensor]:
        """The same, where several processes read: each runs the model on every so-manieth pass, and all get all of them."""
        ranks, passes = self._readers, self._passes(docs)
        for first in range(0, len(passes), ranks.size):
            round_of = passes[first : first + ranks.size]
            own = torch.cat(list(self._read(round_of[ranks.rank]))) if ranks.rank < len(round_of) else None
            for source, read in enumerate(round_of):
                shape = int(self._tokens_of[read].sum()), self._given_site.d_in
                acts = torch.empty(shape, dtype=torch.float32, device=self.device)
                if own is not None and source == ranks.rank:
                    acts.copy_(own)
                ranks.same([acts], source)
                yield acts

    # -- the stream --------------------------------------------------------------------------------------------------

    def _sample(self, n_tokens: int) -> Iterator[Tensor]:
        """Activations of the first `n_tokens` tokens of the first epoch, none left out, a buffer at a time."""
        seen = 0
        for docs in self._groups(0):
            rows = self._fill(docs)[: n_tokens - seen]
            seen += len(rows)
            yield rows
            if seen >= n_tokens:
                break

    def batches(self, start: int = 0) -> Iterator[Tensor]:
        """Batches [batch_size / ranks, d_in] from number `start` on, without computing those before.

        Where tokens are left out, what was not read before is read once, to know how many rows it gives.
        """
        whole_batches = self._batches(start)
        if self.ranks == 1:
            return whole_batches
        return (torch.tensor_split(batch, self.ranks)[self.rank] for batch in whole_batches)

    def _batches(self, start: int) -> Iterator[Tensor]:
        epoch, row = 0, start * self.batch_size
        if self._bound is None or not (self._outlying[self._tokens_of > 0] < 0).any():
            epoch, row = divmod(row, max(1, self.n_tokens - self.left_out))
        parts: list[Tensor] = []
        missing = self.batch_size
        while self.epochs is None or epoch < self.epochs:
            given = 0
            for group, docs in enumerate(self._groups(epoch)):
                n = self._rows_of(docs) if row else None
                if n is not None and row >= n:
                    row -= n
                    given += n
                    continue
                order = torch.from_numpy(
                    np.random.default_rng([self.seed, epoch, group]).permutation(int(self._tokens_of[docs].sum()))
                )
                if self._bound is not None:
                    self._fill(docs)
                    order = order[self._kept[order]]
                n = len(order)
                given += n
                while row < n:
                    take = order[row : row + missing]
                    # Asked for at each batch, since another iterator of this store may have refilled the buffer.
                    parts.append(self._fill(docs)[take.to(self.device)])
                    row += len(take)
                    missing -= len(take)
                    if not missing:
                        yield parts[0] if len(parts) == 1 else torch.cat(parts)
                        parts, missing = [], self.batch_size
                row = 0
            if not given:
                raise ValueError(f"every token's activation is longer than {self._bound:g}: none is left")
            epoch += 1
        if parts:
            yield torch.cat(parts)

    def _rows_of(self, docs: np.ndarray) -> int:
        """How many rows some documents give, those left out not among them."""
        n = int(self._tokens_of[docs].sum())
        if self._bound is None:
            return n
        if (self._outlying[docs] < 0).any():
            self._fill(docs)
        return n - int(self._outlying[docs].sum())

    def _groups(self, epoch: int) -> Iterator[np.ndarray]:
        """The documents of each buffer of an epoch, ascending within one."""
        docs = np.flatnonzero(self._tokens_of)
        docs = np.random.default_rng([self.seed, epoch]).permutation(docs)
        ends = np.cumsum(self._tokens_of[docs])
        first = before = 0
        while first < len(docs):
            last = max(first + 1, int(np.searchsorted(ends, before + self.buffer_tokens, side="right")))
            yield np.sort(docs[first:last])
            first, before = last, ends[last - 1]

    def _fill(self, docs: np.ndarray, advance: Callable[[int], None] | None = None) -> Tensor:
        """Activations [tokens of docs, d_in] of some documents, in an order of its own that depends on `docs` alone.

        `advance` is told how many more are there.
        """
        if self._held is None or not np.array_equal(self._held, docs):
            n = int(self._tokens_of[docs].sum())
            self._held = None  # an exception below must not leave a half-filled buffer that looks whole
            if len(self._buffer) != n:
                self._buffer = torch.empty(0, dtype=torch.float32)
                self._buffer = torch.empty(n, self._given_site.d_in, dtype=torch.float32, device=self.device)
            filled = 0
            for acts in self._read(docs) if self._readers.alone else self._read_together(docs):
                self._buffer[filled : filled + len(acts)] = acts
                filled += len(acts)
                if advance is not None:
                    advance(len(acts))
            self._held, self._looked = docs, False
        if not self._looked:
            self._look(docs)
        return self._buffer

    def _look(self, docs: np.ndarray) -> None:
        """Which rows of the buffer count, and how many of each document do not."""
        if self._seeks_bound and "_bound" not in self.__dict__:
            return  # these are the rows that it is measured on
        self._looked = True
        if self._bound is None:
            return
        order = np.concatenate(self._passes(docs))  # of the documents in the buffer
        if self._cache is None:
            self._kept = ~above(self._buffer, self._bound).cpu()
            owner = np.repeat(order, self._tokens_of[order])
            self._outlying[docs] = 0
            np.add.at(self._outlying, owner[~self._kept.numpy()], 1)
        else:
            self._kept = torch.from_numpy(self._cache.kept[order][self._wanted[order]])
