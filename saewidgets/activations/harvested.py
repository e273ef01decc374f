"""The stream of activation batches over what `harvest` wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
import torch
from torch import Tensor

from saewidgets.activations.cache import DTYPES, checked_file, open_shard
from saewidgets.activations.store import ActivationStore
from saewidgets.activations.writing import as_tensor
from saewidgets.corpora import Permutation
from saewidgets.files import LoadError, read_tensors, short, unknown
from saewidgets.records import ActivationSite
from saewidgets.records.arguments import whole

FORMAT = 2  # of a manifest; 1 is that of `ActivationStore.cache`
BLOCK_ROWS = 512  # that follow one another on disk and come into one buffer
INDEX = ("tokens", "wanted", "length", "sequence", "piece")


class HarvestedRow(NamedTuple):
    """One row of tokens of a harvest, and the activations at those that count."""

    sequence: int  # number of its text in the corpus's first epoch
    piece: int  # of that text
    tokens: np.ndarray  # int32 [pos]
    wanted: np.ndarray  # bool [pos], the tokens that count
    activations: Tensor  # float32 [wanted tokens, d_in], in model units


class HarvestedStore(ActivationStore, manifest=FORMAT):
    """`ActivationStore.from_disk` over the folder of a harvest. No model is needed, and memory holds one buffer.

    Each epoch permutes blocks of 512 rows that follow one another on disk, reads as many as the buffer holds, and permutes
    the rows of the buffer: every row comes once an epoch, and batch n is found at once. The batches depend on the folder,
    `seed`, `batch_size` and `buffer_tokens`, and not on the number of ranks: each of these reads its own rows and no
    others.
    """

    def __init__(
        self,
        folder: Path,
        manifest: dict[str, Any],
        *,
        batch_size: int,
        seed: int,
        buffer_tokens: int,
        epochs: int | None,
        device: str | torch.device,
        verify: bool,
        rank: int,
        ranks: int,
    ) -> None:
        self._sizes(batch_size, seed, buffer_tokens, epochs)
        self._share(rank, ranks)
        self.model, self.device = None, torch.device(device)
        self.n_split = self.n_cut = self.n_packed = 0
        self._normalize = self._seeks_bound = False
        self.folder = folder
        try:
            self._open(manifest, verify)
        except (KeyError, TypeError, ValueError, OSError, OverflowError) as error:
            raise LoadError(folder / "manifest.json", f"not a harvest: {type(error).__name__}: {error}") from error

    def _open(self, manifest: dict[str, Any], verify: bool) -> None:
        self._dtype: str = manifest["dtype"]
        if self._dtype not in DTYPES:
            raise LoadError(self.folder, unknown("dtype", self._dtype, DTYPES))
        self._given_site = ActivationSite.from_dict(manifest["site"])
        self._n_left_out = whole(manifest["left_out"], "left_out", minimum=0)
        self._entries: list[dict[str, Any]] = manifest["shards"]
        if len({entry["file"] for entry in self._entries}) != len(self._entries) or not self._entries:
            raise LoadError(self.folder, "the manifest names one file twice, or none")
        d_in = self._given_site.d_in
        rows = [len(open_shard(self.folder, entry, d_in, self._dtype, verify)) for entry in self._entries]
        for entry in self._entries:
            checked_file(self.folder, entry["index"], verify)
        self.n_tokens = sum(rows)
        if manifest["rows"] != self.n_tokens:
            raise LoadError(
                self.folder, f"the manifest says {short(manifest['rows'])} rows, and its shards hold {self.n_tokens:,}"
            )
        size = max(1, min(BLOCK_ROWS, self.buffer_tokens // 16))
        counts = [-(-n // size) for n in rows]
        self._block_shard = np.repeat(np.arange(len(rows), dtype=np.int32), counts)  # [block]
        self._block_first = np.concatenate([np.arange(0, n, size) for n in rows])  # [block], in its shard
        left = np.asarray(rows)[self._block_shard] - self._block_first
        self._block_rows = np.minimum(left, size).astype(np.int32)  # [block]
        self._at_once = max(1, self.buffer_tokens // size)  # blocks of a buffer

    @property
    def left_out(self) -> int:
        """Tokens of outlying norm that the harvest left out."""
        return self._n_left_out

    def __repr__(self) -> str:
        share = f", rank {self.rank} of {self.ranks}" if self.ranks > 1 else ""
        out = f", tokens left out: {self.left_out:,}" if self.left_out else ""
        return (
            f"HarvestedStore({self.n_tokens:,} tokens in {len(self._entries):,} shards at "
            f"{self._given_site.hook_name}{share}{out})"
        )

    def cache(self, path: str | Path, **options: Any) -> NoReturn:
        """Raises TypeError: it is on disk."""
        raise TypeError(f"this store reads from disk already: {self.folder}")

    def rows(self) -> Iterator[HarvestedRow]:
        """The rows of tokens with their activations, shard after shard, as they stand there.

        Example:
            >>> for row in store.rows():  # doctest: +SKIP
            ...     print(row.sequence, row.tokens[row.wanted], row.activations.norm(dim=-1))
        """
        for number, entry in enumerate(self._entries):
            path = self.folder / entry["index"]["file"]
            found = read_tensors(path, names=INDEX, max_bytes=1 << 33)
            ends = np.cumsum(found["length"])
            if found["wanted"].sum() != entry["rows"] or not len(ends) or ends[-1] != len(found["tokens"]):
                raise LoadError(path, "the index does not fit the rows")
            first = done = 0
            for n, last in enumerate(ends.tolist()):
                wanted = found["wanted"][first:last]
                count = int(wanted.sum())
                acts = as_tensor(self._read_rows(number, done, count), self._dtype)
                place = int(found["sequence"][n]), int(found["piece"][n])
                yield HarvestedRow(*place, found["tokens"][first:last], wanted, acts)
                first, done = last, done + count

    # -- the stream --------------------------------------------------------------------------------------------------

    def _sample(self, n_tokens: int) -> Iterator[Tensor]:
        seen = 0
        for blocks in self._groups_of(0):
            n = min(int(self._block_rows[blocks].sum()), n_tokens - seen)
            yield as_tensor(self._rows_at(blocks, np.arange(n)), self._dtype).to(self.device)
            seen += n
            if seen >= n_tokens:
                break

    def _groups_of(self, epoch: int) -> Iterator[np.ndarray]:
        """The blocks of each buffer of an epoch."""
        n = len(self._block_rows)
        order = Permutation(n, self.seed, epoch)
        for first in range(0, n, self._at_once):
            yield order(np.arange(first, min(n, first + self._at_once)))

    def batches(self, start: int = 0) -> Iterator[Tensor]:
        """Batches [batch_size / ranks, d_in] from number `start` on, without reading those before."""
        return self._from(whole(start, "start", minimum=0))

    def _from(self, start: int) -> Iterator[Tensor]:
        epoch, skip = divmod(start * self.batch_size, self.n_tokens)
        parts: list[Tensor] = []
        number = start  # of the batch that `parts` are of
        while self.epochs is None or epoch < self.epochs:
            before = epoch * self.n_tokens  # rows of all batches so far
            for group, blocks in enumerate(self._groups_of(epoch)):
                n = int(self._block_rows[blocks].sum())
                if skip < n:
                    order = np.random.default_rng([self.seed, epoch, group]).permutation(n)[skip:]
                    row = before + skip + np.arange(len(order))  # of the whole stream
                    own = self._is_own(row)
                    found, of = self._rows_at(blocks, order[own]), row[own] // self.batch_size
                    cuts = np.searchsorted(of, np.arange(number, row[-1] // self.batch_size + 1), side="right")
                    first = 0
                    for cut in cuts.tolist():
                        parts.append(as_tensor(found[first:cut], self._dtype).to(self.device))
                        first = cut
                        if (number + 1) * self.batch_size <= row[-1] + 1:
                            yield _joined(parts)
                            parts, number = [], number + 1
                    del found  # before the next one is read
                skip = max(0, skip - n)
                before += n
            epoch += 1
        if any(map(len, parts)):
            yield _joined(parts)

    def _is_own(self, row: np.ndarray) -> np.ndarray:
        """Which rows of the stream stand in this rank's part of their batch, the contiguous one that
        `torch.tensor_split` makes.
        """
        number, at = np.divmod(row, self.batch_size)
        size = np.full(len(row), self.batch_size)
        if self.epochs is not None:  # the last batch may be smaller
            size = np.minimum(size, self.epochs * self.n_tokens - number * self.batch_size)
        each, more = np.divmod(size, self.ranks)  # the first `more` ranks have one row more
        first = self.rank * each + np.minimum(self.rank, more)
        last = first + each + (self.rank < more)
        found: np.ndarray = (first <= at) & (at < last)
        return found

    def _rows_at(self, blocks: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Some rows, by number, of the rows of some blocks together, as the files have them: [rows, d_in]."""
        ends = np.cumsum(self._block_rows[blocks])
        order = np.argsort(rows, kind="stable")
        bounds = np.searchsorted(rows[order], ends)
        found = np.empty((len(rows), self._given_site.d_in), DTYPES[self._dtype][0])
        first = 0
        for block, end, last in zip(blocks.tolist(), ends.tolist(), bounds.tolist(), strict=True):
            if first < last:
                own, n = order[first:last], int(self._block_rows[block])
                read = self._read_rows(int(self._block_shard[block]), int(self._block_first[block]), n)
                found[own] = read[rows[own] - (end - n)]
            first = last
        return found

    def _read_rows(self, shard: int, first: int, n: int) -> np.ndarray:
        """Rows of a shard. Read and not mapped: pages that were once mapped count as this process's memory."""
        kind, _ = DTYPES[self._dtype]
        width = self._given_site.d_in
        entry = self._entries[shard]
        offset = entry["bytes"] + (first - entry["rows"]) * width * kind.itemsize  # the rows end where the file does
        found = np.fromfile(self.folder / entry["file"], kind, n * width, offset=offset)
        if len(found) < n * width:
            raise LoadError(self.folder / entry["file"], "truncated while it was read")
        return found.reshape(n, width)


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)
