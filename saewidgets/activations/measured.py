"""What every store has: a site with its measured scale and bound, ranks that share its batches, and workers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from itertools import islice

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from saewidgets.files import unknown
from saewidgets.records import ActivationSite
from saewidgets.records.arguments import real, seed_of, whole
from saewidgets.sae import above, norm_bound

OUTLIERS = ("leave out", "keep")
SAMPLE_TOKENS = 1 << 16  # of the first epoch, on which scale and bound are measured


class Measured(IterableDataset[Tensor]):
    """A stream of batches of activations at one site.

    A torch `DataLoader(store, batch_size=None, num_workers=n)` gives the same batches in the same order as the store
    itself: worker w makes those of the numbers w, w + n, ...
    """

    _given_site: ActivationSite
    _normalize: bool
    _seeks_bound: bool

    def _sample(self, n_tokens: int) -> Iterator[Tensor]:
        """Activations of the first `n_tokens` tokens of the first epoch, none left out."""
        raise NotImplementedError

    def batches(self, start: int = 0) -> Iterator[Tensor]:
        """Batches [batch_size / ranks, d_in] from number `start` on."""
        raise NotImplementedError

    def _sizes(self, batch_size: int, seed: int, buffer_tokens: int, epochs: int | None) -> None:
        """What decides the order of the rows, checked."""
        self.batch_size = whole(batch_size, "batch_size", minimum=1)
        self.seed = seed_of(seed)
        self.epochs = None if epochs is None else whole(epochs, "epochs", minimum=1)
        self.buffer_tokens = whole(buffer_tokens, "buffer_tokens", minimum=1)

    def _share(self, rank: int, ranks: int) -> None:
        """Be one rank's part of the store."""
        self.ranks = whole(ranks, "ranks", minimum=1)
        self.rank = whole(rank, "rank", minimum=0, maximum=self.ranks - 1)
        if self.batch_size % self.ranks:
            raise ValueError(
                f"batch_size is that of all ranks together, and {self.batch_size:,} rows cannot be shared evenly by {self.ranks}; "
                f"give batch_size={self.ranks * max(1, round(self.batch_size / self.ranks))}"
            )

    @cached_property
    def site(self) -> ActivationSite:
        """The site, with the scale at which mean |scale x|^2 = d_in (unless `normalize` is off or a scale was given),
        and with the largest norm that counts (unless `outliers` is "keep").
        """
        bound = self._bound
        site = self._given_site if bound == self._given_site.max_norm else replace(self._given_site, max_norm=bound)
        if not self._normalize or site.scale != 1.0:
            return site
        return replace(site, scale=self.measure_scale())

    @cached_property
    def _bound(self) -> float | None:
        """The largest norm that counts."""
        if not self._seeks_bound:
            return self._given_site.max_norm
        norms = [torch.linalg.vector_norm(rows, dim=-1) for rows in self._sample(SAMPLE_TOKENS)]
        return norm_bound(torch.cat(norms))

    def measure_scale(self, n_tokens: int = SAMPLE_TOKENS) -> float:
        """The scale sqrt(d_in / mean |x|^2), from the first `n_tokens` tokens of the first epoch.

        Note that this is the mean of the squared norm, not the square of the mean norm. Tokens of outlying norm are in
        no mean.
        """
        bound, total, seen = self._bound, 0.0, 0
        for rows in self._sample(n_tokens):
            out = above(rows, bound)
            rows = rows[~out] if bool(out.any()) else rows
            total += float(rows.square().sum(dtype=torch.float64))
            seen += len(rows)
        if not (np.isfinite(total) and total > 0):
            raise ValueError(f"the activations at {self._given_site.hook_name} are all zero or not finite")
        return float(np.sqrt(self._given_site.d_in * seen / total))

    def __iter__(self) -> Iterator[Tensor]:
        worker = get_worker_info()
        if worker is None:
            return self.batches()
        return islice(self.batches(worker.id), 0, None, worker.num_workers)


def with_outliers(site: ActivationSite, outliers: str | float) -> ActivationSite:
    """The site with the largest norm that counts, as far as that was given. Raises TypeError or ValueError on what is
    neither a site nor a way with outliers.
    """
    if isinstance(outliers, str) and outliers not in OUTLIERS:
        known = unknown("way with outliers", outliers, OUTLIERS)
        raise ValueError(f"{known}; or give the largest norm that counts")
    if not isinstance(site, ActivationSite):
        raise TypeError(
            f"site must be an ActivationSite, such as sw.site(model, 'blocks.2.hook_resid_post'), not a {type(site).__name__}"
        )
    if outliers == "leave out":
        return site
    return replace(site, max_norm=None if outliers == "keep" else real(outliers, "outliers"))
